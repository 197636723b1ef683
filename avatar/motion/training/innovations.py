"""What a frame adds to what was to be expected of it: the coordinates in which motion is diffused.

Motion is smooth. A frame later a head has moved by a twentieth of its spread, and its acceleration by less still, so an error that is
nothing to the state is a twitch. Per channel, the frames to come are therefore predicted linearly from the last four played, and what is
left of them is divided by the Cholesky factor of its covariance: every innovation has unit variance, and knows nothing of those before it.
Were motion a Gaussian autoregressive process, its innovations would be the very noise that sampling begins with; what the network
learns is how it is not. A small error of an innovation is a small error of whatever smoothness the channel has, across hops too.

The factor is triangular, so the same matrices serve any number of frames.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from avatar.motion.generator.sampler import MOST_FRAMES
from avatar.motion.generator.state import D

RECENT = 4
"""Frames that prediction looks back on: position, speed, acceleration and its change."""

_UNSURE_JERK, _LEAST_UNSURE = 0.1, 0.002
"""Played frames are taken to be off by so much of their channel's ordinary jerk, and by this at least (normalised): at run time they are
the model's own, and a prediction that trusted them to the last digit would swing."""


class Innovations(nn.Module):
    """Between states and innovations; its matrices are fitted to data, not trained.

    Attributes:
        unsure: how far played frames may be off without upsetting the prediction, normalised units, [D].
    """

    predictor: Tensor
    factor: Tensor
    inverse: Tensor
    unsure: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("predictor", torch.zeros(D, MOST_FRAMES, RECENT))
        eye = torch.eye(MOST_FRAMES).expand(D, -1, -1)
        self.register_buffer("factor", eye.clone())
        self.register_buffer("inverse", eye.clone())
        self.register_buffer("unsure", torch.zeros(D))

    def of(self, state: Tensor, played: Tensor) -> Tensor:
        """Args:
            state: normalised, [batch, N, D].
            played: before them, normalised, [batch, RECENT or more, D].

        Returns:
            Innovations, [batch, N, D].
        """
        new = state.shape[1]
        surprise = (state - self._expected(played, new)).permute(2, 1, 0)
        return (self.inverse[:, :new, :new] @ surprise).permute(2, 1, 0)

    def to_state(self, innovation: Tensor, played: Tensor) -> Tensor:
        """Inverse of ``of``."""
        new = innovation.shape[1]
        surprise = (self.factor[:, :new, :new] @ innovation.permute(2, 1, 0)).permute(2, 1, 0)
        return self._expected(played, new) + surprise

    def _expected(self, played: Tensor, new: int) -> Tensor:
        last = played[:, -1:]
        recent = torch.cat([played[:, -RECENT:-1] - last, last], dim=1).permute(2, 1, 0)
        return last + (self.predictor[:, :new] @ recent).permute(2, 1, 0)

    def fit(self, scenes: Iterable[NDArray[np.float32]]) -> None:
        """Fit to normalised scenes, float32 [frames, D] each."""
        length = RECENT + MOST_FRAMES
        moments, jerk, count = np.zeros((D, length, length)), np.zeros(D), 0
        for scene in scenes:
            if len(scene) < length:
                continue
            windows = np.lib.stride_tricks.sliding_window_view(scene.astype(np.float64), length, axis=0)[::3]
            # [windows, D, length], relative to the last frame played; that one itself as it is
            relative = windows - windows[:, :, RECENT - 1 : RECENT]
            relative[:, :, RECENT - 1] = windows[:, :, RECENT - 1]
            relative = relative.transpose(1, 2, 0)
            moments += relative @ relative.transpose(0, 2, 1)
            jerk += np.square(np.diff(windows, n=3, axis=2)[:, :, 0]).sum(axis=0)
            count += len(windows)
        if not count:
            raise ValueError(f"no scene is as long as {length} frames")
        unsure = _UNSURE_JERK * np.sqrt(jerk / count) + _LEAST_UNSURE
        past, coming = slice(0, RECENT), slice(RECENT, None)
        last = np.where(
            np.arange(length) == RECENT - 1, -1.0, 1.0
        )  # is in all that is relative to it, with the other sign
        moments = moments / count + np.square(unsure)[:, None, None] * np.outer(last, last)
        noise = np.square(unsure)[:, None, None] * np.diag([1.0] * (RECENT - 1) + [0.0])
        of_past = np.linalg.inv(moments[:, past, past] + noise)
        predictor = moments[:, coming, past] @ of_past
        left = moments[:, coming, coming] - predictor @ moments[:, past, coming]
        factor = np.linalg.cholesky(left + np.square(0.5 * unsure)[:, None, None] * np.eye(MOST_FRAMES))
        self.predictor.copy_(torch.from_numpy(predictor))
        self.factor.copy_(torch.from_numpy(factor))
        self.inverse.copy_(torch.from_numpy(np.linalg.inv(factor)))
        self.unsure.copy_(torch.from_numpy(unsure))
