"""Lips against a reference: correlation, lag, and closures that must not be missed or made up, with intervals.

A mouth is judged by what a viewer sees of it (``avatar.motion.speech.mouth.measures``): opening, width, rounding. Closures are the
reference's p, b and m. One is recalled where the mouth is closed (opening below ``CLOSED_OPENING``, or lips pressed above
``CLOSED_PRESS``) within 45 ms of it; at 25 Hz that is one frame. A closure is false where the mouth closes outside pauses
with no p, b or m within 45 ms.

Intervals come from resampling blocks of about a second with replacement (Kuensch, "The jackknife and the bootstrap for
general stationary observations", 1989): neighbouring frames are no independent witnesses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.motion.motion import INDEX
from avatar.motion.speech.mouth import measures
from avatar.speech import FRAME_RATE_HZ

CLOSED_OPENING = 0.10
CLOSED_PRESS = 0.5
NEAR_FRAMES = 1
CHEEKS_OF_SMILE = 0.6
"""cheekSquint over the smile that behaviours add."""

PAUSE_EDGE_FRAMES = 1
"""Closing into a pause and opening out of it belong to the pause."""

BLOCK_FRAMES = FRAME_RATE_HZ
RESAMPLES = 2000
INTERVAL = (2.5, 97.5)

LAG_STEP_MS = 5.0
LONGEST_LAG_MS = 200.0
MEASURES = ("opening", "width", "rounding")

_STILL = 1e-6
"""Standard deviation below which a curve does not vary: rounding of float32."""

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Mouth:
    """What is judged, 25 frames a second.

    Attributes:
        opening, width, rounding: float32 [frames].
        closed: bool [frames].
    """

    opening: Floats
    width: Floats
    rounding: Floats
    closed: Flags

    def __len__(self) -> int:
        return len(self.opening)


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """What a mouth is judged against.

    Attributes:
        mouth: the reference's own.
        closures: bool [frames], where p, b and m close it.
        pauses: bool [frames], where nobody speaks: closing there is no mistake.
        silent: bool [frames], well inside the longer pauses: there the mouth has to be closed.
    """

    mouth: Mouth
    closures: Flags
    pauses: Flags
    silent: Flags


def mouth_of(values: Floats) -> Mouth:
    """The speaking mouth of Motion values, float32 [frames, len(CHANNELS)].

    A smile is no articulation: as much of it as the cheeks tell (``cheekSquint`` goes with it in rules and model) is taken
    out of the corners.
    """
    spoken = values.copy()
    for side in ("Left", "Right"):
        smile = values[:, INDEX["cheekSquint" + side]] / CHEEKS_OF_SMILE
        spoken[:, INDEX["mouthSmile" + side]] = np.maximum(spoken[:, INDEX["mouthSmile" + side]] - smile, 0)
    seen = measures(spoken)
    press = (values[:, INDEX["mouthPressLeft"]] + values[:, INDEX["mouthPressRight"]]) / 2
    return Mouth(
        seen["opening"], seen["width"], seen["rounding"], (seen["opening"] < CLOSED_OPENING) | (press > CLOSED_PRESS)
    )


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure and its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class LipScore:
    """Attributes:
    seconds: judged.
    opening, width, rounding: correlations with the reference, all clips pooled.
    amplitude: standard deviation of the opening over the reference's.
    closures: of the reference.
    recalled, false: shares; ``false`` is of the closures that were made outside pauses.
    false_beyond_reference: as ``false``, but closures where the reference's mouth is that narrow too are no mistakes.
    lag_ms: clip by clip, positive is late.
    pause_opening: mean in pauses; None without pauses.
    """

    seconds: float
    opening: Interval
    width: Interval
    rounding: Interval
    amplitude: float
    closures: int
    recalled: Interval
    false: Interval
    false_beyond_reference: float
    lag_ms: dict[str, float]
    pause_opening: float | None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def score(judged: Sequence[tuple[str, Mouth, Reference]], *, seed: int = 0, lags: bool = True) -> LipScore:
    """Pool clips and judge them.

    Args:
        judged: name, mouth and reference of each clip; a mouth may be longer or shorter by what its source rounds.
        seed: of the resampling.
        lags: also find each clip's lag.
    """
    blocks: list[_Blocks] = []
    lag_ms: dict[str, float] = {}
    pauses: list[Floats] = []
    for name, mouth, reference in judged:
        frames = min(len(mouth), len(reference.mouth))
        blocks.append(_blocks(mouth, reference, frames))
        pauses.append(mouth.opening[:frames][reference.silent[:frames]])
        if lags:
            lag_ms[name] = lag(reference.mouth.opening[:frames], mouth.opening[:frames])
    sums = np.concatenate([each.sums for each in blocks])
    counts = np.concatenate([each.counts for each in blocks])
    rng = np.random.default_rng(seed)
    picks = rng.integers(0, len(sums), (RESAMPLES, len(sums)))
    weights = np.zeros((RESAMPLES, len(sums)))
    for i, pick in enumerate(picks):
        weights[i] = np.bincount(pick, minlength=len(sums))
    correlations = {
        name: _interval(_correlations(sums[None].sum(1)[:, i])[0], _correlations(np.tensordot(weights, sums[:, i], 1)))
        for i, name in enumerate(MEASURES)
    }
    total, resampled = counts.sum(0), weights @ counts
    quiet = np.concatenate(pauses)
    whole = sums[:, 0].sum(0)
    return LipScore(
        seconds=round(float(whole[0]) / FRAME_RATE_HZ, 1),
        amplitude=float(np.sqrt(_variance(whole, 2, 4) / max(_variance(whole, 1, 3), 1e-12))),
        closures=int(total[1]),
        recalled=_interval(_share(total[0], total[1]), _share(resampled[:, 0], resampled[:, 1])),
        false=_interval(_share(total[2], total[3]), _share(resampled[:, 2], resampled[:, 3])),
        false_beyond_reference=float(_share(total[4], total[3])),
        lag_ms=lag_ms,
        pause_opening=float(quiet.mean()) if len(quiet) else None,
        **correlations,
    )


def correlation(a: NDArray[np.floating[Any]], b: NDArray[np.floating[Any]]) -> float:
    """Pearson's; NaN where one of them does not vary."""
    if len(a) < 2 or float(a.std()) < _STILL or float(b.std()) < _STILL:
        return float("nan")
    return float(np.corrcoef(a, b)[0, 1])


