"""The original's windows over a whole clip: 12 frames, 3 shared, wrapped around its end, moved at every step."""

from __future__ import annotations

from avatar.echomimic.config import WINDOW_FRAMES, WINDOW_OVERLAP

V2_SHIFT = 3
V1_AUDIO_SHIFT = 2
"""Frames that all windows move by at each step; V1's pose mode moves as V2."""


def circular_windows(
    frames: int, step: int, *, context: int = WINDOW_FRAMES, overlap: int = WINDOW_OVERLAP, shift: int = V2_SHIFT
) -> list[list[int]]:
    """Which frames are denoised together at one step.

    Args:
        frames: of the clip, at least 1.
        step: number of the step, from 0.
        context: frames of a window; a shorter clip is one window of its own length.
        overlap: frames that neighbours share.
        shift: how far windows move at each step.

    Returns:
        Windows in order; every frame is in at least one. Where windows overlap, predictions are averaged.
    """
    if not 0 <= overlap < context:
        raise ValueError(f"Windows of {context} frames cannot share {overlap}.")
    length = min(frames, context)
    stride = context - overlap
    starts = [0] if frames <= context else range(0, frames, stride)
    return [[(start + step * shift + place) % frames for place in range(length)] for start in starts]
