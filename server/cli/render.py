"""``parley render``"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer

from avatar.errors import AvatarError, MediaFileError
from avatar.motion.source import MotionSource
from avatar.persona import Persona
from avatar.renderers import FRAMINGS, RENDERERS, SIZES, WINDOW_RENDERERS
from avatar.speech import FRAME_RATE_HZ, SpeechChunk
from server.cli.failure import fail
from server.cli.progress import seconds_done
from server.config import Settings, load_settings
from streaming.errors import StreamingError

LONG_S = 1800.0
"""From here on the user is told how long the video will be before it is made: half an hour is seldom meant."""


def render(
    out: Annotated[Path, typer.Option("--out", "-o", help="The file to write, *.mp4.")],
    avatar: Annotated[str | None, typer.Option(help="Persona, see `parley avatar list`.", show_default="helen")] = None,
    audio: Annotated[Path | None, typer.Option(help="Sound (or video) file to be spoken.")] = None,
    text: Annotated[str | None, typer.Option(help="Text to be spoken.")] = None,
    motion: Annotated[
        Path | None,
        typer.Option(help="Motion to be played, see `parley motion capture`; --audio is then only heard."),
    ] = None,
    size: Annotated[
        int | None, typer.Option(help="Side of the picture: 256, 384, 512 or 768.", show_default="512")
    ] = None,
    framing: Annotated[str | None, typer.Option(help="portrait or half-body.", show_default="portrait")] = None,
    voice: Annotated[str | None, typer.Option(help="Voice for --text.", show_default="the language's own")] = None,
    language: Annotated[
        str | None, typer.Option(help="Language of the speech and the mark.", show_default="en")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of blinks, glances and sway; of echomimic's noise.")] = 0,
    renderer: Annotated[
        str | None, typer.Option(help="portrait or echomimic.", show_default="the configured one, else portrait")
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            min=1, max=100, help="Denoising steps of echomimic.", show_default="as its authors run the weights"
        ),
    ] = None,
    no_mark: Annotated[
        bool,
        typer.Option("--no-mark", help='Leave out the "AI-generated" mark; showing it elsewhere is then up to you.'),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Make a video file of a persona speaking a sound file or a text, or moved by a motion file."""
    if motion is not None and text is not None:
        typer.echo("parley: --motion goes with --audio or alone, not with --text", err=True)
        raise typer.Exit(2)
    if motion is None and (audio is None) == (text is None):
        typer.echo("parley: give either --audio, --text or --motion", err=True)
        raise typer.Exit(2)
    check_choice("--size", size, SIZES)
    check_choice("--framing", framing, FRAMINGS)
    check_choice("--renderer", renderer, (*RENDERERS, *WINDOW_RENDERERS))
    given = {
        "renderer": renderer,
        "size": size,
        "framing": framing,
        "persona": avatar,
        "mark": False if no_mark else None,
    }
    settings = load_settings(avatar={key: value for key, value in given.items() if value is not None})
    language = language or settings.speaking.language
    try:
        report = _render(settings, out, audio, text, motion, voice, language, seed, steps, force=force, quiet=as_json)
    except (AvatarError, StreamingError) as error:
        raise fail(error, as_json=as_json) from None
    if as_json:
        typer.echo(json.dumps(report, ensure_ascii=False, indent=2))
        return
    for warning in report["warnings"]:
        typer.echo(f"note: {warning}", err=True)
    if not report["mark"]:
        typer.echo('note: made without the "AI-generated" mark; the file\'s metadata still says it', err=True)
    typer.echo(f"wrote {out}: {report['duration_s']:.1f} s")


