"""``SoundOutput``: a conversation's sound where there is no picture (WebSocket, a call without video)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from avatar.motion.source import Gesture, Manner, Mode
from avatar.speech import BEAT_SAMPLES, SpeechChunk
from streaming.beat import Beat
from streaming.clock import Release
from streaming.output import Played
from streaming.playback import Playback, Track
from streaming.speech_journal import Remainder, SpeechJournal

LEAD_S = 0.2
"""How far ahead of real time a WebSocket client is fed: a network's hiccup, and no more than can be taken back
when the user interrupts."""
READY_BEATS = 8
"""More than the lead, so that the clock never finds the queue empty while there is speech."""


class SoundOutput:
    """See ``streaming.output.Output``. Cuts speech into beats in this process: there is nothing to draw.

    Args:
        sound: where Opus packets go; None where the owner takes the sound from ``on_played``, which then
            comes up to ``LEAD_S`` ahead of real time.
    """

    def __init__(self, sound: Track | None = None) -> None:
        self.on_played: Callable[[Played], None] = lambda played: None
        self.on_failed: Callable[[Exception], None] = lambda error: None
        self._playback = Playback(sound=sound, picture=None, lead_s=0.0 if sound else LEAD_S)
        self._playback.on_release = self._released
        self._journal = SpeechJournal()

    @property
    def playback(self) -> Playback:
        """For measurement: lateness, stalls."""
        return self._playback

    async def start(self) -> None:
        self._playback.start()

    def speak(self, utterance: int, chunk: SpeechChunk) -> None:
        if self._journal.speak(utterance, chunk):
            self._top_up()

    def finish(self, utterance: int) -> None:
        if self._journal.finish(utterance):
            self._top_up()

    def stop(self) -> int:
        self._journal.clear()
        return self._playback.clock.clear()

    def duck(self, gain_db: float) -> None:
        self._playback.clock.set_gain(gain_db)

    def set_mode(self, mode: Mode) -> None:
        """Without effect: nobody sees it."""

    def set_manner(self, manner: Manner) -> None:
        """Without effect: nobody sees it."""

    def gesture(self, gesture: Gesture, strength: float) -> None:
        """Without effect: nobody sees it."""

    async def close(self) -> None:
        self._playback.close()

    def _released(self, release: Release) -> None:
        self._top_up()
        if release.utterance:
            pcm = release.pcm48k[: release.speech_samples].astype("<i2", copy=False).tobytes()
            self.on_played(Played(release.utterance, release.position, pcm, release.last))

    def _top_up(self) -> None:
        while self._playback.clock.queued < READY_BEATS:
            left = next(self._journal.remainder(), None)
            beat = self._beat(left) if left else None
            if beat is None:
                return
            self._journal.made(beat.utterance, beat.speech_samples, last=beat.last)
            self._playback.offer(beat)

    def _beat(self, left: Remainder) -> Beat | None:
        """The next beat, or None until there is a whole one or the utterance is complete."""
        available = sum(len(chunk.pcm48k) for chunk in left.chunks)
        if available < BEAT_SAMPLES and not left.finished:
            return None
        samples = min(available, BEAT_SAMPLES)
        pcm = np.zeros(BEAT_SAMPLES, "<i2")
        if samples:
            pcm[:samples] = np.concatenate([chunk.pcm48k for chunk in left.chunks])[:samples]
        return Beat(
            pcm48k=pcm.tobytes(),
            picture=b"",
            keyframe=False,
            utterance=left.utterance,
            position=left.position,
            speech_samples=samples,
            last=left.finished and available <= BEAT_SAMPLES,
            epoch=self._playback.clock.epoch,
        )
