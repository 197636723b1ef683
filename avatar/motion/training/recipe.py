"""The recipe of the shipped weights, stage by stage: data, encoder, teacher, students, export. Each stage goes on from where it stopped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from avatar.motion.training import diffusion_training, distillation, encoder_training, ship
from avatar.motion.training.diffusion_training import DiffusionTraining
from avatar.motion.training.distillation import STUDENTS, Distillation
from avatar.motion.training.encoder_training import EncoderTraining
from avatar.motion.training.learning import Tell
from avatar.motion.training.ship import SHIPPED_DIR, Runs

SCENE_HOURS_A_SPEECH_HOUR = 0.75
SEED = 1

_DISTILLATION = Distillation()


def synthesize(data: Path, hours: float, workers: int, espeak: Sequence[str], tell: Tell) -> None:
    """Speech and scenes; what is there already is kept.

    Raises:
        SynthesisFailed: see ``synthesis.synthesize``.
    """
    from avatar.motion.training.scenes.shards import make_scenes
    from avatar.motion.training.synthesis.synthesis import Wanted, synthesize

    wanted = Wanted(out=data, hours=hours, seed=SEED, workers=workers, espeak=tuple(espeak))
    synthesize(wanted, on_seconds=lambda done: tell(f"speech: {done / 3600:.2f} h"), on_note=tell)
    make_scenes(
        data,
        hours * SCENE_HOURS_A_SPEECH_HOUR,
        SEED,
        workers,
        lambda done, total: tell(f"scenes: shard {done} of {total}"),
    )


def train_encoder(
    data: Path, runs: Path, *, steps: int | None, leave_out: tuple[str, ...] = (), seed: int = 0, tell: Tell
) -> None:
    """The sound encoder, into ``runs/encoder`` (or, with engines left out, ``runs/encoder-without-...``)."""
    options = EncoderTraining(seed=seed, leave_out=leave_out)
    if steps is not None:
        options = replace(options, steps=steps)
    where = Runs(runs)
    run = where.encoder_without("-".join(leave_out)) if leave_out else where.encoder
    encoder_training.train_encoder(data, run, options, tell)


def train_teacher(data: Path, runs: Path, *, steps: int | None, seed: int = 0, tell: Tell) -> None:
    """The diffusion transformer, into ``runs/teacher``."""
    options = DiffusionTraining(seed=seed)
    if steps is not None:
        options = replace(options, steps=steps)
    diffusion_training.train_teacher(data, Runs(runs).teacher, options, tell)


def distil(
    data: Path,
    runs: Path,
    students: Sequence[int] = STUDENTS,
    *,
    trajectories: int = _DISTILLATION.trajectories,
    steps: int = _DISTILLATION.steps,
    seed: int = 0,
    tell: Tell,
) -> None:
    """Students of the teacher in ``runs/teacher``, into ``runs/student-...``."""
    where = Runs(runs)
    for segments in students:
        options = Distillation(segments=segments, trajectories=trajectories, steps=steps, seed=seed)
        distillation.distil(data, where.teacher, where.student(segments), options, tell)


def export(data: Path, runs: Path, out: Path | None, *, int8: bool, comparison: Path | None, tell: Tell) -> None:
    """Weights to serve, and on request every sampler to compare."""
    where = Runs(runs)
    ship.export_weights(data, where, out or SHIPPED_DIR, tell, int8=int8)
    if comparison is not None:
        ship.export_comparison(where, comparison, tell)


def everything(
    data: Path,
    runs: Path,
    out: Path | None,
    *,
    hours: float,
    scale: float,
    workers: int,
    espeak: Sequence[str],
    tell: Tell,
) -> None:
    """All stages in order.

    Args:
        scale: of every number of updates and of trajectories.
    """

    def scaled(count: int) -> int:
        return max(round(count * scale), 1)

    synthesize(data, hours, workers, espeak, tell)
    train_encoder(data, runs, steps=scaled(EncoderTraining().steps), tell=tell)
    train_teacher(data, runs, steps=scaled(DiffusionTraining().steps), tell=tell)
    distil(data, runs, trajectories=scaled(_DISTILLATION.trajectories), steps=scaled(_DISTILLATION.steps), tell=tell)
    export(data, runs, out, int8=True, comparison=runs / "comparison", tell=tell)
