"""The items of a conversation, as the client sees them and as the model remembers them."""

from __future__ import annotations

from collections.abc import Callable

from llm_bridge.chat import Message
from llm_bridge.memory import Memory
from streaming import events
from streaming.events import Event, Item


class History:
    """Items in order; every change is told to ``observe``.

    Args:
        observe: gets ItemAdded, ItemDone, ItemDeleted and ItemTruncated.
    """

    def __init__(self, observe: Callable[[Event], None]) -> None:
        self._observe = observe
        self._items: dict[str, Item] = {}
        self._memory = Memory()

    def __contains__(self, item_id: object) -> bool:
        return item_id in self._items

    def get(self, item_id: str) -> Item:
        """Raises KeyError."""
        return self._items[item_id]

    def last_id(self) -> str | None:
        items = self._memory.items
        return items[-1].item_id if items else None

    def add(self, item: Item, after: str | None = None) -> None:
        """Put an item at the end, behind ``after``, or before all others (``"root"``).

        Raises:
            ValueError: the id is taken, or ``after`` is unknown.
        """
        previous = self._memory.add(item.item_id, item.role, item.text, after=after)
        self._items[item.item_id] = item
        self._observe(events.ItemAdded(item, previous))
        if item.complete:
            self._observe(events.ItemDone(item, previous))

    def settle(self, item_id: str, text: str) -> None:
        """Write what was said (or heard of it); an item that was growing is complete now. Unknown ids (deleted
        meanwhile) are ignored."""
        before = self._items.get(item_id)
        if before is None:
            return
        item = self._items[item_id] = Item(item_id, before.role, text, before.spoken)
        self._memory.set_text(item_id, text)
        if not before.complete:
            self._observe(events.ItemDone(item, self._memory.previous(item_id)))

    def cut(self, item_id: str, heard: str, heard_ms: float) -> None:
        """Keep only what was heard of the avatar's item."""
        if item_id in self._items:
            self.settle(item_id, heard)
            self._observe(events.ItemTruncated(item_id, heard, round(heard_ms)))

    def delete(self, item_id: str) -> None:
        """Raises KeyError."""
        del self._items[item_id]
        self._memory.delete(item_id)
        self._observe(events.ItemDeleted(item_id))

    def messages(self, budget_tokens: int, instructions: str, *, unheard: str | None = None) -> list[Message]:
        """What the model is shown; ``unheard`` is a user's turn that may be about to end."""
        messages = self._memory.messages(budget_tokens, instructions)
        if unheard is not None:
            messages.append(Message("user", unheard))
        return _joined(messages)


def _joined(messages: list[Message]) -> list[Message]:
    """What a user said in several turns without an answer is one message: models expect to alternate."""
    joined: list[Message] = []
    for message in messages:
        if joined and message.role == "user" == joined[-1].role:
            message = Message("user", f"{joined.pop().text} {message.text}")
        joined.append(message)
    return joined
