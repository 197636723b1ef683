"""Distils the teacher's forty steps into students of four, two and one, by multistep consistency.

The "direct" target (research on this schedule: it ties with the bootstrapped one): the teacher rolls out its whole trajectory from noise,
and the student learns, at the beginning of each segment, the prediction that jumps to where the teacher is at the segment's end. A trajectory
costs forty calls once and then serves every epoch of every student; it passes through exactly the states that a student meets while sampling.
Only the conditions and what was played come from data.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from avatar.distillation.scheduler import MultistepConsistencyScheduler
from avatar.motion.generator.state import D
from avatar.motion.training.diffusion_training import likeness, scene_libraries, trained_transformer
from avatar.motion.training.learning import (
    Average,
    Log,
    Progress,
    Tell,
    TrainingError,
    fast,
    learning_rate,
    load_checkpoint,
    save_checkpoint,
)
from avatar.motion.training.sampling import AHEAD, FIRST_HOP, HOP, sample
from avatar.motion.training.scene_windows import MotionWindows, SceneLibrary
from avatar.motion.training.transformer import MotionTransformer, TransformerShape, summarise

STUDENTS = (4, 2, 1)
"""Steps of the students; each divides ``BOUNDARIES - 1``."""
BOUNDARIES = 5
"""Points of a trajectory that are kept: the boundaries of four segments serve two and one as well."""

_NEW = (HOP + AHEAD, HOP + AHEAD, HOP + AHEAD, FIRST_HOP + AHEAD, HOP)
"""New frames of a trajectory, drawn from these: what serving asks for, speaking, beginning, idle."""
_CLIP = 1.0
_VALID_SEED = 4321
_VALID_ROWS = 256


@dataclass(frozen=True, slots=True)
class Distillation:
    """Attributes:
    segments: steps of the student.
    trajectories: of the teacher's, to learn from.
    steps: updates in all; a finished run goes on where more are asked for.
    rows: windows in a batch.
    peak: of the learning rate.
    measure_every: steps between measurements and checkpoints.
    """

    segments: int = 4
    trajectories: int = 8192
    steps: int = 2500
    rows: int = 64
    peak: float = 3e-4
    seed: int = 0
    measure_every: int = 250

    def about(self, shape: TransformerShape) -> dict[str, Any]:
        """What must not change between a run's sessions."""
        return {"what": f"student of {self.segments}", "shape": asdict(shape), "seed": self.seed}


@dataclass(frozen=True, slots=True)
class Trajectories:
    """The teacher's way from noise to frames, in some windows.

    Attributes:
        windows: what was played and told (its ``state`` is the data's, which distillation does not use).
        points: innovations at the boundaries 999, 749, 499, 249 and data, [rows, BOUNDARIES, N, D].
    """

    windows: MotionWindows
    points: Tensor


@torch.no_grad()
def roll_teacher(teacher: MotionTransformer, windows: MotionWindows, noise: Tensor) -> Trajectories:
    """The teacher's trajectories from ``noise`` [rows, N, D], remembered at the boundaries."""
    scheduler = MultistepConsistencyScheduler(segments=BOUNDARIES - 1)
    kept = set(scheduler.boundaries.tolist())
    prefix, history = summarise(windows.played)
    x, points = noise, []
    for t in scheduler.teacher_grid[:-1].tolist():
        if t in kept:
            points.append(x)
        v = teacher(x, torch.full((len(x),), t), prefix, history, windows.condition)
        x = scheduler.teacher_step(v.float(), t, x)
    return Trajectories(windows, torch.stack([*points, x], dim=1))


def save_trajectories(path: Path, trajectories: Trajectories) -> None:
    """Half precision, written whole or not at all."""
    windows = trajectories.windows
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.savez(
            file,
            played=_half(windows.played),
            state=_half(windows.state),
            condition=_half(windows.condition),
            points=_half(trajectories.points),
        )
    part.rename(path)


def _half(values: Tensor) -> NDArray[np.float16]:
    return values.numpy().astype(np.float16)


def read_trajectories(path: Path) -> Trajectories:
    with np.load(path, allow_pickle=False) as file:
        values = {name: torch.from_numpy(file[name].astype(np.float32)) for name in file.files}
    return Trajectories(MotionWindows(values["played"], values["state"], values["condition"]), values["points"])


def _read_new(folder: Path, batches: dict[str, Trajectories]) -> int:
    """Take in the files that came since: another process may still be making them."""
    fresh = [path for path in sorted(folder.glob("*.npz")) if path.name not in batches]
    for path in fresh:
        batches[path.name] = read_trajectories(path)
    return len(fresh)


def _count(batches: dict[str, Trajectories]) -> int:
    return sum(len(batch.points) for batch in batches.values())


