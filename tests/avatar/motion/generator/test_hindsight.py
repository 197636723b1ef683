"""A mouth read again: what is known of the frames after it changes it, what is not known does not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from avatar.motion.generator.ear import Ear
from avatar.motion.generator.features import LOOK_AHEAD_FRAMES
from avatar.motion.generator.hindsight import FUTURE_FRAMES, PAST_FRAMES, Hindsight
from avatar.motion.speech.mouth import COUNT, JAW
from avatar.speech import BEAT_SAMPLES
from tests.avatar.motion.generator.fakes import fake_model

READINGS = list(np.random.default_rng(0).random((9, COUNT), np.float32))


def next_frame_where_known() -> Hindsight:
    """The frame after, where it is known."""
    hindsight = Hindsight.none()
    hindsight.weights[1:] = 0.0
    hindsight.weights[1:, PAST_FRAMES + 1] = np.eye(COUNT)
    return hindsight


def mean_of_all() -> Hindsight:
    hindsight = Hindsight.none()
    for known in range(FUTURE_FRAMES + 1):
        frames = PAST_FRAMES + 1 + known
        hindsight.weights[known, :frames] = np.eye(COUNT, dtype=np.float32) / frames
    return hindsight


def test_without_weights_it_is_what_was_read() -> None:
    assert all(np.array_equal(Hindsight.none().read(READINGS, at), READINGS[at]) for at in range(9))


def test_only_what_is_known_counts() -> None:
    hindsight = mean_of_all()
    for at in range(9):
        first, last = max(at - PAST_FRAMES, 0), min(at + FUTURE_FRAMES, 8)
        wanted = READINGS[first : last + 1]
        if at == 0:  # before the first frame the mouth was as it is there
            wanted = [READINGS[0]] * PAST_FRAMES + wanted
        assert hindsight.read(READINGS, at) == pytest.approx(np.mean(wanted, axis=0), abs=1e-6)


def test_it_stays_a_mouth() -> None:
    hindsight = Hindsight.none()
    hindsight.bias[:] = np.linspace(-2, 2, COUNT)
    mouth = hindsight.read(READINGS, 3)
    assert mouth.dtype == np.float32 and mouth.min() == 0.0 and mouth.max() == 1.0


def test_it_is_stored(tmp_path: Path) -> None:
    mean_of_all().save(tmp_path / "hindsight.npz")
    assert np.array_equal(Hindsight.load(tmp_path / "hindsight.npz").weights, mean_of_all().weights)
    np.savez(tmp_path / "other.npz", weights=np.zeros((2, 2)), bias=np.zeros(2))
    with pytest.raises(ValueError, match="expected"):
        Hindsight.load(tmp_path / "other.npz")


def heard(hindsight: Hindsight, pcm: NDArray[np.int16], hop: int) -> tuple[list[float], list[float]]:
    """Jaws taken by hops of so many frames, and what was revised before each hop."""
    ear, jaws, revised = Ear(fake_model().encoder(), hindsight), list[float](), list[float]()
    for start in range(0, len(pcm), hop * BEAT_SAMPLES):
        ear.push(pcm[start : start + hop * BEAT_SAMPLES])
        known = ear.hear(hop + LOOK_AHEAD_FRAMES, complete=False) - LOOK_AHEAD_FRAMES
        jaws += [float(ear.mouth(i).planned.mouth[JAW]) for i in range(known)]
        if known > 0:
            revised.append(float(ear.revised()[JAW]))
        for _ in range(known):
            ear.advance()
    return jaws, revised


def test_a_hop_knows_its_own_later_frames_and_revises_the_frame_before() -> None:
    levels = np.array([60, 9000, 400, 4000, 200, 7000, 900, 30] * 3)
    rng = np.random.default_rng(1)
    pcm = np.concatenate([rng.integers(-lv, lv, BEAT_SAMPLES) for lv in levels]).astype(np.int16)
    as_read, nothing = heard(Hindsight.none(), pcm, 4)
    shifted, revised = heard(next_frame_where_known(), pcm, 4)
    assert not any(nothing)
    lasts = [i for i in range(len(as_read)) if i % 4 == 1]  # of hops: the first is two frames short
    others = [i for i in range(len(as_read)) if i % 4 != 1]
    assert [shifted[i] for i in lasts] == pytest.approx([as_read[i] for i in lasts])
    assert [shifted[i] for i in others] == pytest.approx([as_read[i + 1] for i in others])
    assert revised[0] == 0.0
    assert revised[1:] == pytest.approx([as_read[i] - as_read[i + 1] for i in lasts[:-1]])
