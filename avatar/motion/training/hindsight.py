"""Fits ``generator.hindsight``: least squares from readings about a frame to the rules' mouth, for each number of frames known after it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from avatar.motion.generator.hindsight import FUTURE_FRAMES, PAST_FRAMES, Hindsight
from avatar.motion.speech.mouth import COUNT
from avatar.motion.training.encoder_measures import Heard, fit_gain

_RIDGE = 1e-4
"""A frame: weights of parameters that always go together stay small."""
_CARRIED = 0.45
"""What is left after each frame of the difference that a hop begins with, as in ``speech.easing``."""
_HOP_FRAMES = 5

Around = NDArray[np.float32]
"""Readings about each frame: [frames, PAST_FRAMES + 1 + known, COUNT]."""


def fit_hindsight(heard: Sequence[Heard], held_out: Sequence[Heard]) -> Hindsight:
    """Args:
    heard: readings of training voices.
    held_out: of voices not trained on: the amplitude that least squares take away is given back as they show it.
    """
    fitted = Hindsight.none()
    for known in range(FUTURE_FRAMES + 1):
        size = (PAST_FRAMES + 1 + known) * COUNT + 1
        squares, products = np.zeros((size, size)), np.zeros((size, COUNT))
        for h in heard:
            columns = _columns(_around(h.mouth, known))
            squares += columns.T @ columns
            products += columns.T @ h.of.mouth.astype(np.float64)
        ridge = _RIDGE * squares[-1, -1] * np.eye(size)
        ridge[-1, -1] = 0.0
        solved = np.linalg.solve(squares + ridge, products)
        again = [replace(h, mouth=(_columns(_around(h.mouth, known)) @ solved).astype(np.float32)) for h in held_out]
        solved *= fit_gain(again)
        fitted.weights[known] = 0.0
        fitted.weights[known, : PAST_FRAMES + 1 + known] = solved[:-1].reshape(-1, COUNT, COUNT)
        fitted.bias[known] = solved[-1]
    return fitted


def in_conversation(heard: Sequence[Heard], hindsight: Hindsight) -> Iterator[Heard]:
    """The same, with the mouths that a conversation shows that hears them by hops of five frames as they come."""
    maps = [
        np.concatenate(
            (hindsight.weights[known, : PAST_FRAMES + 1 + known].reshape(-1, COUNT), hindsight.bias[known, None])
        )
        for known in range(FUTURE_FRAMES + 1)
    ]
    for h in heard:
        frames = len(h.mouth)
        again = np.stack([_columns(_around(h.mouth, known)) @ map_ for known, map_ in enumerate(maps)])
        mouth, offset = np.empty((frames, COUNT), np.float32), np.zeros(COUNT)
        for frame in range(frames):
            last = min(frame - frame % _HOP_FRAMES + _HOP_FRAMES, frames) - 1
            if frame and frame % _HOP_FRAMES == 0:
                offset = mouth[frame - 1] - again[min(last - frame + 1, FUTURE_FRAMES), frame - 1]
            offset = offset * _CARRIED
            mouth[frame] = again[last - frame, frame] + offset
        yield replace(h, mouth=np.clip(mouth, 0.0, 1.0))


def _around(mouth: NDArray[np.float32], known: int) -> Around:
    """Before the first frame and after the last the mouth is as it is there."""
    padded = np.concatenate((np.repeat(mouth[:1], PAST_FRAMES, axis=0), mouth, np.repeat(mouth[-1:], known, axis=0)))
    return np.stack([padded[k : k + len(mouth)] for k in range(PAST_FRAMES + 1 + known)], axis=1)


def _columns(around: Around) -> NDArray[np.float64]:
    frames = len(around)
    return np.concatenate((around.reshape(frames, -1).astype(np.float64), np.ones((frames, 1))), axis=1)
