"""A face's measures over a whole video to ``Motion`` channels: one person's own rest is taken out, a common scale put on.

Rest is told from the video itself by robust quantiles (lips are closed often, eyes open mostly, brows at their median),
so faces of any shape give zero at rest. The scale is what the portrait renderer draws at weight 1, in eye spans, so a
captured face moves a portrait as far as it moved itself; measured by capturing rendered portraits
(tests/avatar/motion/capture/test_closed_loop.py).

Filled: jawOpen, mouthClose, mouthFunnel, mouthPucker, mouthSmile, mouthFrown, mouthStretch, mouthUpperUp,
mouthLowerDown, mouthPress, mouthRollUpper/Lower, mouthLeft/Right, eyeBlink, eyeWide, eyeLook*, brow*, head*. A face mesh
does not see cheeks, nose wings, tongue and teeth: their channels stay zero.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.motion.behaviour.gaze import EYE_RANGE_DEG
from avatar.motion.capture.face import MEASURE
from avatar.motion.capture.reference import FACE_HEIGHT
from avatar.motion.capture.smoothing import Floats, smoothed, without_spikes
from avatar.motion.motion import INDEX, Motion

# Eye spans at weight 1: what the portrait renderer draws, less what the mesh, which keeps faces ordinary, loses of it (a fifth
# of an opening, a quarter of a width: the closed loop of the tests).
_GAP = 0.20
_CHIN = 0.22
_WIDER, _NARROWER = 0.075, 0.15
_CORNER_UP, _CORNER_DOWN = 0.054, 0.054
_CORNER_WITH_JAW = 0.08
_BROW_UP, _BROW_DOWN = 0.045, 0.035
_ASIDE = 0.10

_OPENING = {"mouthFunnel": 0.25, "mouthUpperUp": 0.2, "mouthLowerDown": 0.25}
"""What parts the lips besides the jaw, as ``avatar.motion.speech.mouth.measures`` counts it."""

_CLOSED_GAP = 0.012
"""The mesh leaves about this much between lips that touch, and jitters by as much."""

_IRIS_RADII_PER_EYE = 0.36
"""Distance of the iris from the eye's centre of rotation over the eye's width (10.5 and 29 mm)."""

_LID_CLOSED, _LID_OPEN = 0.42, 0.92
"""Of this person's open lids: where the mesh sees them shut, and where blinking begins."""

_MOUTH_WIDTH, _HEAD_WIDTH, _BROW_WIDTH = 3, 7, 7
"""Frames of smoothing: lips close within two frames, heads take five to move."""


def to_motion(measures: Floats, believed: Floats) -> Motion:
    """Args:
        measures: float32 [frames, len(MEASURES)], without NaN, at 25 Hz.
        believed: float32 [frames], 0..1; where it is 0 the face is at rest.

    Returns:
        Motion with the face and head channels filled.
    """
    motion = Motion.zeros(len(measures))
    seen = believed > 0.5
    if not seen.any():
        return motion
    clean = without_spikes(measures)
    _move_mouth(motion, clean, seen)
    _move_eyes(motion, clean, seen)
    _move_brows(motion, clean, seen)
    _move_head(motion, clean, seen)
    motion.values[:] *= believed[:, None]
    return motion


def _column(measures: Floats, name: str) -> Floats:
    return measures[:, MEASURE[name]]


def _rest(values: Floats, seen: np.ndarray, quantile: float) -> float:
    return float(np.quantile(values[seen], quantile))


def _put(motion: Motion, name: str, values: NDArray[np.floating[Any]]) -> None:
    motion.values[:, INDEX[name]] = np.clip(values, 0.0, 1.0)


