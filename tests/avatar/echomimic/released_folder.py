"""A folder in the released layout, with tiny networks' weights under the released names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from avatar.echomimic.config import TINY
from avatar.echomimic.networks import Networks
from avatar.echomimic.released import Variant, release


def write_released(folder: Path, networks: Networks, variant: Variant = Variant.V2) -> Path:
    """As upstream released them: pickled state dicts, the pose encoder's tensors views into one large buffer."""
    of = release(variant)
    denoiser = networks.denoiser.state_dict()
    save(folder / of.denoiser.path, {n: v.half() for n, v in denoiser.items() if ".motion_modules." not in n})
    save(folder / of.motion.path, {n: v.half() for n, v in denoiser.items() if ".motion_modules." in n})
    save(folder / of.reference.path, {n: v.half() for n, v in networks.reference.state_dict().items()})
    save(folder / of.guide.path, views_of_one_buffer(networks.guide.state_dict()))
    decoder = {"decoder.ln.weight": torch.ones(4)}
    content = {"dims": {"n_mels": 80}, "model_state_dict": {**networks.whisper.state_dict(), **decoder}}
    save(folder / of.whisper.path, content)
    networks.vae.network.save_pretrained(folder / "sd-vae-ft-mse")
    assert networks.tiny_vae is not None
    networks.tiny_vae.network.save_pretrained(folder / "taesd")
    return folder


def views_of_one_buffer(tensors: dict[str, torch.Tensor], beyond: int = 100_000) -> dict[str, torch.Tensor]:
    flat = torch.cat([value.half().flatten() for value in tensors.values()] + [torch.zeros(beyond).half()])
    views, at = {}, 0
    for name, value in tensors.items():
        views[name] = flat[at : at + value.numel()].view(value.shape)
        at += value.numel()
    return views


def save(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(content, path)


CONFIG = TINY
