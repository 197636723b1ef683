"""What a persona costs once: the reference picture cut and encoded, its bank and the bank's keys and values.

Kept in a cache folder as safetensors, under a name that tells picture, weights, size and framing apart: a changed
picture or other weights make another file.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from avatar.echomimic.alignment import Body, Picture, Points, align, find_body
from avatar.echomimic.face_crop import crop_face
from avatar.echomimic.networks import Networks
from avatar.echomimic.reference_bank import ReferenceKeys
from avatar.errors import PersonaError
from avatar.persona import Persona
from avatar.portrait.rig import Rig

log = logging.getLogger(__name__)

FORMAT = 2
_KEY, _VALUE, _LATENT, _MASK = "key.", "value.", "latent", "mask"


@dataclass(frozen=True, slots=True)
class Reference:
    """A persona as the networks need it.

    Attributes:
        latent: [1, 4, h, w], of the aligned picture.
        keys: of the reference bank.
        mask: float32 [1, size, size] in 0..1, where the face is: V1's audio mode; None elsewhere.
        warnings: what was guessed when the picture was aligned.
    """

    latent: Tensor
    keys: ReferenceKeys
    mask: Tensor | None
    warnings: tuple[str, ...]

    def tensors(self) -> list[Tensor]:
        """All that lie on the device; a mask that was just made does not yet."""
        all_of_them = [self.latent, *(tensor for pair in self.keys.keys_values.values() for tensor in pair)]
        if self.mask is not None and self.mask.device == self.latent.device:
            all_of_them.append(self.mask)
        return all_of_them


def fingerprint(networks: Networks) -> str:
    """Of the weights that a reference depends on: some values of each parameter, which no other training shares."""
    digest = hashlib.sha256()
    for network in (networks.reference, networks.denoiser, networks.vae.network):
        for name, parameter in network.named_parameters():
            digest.update(name.encode())
            digest.update(parameter.detach().flatten()[:4].float().cpu().numpy().tobytes())
    return digest.hexdigest()


def open_reference(
    persona: Persona,
    networks: Networks,
    size: int,
    framing: str,
    cache: Path | None,
    *,
    weights: str | None = None,
    finder: Callable[[Picture], Body | None] = find_body,
) -> Reference:
    """From the cache, or made and put there.

    Args:
        persona: whose picture.
        networks: on their device.
        size: side of the frames in pixels, a multiple of 64.
        framing: "half-body" or "portrait".
        cache: folder; None keeps nothing.
        weights: ``fingerprint(networks)`` where it is known.
        finder: of the body.

    Raises:
        PersonaError: the picture cannot be read.
    """
    told = {
        "format": str(FORMAT),
        "picture": persona.manifest.picture_sha256,
        "weights": weights or fingerprint(networks),
        "size": str(size),
        "framing": framing,
        "dtype": str(networks.denoiser.dtype),
    }
    path = None if cache is None else cache / _file_name(persona.name, told)
    if path is not None and (kept := _read(path, told, networks)) is not None:
        return kept
    made = make_reference(persona, networks, size, framing, finder=finder)
    for warning in made.warnings:
        log.warning("%s: %s", persona.name, warning)
    if path is not None:
        _write(path, made, told)
    return made


@torch.no_grad()
def make_reference(
    persona: Persona,
    networks: Networks,
    size: int,
    framing: str,
    *,
    finder: Callable[[Picture], Body | None] = find_body,
) -> Reference:
    """Cut, encode, and run the reference U-Net once; see ``open_reference``."""
    rgb = np.ascontiguousarray(persona.picture()[..., ::-1])
    face = _face(persona)
    mask: Tensor | None = None
    warnings: tuple[str, ...] = ()
    if networks.guide.in_channels == 1:  # V1 in audio mode
        crop = crop_face(rgb, _box(face), size)
        picture = crop.picture
        mask = torch.from_numpy(crop.mask.astype(np.float32) / 255)[None]
    else:
        aligned = align(rgb, face, size, framing=framing, finder=finder)
        picture, warnings = aligned.picture, aligned.warnings
    latent = networks.vae.encode_reference(picture)
    bank, _ = networks.reference(latent)
    # Rounded as the original always does, so that a clip is the original's to the last digit that it has.
    return Reference(latent, networks.denoiser.project_reference(bank.rounded()), mask, warnings)


def _face(persona: Persona) -> Points | None:
    try:
        return Rig.load(persona.rig_path).points
    except PersonaError as error:
        log.warning("%s", error)
        return None


def _box(face: Points | None) -> tuple[float, float, float, float] | None:
    if face is None:
        return None
    low, high = face[:468, :2].min(0), face[:468, :2].max(0)
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def _file_name(name: str, told: dict[str, str]) -> str:
    digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
    return f"{_kind(name, told)}-{digest[:16]}.safetensors"


def _kind(name: str, told: dict[str, str]) -> str:
    return f"{name}-{told['framing']}-{told['size']}"


def _write(path: Path, reference: Reference, told: dict[str, str]) -> None:
    """Older files of this persona in this framing and size go: their picture or weights are no more in use."""
    tensors = {_LATENT: reference.latent}
    if reference.mask is not None:
        tensors[_MASK] = reference.mask
    for name, (keys, values) in reference.keys.keys_values.items():
        tensors[_KEY + name], tensors[_VALUE + name] = keys, values
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(
            {name: tensor.cpu().contiguous() for name, tensor in tensors.items()},
            partial,
            metadata={**told, "warnings": json.dumps(reference.warnings)},
        )
        partial.replace(path)
        for older in path.parent.glob(f"{path.name.rsplit('-', 1)[0]}-*.safetensors"):
            if older != path:
                older.unlink(missing_ok=True)
    except (OSError, SafetensorError) as error:  # the persona works without; it is only slower to open
        log.warning("%s cannot be kept: %s", path, error)
    finally:
        with suppress(OSError):
            partial.unlink()


def _read(path: Path, told: dict[str, str], networks: Networks) -> Reference | None:
    """None where there is no such file, or it is not whole: then it is made again."""
    device, dtype = networks.denoiser.conv_in.weight.device, networks.denoiser.dtype
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if any(metadata.get(name) != value for name, value in told.items()):
                return None
            tensors = {name: file.get_tensor(name).to(device) for name in file.keys()}  # noqa: SIM118
        names = [name.removeprefix(_KEY) for name in tensors if name.startswith(_KEY)]
        keys = {name: (tensors[_KEY + name].to(dtype), tensors[_VALUE + name].to(dtype)) for name in names}
        warnings = tuple(map(str, json.loads(metadata["warnings"])))
        return Reference(tensors[_LATENT], ReferenceKeys(keys), tensors.get(_MASK), warnings)
    except (OSError, SafetensorError, KeyError, ValueError, RuntimeError):
        return None
