"""``AvatarOutput``: a conversation's sound and picture, made by a worker process and played on time."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from avatar.motion.source import Gesture, Manner, Mode
from avatar.speech import SpeechChunk
from streaming.beat import Beat
from streaming.clock import Release
from streaming.errors import StreamingError, WorkerLost
from streaming.output import Played
from streaming.playback import Playback, Track
from streaming.speech_journal import SpeechJournal
from streaming.workers.pool import AvatarWorker, WorkerPool, WorkerSpec

log = logging.getLogger(__name__)

IDLE_BEATS = 2
SPEAKING_BEATS = 4
"""Beats to have ready, 40 ms each: what a worker may be late without anyone noticing. Interruption does not wait
for them (they are dropped), nor does speech for idle ones; a demanded keyframe does."""
MAX_DEATHS = 3
DEATHS_WITHIN_S = 30.0
"""Three dead workers in half a minute are no accident: the next would die of the same."""
KEYFRAME_INTERVAL_S = 0.3
"""A receiver repeats its request until a keyframe arrives; one answer a round trip is enough."""


class AvatarOutput:
    """See ``streaming.output.Output``.

    A worker that dies is replaced, and speech goes on from the first sample that has not come back as a beat;
    meanwhile the picture stands and there is silence.

    Args:
        pool: where workers come from.
        spec: what they draw.
        sound, picture: where packets go.
    """

    def __init__(self, pool: WorkerPool, spec: WorkerSpec, *, sound: Track, picture: Track | None) -> None:
        self.on_played: Callable[[Played], None] = lambda played: None
        self.on_failed: Callable[[Exception], None] = lambda error: None
        self._pool = pool
        self._spec = spec
        self._playback = Playback(sound=sound, picture=picture)
        self._playback.on_release = self._released
        self._journal = SpeechJournal()
        self._worker: AvatarWorker | None = None
        self._task: asyncio.Task[None] | None = None
        self._outstanding = 0
        self._mode = Mode.IDLE
        self._manner = Manner()
        self._deaths: deque[float] = deque(maxlen=MAX_DEATHS)
        self._keyframe_at = float("-inf")

    @property
    def playback(self) -> Playback:
        """For measurement: lateness, stalls."""
        return self._playback

    async def start(self) -> None:
        """Acquire a worker and begin with idle beats.

        Raises:
            Busy: no capacity.
            WorkerLost: the worker could not start; the message says why.
        """
        self._adopt(await self._pool.acquire(self._spec))
        self._task = asyncio.create_task(self._run())
        self._playback.start()

    def speak(self, utterance: int, chunk: SpeechChunk) -> None:
        if self._journal.speak(utterance, chunk) and self._worker is not None:
            self._worker.speak(utterance, chunk)
            self._top_up()

    def finish(self, utterance: int) -> None:
        if self._journal.finish(utterance) and self._worker is not None:
            self._worker.finish(utterance)
            self._top_up()

    def stop(self) -> int:
        position = self._playback.clock.clear()
        self._journal.clear()
        if self._worker is not None:
            self._worker.clear(self._playback.clock.epoch)
            self._top_up()
        return position

    def duck(self, gain_db: float) -> None:
        self._playback.clock.set_gain(gain_db)

    def set_mode(self, mode: Mode) -> None:
        self._mode = mode
        if self._worker is not None:
            self._worker.set_mode(mode)

    def set_manner(self, manner: Manner) -> None:
        self._manner = manner
        if self._worker is not None:
            self._worker.set_manner(manner)

    def gesture(self, gesture: Gesture, strength: float) -> None:
        if self._worker is not None:
            self._worker.gesture(gesture, strength)

    def request_keyframe(self) -> None:
        """The receiver lost the picture (PLI, FIR) or has just begun to receive it."""
        now = asyncio.get_running_loop().time()
        if self._worker is not None and now - self._keyframe_at >= KEYFRAME_INTERVAL_S:
            self._keyframe_at = now
            self._worker.request_keyframe()

    def set_bitrate(self, bitrate_bps: int) -> None:
        """Aim the picture at another rate."""
        if bitrate_bps != self._spec.bitrate_bps:
            self._spec = replace(self._spec, bitrate_bps=bitrate_bps)
            if self._worker is not None:
                self._worker.set_bitrate(bitrate_bps)

    async def close(self) -> None:
        self._playback.close()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None
        if self._worker is not None:
            await self._worker.close()
            self._worker = None

    async def _run(self) -> None:
        """Take beats from worker after worker until closed, or until there is no use in another one."""
        try:
            while self._worker is not None:
                try:
                    async for beat in self._worker.beats():
                        self._receive(beat)
                    return
                except WorkerLost as error:
                    await self._replace(error)
        except Exception as error:
            if not isinstance(error, StreamingError):
                log.exception("The avatar's output failed.")
            self.on_failed(error)

    async def _replace(self, lost: WorkerLost) -> None:
        """Raises StreamingError: there will be no other worker."""
        dead, self._worker = self._worker, None
        assert dead is not None
        await dead.close()
        now = asyncio.get_running_loop().time()
        self._deaths.append(now)
        if len(self._deaths) == MAX_DEATHS and now - self._deaths[0] < DEATHS_WITHIN_S:
            raise lost
        log.warning("%s Another one takes over.", lost)
        self._adopt(await self._pool.acquire(self._spec))

    def _adopt(self, worker: AvatarWorker) -> None:
        self._worker = worker
        self._outstanding = 0
        if self._playback.clock.epoch:
            worker.clear(self._playback.clock.epoch)
        worker.set_mode(self._mode)
        worker.set_manner(self._manner)
        worker.set_bitrate(self._spec.bitrate_bps)  # it may have changed while the worker started
        for left in self._journal.remainder():
            for chunk in left.chunks:
                worker.speak(left.utterance, chunk)
            if left.finished:
                worker.finish(left.utterance)
        self._top_up()

    def _receive(self, beat: Beat) -> None:
        self._outstanding -= 1
        if beat.epoch == self._playback.clock.epoch:
            if beat.utterance:
                # The worker counts from where it began, which is not the utterance's start after another's death.
                position = self._journal.made(beat.utterance, beat.speech_samples, last=beat.last)
                beat = replace(beat, position=position)
            self._playback.offer(beat)
        self._top_up()

    def _top_up(self) -> None:
        if self._worker is None:
            return
        wanted = SPEAKING_BEATS if self._journal else IDLE_BEATS
        missing = wanted - self._playback.clock.queued - self._outstanding
        if missing > 0:
            self._outstanding += missing
            self._worker.grant(missing)

    def _released(self, release: Release) -> None:
        self._top_up()
        if release.utterance:
            pcm = release.pcm48k[: release.speech_samples].astype("<i2", copy=False).tobytes()
            self.on_played(Played(release.utterance, release.position, pcm, release.last))
