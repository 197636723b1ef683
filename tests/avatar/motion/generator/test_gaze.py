"""Eyes look at the other person or away, and do not waver between."""

from __future__ import annotations

import math

import numpy as np
import pytest

from avatar.motion.generator.gaze import LEAVE_DEG, OFF_DEG, ON_DEG, RETURN_DEG, Gaze


def shown(asked: list[tuple[float, float]]) -> list[Gaze]:
    gaze, out = Gaze(), []
    for yaw, pitch in asked:
        gaze = gaze.next(yaw, pitch)
        out.append(gaze)
    return out


def away(gaze: Gaze) -> float:
    return math.hypot(gaze.yaw, gaze.pitch)


def test_a_direction_that_wavers_is_one_look() -> None:
    rng = np.random.default_rng(1)
    amounts = 5.25 + 0.2 * rng.uniform(-1, 1, 200)
    looks = shown([(float(a), 0.0) for a in amounts])
    assert {g.mutual for g in looks} == {True} and max(away(g) for g in looks) == pytest.approx(ON_DEG)
    looks = shown([(9.0, 0.0), *((float(a), 0.0) for a in amounts)])
    assert {g.mutual for g in looks} == {False} and min(away(g) for g in looks) == pytest.approx(OFF_DEG)


def test_it_leaves_and_returns() -> None:
    looks = shown([(1.0, 1.0), (LEAVE_DEG + 0.1, 0.0), (RETURN_DEG + 0.1, 0.0), (RETURN_DEG - 0.1, 0.0)])
    assert [g.mutual for g in looks] == [True, False, False, True]


@pytest.mark.parametrize("asked", [(0.0, 0.0), (1.2, -1.5), (12.0, -4.0), (-7.0, 9.0)])
def test_what_is_clear_is_shown_as_asked(asked: tuple[float, float]) -> None:
    (gaze,) = shown([asked])
    assert (gaze.yaw, gaze.pitch) == pytest.approx(asked)


def test_the_side_is_kept() -> None:
    (gaze,) = shown([(-3.0, 4.0)])
    assert gaze.yaw / gaze.pitch == pytest.approx(-0.75) and away(gaze) == pytest.approx(ON_DEG)
