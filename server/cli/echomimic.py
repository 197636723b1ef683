"""``parley echomimic fetch``, ``check`` and ``convert``: the weights of the ``echomimic`` renderer."""

from __future__ import annotations

import json
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from avatar.echomimic.released import Variant, missing_files
from server.cli.echomimic_persona import poses, prepare
from server.cli.failure import fail

app = typer.Typer(no_args_is_help=True)
app.command()(poses)
app.command()(prepare)

DISCLAIMER = (
    "EchoMimic's authors intend their project for academic research, disclaim responsibility for what users make,"
    " and ask for responsible use, within law and ethics."
)
"""The gist of the disclaimer in the READMEs of antgroup/echomimic and antgroup/echomimic_v2."""


class Precision(StrEnum):
    """Of converted weights."""

    KEEP = "keep"
    FLOAT32 = "float32"
    FLOAT16 = "float16"
    BFLOAT16 = "bfloat16"


@app.command()
def fetch(
    variant: Annotated[Variant, typer.Argument(help="Which weights; live use wants v2-accelerated.")],
    folder: Annotated[Path, typer.Argument(help="Where to, in the layout of the original's pretrained_weights.")],
    repository: Annotated[
        str | None, typer.Option(help='Instead of the authors\' repository on the hub ("owner/name").')
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Download the weights that a folder lacks: sizes and licences first, then a question, then the files.

    Exit codes: 0 they are there, 1 something could not be fetched, 2 not confirmed, 130 interrupted.
    """
    from avatar.echomimic.hub import HuggingFace, plan
    from avatar.echomimic.hub import fetch as fetch_planned
    from avatar.errors import WeightsError
    from server.cli.models import confirm

    hub = HuggingFace()
    try:
        planned = plan(hub, folder, variant, repository=repository)
        if not planned:
            typer.echo(f"{folder} has all files of {variant}.")
            return
        for one in planned:
            typer.echo(f"{one.size / 1e6:8.0f} MB  {one.file.path}  from {one.repository or 'OpenAI'} ({one.licence})")
        typer.echo(f"{sum(one.size for one in planned) / 1e6:8.0f} MB in all, into {folder}\n{DISCLAIMER}")
        if not yes:
            confirm()
        fetch_planned(hub, folder, planned, progress=lambda name: typer.echo(f"{name} ..."))
    except WeightsError as error:
        raise fail(error) from None
    except KeyboardInterrupt:
        typer.echo("\nInterrupted. What has arrived is kept: the same command goes on from there.", err=True)
        raise typer.Exit(130) from None
    typer.echo(f"{folder} has all files of {variant}.")


@app.command()
def check(
    folder: Annotated[Path, typer.Argument(help="Weights in the layout of the original's pretrained_weights.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
) -> None:
    """Show which variants a folder holds whole, and what the others lack.

    Exit codes: 0 at least one is whole, 1 none is.
    """
    missing = {variant: missing_files(folder, variant) for variant in Variant}
    if as_json:
        typer.echo(json.dumps({variant: [file.path for file in files] for variant, files in missing.items()}, indent=2))
    else:
        for variant, files in missing.items():
            typer.echo(f"{variant}: {'whole' if not files else 'lacks ' + ', '.join(file.path for file in files)}")
    if all(missing.values()):
        raise typer.Exit(1)


@app.command()
def convert(
    folder: Annotated[Path, typer.Argument(help="Released weights.")],
    into: Annotated[Path, typer.Argument(help="Another folder, made if need be.")],
    variant: Annotated[Variant, typer.Option(help="Which weights.")] = Variant.V2_ACCELERATED,
    dtype: Annotated[Precision, typer.Option(help="Of what is written.")] = Precision.KEEP,
) -> None:
    """Write clean safetensors: every name checked, nothing that can run, the pose encoder in 2 MB instead of 1.7 GB."""
    _need_torch()
    from avatar.echomimic.convert import DTYPES, convert_weights
    from avatar.errors import WeightsError

    try:
        written = convert_weights(
            folder,
            into,
            variant,
            dtype=DTYPES.get(dtype.value),
            progress=lambda name: typer.echo(f"{name} ..."),
        )
    except WeightsError as error:
        raise fail(error) from None
    for one in written:
        typer.echo(f"{one.path}: {one.tensors} tensors, {one.before / 1e6:.1f} MB before, {one.after / 1e6:.1f} MB now")


def _need_torch() -> None:
    """Ends the command where the ``gpu`` extra is not installed."""
    from avatar.errors import ToolMissing

    lacking = [name for name in ("torch", "diffusers", "safetensors") if find_spec(name) is None]
    if lacking:
        raise fail(ToolMissing(f'This needs {", ".join(lacking)}, not installed here: pip install "parley[gpu]"'))
