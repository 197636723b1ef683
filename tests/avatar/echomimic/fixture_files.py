"""Fixture files of ``avatar.echomimic.parity``'s layout, made with tiny networks of our own, at any sizes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from avatar.echomimic.audio_features import encode_clip, frame_count, log_mel, slice_windows, window_indices
from avatar.echomimic.clip_sampler import sample_clip
from avatar.echomimic.config import LATENT_FACTOR, TINY
from avatar.echomimic.ddim import ddim_scheduler
from avatar.echomimic.networks import Networks
from avatar.echomimic.pose_map import draw_hands
from avatar.echomimic.reference_bank import bank_order
from avatar.echomimic.windows import circular_windows

SENSITIVITIES = [
    "audio_zero",
    "audio_frame_roll1",
    "audio_token_reversed",
    "pose_zero",
    "bank_absent",
    "temporal_pe_zero",
    "motion_modules_off",
]


@dataclass(frozen=True, slots=True)
class Layout:
    """What differs from one fixture to another.

    Attributes:
        seed: of every input.
        frames, height, width: of the denoiser's latents.
        timesteps: that it is run at, the first traced; guidance_t, guidance_frames: with guidance.
        samples, fps: of the sound and its video.
        clip_frames, clip_height, clip_width, clip_steps: of the whole run, in pixels.
        clips, window_step: lengths whose windows are listed, and the step at which they are once more.
    """

    seed: int = 0
    frames: int = 5
    height: int = 16
    width: int = 16
    timesteps: tuple[int, ...] = (999,)
    guidance_t: int = 666
    guidance_frames: int = 2
    samples: int = 16_000
    fps: int = 24
    clip_frames: int = 14
    clip_height: int = 64
    clip_width: int = 64
    clip_steps: int = 2
    clips: tuple[int, ...] = (5, 13)
    window_step: int = 2

    def normal(self, *shape: int, number: int = 0) -> torch.Tensor:
        noise = np.random.default_rng([self.seed, number]).standard_normal(shape, np.float32)
        return torch.from_numpy(noise)

    def pcm(self) -> np.ndarray:
        return (3000 * self.normal(self.samples, number=99).numpy()).astype(np.int16)


@torch.no_grad()
def main_arrays(tiny: Networks, layout: Layout) -> dict[str, Any]:
    """Of the networks one by one."""
    latents = layout.normal(1, 4, layout.frames, layout.height, layout.width)
    audio = layout.normal(1, layout.frames, 50, TINY.unet.audio_channels, number=1)
    pose = layout.normal(1, TINY.unet.channels[0], layout.frames, layout.height, layout.width, number=2)
    reference = layout.normal(1, 4, layout.height, layout.width, number=3)
    maps = layout.normal(1, 3, 2, 32, 48, number=4)
    mel = log_mel(layout.pcm().astype(np.float32) / 32768)
    features = encode_clip(tiny.whisper, mel)
    count = frame_count(len(features), layout.fps)
    tokens = slice_windows(features, count, layout.fps)
    bank, last = tiny.reference(reference)
    keys = tiny.denoiser.project_reference(bank)
    rounded = tiny.denoiser.project_reference(bank.rounded())
    some = slice(0, layout.guidance_frames)
    arrays: dict[str, Any] = {
        "audio|pcm16k_int16": layout.pcm(),
        "audio|fps": layout.fps,
        "audio|logmel": mel,
        "audio|feat": features,
        "audio|chunks_shape": tokens.shape,
        "audio|chunk_src_index": window_indices(len(features), count, layout.fps),
        "audio|chunk_first_mid_last": tokens[[0, count // 2, count - 1]],
        "pose_encoder|in": maps,
        "pose_encoder|out": tiny.guide(maps),
        "ref|in_latents": reference,
        "ref|out_prehead": last,
        "ref|bank_order": list(bank.tokens),
        "den|in_latents": latents,
        "den|in_audio": audio,
        "den|in_pose_fea": pose,
        "den|bank_reader_order": bank_order(tiny.denoiser),
        f"den|cfg_out_t{layout.guidance_t}_F{layout.guidance_frames}": tiny.denoiser(
            latents[:, :, some].repeat(2, 1, 1, 1, 1),
            torch.tensor([layout.guidance_t]),
            torch.cat([0 * audio[:, some], audio[:, some]]),
            torch.cat([0 * pose[:, :, some], pose[:, :, some]]),
            keys,
            unconditional=1,
        ),
    }
    for t in layout.timesteps:
        with _traced(tiny, arrays, t, ["down_blocks.0.motion_modules.0", "mid_block", "time_embedding"]):
            arrays[f"den|out_t{t}"] = tiny.denoiser(latents, torch.tensor([t]), audio, pose, keys)
        arrays[f"den|out_t{t}_bankfp16"] = tiny.denoiser(latents, torch.tensor([t]), audio, pose, rounded)
    for name, tokens in bank.tokens.items():
        arrays[f"ref|bank_shape|{name}"] = tokens.shape
        arrays[f"ref|bank_mean_std|{name}"] = [float(tokens.mean()), float(tokens.std())]
        arrays[f"ref|bank_head|{name}"] = tokens[0, :4, :16]
        arrays[f"ref|bank_full|{name}"] = tokens
    for frames in layout.clips:
        arrays[f"windows|L{frames}_n"] = len(circular_windows(frames, 0))
        arrays[f"windows|L{frames}_idx"] = circular_windows(frames, 0)
        arrays[f"windows|L{frames}_step{layout.window_step}"] = circular_windows(frames, layout.window_step)
    hands = np.random.default_rng(layout.seed).uniform(0.1, 0.9, (2, 21, 2))
    arrays |= {
        "pose_render|7|hands": hands,
        "pose_render|7|hands_score": np.ones((2, 21)),
        "pose_render|7|draw_pose_params": [512, 512, 0, 512, 0, 512],
        "pose_render|7|image_rgb_u8": draw_hands(hands, np.ones((2, 21)), 512, 512),
    }
    return arrays | _sampler_arrays(layout)


def _sampler_arrays(layout: Layout) -> dict[str, Any]:
    steps = layout.clip_steps
    scheduler = ddim_scheduler(steps)
    sample, velocity = layout.normal(1, 4, 2, 3, 5, number=7), layout.normal(1, 4, 2, 3, 5, number=8)
    arrays: dict[str, Any] = {
        f"ddim|timesteps_{steps}": scheduler.timesteps,
        "ddim|alphas_cumprod": scheduler.alphas_cumprod,
        "ddim|sample": sample,
        "ddim|v": velocity,
    }
    last = steps - 1
    previous, clean = scheduler.step(velocity, int(scheduler.timesteps[last]), sample, return_dict=False)
    return arrays | {f"ddim|step{steps}_{last}_prev": previous, f"ddim|step{steps}_{last}_x0": clean}


class _traced:
    """What some layers put out, as the original's fixture keeps it."""

    def __init__(self, tiny: Networks, arrays: dict[str, Any], t: int, names: list[str]) -> None:
        self.tiny, self.arrays, self.t, self.names = tiny, arrays, t, names

    def __enter__(self) -> None:
        self.hooks = [
            self.tiny.denoiser.get_submodule(name).register_forward_hook(self._keep(name)) for name in self.names
        ]

    def __exit__(self, *error: object) -> None:
        for hook in self.hooks:
            hook.remove()

    def _keep(self, name: str) -> Callable[..., None]:
        def keep(module: object, given: object, output: Any) -> None:
            hidden = output[0] if isinstance(output, tuple) else output
            if hidden.ndim == 4:
                hidden = hidden.unflatten(0, (1, -1)).transpose(1, 2)
            of = f"den|trace_t{self.t}|{name}|"
            corner = hidden[:, :8, :2, :4, :4] if hidden.ndim == 5 else hidden[:, :64]
            self.arrays |= {
                of + "shape": hidden.shape,
                of + "mean_std": [float(hidden.mean()), float(hidden.std())],
                of + "slice": corner,
            }

        return keep


