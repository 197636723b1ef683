"""``parley motion evaluate``"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from server.cli.failure import ExitCode, fail

PARTS = ("lips", "voices", "body", "pixels", "sampling", "cost")


def evaluate(
    recordings: Annotated[
        Path | None,
        typer.Option(
            help="Folder of human speech: sound files, with aligned/NAME.json beside (see docs/benchmarks.md)."
        ),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Working folder of `parley motion synthesize`: held-out voices and scenes.")
    ] = None,
    runs: Annotated[
        Path | None, typer.Option(help="Folder of the training runs: teacher against students, engines never heard.")
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(help="Folder of weights to be measured.", show_default="those installed")
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(help=f"{', '.join(PARTS)}; may be repeated.", show_default="all")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the results as JSON, with the machine's description.")] = Path(
        "results"
    ),
    as_json: Annotated[bool, typer.Option("--json", help="Print the JSON instead of the table.")] = False,
) -> None:
    """Measure the learned motion beside the rules and simpler baselines.

    What its material is not there for is left out, and said. Student against teacher needs the extra `train`.
    """
    unknown = sorted(set(only or ()) - set(PARTS))
    if unknown:
        typer.echo(f"parley: --only knows {', '.join(PARTS)}, not {', '.join(unknown)}", err=True)
        raise typer.Exit(2)
    for option, folder in (("--recordings", recordings), ("--data", data), ("--runs", runs), ("--weights", weights)):
        if folder is not None and not folder.is_dir():
            typer.echo(f"parley: {option}: there is no folder {folder}", err=True)
            raise typer.Exit(ExitCode.FAILED)
    if runs is not None and {"sampling", "voices"} & set(only or PARTS):
        from server.cli.motion.extras import require_training

        require_training()
    from avatar.errors import AvatarError
    from benchmarks.motion import Material, measure

    try:
        report = measure(
            Material(recordings, data, runs, weights),
            tuple(only or PARTS),
            progress=lambda line: print(f"{line} ...", file=sys.stderr, flush=True),
        )
        path = report.write(out)
    except AvatarError as error:
        raise fail(error, as_json=as_json) from None
    except OSError as error:
        typer.echo(f"parley: {error}", err=True)
        raise typer.Exit(ExitCode.FAILED) from None
    typer.echo(path.read_text(encoding="utf-8").rstrip() if as_json else report.text())
    if not as_json:
        typer.echo(f"\nwrote {path}", err=True)
