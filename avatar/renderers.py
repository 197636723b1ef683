"""The renderers by name: the one place where a persona folder becomes a ``Renderer``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, cast

from avatar.errors import PersonaError
from avatar.persona import Persona
from avatar.renderer import Renderer

if TYPE_CHECKING:
    from avatar.portrait.framing import Framing

SIZES = (256, 384, 512, 768)
FRAMINGS = ("portrait", "half-body")


def open_renderer(
    persona_path: Path, renderer: str = "portrait", *, size: int = 512, framing: str = "portrait"
) -> Renderer:
    """Load a persona folder and make it ready to be drawn.

    Args:
        persona_path: the persona's folder.
        renderer: a key of ``RENDERERS``.
        size: side of the square frames in pixels, even; ``SIZES`` are tried ones.
        framing: one of ``FRAMINGS``.

    Raises:
        PersonaError: the folder is damaged.
        ValueError: no such renderer, size or framing.
    """
    if renderer not in RENDERERS:
        raise ValueError(f"There is no renderer {renderer!r}; known: {', '.join(RENDERERS)}.")
    if framing not in FRAMINGS:
        raise ValueError(f"There is no framing {framing!r}; known: {', '.join(FRAMINGS)}.")
    if size not in SIZES:
        raise ValueError(f"The size must be one of {', '.join(map(str, SIZES))}, not {size}.")
    return RENDERERS[renderer](Persona.load(persona_path), size, framing)


def _portrait(persona: Persona, size: int, framing: str) -> Renderer:
    from avatar.portrait.renderer import PortraitRenderer
    from avatar.portrait.rig import Rig

    try:
        rig = Rig.load(persona.rig_path)
        return PortraitRenderer(persona.picture(), rig, size=size, framing=cast("Framing", framing))
    except PersonaError as error:
        raise PersonaError(f"Persona {persona.name!r}: {error}", code=error.code) from error


RENDERERS: dict[str, Callable[[Persona, int, str], Renderer]] = {"portrait": _portrait}
"""Heavy packages are imported when a renderer is opened, not before."""
