"""The one place where a worker's specification becomes a renderer, a source of motion and a mark."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from avatar.beats import BeatMaker, Beats
from avatar.motion.motion import Motion
from avatar.renderer import Renderer
from avatar.windows import WindowBeatMaker
from streaming.workers.pool import WorkerSpec


def make_beat_maker(spec: WorkerSpec) -> Beats:
    """What draws and moves the persona of ``spec``.

    Raises:
        AvatarError: the persona's folder or the motion's weights are missing or damaged, or what draws is not there,
            fails or is busy.
        ValueError: no persona, or an unknown renderer, size, framing, motion or option.
    """
    from avatar.motion.sources import open_motion
    from avatar.renderers import WINDOW_RENDERERS, open_renderer, open_window_renderer

    if spec.persona is None:
        raise ValueError("A worker draws a persona; a conversation without a picture needs none.")
    motion = open_motion(spec.motion, seed=spec.seed)
    if spec.renderer in WINDOW_RENDERERS:
        windows = open_window_renderer(
            spec.persona, spec.renderer, size=spec.size, framing=spec.framing, options=spec.options, seed=spec.seed
        )
        return WindowBeatMaker(windows, motion, _marker(spec, windows.width, windows.height))
    renderer = _ready.pop(_key(spec), None) or open_renderer(
        spec.persona, spec.renderer, size=spec.size, framing=spec.framing
    )
    if spec.mark:
        renderer = _Marked(renderer, _marker(spec, renderer.width, renderer.height))
    return BeatMaker(renderer, motion)


def _marker(spec: WorkerSpec, width: int, height: int) -> Callable[[NDArray[np.uint8]], None]:
    """Draws the mark into a frame, where there is to be one."""
    from avatar.mark import apply_mark, make_mark

    if not spec.mark:
        return lambda frame: None
    mark = make_mark(width, height, spec.language, spec.mark_corner)
    return lambda frame: apply_mark(frame, mark)


FORKABLE = ("portrait",)
"""Renderers whose memory a forked process may go on with (one that holds a GPU may not)."""
MAX_READY = 8
"""Personas held ready, some 40 MB each; the one that was longest unused goes."""
_ready: dict[tuple[object, ...], Renderer] = {}


def preload(spec: WorkerSpec) -> None:
    """In the process that workers are forked from: have what ``spec`` draws with ready for the next worker, which
    then starts at once and shares its memory. Loading a persona takes 0.3 s CPU."""
    if spec.persona is None or spec.renderer not in FORKABLE:
        return
    from avatar.motion.sources import preload_motion
    from avatar.renderers import open_renderer

    preload_motion(spec.motion)
    key = _key(spec)
    renderer = _ready.pop(key, None)
    if renderer is None:
        renderer = open_renderer(spec.persona, spec.renderer, size=spec.size, framing=spec.framing)
        renderer.render(Motion.zeros(1))  # fills its caches
    _ready[key] = renderer
    while len(_ready) > MAX_READY:
        del _ready[next(iter(_ready))]


def _key(spec: WorkerSpec) -> tuple[object, ...]:
    """What decides the renderer: the persona as it is on disk now, and how it is drawn."""
    try:
        files = tuple(sorted((file.name, file.stat().st_mtime_ns) for file in spec.persona.iterdir()))  # type: ignore[union-attr]
    except OSError:
        files = ()
    return (spec.persona, files, spec.renderer, spec.size, spec.framing)


class _Marked:
    """A renderer whose frames carry the "AI-generated" mark."""

    def __init__(self, renderer: Renderer, apply: Callable[[NDArray[np.uint8]], None]) -> None:
        self.width, self.height = renderer.width, renderer.height
        self._renderer = renderer
        self._apply = apply

    def render(self, motion: Motion) -> list[NDArray[np.uint8]]:
        frames = self._renderer.render(motion)
        for frame in frames:
            self._apply(frame)
        return frames