def _render(
    settings: Settings,
    out: Path,
    audio: Path | None,
    text: str | None,
    motion_file: Path | None,
    voice: str | None,
    language: str,
    seed: int,
    steps: int | None,
    *,
    force: bool,
    quiet: bool,
) -> dict[str, Any]:
    from avatar.mark import make_mark
    from avatar.media import SoundFile
    from avatar.motion.motion_file import load_motion
    from avatar.motion.player import MotionPlayer, as_long_as
    from avatar.motion.sources import choose_motion, open_motion
    from avatar.persona import find_persona
    from avatar.render_file import check_output, render_file
    from avatar.renderers import open_renderer
    from server.cli.render_echomimic import render_with_echomimic

    look = settings.avatar
    check_output(out, overwrite=force, not_over=audio)
    persona = find_persona(look.persona, settings.data_dir / "personas")
    recorded = load_motion(motion_file)[0] if motion_file is not None else None
    warnings: list[str] = []
    with ExitStack() as closing:
        duration_s: float | None = None
        speech: Iterator[SpeechChunk]
        if audio is not None:
            sound = closing.enter_context(SoundFile.open(audio))
            duration_s, warnings = sound.duration_s, sound.warnings
            speech = sound.chunks(language)
            if duration_s is not None and duration_s > LONG_S and not quiet:
                typer.echo(f"{audio} is {duration_s / 60:.0f} minutes long; this will take a while.", err=True)
        elif text is not None:
            speech = closing.enter_context(_Spoken(settings, persona, text, voice, language))
        else:
            speech = iter(())
        source: MotionSource
        if recorded is not None:
            speech = as_long_as(speech, recorded, language)
            source, duration_s, kind = MotionPlayer(recorded), len(recorded) / FRAME_RATE_HZ, "recorded"
        else:
            kind, why = choose_motion(look.motion)
            source = open_motion(kind, seed=seed)
            if kind == "rules" and look.motion == "auto":
                warnings = [*warnings, f"moved by rules: {why}"]
        mark = make_mark(look.size, look.size, language, look.mark_corner) if look.mark else None
        tell = closing.enter_context(seconds_done("Rendering", duration_s, quiet=quiet))
        if look.renderer == "echomimic":
            result = render_with_echomimic(
                settings, persona, speech, source, out, mark=mark, seed=seed, steps=steps, on_progress=tell, quiet=quiet
            )
        else:
            renderer = open_renderer(persona.path, look.renderer, size=look.size, framing=look.framing)
            result = render_file(speech, renderer, source, out, mark=mark, on_progress=tell)
    return {
        "path": str(out),
        "persona": persona.name,
        "duration_s": result.duration_s,
        "speech_s": result.speech_s,
        "frames": result.frames,
        "mark": mark is not None,
        "motion": kind,
        "warnings": warnings,
    }


def check_choice(option: str, value: object, known: Sequence[object]) -> None:
    if value is not None and value not in known:
        typer.echo(f"parley: {option} must be one of {', '.join(map(str, known))}, not {value}", err=True)
        raise typer.Exit(2)


class _Spoken(Iterator[SpeechChunk]):
    """A text's speech, made as it is asked for; the voice is the one that a conversation would have."""

    def __init__(self, settings: Settings, persona: Persona, text: str, voice: str | None, language: str) -> None:
        from server.engines import build_synthesizer
        from streaming.speaking.pipeline import speak_deltas

        if not text.strip():
            raise MediaFileError("There is nothing to say: --text is empty.", code="no_sound")
        self._synthesizer = build_synthesizer(settings)
        self._pieces = speak_deltas(
            _once(text),
            self._synthesizer,
            language=language,
            voice=voice or settings.speaking.voice or persona.voice_among(self._synthesizer.voices),
            speed=settings.speaking.speed,
        )
        self._runner = asyncio.Runner()
        self._any = False

    def __enter__(self) -> _Spoken:
        self._runner.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        try:
            self._runner.run(self._close())
        finally:
            self._runner.__exit__(*error)

    def __next__(self) -> SpeechChunk:
        chunk = self._runner.run(self._next())
        if chunk is None:
            if not self._any:
                raise MediaFileError("There is nothing to say in --text: it holds no words.", code="no_sound")
            raise StopIteration
        self._any = True
        return chunk

    async def _next(self) -> SpeechChunk | None:
        async for piece in self._pieces:
            if len(piece.chunk.pcm48k):
                return piece.chunk
        return None

    async def _close(self) -> None:
        await self._pieces.aclose()  # type: ignore[attr-defined]  # an async generator
        await self._synthesizer.close()


async def _once(text: str) -> AsyncIterator[str]:
    yield text
