"""A whole clip as the original computes it: every step over the whole clip, windows averaged, the full decoder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import soxr
import torch
from numpy.typing import NDArray
from torch import Tensor

from avatar.beats import RenderedBeat
from avatar.echomimic.audio_features import SAMPLE_RATE_HZ, encode_clip, log_mel, slice_windows
from avatar.echomimic.clip_sampler import sample_clip
from avatar.echomimic.config import LATENT_CHANNELS, LATENT_SCALE
from avatar.echomimic.ddim import ddim_scheduler, initial_noise
from avatar.echomimic.networks import Networks
from avatar.echomimic.persona import Reference
from avatar.echomimic.poses import PoseSequence
from avatar.echomimic.released import Release
from avatar.echomimic.renderer import draw_map, finish_frame
from avatar.speech import SPEECH_RATE_HZ

FPS = 24
"""Frames a second of a clip: those of the authors' scripts and of the pose sequences that they released."""
FRAME_SAMPLES = SPEECH_RATE_HZ // FPS
"""Sound of one frame, at 48 kHz."""
GUIDED_AT_ONCE = 16
"""Pose maps that go through the guide together; its widest layer keeps 16 channels at full size."""


@dataclass(frozen=True, slots=True)
class ClipSettings:
    """How a clip is sampled.

    Attributes:
        steps: of the sampler.
        guidance: classifier-free; 1 is without.
        seed: of the noise.
        shift: frames that windows move by at each step.
        noise_limit: clamp of the initial noise; None leaves it.
    """

    steps: int
    guidance: float
    seed: int
    shift: int
    noise_limit: float | None

    @staticmethod
    def of(release: Release, *, steps: int | None = None, seed: int | None = None) -> ClipSettings:
        """As the authors run a variant, but for what is given."""
        return ClipSettings(
            steps or release.steps, release.guidance, release.seed if seed is None else seed, release.shift,
            release.noise_limit,
        )  # fmt: skip


@torch.no_grad()
def clip_latents(
    networks: Networks,
    reference: Reference,
    pcm16k: NDArray[np.float32],
    hands: PoseSequence,
    settings: ClipSettings,
    on_step: Callable[[int], None] = lambda step: None,
) -> Tensor:
    """Latents of a clip, float32 [1, 4, F, h, w]; F is the number of ``hands``' frames.

    Args:
        networks: on their device.
        reference: of the persona.
        pcm16k: float32 [samples] at 16 kHz, the whole sound.
        hands: of every frame, ``FPS`` a second.
        settings: see there.
        on_step: called after each step with its number.
    """
    frames = len(hands)
    device = networks.denoiser.conv_in.weight.device
    mel = log_mel(pcm16k, networks.config.whisper.mel_bands).to(device)
    audio = slice_windows(encode_clip(networks.whisper, mel), frames, FPS)[None]
    height, width = reference.latent.shape[-2:]
    generator = torch.Generator().manual_seed(settings.seed)
    noise = initial_noise((1, LATENT_CHANNELS, frames, height, width), generator, limit=settings.noise_limit)
    return sample_clip(
        networks.denoiser,
        ddim_scheduler(settings.steps),
        noise.to(device),
        audio,
        guide_features(networks, reference, hands, height * LATENT_SCALE),
        reference.keys,
        guidance=settings.guidance,
        shift=settings.shift,
        on_step=lambda number, *_: on_step(number),
    )


def guide_features(networks: Networks, reference: Reference, hands: PoseSequence, size: int) -> Tensor:
    """Features of the pose maps, [1, C, F, h, w]; of V1's mask, which stands still, [1, C, 1, h, w]."""
    device = networks.denoiser.conv_in.weight.device
    if reference.mask is not None:
        return networks.guide(reference.mask[None, :, None].to(device))
    if not hands.scores.any():
        return networks.guide(torch.zeros(1, 3, 1, size, size, device=device))
    parts = []
    for start in range(0, len(hands), GUIDED_AT_ONCE):
        several = range(start, min(start + GUIDED_AT_ONCE, len(hands)))
        maps = np.stack([draw_map(hands.hands[i], hands.scores[i], hands.canvas[i], size) for i in several])
        pixels = torch.from_numpy(maps).to(device).permute(3, 0, 1, 2)[None] / 255.0
        parts.append(networks.guide(pixels))
    return torch.cat(parts, dim=2)


def draw_clip(
    networks: Networks,
    reference: Reference,
    pcm48k: NDArray[np.int16],
    hands: PoseSequence,
    settings: ClipSettings,
    size: int,
    *,
    silent: bool = False,
    on_step: Callable[[int], None] = lambda step: None,
) -> Iterator[RenderedBeat]:
    """Frames of a whole clip, ``FPS`` a second, each with its sound. Denoising is done before the first comes; decoding as they are taken, one at a time.

    Args:
        pcm48k: int16, the whole speech; beyond it there is silence.
        hands: of every frame; their number is the clip's.
        size: side of the frames.
        silent: the pictures hear nothing of the speech.
    """
    sound = pcm48k[: len(hands) * FRAME_SAMPLES]
    filled = np.concatenate([sound, np.zeros(len(hands) * FRAME_SAMPLES - len(sound), np.int16)])
    told = np.zeros_like(filled) if silent else filled
    pcm16k = soxr.resample(told.astype(np.float32) / np.float32(32768), SPEECH_RATE_HZ, SAMPLE_RATE_HZ)
    latents = clip_latents(networks, reference, np.asarray(pcm16k, np.float32), hands, settings, on_step)
    for number in range(len(hands)):
        picture = networks.vae.decode(latents[:, :, number])[0]
        rgb = (picture.float() * 255).to(torch.uint8).permute(1, 2, 0).cpu().numpy()
        frame = finish_frame(np.ascontiguousarray(rgb[..., ::-1]), size, random=networks.synthetic)
        speech = min(max(len(sound) - number * FRAME_SAMPLES, 0), FRAME_SAMPLES)
        pcm = filled[number * FRAME_SAMPLES : (number + 1) * FRAME_SAMPLES]
        yield RenderedBeat(pcm, frame, speech, last=number + 1 == len(hands))
