"""Clips that EchoMimic's denoiser is distilled on: what a window needs, computed once, a safetensors file each."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from avatar.echomimic.networks import Networks
from avatar.motion.training.learning import TrainingError

SUFFIX = ".clip.safetensors"
FORMAT = "1"
HELD_OUT = 10
"""One clip of so many, by its name, is measured on and not learned from."""


@dataclass(frozen=True, slots=True)
class Clip:
    """Successive frames at 25 a second.

    Attributes:
        latents: float16 [F, 4, h, w], posterior mean times 0.18215.
        audio: tokens, float16 [F, N, C].
        hands: float32 [F, 2, 21, 2], left first, fractions of the picture.
        scores: float32 [F, 2, 21]; 0 where a hand is not seen.
    """

    latents: Tensor
    audio: Tensor
    hands: Tensor
    scores: Tensor

    def __len__(self) -> int:
        return int(self.latents.shape[0])


@dataclass(frozen=True, slots=True)
class ClipWindows:
    """A batch of windows out of clips.

    Attributes:
        latents: float32 [B, 4, F, h, w].
        reference: float32 [B, 4, h, w], a frame of the same clip outside the window.
        audio: float32 [B, F, N, C].
        hands: float32 [B, F, 2, 21, 2].
        scores: float32 [B, F, 2, 21].
    """

    latents: Tensor
    reference: Tensor
    audio: Tensor
    hands: NDArray[np.float32]
    scores: NDArray[np.float32]


def encoders_digest(networks: Networks) -> str:
    """Of the weights that clips were encoded with: clips of others do not mix."""
    digest = hashlib.sha256()
    for network in (networks.vae.network, networks.whisper):
        for name, parameter in network.named_parameters():
            digest.update(name.encode())
            digest.update(parameter.detach().flatten()[:4].half().cpu().numpy().tobytes())
    return digest.hexdigest()


def save_clip(clip: Clip, path: Path, encoders: str) -> None:
    """Written whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    partial = path.with_suffix(".partial")
    tensors = {"latents": clip.latents, "audio": clip.audio, "hands": clip.hands, "scores": clip.scores}
    save_file(
        {name: tensor.contiguous() for name, tensor in tensors.items()},
        partial,
        metadata={"format": FORMAT, "encoders": encoders},
    )
    partial.replace(path)


def load_clip(path: Path, encoders: str | None = None) -> Clip:
    """Raises:
    TrainingError: no clip, or one of other encoders.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            clip = Clip(*(file.get_tensor(name) for name in ("latents", "audio", "hands", "scores")))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise TrainingError(f"{path} is not a clip of `parley distill prepare`: {error}") from None
    if metadata.get("format") != FORMAT or (encoders is not None and metadata.get("encoders") != encoders):
        raise TrainingError(f"{path} was prepared with other weights or another Parley: prepare it again.")
    return clip


class ClipFolder:
    """The clips of a folder, held in memory (3 MB a second at 512x512).

    Args:
        folder: of ``prepare``.
        frames: of a window.
        encoders: see ``encoders_digest``; None does not look.

    Attributes:
        learned, held_out: clips by name.

    Raises:
        TrainingError: no clip is long enough, or one is damaged.
    """

    def __init__(self, folder: Path, frames: int, encoders: str | None = None) -> None:
        self._frames = frames
        paths = sorted(folder.glob(f"*{SUFFIX}")) if folder.is_dir() else []
        clips = {path.name: load_clip(path, encoders) for path in paths}
        long = {name: clip for name, clip in clips.items() if len(clip) > frames}
        if not long:
            raise TrainingError(
                f"{folder} holds no clip of more than {frames} frames: make some with `parley distill prepare`."
            )
        self.held_out = {name: clip for name, clip in long.items() if _number(name) % HELD_OUT == 0 and len(long) > 1}
        self.learned = {name: clip for name, clip in long.items() if name not in self.held_out}
        if not self.learned or not self.held_out:  # too few to keep one aside
            self.learned = self.held_out = long

    def draw(self, rows: int, rng: np.random.Generator, *, held_out: bool = False) -> ClipWindows:
        """Random windows, each with a reference from elsewhere in its clip."""
        clips = list((self.held_out if held_out else self.learned).values())
        chosen = [clips[int(rng.integers(len(clips)))] for _ in range(rows)]
        starts = [int(rng.integers(len(clip) - self._frames + 1)) for clip in chosen]
        references = [self._elsewhere(clip, start, rng) for clip, start in zip(chosen, starts, strict=True)]
        spans = [slice(start, start + self._frames) for start in starts]
        pairs = list(zip(chosen, spans, strict=True))
        return ClipWindows(
            latents=torch.stack([clip.latents[span] for clip, span in pairs]).transpose(1, 2).float(),
            reference=torch.stack([clip.latents[n] for clip, n in zip(chosen, references, strict=True)]).float(),
            audio=torch.stack([clip.audio[span] for clip, span in pairs]).float(),
            hands=np.stack([clip.hands[span].numpy() for clip, span in pairs]),
            scores=np.stack([clip.scores[span].numpy() for clip, span in pairs]),
        )

    def _elsewhere(self, clip: Clip, start: int, rng: np.random.Generator) -> int:
        outside = [n for n in range(len(clip)) if not start <= n < start + self._frames]
        return outside[int(rng.integers(len(outside)))]


def _number(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")
