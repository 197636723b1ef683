"""Sampling new frames with teacher or student, in one window and rolled out over a scene."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from avatar.distillation.scheduler import MultistepConsistencyScheduler
from avatar.motion.generator.sampler import PLAYED_FRAMES, PREFIX_FRAMES
from avatar.motion.generator.state import HEAD, D
from avatar.motion.training.transformer import MotionTransformer, summarise

FIRST_HOP, HOP, AHEAD = 2, 5, 2
"""Frames played of the first and of every later hop, and frames drawn beyond them, to be drawn again by the next."""

_WIDER = 1.07


def _temperature() -> Tensor:
    wider = torch.full((D,), _WIDER)
    wider[HEAD] = 1.0
    return wider


TEMPERATURE = _temperature()
"""Sampling begins with noise that much wider than it was learned with, [D]. A network that is not trained to the end makes too few of the
rare events (blinks, strokes of the hands, brows), and each hop goes on from the calm of the one before. Chosen on held-out scenes,
rolled out by the four-step student: at 1.0 it blinks 16 times a minute (data 25) and hands move at .54 of the data's speed, at 1.1 28
times and 1.04 with a jerk of 1.05..1.33 of the data's, at 1.2 40 times and 1.6. The head trembles with it and gains nothing."""


def sample(
    network: MotionTransformer,
    scheduler: MultistepConsistencyScheduler,
    steps: int,
    noise: Tensor,
    played: Tensor,
    condition: Tensor,
    temperature: Tensor | float = TEMPERATURE,
) -> Tensor:
    """New frames by ``steps`` steps: ``teacher_steps`` of a teacher, or as many as a student has segments.

    Args:
        noise: standard normal, [batch, N, D].
        played: normalised, [batch, PLAYED_FRAMES, D].
        condition: normalised, of the prefix and the new frames, [batch, PREFIX_FRAMES + N, C].
        temperature: of the noise, [D]; 1 is what the networks learned with.

    Returns:
        Normalised states, [batch, N, D].
    """
    scheduler.set_timesteps(steps)
    prefix, history = summarise(played)
    x = noise * temperature
    for t in scheduler.timesteps.tolist():
        v = network(x, torch.full((len(x),), t), prefix, history, condition)
        x = scheduler.step(v, t, x, return_dict=False)[0]
    return network.innovations.to_state(x, played)


@torch.no_grad()
def roll_out(
    network: MotionTransformer,
    steps: int,
    condition: NDArray[np.float32],
    begin: NDArray[np.float32],
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """A scene generated from its own output, hop by hop, as it is while serving.

    A frame keeps its noise when it is drawn again, so that the second draw changes little.

    Args:
        condition: normalised, [batch, frames, C].
        begin: normalised states of the frame before the first, [batch, D].

    Returns:
        Normalised states, float32 [batch, frames, D].
    """
    network.eval()
    scheduler = MultistepConsistencyScheduler()
    batch, frames, _ = condition.shape
    played = np.repeat(begin[:, None].astype(np.float32), PLAYED_FRAMES, axis=1)
    told = np.concatenate([np.repeat(condition[:, :1], PREFIX_FRAMES, axis=1), condition], axis=1)
    noise = rng.standard_normal((batch, frames + AHEAD, D)).astype(np.float32)
    at, hop = 0, FIRST_HOP
    while at < frames:
        new = min(hop + AHEAD, frames - at)
        drawn = sample(
            network,
            scheduler,
            steps,
            torch.from_numpy(noise[:, at : at + new]),
            torch.from_numpy(played[:, -PLAYED_FRAMES:]),
            torch.from_numpy(told[:, at : at + PREFIX_FRAMES + new]),
        ).numpy()
        keep = min(hop, new)
        played = np.concatenate([played, drawn[:, :keep]], axis=1)
        at, hop = at + keep, HOP
    return played[:, PLAYED_FRAMES : PLAYED_FRAMES + frames]
