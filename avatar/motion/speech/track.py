"""The speech of an utterance on the frame grid: what the mouth does, and what the rest of the body hears of it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from avatar.motion.speech import coarticulation
from avatar.motion.speech.acoustic import LOOK_AHEAD_FRAMES, AcousticMouth
from avatar.motion.speech.coarticulation import Segment
from avatar.motion.speech.loudness import VoiceLevel
from avatar.motion.speech.mouth import COUNT
from avatar.motion.speech.prosody import Accent, Prosody, listen
from avatar.motion.speech.segments import plan_chunk, silence
from avatar.speech import BEAT_SAMPLES, FRAME_RATE_HZ, SPEECH_RATE_HZ, SpeechChunk

FRAME_MS = 1000.0 / FRAME_RATE_HZ
_MS_PER_SAMPLE = 1000.0 / SPEECH_RATE_HZ

_REACH_MS = 440.0
"""How far a segment's dominance matters: frames closer than this to new speech are planned again."""


@dataclass(frozen=True, slots=True)
class SpeechMoment:
    """One frame of speech, as head, eyes and lungs know it.

    Attributes:
        accents: accents whose apex comes within this frame's notice (``NOTICE_MS``), told once, with ms until apex.
        pausing: between phrases.
        phrase_ends: a pause begins at this frame.
        remaining_ms: speech known to follow this frame.
        complete: no more speech will be pushed.
    """

    accents: tuple[tuple[Accent, float], ...]
    pausing: bool
    phrase_ends: bool
    remaining_ms: float
    complete: bool


@dataclass(frozen=True, slots=True, eq=False)
class SpeechFrame:
    """One speaking frame.

    Attributes:
        mouth: before contacts are enforced, float32 [COUNT].
        sealed, touching: the contacts of this frame.
        timed: read from phonemes (else from the sound).
        moment: what the rest of the body hears of it.
    """

    mouth: NDArray[np.float32]
    sealed: bool
    touching: bool
    timed: bool
    moment: SpeechMoment


NOTICE_MS = 200.0
"""How long before its apex an accent is told: a nod takes that long to get there."""


@dataclass(slots=True)
class _Span:
    start: int
    end: int
    timed: bool


