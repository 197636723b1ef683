"""The speech of an utterance for the rules: each frame's mouth, and what the rest of the body hears of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from avatar.motion.speech.acoustic import LOOK_AHEAD_FRAMES, AcousticMouth
from avatar.motion.speech.mouth import COUNT
from avatar.motion.speech.plan import FRAME_MS, PlannedMouth, SpeechPlan
from avatar.motion.speech.prosody import Accent
from avatar.speech import SpeechChunk


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
        planned: the mouth and its contacts.
        timed: read from phonemes (else from the sound).
        moment: what the rest of the body hears of it.
    """

    planned: PlannedMouth
    timed: bool
    moment: SpeechMoment


NOTICE_MS = 200.0
"""How long before its apex an accent is told: a nod takes that long to get there."""


class SpeechTrack:
    """Pushed speech in playing order, one frame at a time; mouths without phoneme times are read by ``AcousticMouth``.

    Attributes:
        plan: the speech on the frame grid.
    """

    def __init__(self) -> None:
        self.plan = SpeechPlan()
        self._acoustic = AcousticMouth()
        self._told_pause = -1.0

    def push(self, chunk: SpeechChunk) -> NDArray[np.float32]:
        """Append a chunk. Returns by how much the next frame's plan changed, float32 [COUNT]."""
        if len(chunk.pcm48k) == 0:
            return np.zeros(COUNT, np.float32)
        if self.plan.exhausted:
            self.clear()
        if chunk.phonemes is None:
            self._acoustic.push(chunk.pcm48k)
        return self.plan.push(chunk)

    def finish(self) -> NDArray[np.float32]:
        """No more comes. Returns by how much the next frame's plan changed, float32 [COUNT]."""
        return self.plan.finish()

    def clear(self) -> None:
        self.plan.clear()
        self._acoustic.reset()
        self._told_pause = -1.0

    def ready(self) -> int:
        """Frames that can be taken now."""
        return self.plan.ready(LOOK_AHEAD_FRAMES)

    @property
    def expects_more(self) -> bool:
        """An utterance was begun and is not complete."""
        return self.plan.expects_more

    def next(self) -> SpeechFrame:
        """The next frame; ``ready`` must have promised it."""
        now_ms = self.plan.now_ms
        timed = self.plan.timed()
        planned = self.plan.mouth() if timed else PlannedMouth(*self._acoustic.next(), touching=False)
        self.plan.advance()
        return SpeechFrame(planned, timed, self._moment(now_ms))

    def _moment(self, now_ms: float) -> SpeechMoment:
        plan = self.plan
        accents = []
        while plan.accents and plan.accents[0].at_ms - now_ms <= NOTICE_MS:
            accent = plan.accents.popleft()
            accents.append((accent, max(accent.at_ms - now_ms, 0.0)))
        while plan.pauses and plan.pauses[0][1] <= now_ms:
            plan.pauses.popleft()
        pausing = bool(plan.pauses) and plan.pauses[0][0] <= now_ms
        begins = pausing and plan.pauses[0][0] != self._told_pause
        if begins:
            self._told_pause = plan.pauses[0][0]
        remaining_ms = max(plan.end_ms - (now_ms + FRAME_MS / 2), 0.0)
        return SpeechMoment(tuple(accents), pausing, begins, remaining_ms, plan.complete)
