"""Worker processes, for real."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import psutil
import pytest

from avatar.motion.source import Gesture, Mode
from avatar.speech import SpeechChunk
from streaming.avatar_output import AvatarOutput
from streaming.beat import Beat
from streaming.errors import Busy, WorkerLost
from streaming.workers import local_worker
from streaming.workers.local import LocalWorkerPool
from streaming.workers.local_worker import LocalWorker
from streaming.workers.pool import WorkerSpec
from tests.processes import children
from tests.streaming.test_playback import RecordingTrack

FAKES = "tests.streaming.workers.fakes"
SPEC = WorkerSpec(None, size=64)
ROOT = Path(__file__).resolve().parents[3]


@asynccontextmanager
async def open_pool(factory: str = "make_beat_maker", capacity: int = 4) -> AsyncIterator[LocalWorkerPool]:
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    pool = LocalWorkerPool(capacity, beat_maker=f"{FAKES}:{factory}")
    try:
        yield pool
    finally:
        await pool.close()
    after = {child.pid for child in psutil.Process().children(recursive=True)}
    assert after <= before, "a process outlived its pool"


def worker_processes() -> list[psutil.Process]:
    """Children of the zygote."""
    return [grandchild for child in children() for grandchild in child.children()]


async def until(condition: Callable[[], bool], within_s: float = 5.0) -> float:
    """Wait for something that another process does; returns how long it took."""
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < within_s, "it did not happen"
        await asyncio.sleep(0.01)
    return time.monotonic() - begun


async def take(worker: LocalWorker, count: int) -> list[Beat]:
    beats: list[Beat] = []
    async for beat in worker.beats():
        beats.append(beat)
        if len(beats) == count:
            break
    return beats


async def test_a_worker_speaks_and_ends_with_its_conversation() -> None:
    async with open_pool() as pool:
        worker = await pool.acquire(SPEC)
        assert pool.used == 1
        worker.set_mode(Mode.LISTENING)
        worker.gesture(Gesture.NOD, 1.0)
        worker.set_bitrate(300_000)
        worker.request_keyframe()
        worker.speak(1, SpeechChunk(np.full(1930, 7, np.int16)))
        worker.finish(1)
        worker.clear(5)
        worker.speak(2, SpeechChunk(np.full(1930, 8, np.int16)))
        worker.finish(2)
        worker.grant(3)
        beats = await take(worker, 3)
        assert [(b.utterance, b.position, b.speech_samples, b.last, b.epoch) for b in beats] == [
            (2, 0, 1920, False, 5),
            (2, 1920, 10, True, 5),
            (0, 0, 0, False, 5),
        ]
        assert beats[0].keyframe and all(beat.picture for beat in beats)
        (process,) = worker_processes()
        assert process.nice() > psutil.Process().nice()
        await worker.close()
        assert pool.used == 0
        await until(lambda: not worker_processes())
        assert [beat async for beat in worker.beats()] == []


async def test_a_worker_makes_no_more_beats_than_it_may() -> None:
    async with open_pool() as pool:
        worker = await pool.acquire(SPEC)
        worker.grant(2)
        await take(worker, 2)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(take(worker, 1), 0.2)


async def test_capacity_is_kept_and_freed() -> None:
    async with open_pool(capacity=1) as pool:
        worker = await pool.acquire(SPEC)
        with pytest.raises(Busy, match="All 1 places") as refusal:
            await pool.acquire(SPEC)
        assert refusal.value.retryable
        await worker.close()
        await (await pool.acquire(SPEC)).close()


async def test_a_damaged_persona_is_told_as_it_is() -> None:
    async with open_pool("make_damaged") as pool:
        with pytest.raises(WorkerLost, match="/nowhere is damaged") as refusal:
            await pool.acquire(SPEC)
        assert refusal.value.code == "persona_error" and not refusal.value.retryable
        assert pool.used == 0


@pytest.mark.parametrize("spec", [WorkerSpec(None, size=65), WorkerSpec(None, codec="AV1")])
async def test_what_cannot_be_encoded_is_refused(spec: WorkerSpec) -> None:
    async with open_pool() as pool:
        with pytest.raises(WorkerLost, match=r"65x65|AV1"):
            await pool.acquire(spec)


async def test_a_factory_that_is_not_there(capfd: pytest.CaptureFixture[str]) -> None:
    async with open_pool("make_nothing") as pool:
        with pytest.raises(WorkerLost, match="could not start: AttributeError"):
            await pool.acquire(SPEC)
    assert "make_nothing" in capfd.readouterr().err


async def test_a_worker_that_dies_while_starting() -> None:
    async with open_pool("make_dying") as pool:
        with pytest.raises(WorkerLost, match="died while starting") as refusal:
            await pool.acquire(SPEC)
        assert refusal.value.retryable
        assert pool.used == 0


async def test_a_killed_worker_is_lost_and_its_beats_are_not() -> None:
    async with open_pool() as pool:
        worker = await pool.acquire(SPEC)
        worker.grant(1)
        await take(worker, 1)
        worker_processes()[0].kill()
        with pytest.raises(WorkerLost, match=r"died \(signal 9\)"):
            await take(worker, 1)
        worker.grant(1)
        await worker.close()


async def test_a_dead_worker_keeps_its_place_for_the_one_that_takes_over() -> None:
    async with open_pool(capacity=1) as pool:
        output = AvatarOutput(pool, SPEC, sound=RecordingTrack(), picture=RecordingTrack())
        failed: list[Exception] = []
        output.on_failed = failed.append
        await output.start()
        dead = worker_processes()[0]
        dead.kill()
        refused = 0
        while not [process for process in worker_processes() if process.pid != dead.pid]:
            with pytest.raises(Busy):
                await pool.acquire(SPEC)
            refused += 1
            await asyncio.sleep(0)
        assert refused and not failed
        await output.close()


async def test_a_worker_that_makes_no_beats_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_worker, "WATCHDOG_S", 0.2)
    async with open_pool("make_stuck") as pool:
        worker = await pool.acquire(SPEC)
        worker.grant(3)
        begun = time.monotonic()
        with pytest.raises(WorkerLost, match="made no beat"):
            await take(worker, 3)
        assert time.monotonic() - begun < 2
        await until(lambda: not worker_processes())


async def test_a_worker_that_does_not_read_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_worker, "MAX_UNSENT_BYTES", 1_000_000)
    async with open_pool("make_stuck") as pool:
        worker = await pool.acquire(SPEC)
        worker.grant(10)
        await take(worker, 2)
        for _ in range(20):
            worker.speak(1, SpeechChunk(np.zeros(100_000, np.int16)))
        with pytest.raises(WorkerLost, match="commands unread"):
            await take(worker, 1)


async def test_speech_goes_on_within_a_second_of_a_kill() -> None:
    async with open_pool() as pool:
        sound, picture = RecordingTrack(), RecordingTrack()
        output = AvatarOutput(pool, SPEC, sound=sound, picture=picture)
        heard: list[int] = []
        times: list[float] = []
        over = asyncio.Event()

        def played(what: object) -> None:
            heard.extend(np.frombuffer(what.pcm48k, "<i2"))  # type: ignore[attr-defined]
            times.append(time.monotonic())
            if what.last:  # type: ignore[attr-defined]
                over.set()

        output.on_played = played
        await output.start()
        output.speak(1, SpeechChunk((np.arange(72_000) % 30_000).astype(np.int16)))
        output.finish(1)
        await asyncio.sleep(0.5)
        worker_processes()[0].kill()
        await asyncio.wait_for(over.wait(), 5)
        await output.close()
        assert heard == [n % 30_000 for n in range(72_000)]
        assert max(np.diff(times)) < 1.0
        assert np.diff(sound.pts).tolist() == [960] * (len(sound.pts) - 1)


async def test_the_zygote_itself_may_die() -> None:
    async with open_pool() as pool:
        worker = await pool.acquire(SPEC)
        (zygote,) = children()
        zygote.kill()
        with pytest.raises(WorkerLost):
            await take(worker, 1)
        other = await pool.acquire(SPEC)
        other.grant(1)
        assert len(await take(other, 1)) == 1


async def test_a_start_that_nobody_waits_for_any_more_leaves_no_process() -> None:
    async with open_pool() as pool:  # which finds what is left
        starting = asyncio.create_task(pool.start())
        await until(lambda: bool(children()))
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        assert not children()


async def test_workers_come_and_go_without_a_trace() -> None:
    async with open_pool() as pool:
        await (await pool.acquire(SPEC)).close()
        me = psutil.Process()
        await until(lambda: not worker_processes())
        (zygote,) = children()
        before = me.num_fds(), zygote.num_fds()
        for _ in range(30):
            worker = await pool.acquire(SPEC)
            worker.grant(1)
            await take(worker, 1)
            await worker.close()
        await until(lambda: not worker_processes())
        assert (me.num_fds(), zygote.num_fds()) == before


async def test_a_closed_pool_starts_nothing() -> None:
    pool = LocalWorkerPool(1)
    await pool.close()
    with pytest.raises(WorkerLost, match="shutting down"):
        await pool.acquire(SPEC)
    await pool.close()


async def test_a_start_that_is_cancelled_leaves_nothing() -> None:
    async with open_pool() as pool:
        await pool.start()
        starting = asyncio.create_task(pool.acquire(SPEC))
        await asyncio.sleep(0)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        assert pool.used == 0
        await until(lambda: not worker_processes())


GATEWAY = """
import asyncio, os, sys
if "closed" in sys.argv:
    os.close(0)
