"""Behaviours over simulated hours: rates, shares and limits as people have them."""

from __future__ import annotations

import random
from functools import lru_cache

import numpy as np
import pytest
from numpy.typing import NDArray

from avatar.motion.behaviour.curves import Glide, Moves, bump, ease, oscillation
from avatar.motion.behaviour.gaze import EYE_RANGE_DEG, saccade_s
from avatar.motion.behaviour.noise import SmoothNoise
from avatar.motion.motion import INDEX
from avatar.motion.rules import RuleMotionSource
from avatar.motion.source import Gesture, Mode
from avatar.speech import SpeechChunk
from tests.avatar.motion.speech_material import spoken

QUARTER_HOUR = 25 * 60 * 15
TURN = [("h", 60.0), ("ə", 80.0), ("l", 90.0), ("oʊ", 260.0), ("m", 80.0), ("aɪ", 200.0), ("n", 80.0), ("eɪ", 180.0),
        ("m", 90.0), ("ɪ", 80.0), ("z", 100.0), ("", 250.0)]  # fmt: skip


@lru_cache(maxsize=4)
def quarter_hour(activity: str) -> NDArray[np.float32]:
    source = RuleMotionSource(1)
    if activity != "speaking":
        source.set_mode(Mode(activity))
        return source.take(QUARTER_HOUR, speaking=False).values
    chunk, parts, frames = spoken(TURN * 10, noise=True), [], 0
    while frames < QUARTER_HOUR:
        source.push(chunk)
        parts.append(source.take(source.ready(), speaking=True).values)
        frames += len(parts[-1])
    return np.concatenate(parts)