class SpeechTrack:
    """Pushed speech in playing order, one frame at a time.

    Memory is bounded by the speech that is pushed and not yet taken.
    """

    def __init__(self) -> None:
        self._level = VoiceLevel()
        self._acoustic = AcousticMouth()
        self._restart()

    def _restart(self) -> None:
        self._head = 0  # sample where the next frame starts
        self._end = 0  # sample where the known speech ends
        self._complete = False
        self._spans: deque[_Span] = deque()
        self._segments: list[Segment] = []
        self._accents: deque[Accent] = deque()
        self._pauses: deque[tuple[float, float]] = deque()
        self._plan = np.zeros((0, COUNT), np.float32)
        self._sealed = np.zeros(0, bool)
        self._touching = np.zeros(0, bool)
        self._told_pause = -1.0
        self._acoustic.reset()

    def push(self, chunk: SpeechChunk) -> NDArray[np.float32]:
        """Append a chunk. Returns by how much the next frame's plan changed, float32 [COUNT]."""
        if len(chunk.pcm48k) == 0:
            return np.zeros(COUNT, np.float32)
        if self._head >= self._end:
            self._restart()
        self._complete = False
        start = self._end
        self._end += len(chunk.pcm48k)
        timed = chunk.phonemes is not None
        self._spans.append(_Span(start, self._end, timed))
        start_ms = start * _MS_PER_SAMPLE
        if timed:
            plan = plan_chunk(chunk, start_ms, self._level)
            self._segments += plan.segments
            self._hear(plan.prosody)
        else:
            self._acoustic.push(chunk.pcm48k)
            self._hear(listen(chunk.pcm48k, start_ms, self._level))
        return self._replan(start)

    def _hear(self, prosody: Prosody) -> None:
        self._accents += prosody.accents
        for begin, end in prosody.pauses:
            if self._pauses and begin - self._pauses[-1][1] < 1.0:  # one pause, cut by the seam of two chunks
                begin = self._pauses.pop()[0]
            self._pauses.append((begin, end))

    def finish(self) -> NDArray[np.float32]:
        """No more comes. Returns by how much the next frame's plan changed, float32 [COUNT]."""
        if self._complete or self._head >= self._end:
            self._complete = True
            return np.zeros(COUNT, np.float32)
        self._complete = True
        return self._replan(self._end)

    def clear(self) -> None:
        self._restart()

    def ready(self) -> int:
        """Frames that can be taken now."""
        left = self._end - self._head
        if self._complete:
            return -(-left // BEAT_SAMPLES)
        if self._spans and not self._spans[-1].timed:
            left -= LOOK_AHEAD_FRAMES * BEAT_SAMPLES
        return max(left // BEAT_SAMPLES, 0)

    @property
    def expects_more(self) -> bool:
        """An utterance was begun and is not complete."""
        return self._end > 0 and not self._complete

    def next(self) -> SpeechFrame:
        """The next frame; ``ready`` must have promised it."""
        at = self._head
        now_ms = at * _MS_PER_SAMPLE + FRAME_MS / 2
        timed = self._spans[0].timed
        if timed:
            mouth, sealed, touching = self._plan[0], bool(self._sealed[0]), bool(self._touching[0])
        else:
            (mouth, sealed), touching = self._acoustic.next(), False
        self._plan, self._sealed, self._touching = self._plan[1:], self._sealed[1:], self._touching[1:]
        self._head = min(at + BEAT_SAMPLES, self._end)
        moment = self._moment(now_ms)
        self._trim(now_ms)
        return SpeechFrame(mouth, sealed, touching, timed, moment)

    def _moment(self, now_ms: float) -> SpeechMoment:
        accents = []
        while self._accents and self._accents[0].at_ms - now_ms <= NOTICE_MS:
            accent = self._accents.popleft()
            accents.append((accent, max(accent.at_ms - now_ms, 0.0)))
        while self._pauses and self._pauses[0][1] <= now_ms:
            self._pauses.popleft()
        pausing = bool(self._pauses) and self._pauses[0][0] <= now_ms
        begins = pausing and self._pauses[0][0] != self._told_pause
        if begins:
            self._told_pause = self._pauses[0][0]
        remaining = (self._end - self._head) * _MS_PER_SAMPLE
        return SpeechMoment(tuple(accents), pausing, begins, remaining, self._complete)

    def _trim(self, now_ms: float) -> None:
        while self._spans and self._spans[0].end <= self._head:
            self._spans.popleft()
        old = 0
        while old < len(self._segments) and self._segments[old].end_ms < now_ms - _REACH_MS:
            old += 1
        if old > 32:  # in batches, so that a long sentence is not moved every frame
            del self._segments[:old]

    def _replan(self, start: int) -> NDArray[np.float32]:
        """Plan again from shortly before ``start`` to the end."""
        total = -(-(self._end - self._head) // BEAT_SAMPLES)
        affected = start - int(_REACH_MS / _MS_PER_SAMPLE)
        kept = min(max((affected - self._head) // BEAT_SAMPLES, 0), len(self._plan))
        frames = total - kept
        before = self._plan[0].copy() if len(self._plan) else None
        first_ms = (self._head + kept * BEAT_SAMPLES) * _MS_PER_SAMPLE + FRAME_MS / 2
        if self._segments:
            segments = self._segments
            if self._complete:
                end_ms = self._end * _MS_PER_SAMPLE
                segments = [*segments, silence(end_ms, end_ms + _REACH_MS)]
            plan = coarticulation.blend(segments, first_ms, frames)
            sealed = coarticulation.contact_frames(segments, first_ms, frames, seals=True)
            touching = coarticulation.contact_frames(segments, first_ms, frames, seals=False)
        else:
            plan = np.zeros((frames, COUNT), np.float32)
            sealed = touching = np.zeros(frames, bool)
        self._plan = np.concatenate((self._plan[:kept], plan))
        self._sealed = np.concatenate((self._sealed[:kept], sealed))
        self._touching = np.concatenate((self._touching[:kept], touching))
        return before - self._plan[0] if before is not None else np.zeros(COUNT, np.float32)
