"""``parley distill prepare`` and ``echomimic``: fewer steps for whoever has EchoMimic's weights and videos."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from server.cli.failure import fail
from server.cli.progress import seconds_done

app = typer.Typer(no_args_is_help=True)

Weights = Annotated[
    str, typer.Option(help='Folder of released weights; "random" tries the path with tiny random networks.')
]
VariantName = Annotated[str, typer.Option(help="Of the weights: the ones that are run for 30 steps.")]


@app.command()
def prepare(
    videos: Annotated[list[Path], typer.Argument(help="Videos with sound, one person speaking into the camera.")],
    into: Annotated[Path, typer.Option(help="Folder for the clips.")],
    weights: Weights,
    variant: VariantName = "v2",
    size: Annotated[int, typer.Option(help="Side of the pictures, a multiple of 64.")] = 512,
    clip_seconds: Annotated[float, typer.Option(min=1, max=60, help="Longest clip.")] = 5.0,
) -> None:
    """Cut videos into clips: the speaker framed, hands found, sound and pictures encoded, once.

    Exit code 1 where no clip could be made.
    """
    from avatar.errors import AvatarError, MediaFileError
    from avatar.speech import FRAME_RATE_HZ

    try:
        if size % 64 or not 64 <= size <= 1024:
            raise MediaFileError(f"--size must be a multiple of 64 up to 1024, not {size}.", code="bad_size")
        networks = _networks(weights, variant)
        from avatar.distillation.prepare import Preparation, prepare_video

        options = Preparation(size=size, clip_frames=round(clip_seconds * FRAME_RATE_HZ))
        clips = 0
        for video in videos:
            with seconds_done(f"Preparing {video.name}", None) as tell:
                made = prepare_video(video, into, networks, options, on_progress=tell)
            for warning in made.warnings:
                typer.echo(f"note: {warning}", err=True)
            typer.echo(f"{video}: {len(made.clips)} clips, {made.frames} frames; {made.left_out} frames left out")
            clips += len(made.clips)
    except AvatarError as error:
        raise fail(error) from None
    except OSError as error:
        raise fail(MediaFileError(f"{into} cannot be written: {error.strerror}.", code="output_unwritable")) from None
    if not clips:
        typer.echo("parley: no clip could be made: one face must be seen all along, for a second at least", err=True)
        raise typer.Exit(1)


@app.command()
def echomimic(
    clips: Annotated[Path, typer.Argument(help="Folder of clips (`parley distill prepare`).")],
    run: Annotated[Path, typer.Option(help="Folder of the run: checkpoints, log, and at last the student.")],
    weights: Weights,
    variant: VariantName = "v2",
    segments: Annotated[int, typer.Option(min=1, help="Steps of the student.")] = 4,
    teacher_steps: Annotated[int, typer.Option(min=1, help="Steps of the teacher, a multiple.")] = 40,
    guidance: Annotated[float, typer.Option(min=1, help="Of the teacher, baked in; 1 is without.")] = 2.5,
    steps: Annotated[int, typer.Option(min=1, help="Updates in all.")] = 20_000,
    rows: Annotated[int, typer.Option(min=1, help="Windows in a batch.")] = 1,
    rate: Annotated[float, typer.Option(help="Peak of the learning rate.")] = 1e-5,
    decay: Annotated[float, typer.Option(min=0, max=0.99999, help="Of the moving average; 0 is without.")] = 0.0,
    keep_activations: Annotated[
        bool, typer.Option("--keep-activations", help="Do not recompute them: faster, much more memory.")
    ] = False,
    measure_every: Annotated[int, typer.Option(min=1, help="Updates between measurements and checkpoints.")] = 500,
    seed: Annotated[int, typer.Option(help="Of everything left to chance.")] = 0,
) -> None:
    """Distil the denoiser: 40 guided steps into 4. The same command goes on where it was interrupted.

    Writes denoising_unet_acc.safetensors and motion_module_acc.safetensors into the run's folder; beside the other
    released files they are the variant v2-accelerated, drawn with `PARLEY_ECHOMIMIC_STEPS=4`.
    """
    from avatar.errors import AvatarError

    try:
        networks = _networks(weights, variant)
        from avatar.distillation.echomimic import Distillation, distill
        from avatar.motion.training.learning import TrainingError

        options = Distillation(
            segments=segments, teacher_steps=teacher_steps, guidance=guidance, steps=steps, rows=rows, peak=rate,
            decay=decay, checkpointing=not keep_activations, measure_every=measure_every, seed=seed,
        )  # fmt: skip
        try:
            before, after = distill(networks, clips, run, options, tell=typer.echo)
        except ValueError as error:  # segments that do not divide
            raise TrainingError(str(error)) from None
    except AvatarError as error:
        raise fail(error) from None
    except KeyboardInterrupt:
        typer.echo("\nInterrupted. The same command goes on from the last checkpoint.", err=True)
        raise typer.Exit(130) from None
    typer.echo(
        f"{segments} steps are {after.end_to_end:.3f} from the teacher's {teacher_steps} (before: {before.end_to_end:.3f}); "
        f"the student is in {run}"
    )


def _networks(weights: str, variant: str):  # type: ignore[no-untyped-def]  # torch stays out of this room
    """Of the weights, on the best device; full precision where they are trained.

    Raises:
        AvatarError: packages or weights are missing.
    """
    from avatar.echomimic.options import Options, need_gpu_extra

    need_gpu_extra()
    from avatar.echomimic.prepare import ready_networks

    return ready_networks(Options(weights=weights, variant=variant))
