"""``parley motion train encoder | teacher``"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from server.cli.motion.extras import require_training
from server.cli.motion.learning import Data, Runs, Seed, Threads, learning


class Part(StrEnum):
    """What is trained."""

    ENCODER = "encoder"
    TEACHER = "teacher"


def train(
    part: Annotated[Part, typer.Argument(help="The sound encoder, or the diffusion transformer of forty steps.")],
    data: Data,
    runs: Runs = Path("runs"),
    steps: Annotated[
        int | None, typer.Option(min=1, help="Updates in all.", show_default="15000 encoder, 6000 teacher")
    ] = None,
    leave_out: Annotated[
        list[str] | None,
        typer.Option(help="An engine that the encoder must not hear, to measure it on such a voice; may be repeated."),
    ] = None,
    seed: Seed = 0,
    threads: Threads = 1,
) -> None:
    """Train one of the two networks on the data of `parley motion synthesize`.

    It can be interrupted: the same command goes on from there, and with more steps it goes on from the end.
    Exit codes: 0 trained, 1 cannot be trained, 4 PyTorch is missing, 130 interrupted.
    """
    require_training()
    with learning(threads) as tell:
        from avatar.motion.training import recipe

        if part is Part.ENCODER:
            recipe.train_encoder(data, runs, steps=steps, leave_out=tuple(leave_out or ()), seed=seed, tell=tell)
        else:
            recipe.train_teacher(data, runs, steps=steps, seed=seed, tell=tell)
