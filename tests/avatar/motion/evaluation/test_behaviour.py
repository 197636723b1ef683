from __future__ import annotations

import numpy as np
import pytest

from avatar.motion.evaluation.behaviour import (
    beat_alignment,
    blinking,
    coupling,
    drift,
    gaze_away,
    hand_beats,
    hand_speed,
    head_speed,
    jerk,
    moving,
    nods,
    seams,
)
from avatar.motion.motion import Motion

MINUTE = 25 * 60


def motion_with(frames: int, **channels: np.ndarray | float) -> Motion:
    motion = Motion.zeros(frames)
    for name, values in channels.items():
        motion[name][:] = values
    return motion


def slow_noise(frames: int, seed: int, hertz: float = 1.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    spectrum = np.fft.rfft(rng.standard_normal(frames))
    spectrum[np.fft.rfftfreq(frames, 0.04) > hertz] = 0
    values = np.fft.irfft(spectrum, frames)
    return (values / values.std()).astype(np.float32)


def test_blinks_are_counted_and_lowered_lids_are_not() -> None:
    lids = np.full(2 * MINUTE, 0.35, np.float32)
    for at in range(50, 2 * MINUTE - 10, 75):  # every three seconds
        lids[at : at + 4] = (0.7, 1.0, 0.9, 0.55)
    found = blinking(motion_with(2 * MINUTE, eyeBlinkLeft=lids, eyeBlinkRight=lids))
    assert found.per_minute == pytest.approx(20, abs=0.6)
    assert found.median_interval_s == pytest.approx(3.0)
    assert found.log_sd == pytest.approx(0.0, abs=1e-6)
    assert found.closed_s == pytest.approx(0.16)
    assert blinking(Motion.zeros(100)).per_minute == 0


def test_ranges_and_speeds() -> None:
    time = np.arange(MINUTE) / 25
    yaw = 10 * np.sin(2 * np.pi * 0.5 * time)
    found = moving(motion_with(MINUTE, headYaw=yaw, eyeLookInLeft=np.clip(yaw / 30, 0, 1)))
    assert found.head_sd_deg[1] == pytest.approx(10 / np.sqrt(2), rel=0.01)
    assert found.head_speed_deg_s[1] == pytest.approx(10 * np.pi, rel=0.03)
    assert found.hands_shown == 0 and np.isnan(found.hand_speed[0])
    assert 0 < found.gaze_mutual < 1


def test_eyes_that_hold_their_target_while_the_head_turns_look_at_the_other() -> None:
    motion = motion_with(10, headYaw=9.0, eyeLookInLeft=0.3)
    np.testing.assert_allclose(gaze_away(motion), 0, atol=1e-4)


def test_jerk_grows_with_the_cube_of_speed() -> None:
    time = np.arange(MINUTE) / 25
    slow = motion_with(MINUTE, headYaw=np.sin(time))
    fast = motion_with(MINUTE, headYaw=np.sin(2 * time))
    assert jerk(fast)["head"] / jerk(slow)["head"] == pytest.approx(8, rel=0.01)
    assert np.isnan(jerk(slow)["hands"])


def test_hidden_hands_have_no_jerk_and_no_speed() -> None:
    shown = np.zeros(200, np.float32)
    shown[50:150] = 1
    jumping = motion_with(200, handLeftScore=shown, handLeft0X=np.where(shown > 0, 0.3, 5.0))
    assert jerk(jumping)["hands"] == pytest.approx(0, abs=1e-3)
    assert np.isfinite(hand_speed(jumping)).sum() == 99


def test_seams_are_found_where_they_are_and_not_where_they_are_not() -> None:
    values = np.stack([slow_noise(5000, i) for i in range(5)], 1)
    assert seams(values, 5).worst_share < 0.03
    assert seams(values, 5).median_ratio < 1.15
    jumpy = values.copy()
    jumpy += 0.6 * np.random.default_rng(0).standard_normal((1000, 5)).repeat(5, axis=0)
    assert seams(jumpy, 5).worst_share > 0.5
    assert seams(jumpy, 5).median_ratio > 2


def test_changes_of_speed_at_seams_are_found() -> None:
    rng = np.random.default_rng(1)
    speeds = rng.standard_normal((600, 3)).repeat(5, axis=0) * 0.1
    broken = np.cumsum(speeds + 0.01 * rng.standard_normal(speeds.shape), axis=0).astype(np.float32)
    assert seams(broken, 5).worst_share < 0.2  # no jumps of position stand out
    assert seams(broken, 5, order=2).worst_share > 0.5


def test_coupling_is_above_chance_only_where_it_is() -> None:
    sound = slow_noise(3000, 1)
    follows = np.roll(sound, 6) + slow_noise(3000, 2)
    found = coupling(follows, sound)
    assert found.above and found.value > 0.5
    assert not coupling(slow_noise(3000, 3), sound).above


def test_beats_on_accents_are_above_chance_and_others_are_not() -> None:
    rng = np.random.default_rng(4)
    accents = np.sort(rng.uniform(5, 295, 300)).astype(np.float32)
    on = np.sort(rng.choice(accents, 100, replace=False) + rng.normal(0, 0.04, 100)).astype(np.float32)
    assert beat_alignment(accents, on, 300).above
    off = np.sort(rng.uniform(5, 295, 100)).astype(np.float32)
    assert not beat_alignment(accents, off, 300, seed=1).value > 1.3 * beat_alignment(accents, off, 300).chance_95
    assert np.isnan(beat_alignment(accents, np.zeros(0, np.float32), 300).value)


def test_apexes_of_strokes_are_found() -> None:
    y = np.full(200, 0.8, np.float32)
    for at in (40, 90, 140):  # down fast, rest a moment, slowly back
        y[at - 5 : at + 1] = np.linspace(0.6, 0.8, 6)
        y[at + 8 : at + 20] = np.linspace(0.8, 0.6, 12)
        y[at + 20 : at + 45] = 0.6
    beats = hand_beats(motion_with(200, handRight0Y=y, handRightScore=1.0))
    for at in (40, 90, 140):
        assert np.abs(beats - at / 25).min() < 0.13
    assert len(hand_beats(motion_with(200, handRight0Y=0.5, handRightScore=1.0))) == 0


def test_drift_is_found() -> None:
    steady = slow_noise(20_000, 5)
    assert drift(motion_with(20_000, headYaw=steady)).worst < 0.5
    found = drift(motion_with(20_000, headYaw=steady, headX=0.1 * steady + np.linspace(0, 1, 20_000)))
    assert found.worst > 1.5 and found.channel == "headX"
    assert drift(Motion.zeros(100)).worst == 0


def test_head_speed_is_in_degrees_a_second() -> None:
    np.testing.assert_allclose(head_speed(motion_with(10, headRoll=np.arange(10) * 2.0)), 50.0)


def test_nods_are_quick_and_swaying_is_none() -> None:
    seconds = np.arange(60 * 25) / 25
    motion = Motion.zeros(len(seconds))
    motion["headPitch"][:] = 3.0 * np.sin(2 * np.pi * seconds / 8)
    assert nods(motion) == 0
    for at in range(5, 60, 10):  # six, each twice
        since = seconds - at
        motion["headPitch"][:] -= np.where((since >= 0) & (since < 1.0), 3.0 * np.sin(2 * np.pi * since) ** 2, 0)
    assert nods(motion) == pytest.approx(6)
