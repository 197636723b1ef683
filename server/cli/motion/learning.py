"""What the commands that learn share: their options, and how they end."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from server.cli.failure import fail

Data = Annotated[Path, typer.Option(help="Folder that `parley motion synthesize` made.", exists=True, file_okay=False)]
Runs = Annotated[Path, typer.Option(help="Folder for checkpoints and logs.")]
Seed = Annotated[int, typer.Option(min=0, help="Of everything random.")]
Threads = Annotated[int, typer.Option(min=1, max=256, help="Threads of the processor.")]


@contextmanager
def learning(threads: int) -> Iterator[Callable[[str], None]]:
    """Run a training, with so many threads; yields what tells a line of its log.

    Raises:
        typer.Exit: 1 where it cannot go on (the reason is told), 130 where it is interrupted.
    """
    from avatar.errors import AvatarError

    os.environ["OMP_NUM_THREADS"] = str(threads)  # read when torch loads
    import torch

    torch.set_num_threads(threads)
    try:
        yield lambda line: print(line, file=sys.stderr, flush=True)
    except AvatarError as error:
        raise fail(error) from None
    except KeyboardInterrupt:
        typer.echo("\nInterrupted. What was learned is kept: the same command goes on from there.", err=True)
        raise typer.Exit(130) from None