from streaming.workers.local import LocalWorkerPool
from streaming.workers.pool import WorkerSpec

async def main():
    pool = LocalWorkerPool(2, beat_maker="tests.streaming.workers.fakes:" + sys.argv[1])
    worker = await pool.acquire(WorkerSpec(None, size=64))
    worker.grant(3)
    async for beat in worker.beats():
        print("beat", flush=True)
        if "end" in sys.argv:
            break
    await pool.close()

asyncio.run(main())
"""


@asynccontextmanager
async def gateway(*arguments: str) -> AsyncIterator[subprocess.Popen[str]]:
    """Another process that has a pool and a worker."""
    process = subprocess.Popen(  # noqa: ASYNC220
        [sys.executable, "-c", GATEWAY, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        assert await asyncio.to_thread(process.stdout.readline) == "beat\n"
        yield process
    finally:
        process.kill()
        await asyncio.to_thread(process.wait)
        process.stdout.close()


@pytest.mark.parametrize("factory", ["make_beat_maker", "make_stuck"])
async def test_no_worker_outlives_a_gateway_that_is_killed(factory: str) -> None:
    async with gateway(factory) as process:
        family = psutil.Process(process.pid).children(recursive=True)
        assert len(family) == 2
        os.kill(process.pid, signal.SIGKILL)
        await until(lambda: not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in family))


async def test_a_gateway_without_a_stdin() -> None:
    async with gateway("make_beat_maker", "end", "closed") as process:
        await until(lambda: process.poll() == 0)
