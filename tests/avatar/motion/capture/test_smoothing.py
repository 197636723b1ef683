from __future__ import annotations

import numpy as np
import pytest

from avatar.motion.capture.smoothing import EASE_S, frame_times, resampled, smoothed, without_spikes


def column(values: np.ndarray) -> np.ndarray:
    return np.asarray(values, np.float32)[:, None]


def test_frames_cover_the_video() -> None:
    np.testing.assert_allclose(frame_times(0.2), [0.02, 0.06, 0.1, 0.14, 0.18])
    assert len(frame_times(0.0)) == 1


def test_25_hz_samples_are_kept_as_they_are() -> None:
    at = frame_times(1.0)
    values = column(np.sin(at))
    out, believed = resampled(at, values, at)
    np.testing.assert_allclose(out, values, atol=1e-6)
    assert (believed == 1).all()


def test_other_rates_are_interpolated() -> None:
    shown = (np.arange(30) + 0.5) / 30
    out, _ = resampled(shown, column(shown), frame_times(1.0))
    np.testing.assert_allclose(out[:, 0], frame_times(1.0), atol=1e-6)


def test_a_short_gap_is_filled_and_a_long_one_believed_less_and_less() -> None:
    at = frame_times(4.0)
    values = column(np.ones(100))
    values[20:26] = np.nan
    values[50:80] = np.nan
    out, believed = resampled(at, values, at)
    assert np.isfinite(out).all() and (believed[:50] == 1).all()
    inside = believed[50:80]
    assert inside.min() == 0 and inside[0] > 0.5 > inside[int(EASE_S * 25)]
    np.testing.assert_allclose(inside, inside[::-1], atol=1e-5)
    assert (np.abs(np.diff(believed)) < 0.25).all()


def test_nothing_seen_is_nothing_believed() -> None:
    out, believed = resampled(np.arange(3) / 25, column(np.full(3, np.nan)), frame_times(1.0))
    assert not out.any() and not believed.any()


@pytest.mark.parametrize("width", [1, 3, 5, 7, 9])
def test_smoothing_has_no_lag_and_no_gain(width: int) -> None:
    ramp = np.arange(40, dtype=np.float32)
    np.testing.assert_allclose(smoothed(ramp, width)[5:-5], ramp[5:-5], atol=1e-4)
    bump = np.exp(-0.5 * ((np.arange(41) - 20) / 4.0) ** 2).astype(np.float32)
    np.testing.assert_allclose(smoothed(bump, width), smoothed(bump, width)[::-1], atol=1e-6)
    noise = np.random.default_rng(0).standard_normal((2000, 2)).astype(np.float32)
    assert smoothed(noise, width).std() <= noise.std() * {1: 1.0, 3: 0.65, 5: 0.72, 7: 0.6, 9: 0.53}[width]


def test_one_wild_frame_goes() -> None:
    values = column(np.linspace(0, 1, 20))
    wild = values.copy()
    wild[7] = 9
    assert np.abs(without_spikes(wild) - values).max() < 0.06
