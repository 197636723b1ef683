"""``parley render --renderer echomimic``: the part that only this renderer has."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import typer

from avatar.mark import Mark
from avatar.motion.source import MotionSource
from avatar.persona import Persona
from avatar.render_file import RenderedFile
from avatar.speech import SpeechChunk
from server.config import Settings
from server.renderer_options import renderer_options


def render_with_echomimic(
    settings: Settings,
    persona: Persona,
    speech: Iterable[SpeechChunk],
    motion: MotionSource,
    out: Path,
    *,
    mark: Mark | None,
    seed: int,
    steps: int | None,
    on_progress: Callable[[float], None],
    quiet: bool,
) -> RenderedFile:
    """As the original computes a clip: all of the speech first, then every denoising step over the whole of it.

    Args:
        seed: of the noise; 0 takes the authors'.
        steps: None takes the authors'.

    Raises:
        AvatarError: weights, persona, poses or speech cannot be used, or the file not be written.
    """
    from avatar.echomimic.options import Options, need_gpu_extra

    options = Options.from_dict(renderer_options(settings))
    need_gpu_extra()
    from avatar.echomimic.clip_file import Clip, render_clip

    def tell(step: int, of: int) -> None:
        if not quiet:
            typer.echo(f"Denoising: step {step} of {of}", err=True)

    look = settings.avatar
    clip = Clip(persona, speech, motion, look.size, look.framing, seed=seed or None, steps=steps)
    return render_clip(clip, options, out, mark=mark, on_step=tell, on_progress=on_progress)
