"""Measures of lips on signals whose answer is known: a measure that cannot fail measures nothing."""

from __future__ import annotations

import numpy as np
import pytest

from avatar.motion.evaluation.lips import Mouth, Reference, correlation, lag, mouth_of, runs, score, widened
from avatar.motion.motion import Motion

FRAMES = 1000


def wave(seed: int, frames: int = FRAMES, *, delay_ms: float = 0.0) -> np.ndarray:
    """Band-limited noise below 5 Hz, which can be delayed by parts of a frame."""
    rng = np.random.default_rng(seed)
    hertz = rng.uniform(0.3, 5.0, 40)
    phase = rng.uniform(0, 2 * np.pi, 40)
    at = np.arange(frames)[:, None] * 0.04 - delay_ms / 1000
    return (0.3 + 0.05 * np.sin(2 * np.pi * hertz * at + phase).sum(1)).astype(np.float32)


def mouth(opening: np.ndarray, closed: np.ndarray | None = None) -> Mouth:
    width, rounding = wave(11, len(opening)), wave(12, len(opening))
    return Mouth(opening, width, rounding, np.zeros(len(opening), bool) if closed is None else closed)


def reference(opening: np.ndarray, closures: np.ndarray | None = None, silent: np.ndarray | None = None) -> Reference:
    nothing = np.zeros(len(opening), bool)
    silent = nothing if silent is None else silent
    return Reference(mouth(opening), nothing if closures is None else closures, silent, silent)


def flags(*frames: int, length: int = FRAMES) -> np.ndarray:
    out = np.zeros(length, bool)
    out[list(frames)] = True
    return out


def test_the_same_is_perfect_and_noise_is_not() -> None:
    same = score([("a", mouth(wave(1)), reference(wave(1)))])
    assert same.opening.value == pytest.approx(1.0) and same.amplitude == pytest.approx(1.0)
    assert same.seconds == FRAMES / 25
    other = score([("a", mouth(wave(2)), reference(wave(1)))])
    assert abs(other.opening.value) < 0.3
    assert other.opening.low < 0 < other.opening.high or abs(other.opening.value) > 0.1


def test_a_known_correlation_is_found_and_lies_in_its_interval() -> None:
    rng = np.random.default_rng(0)
    a = rng.standard_normal(20_000).astype(np.float32)
    b = (0.6 * a + 0.8 * rng.standard_normal(20_000)).astype(np.float32)
    found = score([("a", mouth(b), reference(a))], lags=False).opening
    assert found.value == pytest.approx(0.6, abs=0.02)
    assert found.low < 0.6 < found.high and found.high - found.low < 0.05


def test_pooling_is_over_frames_and_unequal_lengths_are_cut() -> None:
    parts = [wave(1, 100), wave(2, 300)]
    judged = [("a", mouth(parts[0][:90]), reference(parts[0])), ("b", mouth(parts[1]), reference(parts[1]))]
    found = score(judged, lags=False)
    assert found.seconds == pytest.approx(390 / 25)
    assert found.opening.value == pytest.approx(1.0)


def test_what_never_moves_has_no_correlation() -> None:
    still = np.full(FRAMES, 0.2, np.float32)
    assert np.isnan(score([("a", mouth(still), reference(wave(1)))]).opening.value)
    assert np.isnan(correlation(still, wave(1))) and np.isnan(lag(wave(1), still))


@pytest.mark.parametrize("delay_ms", [-80.0, -13.0, 0.0, 7.0, 25.0, 60.0])
def test_lag_is_found_finer_than_a_frame(delay_ms: float) -> None:
    assert lag(wave(3), wave(3, delay_ms=delay_ms)) == pytest.approx(delay_ms, abs=2.0)


def test_closures_are_recalled_within_a_frame_and_no_farther() -> None:
    wanted = flags(100, 101, 300, 500, 700)
    made = flags(99, 301, 503, 900)  # a frame early, a frame late, three late, nowhere near
    found = score([("a", mouth(wave(1), made), reference(wave(1), wanted))])
    assert found.closures == 4
    assert found.recalled.value == pytest.approx(2 / 4)
    assert found.false.value == pytest.approx(2 / 4)


def test_a_mouth_that_is_always_closed_recalls_all_and_is_told_so() -> None:
    wanted = flags(*range(50, 1000, 100))
    always = score([("a", mouth(wave(1), np.ones(FRAMES, bool)), reference(wave(1), wanted))])
    assert always.recalled.value == 1.0
    flicker = flags(*range(0, 1000, 4))
    assert score([("a", mouth(wave(1), flicker), reference(wave(1), wanted))]).false.value > 0.9


def test_closing_in_a_pause_is_no_mistake() -> None:
    silent = flags(*range(200, 240))
    in_pause = flags(*range(198, 243))
    found = score([("a", mouth(wave(1), in_pause), reference(wave(1), flags(600), silent))])
    assert np.isnan(found.false.value) and found.recalled.value == 0.0


def test_where_the_reference_is_as_narrow_it_is_told_apart() -> None:
    truth = Reference(Mouth(wave(1), wave(2), wave(3), flags(400)), flags(100), flags(), flags())
    found = score([("a", mouth(wave(1), flags(100, 400, 800)), truth)])
    assert found.false.value == pytest.approx(2 / 3)
    assert found.false_beyond_reference == pytest.approx(1 / 3)


def test_pauses_are_averaged() -> None:
    opening = wave(1)
    opening[200:240] = 0.07
    found = score([("a", mouth(opening), reference(wave(1), silent=flags(*range(200, 240))))])
    assert found.pause_opening == pytest.approx(0.07)
    assert score([("a", mouth(opening), reference(wave(1)))]).pause_opening is None


def test_a_smile_is_not_counted_as_articulation() -> None:
    spoken = Motion.zeros(50)
    spoken["mouthStretchLeft"][:] = spoken["mouthStretchRight"][:] = np.abs(np.sin(np.arange(50)))
    smiling = Motion(spoken.values.copy())
    for side in ("Left", "Right"):
        smiling[f"mouthSmile{side}"][:] += 0.3
        smiling[f"cheekSquint{side}"][:] = 0.6 * 0.3
    np.testing.assert_allclose(mouth_of(smiling.values).width, mouth_of(spoken.values).width, atol=1e-6)


def test_closed_is_narrow_or_pressed() -> None:
    motion = Motion.zeros(3)
    motion["jawOpen"][:] = (0.05, 0.3, 0.3)
    motion["mouthPressLeft"][2] = motion["mouthPressRight"][2] = 0.6
    assert mouth_of(motion.values).closed.tolist() == [True, False, True]


def test_runs_and_widening() -> None:
    mask = flags(0, 1, 5, 9, length=10)
    assert runs(mask) == [(0, 2), (5, 6), (9, 10)]
    assert runs(widened(mask, 1)) == [(0, 3), (4, 7), (8, 10)]
    assert runs(np.zeros(0, bool)) == [] and len(widened(np.zeros(0, bool), 2)) == 0
