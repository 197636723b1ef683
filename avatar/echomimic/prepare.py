"""Prepares a persona ahead of its first conversation or clip."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from avatar.echomimic.live_model import best_device, working_dtype
from avatar.echomimic.networks import Networks
from avatar.echomimic.options import Options
from avatar.echomimic.persona import open_reference
from avatar.echomimic.renderer import drawn_size, open_networks
from avatar.errors import MediaFileError
from avatar.persona import Persona


def prepare_persona(
    persona: Persona, options: Options, size: int, framing: str, picture: Path | None = None
) -> tuple[str, ...]:
    """Put a persona's reference into the cache.

    Args:
        picture: the aligned picture, as the full decoder gives it back, is written here; None leaves it.

    Returns:
        What was guessed.

    Raises:
        AvatarError: weights or picture cannot be used, or ``picture`` not written.
    """
    networks = ready_networks(options)
    reference = open_reference(persona, networks, drawn_size(networks, size), framing, cache_of(options))
    if picture is not None:
        rgb = (networks.vae.decode(reference.latent)[0].float() * 255).byte().permute(1, 2, 0).cpu().numpy()
        try:
            written = cv2.imwrite(str(picture), np.ascontiguousarray(rgb[..., ::-1]))
        except cv2.error:
            written = False
        if not written:
            raise MediaFileError(f"{picture} could not be written as a picture.", code="output_unwritable")
    return reference.warnings


def ready_networks(options: Options) -> Networks:
    """The networks that the options name, on the best device.

    Raises:
        WeightsError: the weights are not there, or damaged.
    """
    networks, device = open_networks(options), best_device()
    return networks.to(device, working_dtype(options.precision, device))


def cache_of(options: Options) -> Path | None:
    return Path(options.cache) if options.cache else None
