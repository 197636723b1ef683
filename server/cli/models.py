"""``parley models list`` and ``parley models fetch``"""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True)


@app.command("list")
def list_models(
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array.")] = False,
) -> None:
    """Show the speech models that can be fetched, and which are on disk."""
    from server.config import load_settings
    from server.models import CATALOGUE, find_whisper_model

    data_dir = load_settings().data_dir
    found = {model.name: find_whisper_model(data_dir, model.name) for model in CATALOGUE}
    if as_json:
        entries = [
            {
                "name": model.name,
                "repository": model.repository,
                "megabytes": model.megabytes,
                "languages": model.languages,
                "licence": model.licence,
                "note": model.note,
                "path": str(found[model.name]) if found[model.name] else None,
            }
            for model in CATALOGUE
        ]
        typer.echo(json.dumps(entries, indent=2))
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table("model", "MB", "understands", "licence", "good for", "on disk", box=box.SIMPLE)
    table.columns[1].justify = "right"
    for model in CATALOGUE:
        path = found[model.name]
        table.add_row(
            *(model.name, str(model.megabytes), model.languages, model.licence, model.note, "yes" if path else ""),
            style="bold" if path else "",
        )
    Console(width=None if sys.stdout.isatty() else 120).print(table)
    taken = find_whisper_model(data_dir)
    typer.echo(
        f"In use where hearing.engine is auto: {taken}"
        if taken
        else "None is on disk. Fetch one: parley models fetch small"
    )


@app.command()
def fetch(
    model: Annotated[str, typer.Argument(help='A name that "list" shows, or a repository ("owner/name").')],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Fetch it even if it is on disk.")] = False,
) -> None:
    """Download a model, checked and resumable. HF_ENDPOINT names a mirror.

    Exit codes: 0 it is on disk, 1 it could not be fetched, 2 not confirmed, 130 interrupted.
    """
    from server import models
    from server.config import load_settings

    data_dir = load_settings().data_dir
    try:
        if not again and (found := models.find_whisper_model(data_dir, model)):
            typer.echo(f"{model} is on disk already: {found}")
            return
        with models.open_client() as client:
            release = models.look_up(client, model)
            typer.echo(
                f"{model}: {release.repository} at {release.commit[:10]}, {release.size / 1e6:.0f} MB,"
                f" licence {release.licence}\ninto {models.models_folder(data_dir)}"
            )
            if not yes:
                confirm()
            with _Progress(release.size) as progress:
                folder = models.fetch(client, release, data_dir, progress=progress.show)
    except models.ModelError as error:
        typer.echo(f"parley: {error}", err=True)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        typer.echo("\nInterrupted. What has arrived is kept: the same command goes on from there.", err=True)
        raise typer.Exit(130) from None
    typer.echo(f"{model} is complete and checked: {folder}")


def _somebody_is_there() -> bool:
    return sys.stdin.isatty()


def confirm() -> None:
    if not _somebody_is_there():
        typer.echo("parley: nobody to ask: confirm with --yes", err=True)
        raise typer.Exit(2)
    if not typer.confirm("Fetch it?", default=True):
        raise typer.Exit(2)


class _Progress:
    """A bar on a terminal, a line for each tenth elsewhere."""

    def __init__(self, size: int) -> None:
        from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

        self._tenths_told = -1
        self._bar: Progress | None = None
        if sys.stdout.isatty():
            self._bar = Progress(
                "{task.description}", BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn()
            )
            self._task = self._bar.add_task("", total=size)

    def __enter__(self) -> _Progress:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def show(self, name: str, done: int, of: int) -> None:
        if self._bar is not None:
            self._bar.update(self._task, completed=done, description=name)
        elif (tenths := 10 * done // of if of else 10) > self._tenths_told:
            self._tenths_told = tenths
            typer.echo(f"{10 * tenths:3} %  {done / 1e6:.0f} of {of / 1e6:.0f} MB  {name}")
