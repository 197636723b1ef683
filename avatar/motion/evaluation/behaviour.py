"""Whether a body moves as bodies do: blinks, gaze, head, hands, and whether they have to do with what is said."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from avatar.motion.evaluation.lips import correlation, runs
from avatar.motion.motion import HAND_POINTS, INDEX, Motion
from avatar.speech import FRAME_RATE_HZ

Floats = NDArray[np.float32]

HEAD = ("headPitch", "headYaw", "headRoll")

BLINK_SHUT = 0.6
"""Lids that follow a downward look close by a third; a blink shuts them."""

COUPLING_LAG_FRAMES = 10
"""Heads move up to 0.4 s before and after what they go with."""

ALIGNMENT_SD_S = 0.12
"""Narrower than people's own spread (0.2 to 0.3 s): accents come twice a second, and a wider one finds one near anything."""

SHUFFLES = 200


@dataclass(frozen=True, slots=True)
class Blinking:
    """Attributes:
    per_minute: rate.
    median_interval_s, log_sd: of the intervals between blinks; people's are about log-normal.
    closed_s: median time a blink is more than half shut.
    """

    per_minute: float
    median_interval_s: float
    log_sd: float
    closed_s: float


def blinking(motion: Motion) -> Blinking:
    lids = (motion["eyeBlinkLeft"] + motion["eyeBlinkRight"]) / 2
    blinks = runs(lids > BLINK_SHUT)
    minutes = len(motion) / FRAME_RATE_HZ / 60
    if not blinks:
        return Blinking(0.0, float("nan"), float("nan"), float("nan"))
    between = np.diff([start for start, _ in blinks]) / FRAME_RATE_HZ
    half = runs(lids > 0.5)
    return Blinking(
        per_minute=len(blinks) / minutes,
        median_interval_s=float(np.median(between)) if len(between) else float("nan"),
        log_sd=float(np.std(np.log(between))) if len(between) > 2 else float("nan"),
        closed_s=float(np.median([end - start for start, end in half])) / FRAME_RATE_HZ,
    )


NOD_DEG = 1.0
"""Below the head's way over a second: swaying takes longer, and what is less is not seen."""
_NOD_WAY_FRAMES = FRAME_RATE_HZ
"""Odd, so that it has a middle."""
_ONE_NOD_FRAMES = FRAME_RATE_HZ
"""Dips nearer than a second are one nod: heads nod twice or thrice."""


