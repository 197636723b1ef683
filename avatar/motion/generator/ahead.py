"""Pushed speech as the generator is told of it: what is known of the frames to come, as often as asked, until they are taken."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from avatar.motion.generator import condition, phones
from avatar.motion.generator.condition import HEARD, TIMED, Cues, Sound
from avatar.motion.generator.ear import Ear
from avatar.motion.generator.encoder import SoundEncoder
from avatar.motion.generator.features import HOP_RATE_HZ, HOPS_PER_FRAME, LOOK_AHEAD_FRAMES
from avatar.motion.generator.hindsight import Hindsight
from avatar.motion.speech.easing import REST
from avatar.motion.speech.mouth import COUNT
from avatar.motion.speech.plan import PlannedMouth, SpeechPlan
from avatar.speech import SPEECH_RATE_HZ, SpeechChunk

_SAMPLES_PER_HOP = SPEECH_RATE_HZ // HOP_RATE_HZ
_REPLANNED_FRAMES = 12
"""Frames nearer than this to what was known are planned anew when more comes (440 ms and the frame they fall into)."""
_SHUT = PlannedMouth(REST, sealed=False, touching=False)
_PASSED_MS = 400.0
"""Accents and pauses are kept this long after they are over."""


@dataclass(frozen=True, slots=True, eq=False)
class Ahead:
    """The next speaking frames, in order.

    Attributes:
        mouths: planned or read; those for which there is not yet enough sound repeat the one before.
        timed: whether each comes from phoneme times.
        phones: probabilities of phone classes, float32 [frames, classes].
        sound, prosody: of the same frames.
        revised: by how much the frame before them was told otherwise than it is read now, float32 [COUNT].
    """

    mouths: list[PlannedMouth]
    timed: list[bool]
    phones: NDArray[np.float32]
    sound: Sound
    prosody: Cues
    revised: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.mouths)


class SpeechAhead:
    """Speech in playing order; memory is bounded by what is pushed and not yet taken.

    Args:
        encoder, hindsight: read mouths where no phoneme times are given.
    """

    def __init__(self, encoder: SoundEncoder, hindsight: Hindsight) -> None:
        self._plan = SpeechPlan()
        self._ear = Ear(encoder, hindsight)
        self._classes = np.zeros(0, np.uint8)  # a phone class every 10 ms, from the next frame on

    def push(self, chunk: SpeechChunk) -> NDArray[np.float32]:
        """Append a chunk. Returns by how much the next frame's plan changed, float32 [COUNT]."""
        if len(chunk.pcm48k) == 0:
            return np.zeros(COUNT, np.float32)
        if self._plan.exhausted:
            self.clear()
        hops = round((self._plan.samples_left + len(chunk.pcm48k)) / _SAMPLES_PER_HOP) - len(self._classes)
        self._classes = np.concatenate((self._classes, phones.timeline(chunk.phonemes or (), max(hops, 0))))
        self._ear.push(chunk.pcm48k)
        return self._plan.push(chunk)

    def finish(self) -> NDArray[np.float32]:
        """No more comes. Returns by how much the next frame's plan changed, float32 [COUNT]."""
        return self._plan.finish()

    def clear(self) -> None:
        self._plan.clear()
        self._ear.restart()
        self._classes = np.zeros(0, np.uint8)

    def ready(self) -> int:
        """Frames that can be taken now."""
        return self._plan.ready(LOOK_AHEAD_FRAMES)

    @property
    def expects_more(self) -> bool:
        """An utterance was begun and is not complete."""
        return self._plan.expects_more

    @property
    def complete(self) -> bool:
        """Nothing follows what is known."""
        return self._plan.complete

    @property
    def size(self) -> int:
        """Of what is held, for those who watch memory."""
        return self._plan.size + self._ear.size + len(self._classes)

    def settled(self, frames: int) -> bool:
        """Whether more speech, or its end, leaves the plan of the next ``frames`` as it is."""
        if self._plan.exhausted:
            return True
        return not self._plan.ends_timed or self._plan.frames_left >= frames + _REPLANNED_FRAMES

    def look(self, frames: int) -> Ahead:
        """At most so many of the next frames, as far as they are known: at least ``ready`` of them, if so many are asked for."""
        plan, ready = self._plan, self.ready()
        known = self._ear.hear(min(frames, plan.frames_left) + LOOK_AHEAD_FRAMES, complete=plan.complete)
        frames = min(frames, plan.frames_left, known)
        mouths: list[PlannedMouth] = []
        timed = [plan.timed(i) for i in range(frames)]
        told = np.zeros((frames, phones.COUNT), np.float32)
        planned_phones = self._planned_phones(frames)
        for i in range(frames):
            if timed[i]:
                mouths.append(plan.mouth(i))
                told[i] = planned_phones[i]
            elif i < ready and i + LOOK_AHEAD_FRAMES < known:
                read = self._ear.mouth(i)
                mouths.append(read.planned)
                told[i] = read.phones
            elif mouths:
                mouths.append(mouths[-1])
                told[i] = told[i - 1]
            else:  # a scrap of sound at the seam to less than 80 ms with times
                mouths.append(_SHUT)
        end_ms = plan.end_ms if plan.complete else None
        notice = TIMED if timed and timed[0] else HEARD
        prosody = condition.cues(plan.now_ms, frames, plan.accents, plan.pauses, end_ms, notice)
        revised = np.zeros(COUNT, np.float32) if not timed or timed[0] else self._ear.revised()
        return Ahead(mouths, timed, told, self._ear.sound(frames), prosody, revised)

    def _planned_phones(self, frames: int) -> NDArray[np.float32]:
        classes = self._classes[: frames * HOPS_PER_FRAME]
        silent = np.full(frames * HOPS_PER_FRAME - len(classes), phones.SILENCE, np.uint8)
        return condition.phone_probabilities(np.concatenate((classes, silent)))

    def advance(self) -> None:
        """The next frame was taken; it had been looked at."""
        plan = self._plan
        plan.advance()
        self._ear.advance()
        self._classes = self._classes[HOPS_PER_FRAME:]
        while plan.accents and plan.accents[0].at_ms < plan.now_ms - _PASSED_MS:
            plan.accents.popleft()
        while plan.pauses and plan.pauses[0][1] < plan.now_ms - _PASSED_MS:
            plan.pauses.popleft()