def lag(reference: Floats, judged: Floats) -> float:
    """Milliseconds by which ``judged`` is late (positive) where it correlates best; NaN where it does not vary.

    Both are interpolated to ``LAG_STEP_MS`` by their spectrum (25 Hz holds all that moves), and a parabola through the three
    best correlations gives what lies between.
    """
    finer = round(1000 / FRAME_RATE_HZ / LAG_STEP_MS)
    a, b = _interpolated(reference, finer), _interpolated(judged, finer)
    steps = round(LONGEST_LAG_MS / LAG_STEP_MS)
    n = len(a)
    if n <= 4 * steps or a.std() < _STILL or b.std() < _STILL:
        return float("nan")
    scores = np.array(
        [correlation(a[steps : n - steps], b[steps + k : n - steps + k]) for k in range(-steps, steps + 1)]
    )
    best = int(np.argmax(scores))
    at = float(best - steps)
    if 0 < best < len(scores) - 1:
        before, here, after = scores[best - 1 : best + 2]
        bend = before - 2 * here + after
        if bend < 0:
            at += 0.5 * (before - after) / bend
    return at * LAG_STEP_MS


def runs(mask: Flags) -> list[tuple[int, int]]:
    """Half-open frame ranges where ``mask`` holds."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False]))))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def widened(mask: Flags, frames: int) -> Flags:
    """``mask`` grown by some frames at both ends of every run."""
    if not len(mask):
        return mask
    return np.convolve(mask, np.ones(2 * frames + 1), "same")[: len(mask)] > 0.5


@dataclass(frozen=True, slots=True, eq=False)
class _Blocks:
    """Sums over blocks of one clip, from which any pooling is computed.

    Attributes:
        sums: float64 [blocks, 3 measures, 6]: n, a, b, aa, bb, ab (a the reference).
        counts: float64 [blocks, 5]: recalled, closures, false, made, false beyond the reference.
    """

    sums: NDArray[np.float64]
    counts: NDArray[np.float64]


def _blocks(mouth: Mouth, reference: Reference, frames: int) -> _Blocks:
    number = max(1, round(frames / BLOCK_FRAMES))
    of_frame = np.minimum(np.arange(frames) * number // max(frames, 1), number - 1)
    sums = np.zeros((number, len(MEASURES), 6))
    for i, name in enumerate(MEASURES):
        a = getattr(reference.mouth, name)[:frames].astype(np.float64)
        b = getattr(mouth, name)[:frames].astype(np.float64)
        for j, what in enumerate((np.ones(frames), a, b, a * a, b * b, a * b)):
            sums[:, i, j] = np.bincount(of_frame, what, minlength=number)
    counts = np.zeros((number, 5))
    closed = mouth.closed[:frames]
    near = widened(closed, NEAR_FRAMES)
    for start, end in runs(reference.closures[:frames]):
        block = of_frame[(start + end - 1) // 2]
        counts[block, 1] += 1
        counts[block, 0] += near[start:end].any()
    pause = widened(reference.pauses[:frames], PAUSE_EDGE_FRAMES)
    wanted = widened(reference.closures[:frames], NEAR_FRAMES)
    narrow = wanted | widened(reference.mouth.closed[:frames], NEAR_FRAMES)
    for start, end in runs(closed & ~reference.silent[:frames]):
        if not wanted[start:end].any() and pause[start:end].any():
            continue
        block = of_frame[(start + end - 1) // 2]
        counts[block, 3] += 1
        counts[block, 2] += not wanted[start:end].any()
        counts[block, 4] += not narrow[start:end].any()
    return _Blocks(sums, counts)


def _variance(sums: NDArray[np.float64], first: int, second: int) -> float:
    return float(sums[second] / sums[0] - (sums[first] / sums[0]) ** 2)


def _correlations(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pearson's from sums [..., 6]; NaN where one side does not vary."""
    n, a, b, aa, bb, ab = np.moveaxis(sums, -1, 0)
    va, vb = aa / n - (a / n) ** 2, bb / n - (b / n) ** 2
    moves = np.minimum(va, vb) > _STILL**2
    both = np.sqrt(np.where(moves, va * vb, 1.0))
    out: NDArray[np.float64] = np.where(moves, (ab / n - a * b / n**2) / both, np.nan)
    return out


def _share(part: Any, whole: Any) -> Any:
    return np.where(np.asarray(whole) > 0, part / np.maximum(whole, 1e-9), np.nan)


def _interval(value: Any, resampled: NDArray[np.float64]) -> Interval:
    known = resampled[np.isfinite(resampled)]
    low, high = np.percentile(known, INTERVAL) if len(known) else (np.nan, np.nan)
    return Interval(float(value), float(low), float(high))


def _interpolated(values: Floats, finer: int) -> NDArray[np.float64]:
    """Band-limited: mirrored at both ends, so that they do not ring."""
    centred = values.astype(np.float64) - float(values.mean()) if len(values) else values.astype(np.float64)
    mirrored = np.concatenate([centred, centred[::-1]])
    spectrum = np.fft.rfft(mirrored)
    return np.asarray(np.fft.irfft(spectrum, finer * len(mirrored))[: finer * len(values)] * finer)
