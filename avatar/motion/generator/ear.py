"""The sound of an utterance, heard frame by frame as it is needed, never all at once: a voice may hand over ten seconds in one piece."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from avatar.motion.generator.condition import Sound, SoundLevels
from avatar.motion.generator.encoder import HeardMouth, SoundEncoder
from avatar.motion.generator.features import HOPS_PER_FRAME, LOOK_AHEAD_FRAMES, FeatureStream
from avatar.motion.generator.hindsight import PAST_FRAMES, Hindsight
from avatar.motion.generator.mean import CausalMean
from avatar.motion.speech.mouth import COUNT
from avatar.motion.speech.plan import PlannedMouth
from avatar.speech import BEAT_SAMPLES, SPEECH_RATE_HZ


@dataclass(frozen=True, slots=True, eq=False)
class _Heard:
    """One frame: its four normalised mel hops, and f0, voicing, energy as ``Sound`` has them."""

    mel: NDArray[np.float32]
    f0: float
    voicing: float
    energy: float


@dataclass(frozen=True, slots=True, eq=False)
class ReadMouth:
    """A mouth read from sound, and the probabilities of the phone classes, float32 [classes]."""

    planned: PlannedMouth
    phones: NDArray[np.float32]


class Ear:
    """What the sound says of the frames to come; ``ahead`` counts from the next one, ``advance`` goes on by one.

    Args:
        encoder: reads mouths; used only for frames that ``mouth`` is asked for.
        hindsight: reads them again with those that follow.
    """

    def __init__(self, encoder: SoundEncoder, hindsight: Hindsight) -> None:
        self._features = FeatureStream(SPEECH_RATE_HZ)
        self._mean = CausalMean()
        self._levels = SoundLevels()
        self._encoder = encoder
        self._hindsight = hindsight
        self.restart()

    def restart(self) -> None:
        """A new utterance; what was learned about the voice stays."""
        self._features.reset()
        self._sound: deque[NDArray[np.int16]] = deque()
        self._waiting = 0  # samples not yet heard
        self._frames: deque[_Heard] = deque()
        self._padded = 0  # of those frames, how many hold silence that was made up
        self._cut = np.zeros(0, np.int16)  # what there was of the first of these
        self._at = 0  # number of the next frame
        self._mouths: deque[ReadMouth] = deque()  # as they were read
        self._first_mouth = self._fed = 0  # number of the first of these; of the next frame for the encoder
        self._told: dict[int, NDArray[np.float32]] = {}  # by their numbers: mouths as they were given out

    @property
    def size(self) -> int:
        """Frames held, for those who watch memory."""
        return len(self._frames) + len(self._mouths)

    def push(self, pcm48k: NDArray[np.int16]) -> None:
        """Append sound, mono int16 [samples]."""
        if self._padded:  # it was over, and now goes on after all
            for _ in range(self._padded):
                self._frames.pop()
            self._padded = 0
            self._features.reset()
            self._forget_mouths()
            self._sound.append(self._cut)
            self._waiting = len(self._cut)
        self._sound.append(pcm48k)
        self._waiting += len(pcm48k)

    def hear(self, frames: int, *, complete: bool) -> int:
        """Have so many frames heard, as far as there is sound.

        Args:
            frames: counted from the next.
            complete: no more sound comes; after it is silence.

        Returns:
            How many are heard, at most ``frames``.
        """
        missing = frames - len(self._frames)
        if missing <= 0:
            return frames
        whole = min(self._waiting // BEAT_SAMPLES, missing)
        self._analyse(self._take(whole * BEAT_SAMPLES), whole)
        if complete and whole < missing:
            if not self._padded:
                self._cut = self._take(self._waiting)
            silent = np.zeros((missing - whole) * BEAT_SAMPLES, np.int16)
            if not self._padded:
                silent[: len(self._cut)] = self._cut
            self._padded += missing - whole
            self._analyse(silent, missing - whole)
        return min(len(self._frames), frames)

    def _take(self, samples: int) -> NDArray[np.int16]:
        out = np.zeros(samples, np.int16)
        filled = 0
        while filled < samples:
            head = self._sound.popleft()
            part = head[: samples - filled]
            out[filled : filled + len(part)] = part
            filled += len(part)
            if len(part) < len(head):
                self._sound.appendleft(head[len(part) :])
        self._waiting -= samples
        return out

    def _analyse(self, pcm48k: NDArray[np.int16], frames: int) -> None:
        if frames == 0:
            return
        features = self._features.push(pcm48k.astype(np.float32) / 32768.0)
        mel = self._mean.push(features.mel).reshape(frames, HOPS_PER_FRAME, -1)
        sound = self._levels.push(features)
        for i in range(frames):
            self._frames.append(_Heard(mel[i], float(sound.f0[i]), float(sound.voicing[i]), float(sound.energy[i])))

    def sound(self, frames: int) -> Sound:
        """Channels of the next frames, which must have been heard."""
        heard = [self._frames[i] for i in range(frames)]
        return Sound(
            np.array([h.f0 for h in heard], np.float32),
            np.array([h.voicing for h in heard], np.float32),
            np.array([h.energy for h in heard], np.float32),
        )

    def mouth(self, ahead: int) -> ReadMouth:
        """The mouth of a frame, as far as it is known by now; it and ``LOOK_AHEAD_FRAMES`` after it must have been heard."""
        number = self._at + ahead
        read_until = self._first_mouth + len(self._mouths)
        if not self._first_mouth <= number < read_until:
            if number != read_until or self._fed != read_until + LOOK_AHEAD_FRAMES:
                # The first frame that is read, or the first after some that needed no reading.
                self._forget_mouths()
                self._first_mouth = self._fed = number
            mel = np.concatenate([self._frames[i].mel for i in range(self._fed - self._at, len(self._frames))])
            self._fed = self._at + len(self._frames)
            self._mouths += _one_by_one(self._encoder.push(mel))
        read = self._mouths[number - self._first_mouth]
        self._told[number] = mouth = self._again(number)
        return ReadMouth(PlannedMouth(mouth, read.planned.sealed, read.planned.touching), read.phones)

    def revised(self) -> NDArray[np.float32]:
        """By how much the frame before the next was given out otherwise than it would be now, float32 [COUNT]."""
        before = self._at - 1
        if before not in self._told or not self._first_mouth <= before < self._first_mouth + len(self._mouths):
            return np.zeros(COUNT, np.float32)
        return self._told[before] - self._again(before)

    def _again(self, number: int) -> NDArray[np.float32]:
        readings = [read.planned.mouth for read in self._mouths]
        return self._hindsight.read(readings, number - self._first_mouth)

    def _forget_mouths(self) -> None:
        self._encoder.restart()
        self._mouths.clear()
        self._told.clear()
        self._first_mouth = self._fed = -1 - LOOK_AHEAD_FRAMES

    def advance(self) -> None:
        """The next frame was taken."""
        self._frames.popleft()
        self._padded = min(self._padded, len(self._frames))
        self._at += 1
        self._told.pop(self._at - 2, None)
        while self._mouths and self._first_mouth < self._at - 1 - PAST_FRAMES:
            self._mouths.popleft()
            self._first_mouth += 1


def _one_by_one(heard: HeardMouth) -> list[ReadMouth]:
    return [
        ReadMouth(PlannedMouth(heard.mouth[i], bool(heard.sealed[i]), bool(heard.touching[i])), heard.phones[i])
        for i in range(len(heard))
    ]
