"""A listener nods now and then, never at once again, and each seed otherwise."""

from __future__ import annotations

import numpy as np

from avatar.motion.generator.nods import EVERY_S, SOONEST_S, STRENGTH, ListeningNods

FRAMES = 25 * 60 * 20


def nodded(seed: int) -> list[tuple[int, float]]:
    nods = ListeningNods(seed)
    return [(frame, strength) for frame in range(FRAMES) if (strength := nods.step()) is not None]


def test_as_often_as_people_do() -> None:
    times = np.array([frame for frame, _ in nodded(1)]) / 25
    assert 0.8 * EVERY_S < np.diff(times).mean() < 1.2 * EVERY_S
    assert np.diff(times).min() >= SOONEST_S
    strengths = [strength for _, strength in nodded(1)]
    assert min(strengths) >= STRENGTH[0] and max(strengths) <= STRENGTH[1] and np.std(strengths) > 0.03


def test_by_seed() -> None:
    assert nodded(2) == nodded(2) != nodded(3)
