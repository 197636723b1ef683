"""A blink is one blink."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from avatar.motion.generator.lids import OPEN, REST_FRAMES, SHUT, Lids

BLINK = [0.55, 1.0, 0.86, 0.5, 0.2, 0.05]


def shown(asked: list[float]) -> list[float]:
    lids, out = Lids(), []
    for closure in asked:
        lids = lids.next(closure)
        out.append(lids.closure)
    return out


def test_a_blink_is_left_as_it_is() -> None:
    assert shown([0.0, *BLINK, 0.0]) == [0.0, *BLINK, 0.0]


def test_a_second_one_too_soon_is_held_back_to_its_end() -> None:
    early = [0.0] * (REST_FRAMES - 2) + BLINK
    out = shown([*BLINK, *early])
    assert out[: len(BLINK)] == BLINK and max(out[len(BLINK) :]) <= OPEN


def test_one_in_time_is_shown() -> None:
    asked = BLINK + [0.0] * REST_FRAMES + BLINK
    assert shown(asked) == asked


def test_lids_that_open_half_do_not_shut_again() -> None:
    out = shown([0.6, 1.0, 0.6, 0.4, 0.8, 1.0, 0.5, 0.1])
    assert out[:4] == [0.6, 1.0, 0.6, 0.4] and max(out[4:]) <= 0.2


@given(st.lists(st.floats(0, 1), max_size=120))
def test_never_more_shut_than_asked_and_never_two_in_a_rest(asked: list[float]) -> None:
    out = shown(asked)
    assert all(a <= b for a, b in zip(out, asked, strict=True))
    starts = [i for i, (a, b) in enumerate(pairwise([0.0, *out])) if a < SHUT <= b]
    assert all(later - sooner > REST_FRAMES for sooner, later in pairwise(starts))


def test_noise_about_an_open_lid_passes() -> None:
    asked = np.abs(np.random.default_rng(0).normal(0, 0.05, 200)).tolist()
    assert shown(asked) == asked
