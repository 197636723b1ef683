"""What waits to be carried out is bounded, and nobody waits for a session that is over."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, cast

from server.metrics import Metrics
from server.realtime import session as module
from server.realtime.lifetime import FLOOD, HUNG_UP, Ending
from server.realtime.session import RealtimeSession, SessionLimits
from server.realtime.session_config import SessionConfig, SessionDefaults
from tests.server.fakes import FakeConversation, FakeEngine
from tests.virtual_time import run_virtually

PING = '{"type":"avatar.ping"}'


class Silent:
    has_track = False

    def send(self, text: str) -> None: ...

    async def close(self, ending: Ending) -> None: ...


def make_session(clock: Callable[[], float] = time.monotonic, watch_s: float = 60) -> RealtimeSession:
    config = SessionConfig.initial(SessionDefaults())
    session = RealtimeSession(
        Silent(),
        config,
        transcriber=cast(Any, FakeEngine()),
        metrics=Metrics(),
        limits=SessionLimits(max_s=1e9, idle_s=1e9, events_per_second=10, watch_s=watch_s),
        clock=clock,
    )
    session.attach(cast(Any, FakeConversation(config.settings(), session.observe, sound=False)))
    return session


async def test_bytes_that_wait_are_bounded() -> None:
    session = make_session()
    piece = "x" * (4 * 1024 * 1024)
    taken = [session.receive(piece) for _ in range(5)]
    assert taken == [True, True, True, True, False]
    assert session.ending is FLOOD


async def test_a_reader_waits_for_room_and_goes_on() -> None:
    session = make_session()
    for _ in range(module.INBOX_EVENTS):
        await session.receive_patiently(PING)
    waiting = asyncio.create_task(session.receive_patiently(PING))
    await asyncio.sleep(0)
    assert not waiting.done()
    running = asyncio.create_task(session.run())
    await asyncio.wait_for(waiting, 5)
    session.end(HUNG_UP)
    await running


async def test_a_reader_does_not_wait_for_a_session_that_ended() -> None:
    session = make_session()
    for _ in range(module.INBOX_EVENTS):
        await session.receive_patiently(PING)
    waiting = asyncio.create_task(session.receive_patiently(PING))
    await asyncio.sleep(0)
    session.end(HUNG_UP)
    await asyncio.wait_for(waiting, 5)
    await asyncio.wait_for(session.receive_patiently(PING), 5)


def test_a_client_that_does_not_slow_down_is_shown_out() -> None:
    async def flood(events: int) -> tuple[Ending, float]:
        """How it ended, and how many seconds it took the client to send so many events."""
        loop = asyncio.get_running_loop()
        session = make_session(loop.time, watch_s=1)
        running = asyncio.create_task(session.run())
        for _ in range(events):
            await session.receive_patiently('{"type":"input_audio_buffer.clear"}')
        sent_s = loop.time()
        await asyncio.sleep(module.INBOX_EVENTS)
        session.end(HUNG_UP)
        return await running, sent_s

    burst, room = 50, module.INBOX_EVENTS  # ten events a second
    ending, sent_s = run_virtually(flood(burst + room + 20))
    assert ending is HUNG_UP and sent_s > 1, "a burst is held back until it is through"
    ending, sent_s = run_virtually(flood(10_000))
    assert ending is FLOOD and module.HELD_S <= sent_s <= module.HELD_S + 2