def _move_mouth(motion: Motion, measures: Floats, seen: np.ndarray) -> None:
    def get(name: str) -> Floats:
        return smoothed(_column(measures, name), _MOUTH_WIDTH)

    gap = get("gap")
    closed = min(_rest(gap, seen, 0.08), 0.04)  # a mouth that never closes in the video still counts as open
    opening = np.maximum(gap - max(closed, 0.0) - _CLOSED_GAP, 0) / (_GAP - _CLOSED_GAP)
    chin = get("chin")
    dropped = (chin - _rest(chin, seen, 0.1)) / _CHIN
    # The chin is seen less surely than the lips: it may add a lowered jaw behind closed lips, and take little away.
    jaw = np.clip(np.maximum(0.85 * opening, np.minimum(dropped, opening + 0.08)), 0, 1)

    width = get("width") + 0.03 * jaw  # an opening mouth narrows a little by itself
    wider = width - _rest(width, seen, 0.5)
    narrow = np.clip(-wider / _NARROWER, 0, 1)
    rounded_open = np.clip(opening / 0.25, 0, 1)
    funnel, pucker = narrow * rounded_open, narrow * (1 - rounded_open)
    jaw = np.clip(jaw - _OPENING["mouthFunnel"] * funnel, 0, 1)
    _put(motion, "mouthFunnel", funnel)
    _put(motion, "mouthPucker", pucker)

    smiles = []
    for side, low in (("Left", "left"), ("Right", "right")):
        corner = get(f"corner_{low}") + _CORNER_WITH_JAW * jaw
        lift = corner - _rest(corner, seen, 0.5)
        smile = np.clip(lift / _CORNER_UP, 0, 1) * np.clip(0.3 + wider / _WIDER, 0, 1)
        smiles.append(smile)
        _put(motion, f"mouthSmile{side}", smile)
        _put(motion, f"mouthFrown{side}", -lift / _CORNER_DOWN - np.float32(0.25))
    stretch = np.clip(wider / _WIDER - 0.5 * (smiles[0] + smiles[1]), 0, 1)
    middle = get("mouth_x")
    aside = (middle - _rest(middle, seen, 0.5)) / _ASIDE
    _put(motion, "mouthLeft", aside - 0.1)
    _put(motion, "mouthRight", -aside - 0.1)

    parted = np.maximum(opening - jaw - _OPENING["mouthFunnel"] * funnel, 0)
    lips = np.clip(parted / (_OPENING["mouthUpperUp"] + _OPENING["mouthLowerDown"]), 0, 1)
    shown = jaw + sum(weight * {"mouthFunnel": funnel}.get(name, lips) for name, weight in _OPENING.items())
    _put(motion, "jawOpen", jaw)
    _put(motion, "mouthClose", np.minimum(np.maximum(shown - opening, 0), jaw))
    shut = np.clip(1 - opening / 0.06, 0, 1)
    thin = {}
    for name, channel in (("red_upper", "mouthRollUpper"), ("red_lower", "mouthRollLower")):
        red = get(name)
        rest = max(_rest(red, seen, 0.6), 1e-3)
        thin[name] = np.clip((0.85 - red / rest) / 0.5, 0, 1) * (1 - narrow) * np.clip(1 - opening / 0.3, 0, 1)
        _put(motion, channel, thin[name])
    press = shut * (thin["red_upper"] + thin["red_lower"]) / 2
    for side in ("Left", "Right"):
        _put(motion, f"mouthStretch{side}", stretch)
        _put(motion, f"mouthUpperUp{side}", lips)
        _put(motion, f"mouthLowerDown{side}", lips)
        _put(motion, f"mouthPress{side}", press)


def _move_eyes(motion: Motion, measures: Floats, seen: np.ndarray) -> None:
    shares = []
    for side, low in (("Left", "left"), ("Right", "right")):
        lid = _column(measures, f"lid_{low}")
        shares.append(lid / max(_rest(lid, seen, 0.7), 1e-3))
        _put(motion, f"eyeWide{side}", smoothed((shares[-1] - 1.15) / 0.3, _BROW_WIDTH))
    # Both eyes blink together. A wink cannot be told from the far eye of a turned head, whose lids look half shut.
    share = (shares[0] + shares[1]) / 2
    shut = np.asarray(np.clip((_LID_OPEN - share) / (_LID_OPEN - _LID_CLOSED), 0, 1), np.float32)
    for side in ("Left", "Right"):
        _put(motion, f"eyeBlink{side}", shut)
    for name, plus, minus in (
        ("gaze_x", ("OutLeft", "InRight"), ("InLeft", "OutRight")),
        ("gaze_y", ("UpLeft", "UpRight"), ("DownLeft", "DownRight")),
    ):
        place = _column(measures, name).copy()
        covered = shut > 0.4  # where the lids cover the iris the mesh guesses it
        if covered.any() and not covered.all():
            frames = np.arange(len(place))
            place[covered] = np.interp(frames[covered], frames[~covered], place[~covered])
        open_eyes = seen & ~covered if (seen & ~covered).any() else seen
        turned = np.clip((place - _rest(place, open_eyes, 0.5)) / _IRIS_RADII_PER_EYE, -0.9, 0.9)
        weight = smoothed(np.degrees(np.arcsin(turned)).astype(np.float32) / EYE_RANGE_DEG, 3)
        for channel in plus:
            _put(motion, f"eyeLook{channel}", weight)
        for channel in minus:
            _put(motion, f"eyeLook{channel}", -weight)


def _move_brows(motion: Motion, measures: Floats, seen: np.ndarray) -> None:
    inner, outer = [], {}
    for side, low in (("Left", "left"), ("Right", "right")):
        for place in ("inner", "outer"):
            height = smoothed(_column(measures, f"brow_{place}_{low}"), _BROW_WIDTH)
            raised = height - _rest(height, seen, 0.5)
            if place == "inner":
                inner.append(raised)
            else:
                outer[side] = raised
        _put(motion, f"browOuterUp{side}", outer[side] / _BROW_UP)
        _put(motion, f"browDown{side}", -(inner[-1] + outer[side]) / 2 / _BROW_DOWN)
    _put(motion, "browInnerUp", (inner[0] + inner[1]) / 2 / _BROW_UP)


def _move_head(motion: Motion, measures: Floats, seen: np.ndarray) -> None:
    span = _column(measures, "span")
    ordinary = max(_rest(span, seen, 0.5), 1e-3)
    for name, channel in (("pitch", "headPitch"), ("yaw", "headYaw"), ("roll", "headRoll")):
        angle = smoothed(_column(measures, name), _HEAD_WIDTH)
        motion.values[:, INDEX[channel]] = angle - _rest(angle, seen, 0.5)
    for name, channel, sign in (("place_x", "headX", 1.0), ("place_y", "headY", -1.0)):
        place = smoothed(_column(measures, name), _HEAD_WIDTH)
        motion.values[:, INDEX[channel]] = sign * (place - _rest(place, seen, 0.5)) / (ordinary * FACE_HEIGHT)
    motion.values[:, INDEX["headZ"]] = smoothed(span / ordinary - 1, _HEAD_WIDTH)
