"""Hands onto EchoMimicV2's pose canvas, and shoulders.

The canvas is the square that EchoMimicV2's authors cut out of a video before they draw its hands: from above the brows to
below the lowest of nose, neck, shoulders, elbows and right wrist, centred on the neck. Their notebook speaks of a quarter of
that span as margin; in the sequences they released the brows are 0.16 to 0.20 of it below the canvas's top, the lowest point
0.12 to 0.16 above its bottom, and so it is here. One square for the whole video, so a hand that moves moves on the
canvas; a video that shows no elbows gets the square that its face's size suggests.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from avatar.motion.capture.smoothing import Floats, smoothed
from avatar.motion.capture.tracker import BODY_POINTS, Hand, seen
from avatar.motion.motion import HAND_POINTS, INDEX, Motion

_ABOVE, _BELOW = 0.17, 0.14
"""Of the span from the brows to the lowest point."""

_FACES_HIGH = 5.0
"""Side of the canvas in face heights where nothing below the shoulders is seen: what the rule gives for half bodies."""

_ELBOWS = [BODY_POINTS.index("right elbow"), BODY_POINTS.index("left elbow"), BODY_POINTS.index("right wrist")]
_NECK = BODY_POINTS.index("neck")
_SHOULDER = {"Left": BODY_POINTS.index("left shoulder"), "Right": BODY_POINTS.index("right shoulder")}

SHRUG = 0.2
"""Rise of a shoulder at weight 1, in face heights: a full shrug."""

_SHOULDER_WIDTH = 9
_HAND_WIDTH = 5


@dataclass(frozen=True, slots=True)
class Canvas:
    """A square of the picture, pixels."""

    left: float
    top: float
    side: float

    def place(self, points: Floats) -> Floats:
        """Pixels [..., 2] to fractions of the canvas."""
        return np.asarray((points - np.array([self.left, self.top], np.float32)) / self.side, np.float32)


def canvas_of(brow_y: Floats, face_height: Floats, face_x: Floats, bodies: list[Floats]) -> Canvas:
    """Args:
    brow_y, face_height, face_x: float32 [frames], pixels: top of the brows, forehead to chin, the face's middle.
    bodies: each float32 [7, 3], ``Tracked.body``.
    """
    top = float(np.quantile(brow_y, 0.1))
    neck_x = float(np.median(face_x))
    necks = [body[_NECK, 0] for body in bodies if seen(body)[_NECK]]
    if necks:
        neck_x = float(np.median(necks))
    lows = [float(body[seen(body), 1].max()) for body in bodies if seen(body)[_ELBOWS].any()]
    if len(lows) > len(bodies) / 4:
        span = float(np.quantile(lows, 0.9)) - top
        side = span * (1 + _ABOVE + _BELOW)
    else:
        side = _FACES_HIGH * float(np.median(face_height))
        span = side / (1 + _ABOVE + _BELOW)
    return Canvas(neck_x - side / 2, top - _ABOVE * span, side)


def hand_row(hand: Hand | None) -> Floats:
    """float32 [43]: points and score, NaN where there is no hand."""
    row = np.full(2 * HAND_POINTS + 1, np.nan, np.float32)
    if hand is not None:
        row[:-1] = hand.points.ravel()
        row[-1] = hand.score
    return row


def move_hands(motion: Motion, side: str, rows: Floats, believed: Floats, canvas: Canvas) -> None:
    """Fill one hand's channels.

    Args:
        motion: to be filled.
        side: "Left" or "Right", the speaker's own.
        rows: float32 [frames, 43] at 25 Hz, without NaN.
        believed: float32 [frames], 0..1: its score falls with it.
        canvas: what the fractions are of.
    """
    if not believed.any():
        return
    first = INDEX[f"hand{side}0X"]
    points = canvas.place(rows[:, :-1].reshape(-1, HAND_POINTS, 2))
    motion.values[:, first : first + 2 * HAND_POINTS] = smoothed(points, _HAND_WIDTH).reshape(len(rows), -1)
    motion.values[:, INDEX[f"hand{side}Score"]] = np.clip(rows[:, -1] * believed, 0, 1)


def shoulder_row(body: Floats | None) -> Floats:
    """float32 [2]: heights of the left and right shoulder, pixels; NaN where not seen."""
    if body is None or not seen(body)[list(_SHOULDER.values())].all():
        return np.full(2, np.nan, np.float32)
    return np.array([-body[i, 1] for i in _SHOULDER.values()], np.float32)


def move_shoulders(motion: Motion, heights: Floats, believed: Floats, face_height: float) -> None:
    """Fill the shoulders' channels from heights in pixels, float32 [frames, 2] (left, right), without NaN."""
    seen_frames = believed > 0.5
    if not seen_frames.any():
        return
    for i, side in enumerate(_SHOULDER):
        height = smoothed(heights[:, i], _SHOULDER_WIDTH)
        raised = (height - float(np.median(height[seen_frames]))) / (SHRUG * face_height)
        motion.values[:, INDEX[f"shoulder{side}"]] = np.clip(raised, -1, 1) * believed
