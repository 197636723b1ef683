"""``LocalWorkerPool``: workers as processes of this machine."""

from __future__ import annotations

import asyncio
import itertools
import os

from streaming.errors import Busy, WorkerLost
from streaming.workers.local_worker import START_TIMEOUT_S, LocalWorker
from streaming.workers.pool import WorkerSpec
from streaming.workers.zygote_process import ZYGOTE, ZygoteProcess

BEAT_MAKER = "streaming.workers.beat_maker:make_beat_maker"
HOST = "streaming.workers.host"


class LocalWorkerPool:
    """Starts worker processes on this machine, one a conversation.

    Args:
        capacity: conversations at once; None for three a core, what a 512x512 portrait leaves room for.
        beat_maker: "module:function" that makes a ``BeatMaker`` of a ``WorkerSpec``.
        starter: the module whose process starts the workers: ``ZYGOTE`` forks a process each, ``HOST`` runs them as
            threads of its own, for renderers that share a GPU.
        start_timeout_s: how long a worker may take until it can make beats.
    """

    def __init__(
        self,
        capacity: int | None = None,
        *,
        beat_maker: str = BEAT_MAKER,
        starter: str = ZYGOTE,
        start_timeout_s: float = START_TIMEOUT_S,
    ) -> None:
        self.capacity = capacity if capacity is not None else 3 * (os.cpu_count() or 1)
        self._beat_maker = beat_maker
        self._starter = starter
        self._start_timeout_s = start_timeout_s
        self._numbers = itertools.count(1)
        self._workers: dict[int, LocalWorker] = {}
        self._starting: asyncio.Lock = asyncio.Lock()
        self._zygote: ZygoteProcess | None = None
        self._closed = False

    @property
    def used(self) -> int:
        """Workers in use."""
        return len(self._workers)

    async def start(self) -> None:
        """Get ready to start workers quickly. ``acquire`` does this too where it was not done before."""
        async with self._starting:
            if self._closed:
                raise WorkerLost("The server is shutting down.", retryable=False)
            if self._zygote is None or not self._zygote.alive:
                if self._zygote is not None:
                    await self._zygote.close()
                self._zygote = await ZygoteProcess.start(self._exited, self._starter)

    async def acquire(self, spec: WorkerSpec) -> LocalWorker:
        """A worker for one conversation; see ``WorkerPool.acquire``."""
        if len(self._workers) >= self.capacity:
            raise Busy(f"All {self.capacity} places for conversations are taken; try again in a moment.")
        number = next(self._numbers)
        worker = LocalWorker(kill=lambda: self._kill(number), release=lambda: self._workers.pop(number, None))
        self._workers[number] = worker
        try:
            await self.start()
            assert self._zygote is not None
            await worker.open(self._zygote, number, spec, self._beat_maker, timeout_s=self._start_timeout_s)
        except BaseException:
            await worker.close()
            raise
        return worker

    async def close(self) -> None:
        """End every worker process."""
        self._closed = True
        for worker in list(self._workers.values()):
            await worker.close()
        async with self._starting:
            if self._zygote is not None:
                await self._zygote.close()
                self._zygote = None

    def _kill(self, number: int) -> None:
        if self._zygote is not None:
            self._zygote.kill(number)

    def _exited(self, number: int, status: int) -> None:
        if worker := self._workers.get(number):
            worker.exited(status)
