"""The diffused vector and its way to Motion and back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from avatar.motion.generator import state as layout
from avatar.motion.generator.state import (
    AT,
    HAND_COMPONENTS,
    HANDS,
    MOUTH,
    STATE,
    D,
    HandBasis,
    Normalisation,
    from_motion,
    from_parts,
    to_motion_values,
)
from avatar.motion.motion import BODY_CHANNELS, CHANNELS, FACE_CHANNELS, INDEX
from avatar.motion.speech.mouth import COUNT, JAW, PUCKER, SPREAD


def basis(seed: int = 0) -> HandBasis:
    rng = np.random.default_rng(seed)
    directions, _ = np.linalg.qr(rng.normal(size=(84, HAND_COMPONENTS)))
    mean = rng.uniform(0.2, 0.9, 84).astype(np.float32)
    return HandBasis(mean, directions.T.astype(np.float32), mean + np.float32(0.5))


def shown(state: NDArray[np.float32], demand: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
    n = len(state)
    none = np.zeros(n, bool)
    return to_motion_values(state, np.zeros((n, COUNT), np.float32) if demand is None else demand, none, none, basis())


def test_the_layout_names_every_channel_once() -> None:
    assert len(set(STATE)) == D == len(AT)
    assert slice(0, COUNT) == MOUTH
    assert STATE[HANDS] == tuple(f"hands_{i}" for i in range(HAND_COMPONENTS))
    assert STATE[layout.SCORES] == ("hand_left_score", "hand_right_score")
    assert STATE[layout.HEAD] == ("head_pitch", "head_yaw", "head_roll", "head_x", "head_y", "head_z")


def test_nothing_is_the_picture_at_rest_with_hands_hidden() -> None:
    values = shown(np.zeros((3, D), np.float32))
    face = values[:, : len(FACE_CHANNELS) + len(BODY_CHANNELS)]
    assert not face.any()
    assert not values[:, [INDEX["handLeftScore"], INDEX["handRightScore"]]].any()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_any_state_whatever_gives_motion_within_its_ranges(seed: int) -> None:
    rng = np.random.default_rng(seed)
    state = (3.0 * rng.normal(size=(8, D))).astype(np.float32)
    demand = rng.uniform(-0.5, 1.5, (8, COUNT)).astype(np.float32)
    sealed, touching = rng.random(8) < 0.3, rng.random(8) < 0.3
    values = to_motion_values(state, demand, sealed, touching & ~sealed, basis())
    weights = values[:, [INDEX[n] for n in (*FACE_CHANNELS, "tongueUp", "breath", "handLeftScore")]]
    assert values.dtype == np.float32
    assert np.isfinite(values).all() and weights.min() >= 0.0 and weights.max() <= 1.0
    assert np.allclose(values[sealed, INDEX["mouthClose"]], values[sealed, INDEX["jawOpen"]])


def test_the_residual_is_added_to_the_demand() -> None:
    demand = np.zeros((1, COUNT), np.float32)
    demand[0, JAW] = 0.3
    state = from_parts(1, {"residual_jaw": np.array([0.05], np.float32)})
    assert shown(state, demand)[0, INDEX["jawOpen"]] == pytest.approx(0.35)


def test_eyes_stay_on_their_target_while_the_head_turns() -> None:
    still = from_parts(2, {"gaze_yaw": np.full(2, 6.0, np.float32)})
    turned = still.copy()
    turned[:, AT["head_yaw"]], turned[:, AT["head_pitch"]] = 4.0, -3.0
    for values, head in ((shown(still), (0.0, 0.0)), (shown(turned), (4.0, -3.0))):
        yaw = 30.0 * (values[:, INDEX["eyeLookOutLeft"]] - values[:, INDEX["eyeLookInLeft"]])
        pitch = 30.0 * (values[:, INDEX["eyeLookUpLeft"]] - values[:, INDEX["eyeLookDownLeft"]])
        assert np.allclose(yaw + head[0], 6.0, atol=1e-4) and np.allclose(pitch + head[1], 0.0, atol=1e-4)


def test_lids_follow_a_downward_look_unless_they_blink() -> None:
    parts = {"gaze_pitch": np.full(2, -20.0, np.float32), "blink": np.array([0.0, 1.0], np.float32)}
    lids = shown(from_parts(2, parts))[:, INDEX["eyeBlinkLeft"]]
    assert lids[0] == pytest.approx(0.24, abs=1e-3) and lids[1] == 1.0


def test_a_score_about_zero_draws_no_hand() -> None:
    state = from_parts(2, {"hand_left_score": np.array([0.06, 0.8], np.float32)})
    assert shown(state)[:, INDEX["handLeftScore"]].tolist() == [0.0, pytest.approx(0.8)]


def _plausible(seed: int, frames: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    rng = np.random.default_rng(seed)
    demand = np.zeros((frames, COUNT), np.float32)
    demand[:, JAW], demand[:, PUCKER], demand[:, SPREAD] = rng.uniform(0.1, 0.4, (3, frames)) * [[1.0], [0.5], [0.5]]
    parts = {
        name: rng.uniform(low, high, frames).astype(np.float32)
        for name, low, high in (
            ("residual_jaw", -0.05, 0.05), ("residual_spread", -0.03, 0.03), ("smile", 0.0, 0.5), ("press", 0.0, 0.2),
            ("brow_inner", 0.0, 0.4), ("brow_outer", 0.0, 0.4), ("brow_down", 0.0, 0.3), ("blink", 0.4, 1.0),
            ("gaze_yaw", -8.0, 8.0), ("gaze_pitch", -6.0, 6.0), ("head_yaw", -6.0, 6.0), ("head_pitch", -5.0, 5.0),
            ("head_roll", -3.0, 3.0), ("head_x", -0.02, 0.02), ("head_z", -0.02, 0.02), ("breath", 0.0, 1.0),
            ("shoulder_left", -0.2, 0.4), ("hand_left_score", 0.2, 1.0), ("hand_right_score", 0.2, 1.0),
        )
    }  # fmt: skip
    parts["hands"] = rng.normal(0.0, 0.3, (frames, HAND_COMPONENTS)).astype(np.float32)
    return from_parts(frames, parts), demand


def test_motion_is_read_back() -> None:
    state, demand = _plausible(3, 40)
    again = from_motion(shown(state, demand), demand, basis())
    assert np.abs(again - state).max() < 2e-3


def test_reading_back_shows_the_same_motion() -> None:
    """What cannot be told apart may move between channels, but not on the face."""
    state, demand = _plausible(4, 40)
    values = shown(state, demand)
    assert np.abs(shown(from_motion(values, demand, basis()), demand) - values).max() < 2e-3


def test_a_contact_is_no_manner_of_speaking() -> None:
    demand = np.full((4, COUNT), 0.25, np.float32)
    values = to_motion_values(np.zeros((4, D), np.float32), demand, np.ones(4, bool), np.zeros(4, bool), basis())
    assert np.abs(from_motion(values, demand, basis())[:, MOUTH]).max() <= layout.RESIDUAL_LIMIT + 1e-6


def test_a_hand_that_motion_leaves_out_hangs_below_the_picture() -> None:
    state = from_motion(np.zeros((1, len(CHANNELS)), np.float32), np.zeros((1, COUNT), np.float32), basis())
    b = basis()
    assert np.allclose(state[:, HANDS], b.encode(b.hidden[None]), atol=1e-5)


def test_motion_and_demand_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="do not belong together"):
        from_motion(np.zeros((3, len(CHANNELS)), np.float32), np.zeros((2, COUNT), np.float32), basis())


def test_an_unknown_part_is_refused() -> None:
    with pytest.raises(KeyError):
        from_parts(1, {"ears": np.zeros(1, np.float32)})


def test_a_basis_survives_its_file(tmp_path: Path) -> None:
    basis().save(tmp_path / "hands.npz")
    again = HandBasis.load(tmp_path / "hands.npz")
    points = np.random.default_rng(1).uniform(size=(5, 2, 21, 2)).astype(np.float32)
    assert np.array_equal(again.encode(points), basis().encode(points))
    coefficients = again.encode(points)
    assert np.allclose(again.encode(again.decode(coefficients)), coefficients, atol=1e-5)


def test_a_basis_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="hand basis needs"):
        HandBasis(np.zeros(42, np.float32), np.zeros((HAND_COMPONENTS, 84), np.float32), np.zeros(84, np.float32))


def test_normalisation_undoes_itself_and_survives_its_file(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    arrays = [rng.uniform(0.5, 2.0, n).astype(np.float32) for n in (D, D, 7, 7)]
    Normalisation(*arrays).save(tmp_path / "normalisation.npz")
    normalisation = Normalisation.load(tmp_path / "normalisation.npz")
    state = rng.normal(size=(3, D)).astype(np.float32)
    assert np.allclose(normalisation.physical(normalisation.state(state)), state, atol=1e-5)
    assert np.allclose(normalisation.condition(arrays[2]), 0.0)


def test_normalisation_by_zero_is_refused() -> None:
    ones = np.ones(D, np.float32)
    with pytest.raises(ValueError, match="not positive"):
        Normalisation(ones, np.zeros(D, np.float32), ones, ones)
    with pytest.raises(ValueError, match="state channels"):
        Normalisation(ones[1:], ones[1:], ones, ones)
