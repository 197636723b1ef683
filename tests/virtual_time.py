"""An event loop whose clock jumps to the next timer: hours of conversation in milliseconds, nobody sleeps."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _JumpingSelector(selectors.SelectSelector):
    def __init__(self) -> None:
        super().__init__()
        self.skipped_s = 0.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready and timeout is None:
            raise RuntimeError("nothing is scheduled and nothing is ready: the test would wait for ever")
        if not ready and timeout is not None and timeout > 0:
            self.skipped_s += timeout
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Only for code that waits on the loop's own timers; threads and sockets see no time pass."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.skipped_s


def run_virtually(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run to completion on a fresh virtual clock that begins at 0; a task left running is an error."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        result = runner.run(_checked(coroutine))
    return result


async def _checked(coroutine: Coroutine[Any, Any, T]) -> T:
    result = await coroutine
    for _ in range(5):
        await asyncio.sleep(0)
    left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    assert not left, f"tasks left running: {left}"
    return result
