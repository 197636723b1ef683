"""The speech of an utterance on the frame grid: where it is, what phoneme times make of the mouth, accents and pauses.

What is spoken without times has a place here but no mouth; whoever reads mouths from sound adds it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from avatar.motion.speech import coarticulation
from avatar.motion.speech.coarticulation import Segment
from avatar.motion.speech.loudness import VoiceLevel
from avatar.motion.speech.mouth import COUNT
from avatar.motion.speech.prosody import Accent, Prosody, listen
from avatar.motion.speech.segments import plan_chunk, silence
from avatar.speech import BEAT_SAMPLES, FRAME_RATE_HZ, SPEECH_RATE_HZ, SpeechChunk

FRAME_MS = 1000.0 / FRAME_RATE_HZ
MS_PER_SAMPLE = 1000.0 / SPEECH_RATE_HZ

_REACH_MS = 440.0
"""How far a segment's dominance matters: frames closer than this to new speech are planned again."""


@dataclass(frozen=True, slots=True, eq=False)
class PlannedMouth:
    """One frame's mouth.

    Attributes:
        mouth: before contacts are enforced, float32 [COUNT].
        sealed, touching: the contacts of this frame.
    """

    mouth: NDArray[np.float32]
    sealed: bool
    touching: bool


@dataclass(slots=True)
class _Span:
    start: int
    end: int
    timed: bool


class SpeechPlan:
    """Pushed speech in playing order; ``advance`` goes on by a frame. What ``ahead`` asks for is counted from the next frame.

    Memory is bounded by the speech that is pushed and not yet passed.

    Attributes:
        accents, pauses: known and not yet taken out, in order of time; ms on the utterance's clock.
    """

    def __init__(self) -> None:
        self._level = VoiceLevel()
        self.clear()

    def clear(self) -> None:
        """Forget the utterance; what was learned about the voice's level stays."""
        self._head = 0  # sample where the next frame starts
        self._end = 0  # sample where the known speech ends
        self._complete = False
        self._spans: deque[_Span] = deque()
        self._segments: list[Segment] = []
        self.accents: deque[Accent] = deque()
        self.pauses: deque[tuple[float, float]] = deque()
        self._plan = np.zeros((0, COUNT), np.float32)
        self._sealed = np.zeros(0, bool)
        self._touching = np.zeros(0, bool)

    @property
    def exhausted(self) -> bool:
        """All that was pushed is passed: the next chunk begins anew."""
        return self._head >= self._end

    @property
    def expects_more(self) -> bool:
        """An utterance was begun and is not complete."""
        return self._end > 0 and not self._complete

    @property
    def complete(self) -> bool:
        """No more speech will be pushed."""
        return self._complete

    @property
    def now_ms(self) -> float:
        """Middle of the next frame."""
        return self._head * MS_PER_SAMPLE + FRAME_MS / 2

    @property
    def end_ms(self) -> float:
        """Where the known speech ends."""
        return self._end * MS_PER_SAMPLE

    @property
    def samples_left(self) -> int:
        """Known and not yet passed."""
        return self._end - self._head

    @property
    def frames_left(self) -> int:
        """Frames of which all sound is known, where more may come; else all, the last one begun or whole."""
        return -(-self.samples_left // BEAT_SAMPLES) if self._complete else self.samples_left // BEAT_SAMPLES

    @property
    def ends_timed(self) -> bool:
        """Whether the last known speech has phoneme times."""
        return bool(self._spans) and self._spans[-1].timed

    @property
    def size(self) -> int:
        """Of what is held, for those who watch memory."""
        return len(self._segments) + len(self.accents) + len(self.pauses) + len(self._plan) + len(self._spans)

    def push(self, chunk: SpeechChunk) -> NDArray[np.float32]:
        """Append a chunk. Returns by how much the next frame's plan changed, float32 [COUNT]."""
        if len(chunk.pcm48k) == 0:
            return np.zeros(COUNT, np.float32)
        if self.exhausted:
            self.clear()
        self._complete = False
        start = self._end
        self._end += len(chunk.pcm48k)
        timed = chunk.phonemes is not None
        self._spans.append(_Span(start, self._end, timed))
        start_ms = start * MS_PER_SAMPLE
        if timed:
            plan = plan_chunk(chunk, start_ms, self._level)
            self._segments += plan.segments
            self._hear(plan.prosody)
        else:
            self._hear(listen(chunk.pcm48k, start_ms, self._level))
        return self._replan(start)

    def _hear(self, prosody: Prosody) -> None:
        self.accents += prosody.accents
        for begin, end in prosody.pauses:
            if self.pauses and begin - self.pauses[-1][1] < 1.0:  # one pause, cut by the seam of two chunks
                begin = self.pauses.pop()[0]
            self.pauses.append((begin, end))

    def finish(self) -> NDArray[np.float32]:
        """No more comes. Returns by how much the next frame's plan changed, float32 [COUNT]."""
        if self._complete or self.exhausted:
            self._complete = True
            return np.zeros(COUNT, np.float32)
        self._complete = True
        return self._replan(self._end)

    def ready(self, look_ahead_frames: int) -> int:
        """Frames that can be taken now, where a mouth read from sound needs ``look_ahead_frames`` more."""
        held_back = 0 if self._complete or not self._spans or self.ends_timed else look_ahead_frames
        return max(self.frames_left - held_back, 0)

    def timed(self, ahead: int = 0) -> bool:
        """Whether the frame's mouth comes from phoneme times (else it must be read from the sound)."""
        at = self._head + ahead * BEAT_SAMPLES
        return next((span.timed for span in self._spans if at < span.end), self._spans[-1].timed)

    def mouth(self, ahead: int = 0) -> PlannedMouth:
        """What phoneme times make of a frame's mouth."""
        return PlannedMouth(self._plan[ahead], bool(self._sealed[ahead]), bool(self._touching[ahead]))

    def advance(self) -> None:
        """The next frame was taken."""
        now_ms = self.now_ms
        self._plan, self._sealed, self._touching = self._plan[1:], self._sealed[1:], self._touching[1:]
        self._head = min(self._head + BEAT_SAMPLES, self._end)
        while self._spans and self._spans[0].end <= self._head:
            self._spans.popleft()
        old = 0
        while old < len(self._segments) and self._segments[old].end_ms < now_ms - _REACH_MS:
            old += 1
        if old > 32:  # in batches, so that a long sentence is not moved every frame
            del self._segments[:old]

    def _replan(self, start: int) -> NDArray[np.float32]:
        """Plan again from shortly before ``start`` to the end."""
        total = -(-self.samples_left // BEAT_SAMPLES)
        affected = start - int(_REACH_MS / MS_PER_SAMPLE)
        kept = min(max((affected - self._head) // BEAT_SAMPLES, 0), len(self._plan))
        frames = total - kept
        before = self._plan[0].copy() if len(self._plan) else None
        first_ms = self.now_ms + kept * FRAME_MS
        if self._segments:
            segments = self._segments
            if self._complete:
                segments = [*segments, silence(self.end_ms, self.end_ms + _REACH_MS)]
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
