"""Fitting the second look: where the mouth is the reading of a later frame, it is found there."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs torch: pip install 'parley[train]'")

from avatar.motion.generator import phones
from avatar.motion.generator.hindsight import FUTURE_FRAMES, PAST_FRAMES, Hindsight
from avatar.motion.speech.mouth import COUNT
from avatar.motion.training.encoder_measures import Heard
from avatar.motion.training.hindsight import fit_hindsight, in_conversation
from avatar.motion.training.speech_windows import Rendition

LATE = 2


def late(seed: int, frames: int = 400) -> Heard:
    """A reading that is two frames late, and half as large."""
    truth = np.random.default_rng(seed).uniform(0.2, 0.8, (frames, COUNT)).astype(np.float32)
    contacts = np.zeros((frames, 2), bool)
    of = Rendition(
        np.zeros((4 * frames, 64), np.float16), truth.astype(np.float16), contacts, np.ones(4 * frames, np.uint8),
        "somebody", "made up", "en", "clean",
    )  # fmt: skip
    said = 0.5 + 0.5 * (np.roll(truth, LATE, axis=0) - 0.5)
    return Heard(of, said, np.zeros((frames, 2), np.float32), np.zeros((frames, phones.COUNT), np.float32))


def error(heard: Heard, hindsight: Hindsight, known: int) -> float:
    readings = list(heard.mouth)
    frames = range(10, len(readings) - 10)
    guesses = [hindsight.read(readings[: at + known + 1], at) for at in frames]
    return float(np.abs(np.array(guesses) - heard.of.mouth[10:-10]).mean())


def test_it_finds_what_comes_late_where_it_is_known() -> None:
    fitted = fit_hindsight([late(seed) for seed in range(3)], [late(9)])
    judged = late(10)
    assert error(judged, fitted, 1) > 0.1, "nothing tells the mouth yet"
    for known in range(LATE, FUTURE_FRAMES + 1):
        assert error(judged, fitted, known) < 0.02
        assert fitted.weights[known, PAST_FRAMES + LATE] == pytest.approx(2.0 * np.eye(COUNT), abs=0.1)
    assert not fitted.weights[1, PAST_FRAMES + 2 :].any()


def test_a_conversation_knows_the_rest_of_each_hop() -> None:
    judged = late(11)
    fitted = fit_hindsight([late(seed) for seed in range(3)], [late(9)])
    (shown,) = in_conversation([judged], fitted)
    wrong = np.abs(shown.mouth - judged.of.mouth).mean(axis=1)
    by_place = [float(wrong[place:-10:5].mean()) for place in range(5)]
    assert max(by_place[1:3]) < 0.5 * min(by_place[3:]), "the last two of a hop are not known yet"
    assert shown.mouth.min() >= 0.0 and shown.mouth.max() <= 1.0


def test_without_hindsight_a_conversation_shows_what_was_read() -> None:
    judged = late(12)
    (shown,) = in_conversation([judged], Hindsight.none())
    assert shown.mouth == pytest.approx(judged.mouth, abs=1e-6)
