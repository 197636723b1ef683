"""``parley bench turn | bargein | skew | render | capacity``"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from server.cli.failure import ExitCode, fail

if TYPE_CHECKING:
    from benchmarks.report import Report

app = typer.Typer(no_args_is_help=True)

Recordings = Annotated[
    Path | None,
    typer.Option(
        help="Folder of human speech: sound files, with aligned/NAME.json beside them (see docs/benchmarks.md).",
        show_default="$PARLEY_SHARED/samples/speech",
    ),
]
Out = Annotated[Path, typer.Option(help="Folder for the results as JSON, with the machine's description.")]
Json = Annotated[bool, typer.Option("--json", help="Print the JSON instead of the table.")]


@app.command()
def turn(
    recordings: Recordings = None,
    most: Annotated[int, typer.Option(min=1, help="Utterances at most.")] = 30,
    out: Out = Path("results"),
    as_json: Json = False,
) -> None:
    """From the last sound of a visitor to the first lip-synced frame of the answer, in Chromium."""
    from benchmarks.turn import measure

    _run(lambda tell: measure(_recordings(recordings), most=most, progress=tell), out, as_json)


@app.command()
def bargein(
    recordings: Recordings = None,
    most: Annotated[int, typer.Option(min=1, help="Interruptions at most.")] = 30,
    out: Out = Path("results"),
    as_json: Json = False,
) -> None:
    """How soon the avatar yields to a voice, in Chromium, and what it does not yield to."""
    from benchmarks.bargein import measure

    _run(lambda tell: measure(_recordings(recordings), most=most, progress=tell), out, as_json)


@app.command()
def skew(
    minutes: Annotated[float, typer.Option(min=0.2, max=50, help="How long.")] = 10,
    out: Out = Path("results"),
    as_json: Json = False,
) -> None:
    """Sound against picture in Chromium, by flashes and clicks."""
    from benchmarks.skew import measure

    _run(lambda tell: measure(minutes=minutes, progress=tell), out, as_json)


@app.command()
def render(
    avatar: Annotated[list[str] | None, typer.Option(help="Persona; may be repeated.", show_default="all")] = None,
    out: Out = Path("results"),
    as_json: Json = False,
) -> None:
    """CPU time of a frame, persona by persona, and how fast `parley render` is."""
    from benchmarks.rendering import measure

    async def work(tell: Callable[[str], None]) -> Report:
        return measure(avatar or [], progress=tell)

    _run(work, out, as_json)


@app.command()
def echomimic(out: Out = Path("results"), as_json: Json = False) -> None:
    """What EchoMimic costs to draw: stages, sizes, steps, decoders, batches; tiny networks where there is no GPU."""
    from avatar.echomimic.options import need_gpu_extra
    from avatar.errors import AvatarError

    try:
        need_gpu_extra()
    except AvatarError as error:
        raise fail(error) from None
    from benchmarks.echomimic import measure

    async def work(tell: Callable[[str], None]) -> Report:
        return measure(progress=tell)

    _run(work, out, as_json)


@app.command()
def capacity(
    recordings: Recordings = None,
    minutes: Annotated[float, typer.Option(min=0.2, max=50, help="How long each number of conversations lasts.")] = 1,
    most: Annotated[int, typer.Option(min=1, max=64, help="Conversations at once at most.")] = 8,
    out: Out = Path("results"),
    as_json: Json = False,
) -> None:
    """CPU and memory of a conversation, and how many this machine holds."""
    from benchmarks.capacity import measure

    _run(lambda tell: measure(_recordings(recordings), minutes=minutes, most=most, progress=tell), out, as_json)


def _recordings(given: Path | None) -> Path:
    """The folder that was named; else that of ``PARLEY_SHARED``; else the one beside the project.

    Raises:
        NoRecordings
    """
    from benchmarks import recordings

    if given is not None:
        return given
    beside = Path(recordings.__file__).resolve().parents[2] / "shared"
    folder = Path(os.environ.get("PARLEY_SHARED", beside)) / "samples" / "speech"
    if not folder.is_dir():
        raise recordings.NoRecordings(
            f"there are no recordings at {folder}: name a folder of human speech with --recordings, or set PARLEY_SHARED"
        )
    return folder


def _run(measure: Callable[[Callable[[str], None]], Coroutine[Any, Any, Report]], out: Path, as_json: bool) -> None:
    from avatar.errors import AvatarError
    from benchmarks.capacity import CallersFailed
    from benchmarks.chromium import ChromiumMissing, browser_errors
    from benchmarks.recordings import NoRecordings
    from benchmarks.served import ServerFailed
    from benchmarks.visitor import NothingCame

    def tell(line: str) -> None:
        print(f"{line} ...", file=sys.stderr, flush=True)

    expected: tuple[type[Exception], ...] = (
        AvatarError, CallersFailed, ChromiumMissing, NoRecordings, NothingCame, OSError, ServerFailed, *browser_errors(),
    )  # fmt: skip
    try:
        report = asyncio.run(measure(tell))
        path = report.write(out)
    except expected as error:
        typer.echo(f"parley: {error}", err=True)
        raise typer.Exit(ExitCode.FAILED) from None
    typer.echo(path.read_text(encoding="utf-8").rstrip() if as_json else report.text())
    if not as_json:
        typer.echo(f"\nwrote {path}", err=True)
