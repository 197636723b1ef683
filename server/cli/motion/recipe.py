"""``parley motion recipe``"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from server.cli.motion.extras import require_training
from server.cli.motion.learning import Runs, Threads, learning
from server.cli.motion.synthesize import ESPEAK_HELPER


def recipe(
    data: Annotated[Path, typer.Option(help="Folder for the data.")] = Path("motion-data"),
    runs: Runs = Path("runs"),
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder of weights.", show_default="those that Parley serves")
    ] = None,
    hours: Annotated[float, typer.Option(min=0.05, max=1000, help="Clean speech to train on.")] = 12.0,
    scale: Annotated[
        float, typer.Option(min=0.0001, max=100, help="Of every number of updates: 0.01 tries the recipe in minutes.")
    ] = 1.0,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Processes that synthesize.")] = 2,
    threads: Threads = 2,
) -> None:
    """Everything, in order: synthesize, train encoder and teacher, distil, export. This is how the shipped weights are made.

    Each stage goes on from where it stopped, and one that is finished is left as it is. On two cores it takes some hours.
    Exit codes: 0 made, 1 could not be made (the reason is told), 4 PyTorch is missing, 130 interrupted.
    """
    require_training()
    with learning(threads) as tell:
        from avatar.motion.training import recipe as stages

        stages.everything(
            data, runs, out, hours=hours, scale=scale, workers=workers,
            espeak=(sys.executable, "-m", ESPEAK_HELPER), tell=tell,
        )  # fmt: skip
