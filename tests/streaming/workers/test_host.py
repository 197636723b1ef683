"""Workers that are threads of one process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
import psutil
import pytest

from avatar.speech import SpeechChunk
from streaming.errors import Busy, WorkerLost
from streaming.workers import host
from streaming.workers.local import HOST, LocalWorkerPool
from streaming.workers.pool import WorkerSpec
from tests.processes import children
from tests.streaming.workers.test_local import take, until

FAKES = "tests.streaming.workers.fakes"
SPEC = WorkerSpec(None, size=64)


@asynccontextmanager
async def open_pool(factory: str = "make_beat_maker", capacity: int = 4) -> AsyncIterator[LocalWorkerPool]:
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    pool = LocalWorkerPool(capacity, beat_maker=f"{FAKES}:{factory}", starter=HOST)
    try:
        yield pool
    finally:
        await pool.close()
    after = {child.pid for child in psutil.Process().children(recursive=True)}
    assert after <= before, "a process outlived its pool"


async def test_two_conversations_share_a_process_and_each_has_its_own_beats() -> None:
    async with open_pool() as pool:
        workers = [await pool.acquire(SPEC) for _ in range(2)]
        for number, worker in enumerate(workers):
            worker.speak(1, SpeechChunk(np.full(1920, number + 1, np.int16)))
            worker.finish(1)
            worker.grant(2)
        for number, worker in enumerate(workers):
            beats = await take(worker, 2)
            assert [beat.speech_samples for beat in beats] == [1920, 0]
            assert set(np.frombuffer(beats[0].pcm48k, "<i2").tolist()) == {number + 1}
        (process,) = children()
        assert not process.children(), "threads, not processes"
        await workers[0].close()
        workers[1].grant(1)
        assert len(await take(workers[1], 1)) == 1
        await workers[1].close()
        assert pool.used == 0


async def test_options_reach_the_worker() -> None:
    async with open_pool("make_optional") as pool:
        with pytest.raises(WorkerLost, match="steps 4, half true True"):
            await pool.acquire(WorkerSpec(None, size=64, options={"steps": 4, "half": True}))


async def test_a_worker_that_cannot_start_says_why() -> None:
    async with open_pool("make_damaged") as pool:
        with pytest.raises(WorkerLost, match="no manifest"):
            await pool.acquire(SPEC)
        assert pool.used == 0


async def test_a_full_device_is_busy_not_lost() -> None:
    async with open_pool("make_full") as pool:
        with pytest.raises(Busy, match="two conversations") as refusal:
            await pool.acquire(SPEC)
        assert refusal.value.retryable and pool.used == 0


async def test_a_worker_whose_conversation_is_over_closes_its_beats() -> None:
    async with open_pool("make_telling") as pool:
        first = await pool.acquire(SPEC)
        with pytest.raises(Busy):
            await pool.acquire(SPEC)
        await first.close()
        for _ in range(100):
            try:
                second = await pool.acquire(SPEC)
                break
            except Busy:
                await asyncio.sleep(0.02)
        await second.close()


@pytest.mark.slow
async def test_a_thread_that_hangs_takes_its_process_along() -> None:
    """And another process serves those who come after it."""
    async with open_pool("make_stuck") as pool:
        worker = await pool.acquire(SPEC)
        worker.grant(3)
        assert len(await take(worker, 2)) == 2
        (process,) = children()
        await worker.close()
        await until(
            lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE, within_s=host.GRACE_S + 10
        )
        await until(lambda: pool._zygote is not None and not pool._zygote.alive)  # the gateway has seen it too
        another = await pool.acquire(SPEC)
        another.grant(1)
        assert len(await take(another, 1)) == 1
        await another.close()
