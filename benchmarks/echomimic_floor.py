"""What EchoMimic's released networks have to compute, and how long a GPU of a given rate needs for it at the least.

Counted by PyTorch's ``FlopCounterMode`` on tensors that have shapes and no content, so it needs no GPU. What comes of it is
calculated, not measured: no code reaches a device's peak, and memory is left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from avatar.echomimic.config import LATENT_SCALE, WINDOW_FRAMES
from avatar.echomimic.denoising_unet import DenoisingUNet
from avatar.echomimic.options import Continuity
from avatar.echomimic.reference_unet import ReferenceUNet
from avatar.echomimic.rolling import block_frames, frames_ahead, stretch_frames
from avatar.echomimic.running_sound import LOOKAHEAD_MS
from avatar.echomimic.streaming import NEW_FRAMES
from avatar.echomimic.vae import build_tiny_vae, build_vae
from avatar.speech import FRAME_RATE_HZ

H200_PEAK_TFLOPS = 989.0
"""Dense bfloat16, by NVIDIA's data sheet (which prints 1979 with sparsity)."""

H200_MATMUL_TFLOPS = 790.0
"""What large bfloat16 matrix products reach on one: the ceiling for anything that is more than one product."""

FRAME_MS = 1000 / FRAME_RATE_HZ


@dataclass(frozen=True, slots=True)
class Operations:
    """Of the released networks, TFLOP a frame.

    Attributes:
        denoiser: a step, the reference's keys and values known.
        taesd, vae: decoding.
    """

    denoiser: float
    taesd: float
    vae: float

    def frame(self, steps: int, decoder: float, continuity: Continuity) -> float:
        """All of a live frame."""
        return computed_frames(steps, continuity) * self.denoiser + decoder

    def frame_ms(self, steps: int, decoder: float, continuity: Continuity, tflops: float) -> float:
        """Of a device with this rate."""
        return 1000 * self.frame(steps, decoder, continuity) / tflops


def computed_frames(steps: int, continuity: Continuity) -> float:
    """Frames that the denoiser computes for each new one, summed over its passes: a window's 12 are denoised for its 9 new
    ones, but where context is carried, or windows roll."""
    if continuity is Continuity.ROLLING:
        return WINDOW_FRAMES / block_frames(steps)
    return steps * (1.0 if continuity is Continuity.CARRIED else WINDOW_FRAMES / NEW_FRAMES)


def sound_before_first_ms(steps: int, continuity: Continuity) -> int:
    """How much of an answer's sound must be there before its first frame can be drawn."""
    frames = NEW_FRAMES
    if continuity is Continuity.ROLLING:
        frames = stretch_frames(steps) + frames_ahead(steps)
    return round(frames * FRAME_MS) + LOOKAHEAD_MS


def computed_before_first(steps: int, continuity: Continuity) -> int:
    """Frames that the denoiser computes, summed over its passes, before an answer's first frame is there."""
    if continuity is Continuity.ROLLING:
        further = math.ceil(stretch_frames(steps) / block_frames(steps)) - 1
        return WINDOW_FRAMES * (steps + further)
    return WINDOW_FRAMES * steps


@torch.no_grad()
def released_operations(size: int) -> Operations:
    """At the released width, for pictures of ``size``."""
    side = size // LATENT_SCALE
    with torch.device("meta"):
        denoiser, reference = DenoisingUNet().to("meta"), ReferenceUNet().to("meta")
        bank, _ = reference(torch.empty(1, 4, side, side))
        keys = denoiser.project_reference(bank)
        latents, audio = torch.empty(1, 4, WINDOW_FRAMES, side, side), torch.empty(1, WINDOW_FRAMES, 50, 384)
        pose = torch.empty(1, 320, 1, side, side)
        denoising = _tflop(lambda: denoiser(latents, torch.zeros(1, dtype=torch.int64), audio, pose, keys))
        one = torch.empty(1, 4, side, side)
        tiny, full = build_tiny_vae(), build_vae()
        return Operations(denoising / WINDOW_FRAMES, _tflop(lambda: tiny.decode(one)), _tflop(lambda: full.decode(one)))


def h200_floor(count: Operations, steps: int, decoder: float) -> str:
    """One row: at the published peak, at the rate that matrix products reach, and at half of that, which is a good program's."""
    rates = (
        (H200_PEAK_TFLOPS, "data sheet"),
        (H200_MATMUL_TFLOPS, "matrix products"),
        (H200_MATMUL_TFLOPS / 2, "half of those"),
    )
    told = []
    for rate, name in rates:
        took_ms = count.frame_ms(steps, decoder, Continuity.STORED, rate)
        told.append(f"{name} {took_ms:.1f} ms a frame, {1000 / took_ms:.0f} fps")
    return "; ".join(told)


def _tflop(work: Callable[[], Any]) -> float:
    with FlopCounterMode(display=False) as counted:
        work()
    return float(counted.get_total_flops() / 1e12)
