"""Frechet distance between two sets of motion, on windows of two seconds of it and of its velocity.

d^2 = |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)) between normal distributions fitted to each set (Dowson & Landau 1982; Heusel et
al., "GANs trained by a two time-scale update rule", 2017), in the space of the principal components of *training* windows,
so that no compared set shapes the measure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from avatar.motion.evaluation.lips import INTERVAL, Interval
from avatar.speech import FRAME_RATE_HZ

WINDOW_FRAMES = 2 * FRAME_RATE_HZ
STRIDE_FRAMES = 2
COMPONENTS = 64
RESAMPLES = 200

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class WindowSpace:
    """The principal components of training windows.

    Attributes:
        centre, scale: float32 [D], normalisation of a frame; velocities are scaled by ``speed``, float32 [D].
        mean: float32 [features]; components: float32 [COMPONENTS, features].
        explained: share of the training windows' variance.
    """

    centre: Floats
    scale: Floats
    speed: Floats
    mean: Floats
    components: Floats
    explained: float

    @staticmethod
    def fitted(scenes: Sequence[Floats], *, seed: int = 0, most: int = 6000) -> WindowSpace:
        """Args:
            scenes: training scenes, each float32 [frames, D].
            seed: of the choice of windows.
            most: windows used at most.

        Raises:
            ValueError: not one whole window.
        """
        frames = np.concatenate(scenes)
        speeds = np.concatenate([np.diff(scene, axis=0) for scene in scenes])
        centre, scale, speed = frames.mean(0), _spread(frames), _spread(speeds)
        space = WindowSpace(centre, scale, speed, np.zeros(0, np.float32), np.zeros((0, 0), np.float32), 0.0)
        at = [(i, start) for i, scene in enumerate(scenes) for start in starts(len(scene), WINDOW_FRAMES)]
        if not at:
            raise ValueError(f"no scene has {WINDOW_FRAMES} frames")
        rng = np.random.default_rng(seed)
        chosen = rng.permutation(len(at))[:most]
        rows = np.stack([space.features(scenes[at[k][0]][at[k][1] :][:WINDOW_FRAMES]) for k in chosen])
        mean = rows.mean(0)
        centred = (rows - mean).astype(np.float64)
        count = min(COMPONENTS, *centred.shape)
        values, vectors = np.linalg.eigh(
            centred.T @ centred if centred.shape[1] <= len(centred) else centred @ centred.T
        )
        if centred.shape[1] > len(centred):
            vectors = centred.T @ vectors / np.sqrt(np.maximum(values, 1e-12))
        components = vectors[:, ::-1][:, :count].T
        explained = float(values[::-1][:count].sum() / max(float(np.square(centred).sum()), 1e-12))
        return WindowSpace(centre, scale, speed, mean.astype(np.float32), components.astype(np.float32), explained)

    def features(self, window: Floats) -> Floats:
        """A window's motion and velocity, float32 [WINDOW_FRAMES * D + (WINDOW_FRAMES - 1) * D]."""
        moved = (window - self.centre) / self.scale
        velocity = np.diff(window, axis=0) / self.speed
        return np.concatenate([moved.ravel(), velocity.ravel()]).astype(np.float32)

    def project(self, scenes: Sequence[Floats], *, stride: int = STRIDE_FRAMES) -> list[Floats]:
        """All windows of each scene in this space: float32 [windows, COMPONENTS] a scene."""
        out = []
        for scene in scenes:
            rows = [self.features(scene[start:][:WINDOW_FRAMES]) for start in starts(len(scene), stride)]
            if rows:
                out.append(np.asarray((np.stack(rows) - self.mean) @ self.components.T, np.float32))
        return out


def starts(frames: int, stride: int) -> range:
    """First frames of the windows that lie wholly within so many frames."""
    return range(0, frames - WINDOW_FRAMES + 1, stride)


def distance(a: Sequence[Floats], b: Sequence[Floats], *, seed: int = 0, resamples: int = RESAMPLES) -> Interval:
    """Frechet distance (not squared) with a 95 % interval by resampling the scenes of ``a``.

    A resampled set holds fewer different scenes and is farther for that alone: its spread is taken, about the distance itself.

    Args:
        a: the judged set's windows, scene by scene, as ``WindowSpace.project`` gives them.
        b: held-out data's.
    """
    reference = _moments(np.concatenate(b))
    value = _frechet(_moments(np.concatenate(a)), reference)
    rng = np.random.default_rng(seed)
    sums = [(len(rows), rows.sum(0, dtype=np.float64), rows.T.astype(np.float64) @ rows) for rows in a]
    resampled = []
    for _ in range(resamples if len(a) > 1 else 0):
        picked = rng.integers(0, len(sums), len(sums))
        n = sum(sums[k][0] for k in picked)
        mean = sum((sums[k][1] for k in picked), np.zeros_like(sums[0][1])) / n
        square = sum((sums[k][2] for k in picked), np.zeros_like(sums[0][2])) / n
        resampled.append(_frechet((mean, square - np.outer(mean, mean)), reference))
    if not resampled:
        return Interval(value, float("nan"), float("nan"))
    low, middle, high = np.percentile(resampled, (INTERVAL[0], 50, INTERVAL[1]))
    return Interval(value, float(value + low - middle), float(value + high - middle))


Moments = tuple[NDArray[np.float64], NDArray[np.float64]]


def _moments(rows: Floats) -> Moments:
    exact = rows.astype(np.float64)
    return exact.mean(0), np.cov(exact, rowvar=False, bias=True).reshape(exact.shape[1], exact.shape[1])


def _frechet(a: Moments, b: Moments) -> float:
    root = _root(a[1])
    cross = np.linalg.eigvalsh(root @ b[1] @ root)
    squared = float(np.square(a[0] - b[0]).sum() + np.trace(a[1]) + np.trace(b[1]))
    squared -= 2 * float(np.sqrt(np.maximum(cross, 0)).sum())
    return float(np.sqrt(max(squared, 0.0)))


def _root(symmetric: NDArray[np.float64]) -> NDArray[np.float64]:
    values, vectors = np.linalg.eigh(symmetric)
    root: NDArray[np.float64] = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    return root


def _spread(rows: Floats) -> Floats:
    """Standard deviations; a channel that never moves in training is measured as it is."""
    spread = rows.std(0)
    return np.where(spread > 1e-6, spread, 1.0).astype(np.float32)
