"""The hand basis: principal components of generated gestures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from avatar.motion.generator.state import HAND_COMPONENTS, HandBasis
from avatar.motion.speech.prosody import Accent
from avatar.motion.training.scenes.anatomy import keypoints
from avatar.motion.training.scenes.gesturing import Gesturing, HandManner, Talk
from avatar.motion.training.scenes.handshapes import HANGING

CANVAS_PX = 768
SCENES = 240
_SCENE_S = 48
_HIDDEN_WEIGHT = 0.1
"""A hand that nobody sees must not jump, but need not be exact."""


@dataclass(frozen=True, slots=True)
class Fit:
    """How well a basis holds some hands.

    Attributes:
        explained: share of the variance.
        median_px, p99_px: distance of keypoints of visible hands from where they should be, on the 768 pixel canvas.
    """

    explained: float
    median_px: float
    p99_px: float


def sample_gestures(seed: int, scenes: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Hands of ``scenes`` scenes that gesture to made-up accents: points [frames, 2, 21, 2], scores [frames, 2]."""
    points, scores = [], []
    for i in range(scenes):
        rng = np.random.default_rng([seed, 7, i])
        manner = HandManner.draw(rng)
        times = 2.0 + np.cumsum(rng.uniform(0.25, 0.7, 90))
        accents = tuple(Accent(1000.0 * float(t), float(rng.uniform(0.7, 1.4))) for t in times if t < _SCENE_S - 4)
        end = accents[-1].at_ms / 1000.0 + 0.4
        talk = Talk(1.5, end, end, accents, timed=True)
        hands = Gesturing(rng, manner, float(rng.uniform(0.3, 1.0))).act(25 * _SCENE_S, [talk])
        points.append(hands.points)
        scores.append(hands.scores)
    return np.concatenate(points), np.concatenate(scores)


def fit(points: NDArray[np.float32], scores: NDArray[np.float32]) -> HandBasis:
    """The basis of the hands given, every frame counted by how much of it is seen."""
    flat = points.reshape(len(points), -1).astype(np.float64)
    weights = np.repeat(_HIDDEN_WEIGHT + scores, flat.shape[1] // 2, axis=1)
    mean = (weights * flat).sum(axis=0) / weights.sum(axis=0)
    frame_weights = np.sqrt(weights.max(axis=1, keepdims=True))
    _, vectors = np.linalg.eigh(((flat - mean) * frame_weights).T @ ((flat - mean) * frame_weights))
    components = vectors[:, ::-1][:, :HAND_COMPONENTS].T
    # A component's sign is arbitrary: fix it, so that equal seeds give equal files on every machine.
    components *= np.sign(components[np.arange(HAND_COMPONENTS), np.abs(components).argmax(axis=1)])[:, None]
    return HandBasis(mean.astype(np.float32), components.astype(np.float32), hidden_hands())


def measure(basis: HandBasis, points: NDArray[np.float32], scores: NDArray[np.float32]) -> Fit:
    """How well ``basis`` holds the hands given."""
    back = basis.decode(basis.encode(points)).reshape(points.shape)
    seen = scores > 0.5
    error = CANVAS_PX * np.linalg.norm(back - points, axis=-1)[seen]
    spread = np.square(points[seen] - points[seen].mean(axis=0)).sum()
    explained = 1.0 - float(np.square(back - points)[seen].sum() / spread)
    return Fit(explained, float(np.median(error)), float(np.quantile(error, 0.99)))


def hidden_hands() -> NDArray[np.float32]:
    """Both arms hanging, hands below the picture, float32 [84]."""
    both = [keypoints(HANGING, left=left) for left in (True, False)]
    return np.stack(both).astype(np.float32).reshape(-1)
