"""Which windows are drawn together next. Sans-I/O: times go in, batches come out."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Waiting(Generic[Item]):
    """Attributes:
    due_s: when its first frame will be missed.
    alike: only windows that agree in this can be one batch.
    """

    due_s: float
    alike: Hashable
    item: Item


class WindowQueue(Generic[Item]):
    """Earliest due first, and whatever is alike with it.

    A conversation's windows stay in order and never share a batch, since each goes on from the one before. Due times
    move on with time, so nobody waits for ever: a conversation that asks for much only brings its own times nearer.
    """

    def __init__(self) -> None:
        self._of: dict[Hashable, deque[Waiting[Item]]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._of.values()))

    def put(self, conversation: Hashable, waiting: Waiting[Item]) -> None:
        self._of.setdefault(conversation, deque()).append(waiting)

    def forget(self, conversation: Hashable) -> list[Item]:
        """The conversation is over; what it was still waiting for."""
        return [waiting.item for waiting in self._of.pop(conversation, ())]

    def take(self, most: int) -> list[Item]:
        """The next batch, most urgent first, at most so many; empty where nothing waits."""
        heads = sorted(
            ((queue[0].due_s, n, key) for n, (key, queue) in enumerate(self._of.items())), key=lambda h: h[:2]
        )
        batch: list[Item] = []
        alike: Hashable = None
        for _, _, key in heads:
            queue = self._of[key]
            if batch and queue[0].alike != alike:
                continue
            alike = queue[0].alike
            batch.append(queue.popleft().item)
            if not queue:
                del self._of[key]
            if len(batch) == most:
                break
        return batch
