"""``parley motion export``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from server.cli.motion.extras import require_training
from server.cli.motion.learning import Data, Runs, learning


def export(
    data: Data,
    runs: Runs = Path("runs"),
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder of weights.", show_default="those that Parley serves")
    ] = None,
    float32: Annotated[bool, typer.Option("--float32", help="Do not round the student's weights to 8 bits.")] = False,
    comparison: Annotated[
        Path | None, typer.Option(help="Also write teacher and students, one graph each, into this folder.")
    ] = None,
) -> None:
    """Export what was trained to ONNX, with the card that describes and seals it.

    Exit codes: 0 exported, 1 nothing is trained, 4 PyTorch or onnx is missing.
    """
    require_training()
    with learning(1) as tell:
        from avatar.motion.training import recipe

        recipe.export(data, runs, out, int8=not float32, comparison=comparison, tell=tell)
