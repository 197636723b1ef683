"""The mouth as the rules think of it: a few muscles, mapped to ARKit channels at the very end.

The rules blend *articulatory* parameters, because some ARKit channels only make sense together:
``mouthClose`` undoes the lip parting of ``jawOpen`` (ARFaceAnchor.BlendShapeLocation.mouthClose), so the
rules blend a ``seal`` (the share of the jaw's opening that the lips close) and multiply at the end.
However the jaw is blended, sealed lips are then sealed exactly.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from avatar.motion.motion import CHANNELS, INDEX

PARAMETERS = (
    "jaw",         # jawOpen; speech uses 0..0.6
    "seal",        # share of the jaw's opening that the lips close, 0..1
    "pucker",      # lips drawn together and forward (oo, w)
    "funnel",      # lips rounded and parted (oh, sh)
    "spread",      # corners drawn apart (ee, s)
    "upper",       # upper lip raised (teeth show)
    "lower",       # lower lip lowered
    "roll_lower",  # lower lip tucked (f, v)
    "roll_upper",
    "press",       # lips pressed (p, b, m)
    "tongue",      # tip to the upper teeth (l, n, t, d, th)
)  # fmt: skip
COUNT = len(PARAMETERS)
JAW, SEAL, PUCKER, FUNNEL, SPREAD, UPPER, LOWER, ROLL_LOWER, ROLL_UPPER, PRESS, TONGUE = range(COUNT)

JAW_LIMIT = 0.6
"""Beyond this a portrait's mouth looks shouted (seen on rendered photographs)."""

SEALED_JAW_LIMIT = 0.22
"""A jaw lower than this cannot be sealed without visibly stretching the lips."""

MOUTH_CHANNELS = tuple(name for name in CHANNELS if name.startswith(("mouth", "jaw", "tongue")))

# ARKit's "smile" lifts the corners, "stretch" pulls them straight apart: spreading is some of both.
_SMILE_SHARE, _STRETCH_SHARE = 0.45, 0.75


def _matrix() -> NDArray[np.float32]:
    matrix = np.zeros((COUNT, len(CHANNELS)), np.float32)
    for parameter, channel, weight in (
        (JAW, "jawOpen", 1.0),
        (PUCKER, "mouthPucker", 1.0),
        (FUNNEL, "mouthFunnel", 1.0),
        (SPREAD, "mouthStretch", _STRETCH_SHARE),
        (SPREAD, "mouthSmile", _SMILE_SHARE),
        (UPPER, "mouthUpperUp", 1.0),
        (LOWER, "mouthLowerDown", 1.0),
        (ROLL_LOWER, "mouthRollLower", 1.0),
        (ROLL_UPPER, "mouthRollUpper", 1.0),
        (PRESS, "mouthPress", 1.0),
        (TONGUE, "tongueUp", 1.0),
    ):
        for side in ("",) if channel in INDEX else ("Left", "Right"):
            matrix[parameter, INDEX[channel + side]] = weight
    return matrix


_TO_CHANNELS = _matrix()
_CLOSE = INDEX["mouthClose"]
_JAW_OPEN = INDEX["jawOpen"]
_UNDONE_BY_SEAL = np.zeros(COUNT, np.float32)
_UNDONE_BY_SEAL[[FUNNEL, UPPER, LOWER]] = 1.0  # they part the lips
_UNDONE_BY_SEAL[[PUCKER, SPREAD]] = 0.3  # pressed lips protrude and spread less


def to_channels(mouth: NDArray[np.float32]) -> NDArray[np.float32]:
    """Articulatory parameters to Motion channels.

    Args:
        mouth: float32 [frames, COUNT].

    Returns:
        float32 [frames, len(CHANNELS)], mouth channels filled, the rest zero, all within 0..1. Where
        ``seal`` is 1, mouthClose equals jawOpen and nothing else parts the lips.
    """
    mouth = np.clip(mouth, 0.0, 1.0)
    seal = mouth[:, SEAL]
    mouth = mouth * (1.0 - seal[:, None] * _UNDONE_BY_SEAL)
    sealed_limit = JAW_LIMIT + (SEALED_JAW_LIMIT - JAW_LIMIT) * seal
    mouth[:, JAW] = np.minimum(mouth[:, JAW], sealed_limit)
    channels = mouth @ _TO_CHANNELS
    np.clip(channels, 0.0, 1.0, out=channels)
    channels[:, _CLOSE] = channels[:, _JAW_OPEN] * seal
    return channels


_MEASURES = {
    # Displacement of the inner lips in units of jawOpen's: amplitudes of a warp renderer's shapes.
    "opening": {"jawOpen": 1.0, "mouthClose": -1.0, "mouthFunnel": 0.25, "mouthUpperUp": 0.2, "mouthLowerDown": 0.25},
    "width": {"mouthStretch": 0.5, "mouthSmile": 0.5, "mouthPucker": -0.6, "mouthFunnel": -0.4},
    "rounding": {"mouthPucker": 0.6, "mouthFunnel": 0.4},
}  # fmt: skip


def measures(values: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """What a viewer sees of the mouth: lip opening, width (negative: narrow) and rounding.

    Args:
        values: Motion values, float32 [frames, len(CHANNELS)].

    Returns:
        "opening", "width" and "rounding", each float32 [frames].
    """
    out = {}
    for name, weights in _MEASURES.items():
        total = np.zeros(len(values), np.float32)
        for channel, weight in weights.items():
            sides = (channel,) if channel in INDEX else (channel + "Left", channel + "Right")
            for side in sides:
                total += values[:, INDEX[side]] * (weight / len(sides))
        out[name] = total
    return out
