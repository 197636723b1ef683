"""The original's sampling of a whole clip: every step denoises all windows and averages where they overlap."""

from __future__ import annotations

from collections.abc import Callable

import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler

from avatar.echomimic.config import WINDOW_FRAMES, WINDOW_OVERLAP
from avatar.echomimic.denoising_unet import DenoisingUNet
from avatar.echomimic.reference_bank import ReferenceKeys
from avatar.echomimic.windows import V2_SHIFT, circular_windows

OnStep = Callable[[int, torch.Tensor, torch.Tensor, torch.Tensor], None]


@torch.no_grad()
def sample_clip(
    denoiser: DenoisingUNet,
    scheduler: DDIMScheduler,
    noise: torch.Tensor,
    audio: torch.Tensor,
    pose: torch.Tensor | None,
    reference: ReferenceKeys,
    *,
    guidance: float = 1.0,
    context: int = WINDOW_FRAMES,
    overlap: int = WINDOW_OVERLAP,
    shift: int = V2_SHIFT,
    on_step: OnStep | None = None,
) -> torch.Tensor:
    """Denoise a clip. Time and memory grow with its length.

    Args:
        denoiser: the network.
        scheduler: with its steps set, e.g. ``ddim_scheduler(6)``.
        noise: [1, 4, F, h, w].
        audio: tokens [1, F, N, channels].
        pose: features [1, channels, F or 1, h, w]; None draws no hands.
        reference: of one picture.
        guidance: classifier-free guidance; 1 and below runs without it, at half the cost. Upstream's default for the
            30-step weights is 2.5, for the accelerated ones 1.
        context, overlap, shift: see ``circular_windows``.
        on_step: called after each step with its number, the sample before it, the prediction and the sample after.

    Returns:
        Latents, float32 [1, 4, F, h, w].
    """
    sample = noise.float()
    frames = sample.shape[2]
    unconditional = int(guidance > 1)
    if unconditional:
        audio = torch.cat([torch.zeros_like(audio), audio])
        pose = None if pose is None else torch.cat([torch.zeros_like(pose), pose])
    for number, timestep in enumerate(scheduler.timesteps):
        total = torch.zeros(1 + unconditional, *sample.shape[1:], device=sample.device)
        covered = torch.zeros(frames, device=sample.device)
        for window in circular_windows(frames, number, context=context, overlap=overlap, shift=shift):
            of_window = pose if pose is None or pose.shape[2] == 1 else pose[:, :, window]
            rows = sample[:, :, window].expand(1 + unconditional, -1, -1, -1, -1)
            predicted = denoiser(rows, timestep, audio[:, window], of_window, reference, unconditional=unconditional)
            total[:, :, window] += predicted.float()
            covered[window] += 1
        velocity = total / covered[:, None, None]
        if unconditional:
            free, told = velocity.chunk(2)
            velocity = free + guidance * (told - free)
        before = sample
        sample = scheduler.step(velocity, int(timestep), before, return_dict=False)[0]
        if on_step is not None:
            on_step(number, before, velocity, sample)
    return sample
