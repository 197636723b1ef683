"""Lips judged in the picture: frames are rendered, and a face mesh that knows nothing of ``Motion`` measures them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from avatar.motion.capture.face import MEASURE, NOT_SEEN, measure_face
from avatar.motion.capture.tracker import Tracker
from avatar.motion.evaluation.lips import Mouth
from avatar.motion.motion import CHANNELS, INDEX, Motion
from avatar.motion.speech.mouth import MOUTH_CHANNELS
from avatar.persona import Persona
from avatar.renderers import open_renderer

SIZE = 256

_SHUT_SHARE = 0.12
"""Of the gap that this face opens at most (99th percentile over rest): nearer, a viewer sees closed lips."""

_MOUTH_ONLY = [INDEX[name] for name in MOUTH_CHANNELS if name in INDEX]


def rendered_mouth(motion: Motion, persona: Persona, *, size: int = SIZE) -> Mouth:
    """The mouth as a viewer sees it: gap and width between tracked lips, in eye spans; rounding is how narrow it is.

    The head is held still, so that the mesh measures lips and not turns.

    Args:
        motion: 25 Hz.
        persona: whose portrait is drawn.
        size: side of the frames.

    Raises:
        ToolMissing: MediaPipe is not installed.
    """
    renderer = open_renderer(persona.path, size=size)
    rows: list[NDArray[np.float32]] = []
    with Tracker(hands=False) as tracker:
        for row in _mouth_alone(motion).values:
            (frame,) = renderer.render(Motion(row[None]))
            face = tracker.look(np.ascontiguousarray(frame[..., ::-1])).face
            rows.append(NOT_SEEN if face is None else measure_face(face).measures)
    return _judged(np.stack(rows))


def _mouth_alone(motion: Motion) -> Motion:
    values = np.zeros((len(motion), len(CHANNELS)), np.float32)
    values[:, _MOUTH_ONLY] = motion.values[:, _MOUTH_ONLY]
    return Motion(values)


def _judged(measures: NDArray[np.float32]) -> Mouth:
    seen = np.isfinite(measures).all(1)
    frames = np.arange(len(measures))
    gap, width = (
        np.interp(frames, frames[seen], measures[seen, MEASURE[name]]).astype(np.float32) for name in ("gap", "width")
    )
    rest = float(np.percentile(gap, 2))
    widest = float(np.percentile(gap, 99)) - rest
    narrow = np.maximum(float(np.median(width)) - width, 0)
    return Mouth(gap - rest, width, narrow, gap - rest < _SHUT_SHARE * max(widest, 1e-6))
