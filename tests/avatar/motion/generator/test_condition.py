"""What the generator is told: layout, prosody told no earlier than known, sound against the voice's own."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from avatar.motion.behaviour.scene import Activity
from avatar.motion.generator import phones
from avatar.motion.generator.condition import (
    ACTIVITY,
    AT,
    CONDITION,
    DEMAND,
    FRAME_MS,
    HEARD,
    PHONES,
    TIMED,
    C,
    SoundLevels,
    build,
    cues,
    phone_probabilities,
)
from avatar.motion.generator.features import BANDS, SoundFeatures
from avatar.motion.speech.mouth import COUNT
from avatar.motion.speech.prosody import Accent


def test_the_layout_names_every_channel_once() -> None:
    assert len(set(CONDITION)) == C == len(AT)
    assert CONDITION[PHONES][0] == "phone_silence" and len(CONDITION[PHONES]) == phones.COUNT
    assert CONDITION[DEMAND][0] == "demand_jaw" and len(CONDITION[DEMAND]) == COUNT
    assert CONDITION[ACTIVITY] == ("is_idle", "is_listening", "is_thinking", "is_speaking")


@pytest.mark.parametrize(("notice", "earliest_ms"), [(TIMED, -600.0), (HEARD, 20.0)])
def test_an_accent_is_told_no_earlier_than_it_is_known(notice: object, earliest_ms: float) -> None:
    accent = Accent(1400.0, 1.0)
    known = cues(FRAME_MS / 2, 60, [accent], [], None, notice)  # type: ignore[arg-type]
    times = FRAME_MS * (np.arange(60) + 0.5) - accent.at_ms
    told = (known.accent > 0) | (known.accent_ahead > 0)
    assert told.any() and times[told].min() >= earliest_ms
    assert known.accent.max() == pytest.approx(1.0, abs=0.01)


def test_what_comes_is_announced_ever_more_strongly() -> None:
    known = cues(FRAME_MS / 2, 30, [Accent(1000.0, 2.0)], [], None, TIMED)
    ahead = known.accent_ahead[12:25]
    assert (np.diff(ahead) > 0).all() and ahead[-1] == pytest.approx(1.0, abs=0.05)
    assert not known.accent_ahead[26:].any()
    assert known.accent.max() == 1.5


def test_pauses_and_the_end() -> None:
    heard = cues(FRAME_MS / 2, 50, [], [(400.0, 800.0)], 2000.0, HEARD)
    timed = cues(FRAME_MS / 2, 50, [], [(400.0, 800.0)], 2000.0, TIMED)
    assert np.flatnonzero(timed.pause).tolist() == list(range(10, 20))
    assert np.flatnonzero(heard.pause).tolist() == list(range(11, 20))
    assert timed.remaining[0] == pytest.approx(0.99) and timed.remaining[-1] == pytest.approx(0.01, abs=1e-3)
    assert (cues(FRAME_MS / 2, 3, [], [], None, TIMED).remaining == 1.0).all()


def test_no_frames_have_no_prosody() -> None:
    assert cues(20.0, 0, [Accent(0.0, 1.0)], [], 100.0, TIMED).accent.shape == (0,)


def features(frames: int, *, f0_hz: float = 200.0, level_db: float = -20.0) -> SoundFeatures:
    n = 4 * frames
    voiced = (np.arange(n) // 40) % 2 == 0
    return SoundFeatures(
        np.zeros((n, BANDS), np.float32),
        np.where(voiced, level_db, level_db - 40.0).astype(np.float32),
        np.where(voiced, f0_hz * (1 + 0.1 * np.sin(np.arange(n) / 9)), 0.0).astype(np.float32),
        voiced.astype(np.float32),
    )


def _part(whole: SoundFeatures, a: int, b: int) -> SoundFeatures:
    return SoundFeatures(whole.mel[a:b], whole.energy_db[a:b], whole.f0_hz[a:b], whole.voicing[a:b])


def _stacked(levels: SoundLevels, parts: list[SoundFeatures]) -> NDArray[np.float32]:
    sounds = [levels.push(part) for part in parts]
    return np.concatenate([np.stack((s.f0, s.voicing, s.energy), axis=1) for s in sounds])


def test_sound_is_told_the_same_however_it_comes() -> None:
    whole = features(100)
    cuts = [0, 20, 24, 120, 400]
    parts = [_part(whole, a, b) for a, b in itertools.pairwise(cuts)]
    assert np.array_equal(_stacked(SoundLevels(), [whole]), _stacked(SoundLevels(), parts))


@pytest.mark.parametrize(("f0_hz", "level_db"), [(90.0, -35.0), (300.0, -10.0)])
def test_every_voice_is_measured_against_its_own(f0_hz: float, level_db: float) -> None:
    told = _stacked(SoundLevels(), [features(400, f0_hz=f0_hz, level_db=level_db)])[200:]
    voiced = told[:, 1] == 1.0
    assert abs(told[voiced, 0].mean()) < 0.05
    assert told[voiced, 2].mean() == pytest.approx(1.0, abs=0.05) and told[~voiced, 2].max() == 0.0
    assert not told[~voiced, 0].any()


def test_half_a_frame_of_hops_is_refused() -> None:
    with pytest.raises(ValueError, match="6 hops"):
        SoundLevels().push(_part(features(2), 0, 6))


def test_a_silent_frame_is_told_its_activity_and_nothing_else() -> None:
    none = np.zeros(2, bool)
    told = build(np.zeros((2, COUNT), np.float32), none, none, Activity.LISTENING, mood=-2.0, gesture_strength=0.4)
    assert [CONDITION[i] for i in np.flatnonzero(told[0])] == ["is_listening", "mood", "gesture_strength"]
    assert told[0, AT["mood"]] == -1.0


def test_activities_may_change_from_frame_to_frame() -> None:
    none = np.zeros(2, bool)
    told = build(np.zeros((2, COUNT), np.float32), none, none, [Activity.IDLE, Activity.SPEAKING])
    assert told[:, ACTIVITY].tolist() == [[1, 0, 0, 0], [0, 0, 0, 1]]


def test_a_demand_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="mouth demand"):
        build(np.zeros((2, 5), np.float32), np.zeros(2, bool), np.zeros(2, bool), Activity.IDLE)


def test_phones_of_a_frame_are_the_shares_of_its_hops() -> None:
    told = phone_probabilities(np.array([1, 1, 1, 2, 0, 0, 0, 0, 5], np.uint8))
    assert told.shape == (2, phones.COUNT)
    assert told[0, 1] == 0.75 and told[0, 2] == 0.25 and told[1, 0] == 1.0
