"""The live conversations of this server: how many there may be, which is which, and how all of them end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from server.errors import NotFound, Unavailable
from server.realtime.lifetime import SHUTTING_DOWN, Ending
from server.realtime.session import RealtimeSession

logger = logging.getLogger(__name__)

RETRY_FULL_S = 15.0
RETRY_DRAINING_S = 5.0


@dataclass(slots=True)
class Registry:
    """Admission, look-up, drain.

    Attributes:
        capacity: conversations at once.
        draining: no more are admitted.
    """

    capacity: int
    draining: bool = False
    _admitted: int = 0
    _sessions: dict[str, RealtimeSession] = field(default_factory=dict)
    _tasks: dict[str, asyncio.Task[Ending]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._sessions)

    @contextmanager
    def admit(self) -> Iterator[Callable[[], None]]:
        """A place for a conversation being set up; given back unless the returned function says that it is taken.

        Raises:
            Unavailable: full, or shutting down.
        """
        if self.draining:
            raise Unavailable(SHUTTING_DOWN.message, code=SHUTTING_DOWN.code, retry_after_s=RETRY_DRAINING_S)
        if self._admitted + len(self._sessions) >= self.capacity:
            raise Unavailable(
                f"All {self.capacity} conversations of this server are taken. Try again in a moment.",
                retry_after_s=RETRY_FULL_S,
            )
        self._admitted += 1
        taken = False

        def take() -> None:
            nonlocal taken
            if not taken:
                taken = True
                self._admitted -= 1

        try:
            yield take
        finally:
            take()

    def start(self, call_id: str, session: RealtimeSession, ended: Callable[[Ending], None]) -> asyncio.Task[Ending]:
        """Run a session in a task of its own; ``ended`` is called when nothing of it is left."""
        task = asyncio.create_task(session.run(), name=f"session {call_id}")
        self._sessions[call_id] = session
        self._tasks[call_id] = task

        def forget(done: asyncio.Task[Ending]) -> None:
            self._sessions.pop(call_id, None)
            self._tasks.pop(call_id, None)
            if done.cancelled():
                return
            error = done.exception()
            if error is not None:
                logger.error("session %s failed", call_id, exc_info=error)
            ended(done.result() if error is None else Ending("server_error"))

        task.add_done_callback(forget)
        return task

    def find(self, call_id: str) -> RealtimeSession:
        """Raises:
        NotFound: it never was, or is over.
        """
        session = self._sessions.get(call_id)
        if session is None:
            raise NotFound(f"There is no call {call_id[:80]!r}; it may be over.", code="call_not_found")
        return session

    async def drain(self, seconds: float) -> None:
        """Admit nobody, let answers that are being spoken finish for up to ``seconds``, then end everything."""
        self.draining = True
        deadline = asyncio.get_running_loop().time() + seconds
        pending = dict(self._tasks)
        while pending and asyncio.get_running_loop().time() < deadline:
            for call_id in list(pending):
                session = self._sessions.get(call_id)
                if session is None or not session.speaking:
                    if session is not None:
                        session.end(SHUTTING_DOWN)
                    del pending[call_id]
            if pending:
                await asyncio.sleep(0.1)
        await self.close()

    async def close(self) -> None:
        """End every conversation now and wait until nothing of them is left."""
        self.draining = True
        for session in list(self._sessions.values()):
            session.end(SHUTTING_DOWN)
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