def nods(motion: Motion) -> float:
    """A minute: the chin goes down quickly and comes back, once or a few times."""
    pitch = motion["headPitch"]
    padded = np.pad(pitch, _NOD_WAY_FRAMES // 2, mode="edge")
    way = np.convolve(padded, np.ones(_NOD_WAY_FRAMES) / _NOD_WAY_FRAMES, "valid")
    dips = np.array([start for start, _ in runs(pitch - way < -NOD_DEG)], int)
    first = np.diff(dips, prepend=-_ONE_NOD_FRAMES) >= _ONE_NOD_FRAMES
    return float(first.sum()) / (len(motion) / FRAME_RATE_HZ / 60)


@dataclass(frozen=True, slots=True)
class Moving:
    """Attributes:
    head_sd_deg: standard deviation of pitch, yaw, roll.
    head_speed_deg_s: median and 95th percentile.
    hand_speed: of the wrists while shown, canvas widths a second, median and 95th percentile; NaN without hands.
    hands_shown: share of frames with a hand.
    gaze_bout_s: median time the eyes stay on the other person.
    gaze_mutual: share of frames they do.
    """

    head_sd_deg: tuple[float, float, float]
    head_speed_deg_s: tuple[float, float]
    hand_speed: tuple[float, float]
    hands_shown: float
    gaze_bout_s: float
    gaze_mutual: float


def moving(motion: Motion) -> Moving:
    pitch, yaw, roll = (float(motion[name].std()) for name in HEAD)
    speed = head_speed(motion)
    hands = hand_speed(motion)
    shown = hands[np.isfinite(hands)]
    away = gaze_away(motion)
    bouts = [end - start for start, end in runs(away < 5.0)]
    return Moving(
        head_sd_deg=(pitch, yaw, roll),
        head_speed_deg_s=(float(np.median(speed)), float(np.percentile(speed, 95))),
        hand_speed=(float(np.median(shown)), float(np.percentile(shown, 95))) if len(shown) else (np.nan, np.nan),
        hands_shown=float(((motion["handLeftScore"] > 0.3) | (motion["handRightScore"] > 0.3)).mean()),
        gaze_bout_s=float(np.median(bouts)) / FRAME_RATE_HZ if bouts else float("nan"),
        gaze_mutual=float((away < 5.0).mean()),
    )


def gaze_away(motion: Motion) -> Floats:
    """Degrees between where the eyes point in the room and the other person: float32 [frames]."""
    yaw = 30.0 * (motion["eyeLookOutLeft"] - motion["eyeLookInLeft"]) + motion["headYaw"]
    pitch = 30.0 * (motion["eyeLookUpLeft"] - motion["eyeLookDownLeft"]) + motion["headPitch"]
    return np.asarray(np.hypot(yaw, pitch), np.float32)


def head_speed(motion: Motion) -> Floats:
    """Degrees a second, float32 [frames - 1]."""
    angles = np.stack([motion[name] for name in HEAD], 1)
    return np.asarray(np.linalg.norm(np.diff(angles, axis=0), axis=1) * FRAME_RATE_HZ, np.float32)


def hand_speed(motion: Motion) -> Floats:
    """Of the faster wrist that is shown, canvas widths a second, float32 [frames - 1]; NaN where none is."""
    speeds = []
    for side in ("Left", "Right"):
        wrist = np.stack([motion[f"hand{side}0{axis}"] for axis in "XY"], 1)
        shown = motion[f"hand{side}Score"] > 0.3
        speed = np.linalg.norm(np.diff(wrist, axis=0), axis=1) * FRAME_RATE_HZ
        speeds.append(np.where(shown[1:] & shown[:-1], speed, -1.0))
    fastest = np.maximum(*speeds)
    return np.where(fastest >= 0, fastest, np.nan).astype(np.float32)


def jerk(motion: Motion) -> dict[str, float]:
    """Root mean square of the third difference, per second cubed: "head" in degrees, "hands" in canvas widths."""
    head = np.stack([motion[name] for name in HEAD], 1)
    cube = float(FRAME_RATE_HZ**3)
    out = {"head": _rms(np.diff(head, n=3, axis=0)) * cube}
    parts = []
    for side in ("Left", "Right"):
        first = INDEX[f"hand{side}0X"]
        points = motion.values[:, first : first + 2 * HAND_POINTS]
        for start, end in runs(motion[f"hand{side}Score"] > 0.3):
            if end - start > 3:
                parts.append(np.diff(points[start:end], n=3, axis=0).ravel())
    out["hands"] = _rms(np.concatenate(parts)) * cube if parts else float("nan")
    return out


@dataclass(frozen=True, slots=True)
class Seams:
    """Attributes:
    worst_share: of the steps at the worst phase of the hop that exceed the 99th percentile of the steps at all others;
        0.01 where seams do not show.
    median_ratio: median step at the worst phase over the median of the others.
    """

    worst_share: float
    median_ratio: float


def seams(values: Floats, hop_frames: int, *, order: int = 1) -> Seams:
    """Looks for the edges of hops without being told where they are.

    Args:
        values: float32 [frames, channels], comparable units.
        hop_frames: period of the edges.
        order: 1 for jumps of position, 2 for jumps of velocity.
    """
    size = np.linalg.norm(np.diff(values, n=order, axis=0), axis=1)
    shares, ratios = [], []
    for phase in range(hop_frames):
        here = np.arange(len(size)) % hop_frames == phase
        limit = np.percentile(size[~here], 99)
        shares.append(float((size[here] > limit).mean()))
        ratios.append(float(np.median(size[here]) / max(float(np.median(size[~here])), 1e-9)))
    return Seams(max(shares), max(ratios))


@dataclass(frozen=True, slots=True)
class AgainstChance:
    """A figure, and what the same motion gives with the sound moved in time.

    Attributes:
        value: with the sound as it was.
        chance_median, chance_95: over shuffles.
    """

    value: float
    chance_median: float
    chance_95: float

    @property
    def above(self) -> bool:
        return self.value > self.chance_95


def coupling(movement: Floats, sound: Floats, *, seed: int = 0) -> AgainstChance:
    """Largest correlation, of either sign, between a movement and the sound within ``COUPLING_LAG_FRAMES``.

    Args:
        movement, sound: float32 [frames].
    """
    frames = min(len(movement), len(sound))
    movement, sound = movement[:frames], sound[:frames]

    def strongest(heard: Floats) -> float:
        reach = COUPLING_LAG_FRAMES
        inside = movement[reach : frames - reach]
        found = [correlation(inside, heard[reach + k : frames - reach + k]) for k in range(-reach, reach + 1)]
        sure = [abs(each) for each in found if np.isfinite(each)]
        return max(sure, default=float("nan"))

    return _against_chance(lambda shift: strongest(np.roll(sound, shift)), frames, seed)


def beat_alignment(accents_s: Floats, beats_s: Floats, seconds: float, *, seed: int = 0) -> AgainstChance:
    """How near the beats of a gesture fall to accents: mean over beats of exp(-(distance / SD)^2 / 2).

    (Li et al., "AI choreographer", 2021; with the spread that people have.)

    Args:
        accents_s, beats_s: times, rising.
        seconds: length of both; shuffles turn the accents round within it.
    """

    def aligned(accents: Floats) -> float:
        if not len(accents) or not len(beats_s):
            return float("nan")
        away = np.abs(beats_s[:, None] - accents[None]).min(1)
        return float(np.exp(-0.5 * (away / ALIGNMENT_SD_S) ** 2).mean())

    frames = round(seconds * FRAME_RATE_HZ)
    return _against_chance(lambda shift: aligned(np.sort((accents_s + shift / FRAME_RATE_HZ) % seconds)), frames, seed)


def hand_beats(motion: Motion, *, least_speed: float = 0.25) -> Floats:
    """Apexes of strokes, in seconds: where a shown hand that was fast comes to its slowest before it moves on.

    Args:
        motion: 25 Hz.
        least_speed: canvas widths a second that a stroke reaches before its apex.
    """
    speed = np.nan_to_num(hand_speed(motion), nan=0.0)
    kernel = np.array([0.25, 0.5, 0.25])
    smooth = np.convolve(np.pad(speed, 1, mode="edge"), kernel, "valid")
    beats: list[float] = []
    fastest = 0.0
    for i in range(1, len(smooth) - 1):
        fastest = max(fastest, float(smooth[i]))
        slowest = smooth[i - 1] >= smooth[i] < smooth[i + 1] and smooth[i] < 0.5 * fastest
        if fastest >= least_speed and (slowest or smooth[i] < 0.2 * fastest):
            beats.append((i + 1) / FRAME_RATE_HZ)
            fastest = 0.0
    return np.array(beats, np.float32)


@dataclass(frozen=True, slots=True)
class Drift:
    """Attributes:
    worst: largest difference between the means of two tenths of the time, in standard deviations of the whole.
    channel: where.
    """

    worst: float
    channel: str


def drift(motion: Motion, channels: Sequence[str] = (*HEAD, "headX", "headY", "headZ", "mouthSmileLeft")) -> Drift:
    """Whether something wanders off over the whole of a long motion: the last tenth against the first."""
    tenth = max(1, len(motion) // 10)
    worst, where = 0.0, ""
    for name in channels:
        values = motion[name]
        spread = float(values.std())
        if spread < 1e-6:
            continue
        away = abs(float(values[-tenth:].mean() - values[:tenth].mean())) / spread
        if away > worst:
            worst, where = away, name
    return Drift(worst, where)


def _against_chance(measured: Callable[[int], float], frames: int, seed: int) -> AgainstChance:
    """``measured`` of a shift in frames: as it was (0), and turned round by at least two seconds."""
    rng = np.random.default_rng(seed)
    least = min(2 * FRAME_RATE_HZ, frames // 4)
    shifts = rng.integers(least, max(frames - least, least + 1), SHUFFLES)
    chance = np.array([measured(int(shift)) for shift in shifts])
    known = chance[np.isfinite(chance)]
    if not len(known):
        return AgainstChance(float("nan"), float("nan"), float("nan"))
    return AgainstChance(float(measured(0)), float(np.median(known)), float(np.percentile(known, 95)))


def _rms(values: Floats) -> float:
    return float(np.sqrt(np.mean(np.square(values)))) if values.size else float("nan")