def gaze_deg(values: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Yaw and pitch of the line of sight in the room: eye in head plus head."""
    yaw = (values[:, INDEX["eyeLookOutLeft"]] - values[:, INDEX["eyeLookInLeft"]]) * EYE_RANGE_DEG
    pitch = (values[:, INDEX["eyeLookUpLeft"]] - values[:, INDEX["eyeLookDownLeft"]]) * EYE_RANGE_DEG
    return yaw + values[:, INDEX["headYaw"]], pitch + values[:, INDEX["headPitch"]]


def blink_onsets(values: NDArray[np.float32]) -> NDArray[np.intp]:
    lids = values[:, INDEX["eyeBlinkLeft"]]
    return np.flatnonzero((lids[1:] > 0.95) & (lids[:-1] <= 0.95))


@pytest.mark.slow
@pytest.mark.parametrize(("activity", "rate"), [("idle", 17), ("listening", 17), ("speaking", 26)])
def test_blink_rate_and_intervals(activity: str, rate: float) -> None:
    onsets = blink_onsets(quarter_hour(activity))
    assert len(onsets) / 15 == pytest.approx(rate, rel=0.12)
    intervals = np.log(np.diff(onsets)[np.diff(onsets) > 12] * 0.04)  # without doubles
    assert 0.35 < intervals.std() < 0.85, "log-normal, as wide as people's"
    skew = float(np.mean((intervals - intervals.mean()) ** 3) / intervals.std() ** 3)
    assert abs(skew) < 0.8, "symmetric once the logarithm is taken"


def test_a_blink_shuts_in_two_frames_and_opens_more_slowly() -> None:
    lids = quarter_hour("idle")[:, INDEX["eyeBlinkLeft"]]
    for onset in blink_onsets(quarter_hour("idle"))[:50] + 1:
        assert lids[onset] == 1.0 and lids[onset - 2] < 0.15 and lids[onset + 1] > 0.5
        assert lids[onset + 1] > lids[onset + 2] > lids[onset + 3]


def test_blinks_prefer_phrase_ends() -> None:
    values = quarter_hour("speaking")
    onsets = blink_onsets(values)
    phase_ms = (onsets * 40 + 20) % 1550
    pause_starts = sum(length for _, length in TURN[:-1])
    at_pause = ((phase_ms >= pause_starts - 40) & (phase_ms < pause_starts + 160)).mean()
    assert at_pause > 1.6 * 200 / 1550, "more often than chance"


@pytest.mark.slow
@pytest.mark.parametrize(("activity", "share"), [("speaking", 0.41), ("listening", 0.75), ("thinking", 0.2)])
def test_share_and_length_of_mutual_gaze(activity: str, share: float) -> None:
    yaw, pitch = gaze_deg(quarter_hour(activity))
    mutual = np.hypot(yaw, pitch) < 4.0
    assert mutual.mean() == pytest.approx(share, abs=0.07)
    edges = np.flatnonzero(np.diff(mutual.astype(int)))
    bouts = np.diff(edges) * 0.04
    looking = bouts[::2] if mutual[edges[0] + 1] else bouts[1::2]
    assert looking.mean() == pytest.approx(2.2, abs=0.4)


def test_aversions_are_five_to_fifteen_degrees_at_saccade_speed() -> None:
    yaw, pitch = gaze_deg(quarter_hour("speaking"))
    away = np.hypot(yaw, pitch)
    assert np.percentile(away[away > 4.0], 5) > 4.0
    assert away.max() < 15.0 + 3.5, "plus the scan of a fixation"
    speed = np.hypot(np.diff(yaw), np.diff(pitch))
    assert speed.max() > 5.0, "saccades, not pans"
    assert saccade_s(10.0) == pytest.approx(0.043)


def test_eyes_hold_their_target_while_the_head_moves() -> None:
    values = quarter_hour("listening")
    yaw, _ = gaze_deg(values)
    still = np.abs(np.diff(yaw)) < 1e-4
    assert still.mean() > 0.8, "between saccades the line of sight is fixed"
    assert np.abs(np.diff(values[:, INDEX["headYaw"]]))[still].mean() > 0.005, "though the head is not"


def test_thinking_looks_up_and_aside() -> None:
    yaw, pitch = gaze_deg(quarter_hour("thinking"))
    away = np.hypot(yaw, pitch) > 4.0
    assert (pitch[away] > 1.0).mean() > 0.9


def test_turns_end_with_direct_gaze() -> None:
    direct = 0
    for seed in range(20):
        source = RuleMotionSource(seed)
        source.push(spoken(TURN * 3))
        source.finish()
        yaw, pitch = gaze_deg(source.take(source.ready(), speaking=True).values)
        direct += bool(np.hypot(yaw[-8:], pitch[-8:]).max() < 4.0)
    assert direct == 20


def test_turns_often_begin_averted() -> None:
    averted = 0
    for seed in range(40):
        source = RuleMotionSource(seed)
        source.take(5, speaking=False)
        source.push(spoken(TURN * 6))
        yaw, pitch = gaze_deg(source.take(12, speaking=True).values)
        averted += bool(np.hypot(yaw[-4:], pitch[-4:]).min() > 4.0)
    assert 14 <= averted <= 34


@pytest.mark.parametrize("activity", ["idle", "listening", "speaking"])
def test_sway_is_small_slow_and_alive(activity: str) -> None:
    values = quarter_hour(activity)
    for name, limit, least in (("headYaw", 7.0, 0.7), ("headRoll", 3.0, 0.3), ("headPitch", 7.0, 0.5)):
        curve = values[:, INDEX[name]]
        assert np.abs(curve).max() <= limit, name
        assert curve.std() > least, name
        power = np.abs(np.fft.rfft(curve - curve.mean())) ** 2
        frequency = np.fft.rfftfreq(len(curve), 0.04)
        assert power[frequency > 3.0].sum() < 0.02 * power.sum(), name
    yaw = values[:, INDEX["headYaw"]]
    power = np.abs(np.fft.rfft(yaw - yaw.mean())) ** 2
    frequency = np.fft.rfftfreq(len(yaw), 0.04)
    low, high = (power[(frequency > a) & (frequency < b)].mean() for a, b in ((0.02, 0.1), (0.5, 1.0)))
    assert low > 10 * high, "slow movements are the large ones"


def test_breath_is_a_quarter_hertz_at_rest() -> None:
    breath = quarter_hour("idle")[:, INDEX["breath"]]
    ups = np.flatnonzero((breath[1:] > 0.35) & (breath[:-1] <= 0.35))
    assert len(ups) / 900 == pytest.approx(0.25, abs=0.03)


def test_breath_is_drawn_as_speech_begins_and_spent_while_it_lasts() -> None:
    source = RuleMotionSource(3)
    source.take(70, speaking=False)
    source.push(spoken([("a", 4000.0)]))
    breath = source.take(100, speaking=True).values[:, INDEX["breath"]]
    assert breath[15:25].max() > 0.75
    assert breath[-1] < breath[25] - 0.2


def test_listening_nods() -> None:
    listening, idle = quarter_hour("listening"), quarter_hour("idle")

    def dips(values: NDArray[np.float32]) -> int:
        speed = np.diff(values[:, INDEX["headPitch"]])
        return int(((speed[1:] < -0.25) & (speed[:-1] >= -0.25)).sum())

    assert dips(listening) > 150, "several a minute"
    assert dips(idle) < 10


def test_head_nods_and_brows_follow_stress() -> None:
    """Pitch falls towards stressed vowels: coupled to them, and not to the same times shuffled."""
    symbols = [("t", 90.0), ("a", 250.0), ("n", 110.0), ("ə", 110.0), ("l", 120.0), ("ɪ", 90.0), ("s", 130.0)] * 60
    chunk = spoken(symbols)
    strong = tuple(
        type(p)(p.symbol, p.start_ms, p.end_ms, stressed=p.symbol == "a" and i % 21 == 1)
        for i, p in enumerate(chunk.phonemes or ())
    )
    total = np.zeros(60)
    for seed in range(12):
        source = RuleMotionSource(seed)
        source.push(SpeechChunk(chunk.pcm48k, "en", strong))
        values = source.take(source.ready(), speaking=True).values
        pitch = values[:, INDEX["headPitch"]]
        assert values[:, INDEX["browInnerUp"]].max() > 0.15
        for p in strong:
            at = round(p.start_ms / 40)
            if p.stressed and 20 < at < len(pitch) - 40:
                total += pitch[at - 20 : at + 40] - pitch[at - 20 : at + 40].mean()
    apex = int(np.argmin(total))
    assert 17 <= apex <= 21, "lowest at the accent or a frame or two before it"


@pytest.mark.parametrize(
    ("gesture", "channel", "size"),
    [(Gesture.NOD, "headPitch", 3.0), (Gesture.SHAKE, "headYaw", 4.0), (Gesture.SMILE, "mouthSmileLeft", 0.4),
     (Gesture.WAVE, "handRightScore", 0.9), (Gesture.POINT, "handRightScore", 0.9)],
)  # fmt: skip
def test_gestures_show_and_end(gesture: Gesture, channel: str, size: float) -> None:
    with_it, without = RuleMotionSource(4), RuleMotionSource(4)
    with_it.gesture(gesture, 1.0)
    a, b = (s.take(90, speaking=False).values for s in (with_it, without))
    difference = np.abs(a[:, INDEX[channel]] - b[:, INDEX[channel]])
    assert difference.max() >= size
    assert np.abs(a[-5:] - b[-5:]).max() < 1e-3, "and leaves nothing behind"
    weak = RuleMotionSource(4)
    weak.gesture(gesture, 0.0)
    assert np.abs(weak.take(90, speaking=False)["headPitch"] - b[:, INDEX["headPitch"]]).max() < 1e-6


def test_hands_come_from_below_and_move_smoothly() -> None:
    for gesture in (Gesture.WAVE, Gesture.POINT):
        source = RuleMotionSource(0)
        source.gesture(gesture)
        values = source.take(70, speaking=False).values
        score = values[:, INDEX["handRightScore"]]
        shown = np.flatnonzero(score > 0)
        points = values[shown, INDEX["handRight0X"] : INDEX["handRight20Y"] + 1].reshape(len(shown), 21, 2)
        assert points[0, 0, 1] > 1.0 and points[-1, 0, 1] > 1.0, "enters and leaves through the lower edge"
        assert points[:, 0, 1].min() < 0.8
        assert np.abs(np.diff(points, axis=0)).max() < 0.09
        assert np.diff(shown).max() == 1
        assert not values[:, INDEX["handLeftScore"]].any()


def test_mode_changes_blend() -> None:
    source = RuleMotionSource(6)
    previous = source.take(1, speaking=False).values
    rng = random.Random(0)
    for _ in range(300):
        source.set_mode(rng.choice(list(Mode)))
        values = source.take(rng.randint(1, 40), speaking=False).values
        steps = np.abs(np.diff(np.concatenate([previous, values]), axis=0)).max(axis=0)
        previous = values[-1:]
        assert steps[INDEX["headYaw"]] < 0.7 and steps[INDEX["headRoll"]] < 0.3 and steps[INDEX["headPitch"]] < 1.5
        assert steps[INDEX["mouthSmileLeft"]] < 0.05 and steps[INDEX["browInnerUp"]] < 0.05
        assert steps[INDEX["breath"]] < 0.08


def test_curves() -> None:
    assert ease(-1) == 0 and ease(0.5) == pytest.approx(0.5) and ease(2) == 1
    assert max(bump(0.2, 0.1, 0.3)) == 1 and bump(0.2, 0.1, 0.3)[-1] == 0
    assert abs(oscillation(2, 2)[-1]) < 1e-9 and 0.6 < max(oscillation(2, 2)) <= 1
    glide = Glide(0.3)
    path = [glide.step(1.0) for _ in range(100)]
    assert path == sorted(path) and path[-1] == pytest.approx(1.0, abs=1e-6), "arrives without overshoot"
    moves = Moves(limit=2)
    for _ in range(5):
        moves.start([1.0, 1.0], 1.0, delay_frames=1)
    assert [moves.step() for _ in range(4)] == [0.0, 2.0, 2.0, 0.0] and not moves.busy


def test_noise_has_unit_deviation_and_bounds() -> None:
    noise = SmoothNoise(4, np.random.default_rng(0))
    values = np.array([noise.step() for _ in range(40_000)])
    assert values.std() == pytest.approx(0.95, abs=0.1)
    assert np.abs(values).max() <= 2.6
