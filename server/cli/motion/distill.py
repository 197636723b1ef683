"""``parley motion distill``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from server.cli.motion.extras import require_training
from server.cli.motion.learning import Data, Runs, Seed, Threads, learning


def distill(
    data: Data,
    runs: Runs = Path("runs"),
    student: Annotated[
        list[int] | None, typer.Option(help="Steps of the student: 4, 2 or 1; may be repeated.", show_default="4, 2, 1")
    ] = None,
    trajectories: Annotated[
        int, typer.Option(min=1, help="Windows in which the teacher shows its forty steps.")
    ] = 8192,
    steps: Annotated[int, typer.Option(min=1, help="Updates in all, of each student.")] = 2500,
    seed: Seed = 0,
    threads: Threads = 1,
) -> None:
    """Distil the teacher's forty steps into students of few, by multistep consistency.

    It can be interrupted: the same command goes on from there. A teacher that was trained further is not noticed: remove
    `teacher/trajectories` and the students from the runs to distil it anew.
    Exit codes: 0 distilled, 1 cannot be distilled, 4 PyTorch is missing, 130 interrupted.
    """
    require_training()
    with learning(threads) as tell:
        from avatar.motion.training import recipe

        students = tuple(student or (4, 2, 1))
        recipe.distil(data, runs, students, trajectories=trajectories, steps=steps, seed=seed, tell=tell)
