"""The renderers by name: the one place where a persona folder becomes a ``Renderer`` or a ``WindowRenderer``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from avatar.errors import PersonaError
from avatar.persona import Persona
from avatar.renderer import Renderer, WindowRenderer

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
    _check(renderer, RENDERERS, size, framing)
    return RENDERERS[renderer](Persona.load(persona_path), size, framing)


def open_window_renderer(
    persona_path: Path,
    renderer: str,
    *,
    size: int = 512,
    framing: str = "portrait",
    options: Mapping[str, Any] | None = None,
    seed: int = 0,
) -> WindowRenderer:
    """The same for the renderers that draw in windows.

    Args:
        renderer: a key of ``WINDOW_RENDERERS``.
        options: of that renderer; its defaults where left out.
        seed: of what it leaves to chance.

    Raises:
        AvatarError: the folder is damaged, or what draws it is not there, fails or is busy.
        ValueError: no such renderer, size, framing or option.
    """
    _check(renderer, WINDOW_RENDERERS, size, framing)
    return WINDOW_RENDERERS[renderer](Persona.load(persona_path), size, framing, options or {}, seed)


def _check(renderer: str, known: Mapping[str, Any], size: int, framing: str) -> None:
    if renderer not in known:
        raise ValueError(f"There is no renderer {renderer!r}; known: {', '.join(known)}.")
    if framing not in FRAMINGS:
        raise ValueError(f"There is no framing {framing!r}; known: {', '.join(FRAMINGS)}.")
    if size not in SIZES:
        raise ValueError(f"The size must be one of {', '.join(map(str, SIZES))}, not {size}.")


def _portrait(persona: Persona, size: int, framing: str) -> Renderer:
    from avatar.portrait.renderer import PortraitRenderer
    from avatar.portrait.rig import Rig

    try:
        rig = Rig.load(persona.rig_path)
        return PortraitRenderer(persona.picture(), rig, size=size, framing=cast("Framing", framing))
    except PersonaError as error:
        raise PersonaError(f"Persona {persona.name!r}: {error}", code=error.code) from error


def _echomimic(persona: Persona, size: int, framing: str, options: Mapping[str, Any], seed: int) -> WindowRenderer:
    from avatar.echomimic.options import Options, need_gpu_extra

    chosen = Options.from_dict(options)
    need_gpu_extra()
    from avatar.echomimic import renderer

    return renderer.open_renderer(persona, size, framing, chosen, seed)


RENDERERS: dict[str, Callable[[Persona, int, str], Renderer]] = {"portrait": _portrait}
"""Heavy packages are imported when a renderer is opened, not before."""

WINDOW_RENDERERS: dict[str, Callable[[Persona, int, str, Mapping[str, Any], int], WindowRenderer]] = {
    "echomimic": _echomimic
}
"""See ``avatar.renderer.WindowRenderer``; what draws is shared by all conversations of a process."""
