"""``parley echomimic poses`` and ``prepare``: what the ``echomimic`` renderer draws with, besides its weights."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from server.cli.failure import fail
from server.config import load_settings


def poses(
    folder: Annotated[Path, typer.Argument(help="EchoMimicV2's pose files of one sequence: 0.npy, 1.npy, ...")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The file to write, *.npz.")],
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
) -> None:
    """Convert a pose sequence once. Its files are pickles: nothing in them is run, only arrays of numbers are read."""
    from avatar.echomimic.pose_files import read_poses
    from avatar.errors import AvatarError, MediaFileError

    try:
        if out.suffix.lower() != ".npz":
            raise MediaFileError(f"The output {out} must end in .npz.", code="output_unwritable")
        if out.exists() and not force:
            raise MediaFileError(f"{out} exists already. Add --force to replace it.", code="output_exists")
        sequence = read_poses(folder)
        try:
            sequence.save(out)
        except OSError as error:
            raise MediaFileError(f"{out} could not be written: {error.strerror}.", code="output_unwritable") from None
    except AvatarError as error:
        raise fail(error) from None
    typer.echo(f"wrote {out}: {len(sequence)} frames")


def prepare(
    name: Annotated[str, typer.Argument(help="Persona, see `parley avatar list`.")],
    size: Annotated[int | None, typer.Option(help="Side of the picture.", show_default="the configured one")] = None,
    framing: Annotated[
        str | None, typer.Option(help="half-body or portrait.", show_default="the configured one")
    ] = None,
    picture: Annotated[Path | None, typer.Option(help="Also write the aligned reference picture here, *.png.")] = None,
) -> None:
    """Align a persona's picture and encode it, once for these weights; conversations then start at once.

    Where MediaPipe is installed it finds shoulders and elbows, which the alignment wants.
    """
    from avatar.echomimic.options import Options, need_gpu_extra
    from avatar.errors import AvatarError
    from avatar.persona import find_persona
    from avatar.renderers import FRAMINGS, SIZES
    from server.cli.render import check_choice
    from server.renderer_options import renderer_options

    check_choice("--size", size, SIZES)
    check_choice("--framing", framing, FRAMINGS)
    given = {"renderer": "echomimic", "size": size, "framing": framing}
    settings = load_settings(avatar={key: value for key, value in given.items() if value is not None})
    look = settings.avatar
    try:
        need_gpu_extra()
        persona = find_persona(name, settings.data_dir / "personas")
        from avatar.echomimic.prepare import prepare_persona

        warnings = prepare_persona(
            persona, Options.from_dict(renderer_options(settings)), look.size, look.framing, picture
        )
    except AvatarError as error:
        raise fail(error) from None
    for warning in warnings:
        typer.echo(f"note: {warning}", err=True)
    typer.echo(f"{name} is ready for echomimic: {look.framing}, {look.size}x{look.size}")
