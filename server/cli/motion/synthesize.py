"""``parley motion synthesize``"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from server.cli.failure import ExitCode, fail
from server.cli.progress import seconds_done

ESPEAK_HELPER = "streaming.speaking.espeak_helper"
"""The process that speaks while serving also speaks what is learned from; avatar is told how to start it."""


def synthesize(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the data; what is in it already is kept.")],
    hours: Annotated[float, typer.Option(min=0.01, max=1000, help="Clean speech to train on.")] = 12.0,
    scene_hours: Annotated[
        float, typer.Option(min=0, max=1000, help="Motion to train on, made of that speech; 0 for none.")
    ] = 9.0,
    renditions: Annotated[
        int, typer.Option(min=0, max=20, help="Distorted copies of each utterance, besides the clean one.")
    ] = 2,
    seed: Annotated[int, typer.Option(min=0, help="The same seed and voices make the same data.")] = 1,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Processes.")] = 2,
    as_json: Annotated[bool, typer.Option("--json", help="Print the manifest.")] = False,
) -> None:
    """Make what the motion is learned from: speech, with the synthesizers that are installed, and motion that goes with it.

    Interrupted, the same command goes on from there. Exit codes: 0 made, 1 could not be made, 130 interrupted.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when numpy loads: each worker is one thread

    from avatar.errors import AvatarError
    from avatar.motion.training.scenes.shards import make_scenes
    from avatar.motion.training.synthesis import synthesis

    wanted = synthesis.Wanted(
        out=out,
        hours=hours,
        renditions=renditions,
        seed=seed,
        workers=workers,
        espeak=(sys.executable, "-m", ESPEAK_HELPER),
    )
    total_s = synthesis.total_s(wanted)
    try:
        with seconds_done("Speech", total_s, quiet=as_json) as tell:
            manifest = synthesis.synthesize(
                wanted, on_seconds=tell, on_note=lambda note: typer.echo(f"note: {note}", err=True)
            )
        if scene_hours:
            with seconds_done("Motion", scene_hours * 3600, quiet=as_json) as tell:
                make_scenes(
                    out, scene_hours, seed, workers, lambda done, total: tell(scene_hours * 3600 * done / total)
                )
    except AvatarError as error:
        raise fail(error, as_json=as_json) from None
    except OSError as error:
        typer.echo(f"parley: The motion cannot be written: {error}. What is finished is kept.", err=True)
        raise typer.Exit(ExitCode.FAILED) from None
    except KeyboardInterrupt:
        typer.echo("\nInterrupted. Finished shards are kept: the same command goes on from there.", err=True)
        raise typer.Exit(130) from None
    if as_json:
        typer.echo(json.dumps(manifest, ensure_ascii=False, indent=2))
        return
    for split, held in manifest["contents"].items():
        typer.echo(f"{split}: {held['hours']:.2f} h, {held['utterances']} utterances, {held['speakers']} speakers")
    typer.echo(f"in {out}")