def make_trajectories(data: Path, teacher_run: Path, options: Distillation, tell: Tell) -> Path:
    """Roll out the teacher until ``options.trajectories`` are there; goes on where an earlier call stopped.

    Returns:
        Their folder, in the teacher's run.
    """
    folder = teacher_run / "trajectories"
    folder.mkdir(exist_ok=True)
    teacher = trained_transformer(teacher_run)
    train, _ = scene_libraries(data)
    batches = -(-options.trajectories // options.rows)
    for batch in range(batches):
        path = folder / f"{batch:05}.npz"
        if path.exists():
            continue
        rng = np.random.default_rng((options.seed, batch))
        windows = train.draw(options.rows, int(rng.choice(_NEW)), rng, teacher.innovations.unsure.numpy())
        noise = torch.from_numpy(rng.standard_normal(windows.state.shape, np.float32))
        with fast():
            rolled = roll_teacher(teacher, windows, noise)
        save_trajectories(path, rolled)
        if batch % 16 == 15 or batch == batches - 1:
            tell(f"trajectories: {(batch + 1) * options.rows} of {batches * options.rows}")
    return folder


def student_loss(student: MotionTransformer, trajectories: Trajectories, segment: Tensor, segments: int) -> Tensor:
    """Squared error of where the student lands, against where the teacher did, mean of each row.

    Distance of landings is distance of predictions, weighted by how far a prediction moves the sample: v - v*, times the jump's gain.

    Args:
        segment: which of its segments each row learns, 0 the noisiest, int64 [rows].
    """
    scheduler = MultistepConsistencyScheduler(segments=segments)
    stride = (BOUNDARIES - 1) // segments
    row = torch.arange(len(segment))
    begin, landing = trajectories.points[row, segment * stride], trajectories.points[row, (segment + 1) * stride]
    timestep = scheduler.boundaries[segment]
    prefix, history = summarise(trajectories.windows.played)
    with fast():
        v = student(begin, timestep, prefix, history, trajectories.windows.condition)
    landed = scheduler.jump(v.float(), timestep, scheduler.segment_end(timestep), begin)
    return (landed - landing).square().mean(dim=(1, 2))


@torch.no_grad()
def measure_student(student: MotionTransformer, held_out: Trajectories, segments: int) -> dict[str, Any]:
    """On the teacher's trajectories in held-out windows: the error of each jump, and of all in a row, as root mean squares;
    the same of the teacher taken in as few plain DDIM steps is what it must beat (``trained_transformer`` of the teacher)."""
    student.eval()
    rows = len(held_out.points)
    each = [
        float(student_loss(student, held_out, torch.full((rows,), i), segments).mean().sqrt()) for i in range(segments)
    ]
    windows = held_out.windows
    scheduler, noise = MultistepConsistencyScheduler(), held_out.points[:, 0]
    drawn = sample(student, scheduler, segments, noise, windows.played, windows.condition, temperature=1.0)
    student.train()
    ends = student.innovations.to_state(held_out.points[:, -1], windows.played)
    of_teacher = likeness(drawn, MotionWindows(windows.played, ends, windows.condition))
    return {"jumps": each, **of_teacher}


def held_out_trajectories(teacher: MotionTransformer, valid: SceneLibrary) -> Trajectories:
    """The same windows and noise at every call."""
    rng = np.random.default_rng(_VALID_SEED)
    windows = valid.draw(_VALID_ROWS, HOP + AHEAD, rng)
    noise = torch.from_numpy(rng.standard_normal((_VALID_ROWS, HOP + AHEAD, D)).astype(np.float32))
    return roll_teacher(teacher, windows, noise)


def distil(data: Path, teacher_run: Path, run: Path, options: Distillation, tell: Tell) -> None:
    """Train a student, or go on training it, in ``run``; it begins as its teacher.

    Args:
        data: the scene shards.
        teacher_run: of ``train_teacher``; the trajectories are kept there.
        run: folder of checkpoints and of the log.
        tell: is given every line of the log.

    Raises:
        TrainingError: no teacher, no shards, or ``run`` holds something else.
    """
    if options.segments not in STUDENTS:
        raise TrainingError(f"students take {', '.join(map(str, STUDENTS))} steps, not {options.segments}")
    torch.manual_seed(options.seed)
    teacher = trained_transformer(teacher_run)
    folder = make_trajectories(data, teacher_run, options, tell)
    batches: dict[str, Trajectories] = {}
    _read_new(folder, batches)
    rng = np.random.default_rng(options.seed)
    student, average_network = MotionTransformer(teacher.shape), MotionTransformer(teacher.shape)
    student.load_state_dict(teacher.state_dict())
    about = options.about(teacher.shape)
    average = Average(student, 0.998)
    optimizer = torch.optim.AdamW(student.parameters(), lr=options.peak, betas=(0.9, 0.99), weight_decay=0.0)
    progress = load_checkpoint(run, student, average, optimizer, rng, about)
    _, valid = scene_libraries(data)
    held_out = held_out_trajectories(teacher, valid)
    log = Log(run, tell)
    if progress.step == 0:
        log.write(
            begin=0,
            trajectories=_count(batches),
            naive=measure_student(teacher, held_out, options.segments),
        )
    step, began, total, counted = progress.step, time.monotonic(), 0.0, 0

    def keep(step: int) -> None:
        seconds = progress.seconds + time.monotonic() - began
        save_checkpoint(run, student, average, optimizer, rng, Progress(step, seconds, about))

    names = sorted(batches)
    try:
        while step < options.steps:
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(step, options.steps, options.peak)
            batch = batches[names[int(rng.integers(len(names)))]]
            segment = torch.from_numpy(rng.permutation(np.arange(len(batch.points)) % options.segments))
            loss = student_loss(student, batch, segment, options.segments).mean()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(student.parameters(), _CLIP)
            optimizer.step()
            average.update(student, step)
            step, counted, total = step + 1, counted + 1, total + float(loss.detach())
            if step % options.measure_every == 0 or step == options.steps:
                keep(step)
                average.copy_to(average_network)
                log.write(
                    step=step,
                    loss=total / counted,
                    seconds=progress.seconds + time.monotonic() - began,
                    valid=measure_student(average_network, held_out, options.segments),
                )
                total, counted = 0.0, 0
                if _read_new(folder, batches):
                    names = sorted(batches)
                    log.write(step=step, trajectories=_count(batches))
    except KeyboardInterrupt:
        keep(step)
        log.write(interrupted=step)
        raise
