"""The released weights' noise schedule and the original's sampler: DDIM on v, zero terminal SNR, trailing steps."""

from __future__ import annotations

import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler

from avatar.echomimic.config import NOISE_LIMIT

SCHEDULE = {
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "linear",
    "clip_sample": False,
    "steps_offset": 1,
    "prediction_type": "v_prediction",
    "rescale_betas_zero_snr": True,
    "timestep_spacing": "trailing",
}
"""As EchoMimic's inference configurations have it."""


def ddim_scheduler(steps: int) -> DDIMScheduler:
    """The original's sampler with ``steps`` set. 6 steps: 999, 832, 666, 499, 332, 166.

    diffusers' step goes to t - 1000 // steps whatever the next t is (999 goes to 833, and 832 follows), and from
    the last to 0 rather than to the clean sample where 1000 divides unevenly. The released outputs have that in them.
    """
    scheduler = DDIMScheduler(**SCHEDULE)
    scheduler.set_timesteps(steps)
    return scheduler


def initial_noise(
    shape: tuple[int, ...], generator: torch.Generator | None = None, *, limit: float | None = NOISE_LIMIT
) -> torch.Tensor:
    """Standard normal on the CPU (one seed gives one noise on every device), clamped to +-``limit`` where given."""
    noise = torch.randn(shape, generator=generator)
    return noise if limit is None else noise.clamp_(-limit, limit)
