"""Networks that learned nothing: the interfaces, delays and states of the real ones, in a few lines of numpy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from avatar.motion.generator import phones
from avatar.motion.generator.condition import AT, C
from avatar.motion.generator.contacts import Threshold
from avatar.motion.generator.encoder import ContactThresholds
from avatar.motion.generator.features import BANDS, HOPS_PER_FRAME
from avatar.motion.generator.hindsight import Hindsight
from avatar.motion.generator.sampler import PREFIX_FRAMES, Sampler
from avatar.motion.generator.state import HAND_COMPONENTS, D, HandBasis, Normalisation
from avatar.motion.generator.weights import MotionModel
from avatar.motion.speech.mouth import COUNT, JAW

Array = NDArray[np.float32]


class FakeEncoderNetwork:
    """The jaw opens with the mean of the bands; frames come out 80 ms late. The state is the last two frames' means."""

    def __init__(self) -> None:
        self.runs = 0

    def shape(self, name: str) -> tuple[int | None, ...]:
        return {"mel": (1, None, BANDS), "state": (1, 2)}[name]

    def run(self, inputs: dict[str, Array]) -> dict[str, Array]:
        assert set(inputs) == {"mel", "state"}
        assert all(array.dtype == np.float32 for array in inputs.values())
        self.runs += 1
        mel = inputs["mel"][0]
        frames = len(mel) // HOPS_PER_FRAME
        means = mel.reshape(frames, -1).mean(axis=1)
        lagged = np.concatenate((inputs["state"][0], means))
        mouth = np.zeros((1, frames, COUNT), np.float32)
        mouth[0, :, JAW] = np.clip(0.3 + 0.05 * lagged[:frames], 0.0, 0.5)
        contacts = np.full((1, frames, 2), -5.0, np.float32)
        logits = np.zeros((1, frames, phones.COUNT), np.float32)
        return {"mouth": mouth, "contacts": contacts, "phones": logits, "next_state": lagged[None, frames:]}


class FakeSamplerNetwork:
    """Each frame is near the one before it, pulled towards 0, and pushed a little by its noise and its mode."""

    def __init__(self) -> None:
        self.drawn: list[int] = []

    def shape(self, name: str) -> tuple[int | None, ...]:
        return {"prefix": (1, 12, D), "condition": (1, None, C), "noise": (1, None, D)}[name]

    def run(self, inputs: dict[str, Array]) -> dict[str, Array]:
        assert all(array.dtype == np.float32 for array in inputs.values())
        noise, condition = inputs["noise"][0], inputs["condition"][0, PREFIX_FRAMES:]
        assert len(noise) == len(condition)
        self.drawn.append(len(noise))
        listening = condition[:, AT["is_listening"]]
        last, frames = inputs["prefix"][0, -1], []
        for noise_of, tilt in zip(noise, listening, strict=True):
            last = 0.9 * last + 0.02 * noise_of + 0.05 * tilt
            frames.append(last)
        return {"state": np.array(frames, np.float32)[None]}


def hand_basis() -> HandBasis:
    components = np.eye(HAND_COMPONENTS, 84, dtype=np.float32)
    return HandBasis(np.full(84, 0.5, np.float32), components, np.full(84, 0.5, np.float32))


def normalisation() -> Normalisation:
    return Normalisation(
        np.zeros(D, np.float32), np.ones(D, np.float32), np.zeros(C, np.float32), np.ones(C, np.float32)
    )


def fake_model() -> MotionModel:
    thresholds = ContactThresholds(Threshold(0.5, 0.3), Threshold(0.5, 0.3))
    sampler = Sampler(FakeSamplerNetwork(), normalisation())
    return MotionModel(FakeEncoderNetwork(), sampler, hand_basis(), thresholds, Hindsight.none())