@torch.no_grad()
def run_arrays(tiny: Networks, layout: Layout) -> dict[str, Any]:
    """Of a whole run."""
    generator = np.random.default_rng(layout.seed)
    height, width, frames = layout.clip_height, layout.clip_width, layout.clip_frames
    picture = generator.integers(0, 255, (height, width, 3), np.uint8)
    poses = generator.integers(0, 255, (frames, height, width, 3), np.uint8)
    noise = layout.normal(1, 4, frames, height // 8, width // 8, number=5)
    arrays: dict[str, Any] = {"in|pcm16k_int16": layout.pcm(), "in|ref_rgb_u8": picture, "in|pose_rgb_u8": poses}
    scheduler = ddim_scheduler(layout.clip_steps)

    def keep(number: int, before: torch.Tensor, velocity: torch.Tensor, after: torch.Tensor) -> None:
        of = {"t": scheduler.timesteps[number], "sample_in": before, "v": velocity, "prev": after}
        arrays.update({f"step{number}|{name}": value for name, value in of.items()})

    features = encode_clip(tiny.whisper, log_mel(layout.pcm().astype(np.float32) / 32768))
    pose = tiny.guide(torch.from_numpy(poses.astype(np.float32) / 255).permute(3, 0, 1, 2)[None])
    latent = tiny.vae.encode_reference(picture)
    keys = tiny.denoiser.project_reference(tiny.reference(latent)[0].rounded())
    tokens = slice_windows(features, frames, 24)[None]
    clip = sample_clip(tiny.denoiser, scheduler, noise, tokens, pose, keys, on_step=keep)
    video = tiny.vae.decode(clip[0].transpose(0, 1)).transpose(0, 1)[None]
    chosen = [0, frames // 2, frames - 1]
    return arrays | {
        "ref_latent_mean_unscaled": latent / LATENT_FACTOR,
        "out|video_shape": video.shape,
        "out|video_f32_frames_" + "_".join(map(str, chosen)): video[:, :, chosen],
        "out|video_mean_std": [float(video.mean()), float(video.std())],
    }


def write(path: Path, arrays: dict[str, Any]) -> Path:
    np.savez(path, **{name: np.asarray(value) for name, value in arrays.items()})
    return path


def use_tiny(tiny: Networks, patch: Any) -> None:
    """Let ``parity`` build these networks instead of those of the released width."""
    from avatar.echomimic import networks, parity_checks

    built = {
        networks.WHISPER: tiny.whisper,
        networks.GUIDE: tiny.guide,
        networks.REFERENCE: tiny.reference,
        networks.DENOISER: tiny.denoiser,
        networks.VAE: tiny.vae.network,
    }
    patch.setattr(parity_checks, "synthetic", lambda build, name: built[name])
