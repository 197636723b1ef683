"""Trains the teacher: the diffusion transformer on the scene shards, forty DDIM steps at sampling."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from avatar.distillation.scheduler import MultistepConsistencyScheduler
from avatar.motion.generator.sampler import FEWEST_FRAMES, MOST_FRAMES
from avatar.motion.generator.state import Normalisation
from avatar.motion.training.learning import (
    Average,
    Log,
    Progress,
    Tell,
    TrainingError,
    about_run,
    fast,
    learning_rate,
    load_average,
    load_checkpoint,
    save_checkpoint,
)
from avatar.motion.training.sampling import sample
from avatar.motion.training.scene_windows import MotionWindows, SceneLibrary
from avatar.motion.training.transformer import MotionTransformer, TransformerShape, summarise

_CLIP = 1.0
_MEASURED_ROWS, _MEASURED_BATCHES, _MEASURED_NEW = 64, 4, 7
_SAMPLED_ROWS = 64


@dataclass(frozen=True, slots=True)
class DiffusionTraining:
    """Attributes:
    steps: updates in all; a finished run goes on where more are asked for.
    rows: windows in a batch; each batch draws its number of new frames.
    peak: of the learning rate.
    measure_every: steps between measurements and checkpoints.
    """

    steps: int = 6000
    rows: int = 64
    peak: float = 1e-3
    seed: int = 0
    measure_every: int = 500
    shape: TransformerShape = field(default_factory=TransformerShape)

    def about(self) -> dict[str, Any]:
        """What must not change between a run's sessions."""
        return {"what": "teacher", "shape": asdict(self.shape), "seed": self.seed}


def diffusion_loss(
    network: MotionTransformer, windows: MotionWindows, timestep: Tensor, noise: Tensor
) -> tuple[Tensor, Tensor]:
    """Squared error of v, plain: for v-prediction that weights a noise level by its signal-to-noise ratio plus one.

    Args:
        timestep: [rows].
        noise: as ``windows.state``.

    Returns:
        The mean, and the mean of each row.
    """
    scheduler = MultistepConsistencyScheduler()
    clean = network.innovations.of(windows.state, windows.played)
    noisy = scheduler.add_noise(clean, noise, timestep)
    target = scheduler.get_velocity(clean, noise, timestep)
    prefix, history = summarise(windows.played)
    with fast():
        v = network(noisy, timestep, prefix, history, windows.condition)
    rows = (v.float() - target).square().mean(dim=(1, 2))
    return rows.mean(), rows.detach()


def draw_timesteps(rows: int, rng: np.random.Generator) -> Tensor:
    """Timesteps of the teacher's grid, stratified over a batch: nothing else is asked of it when it samples."""
    grid = MultistepConsistencyScheduler().teacher_grid[:-1]
    places = (np.arange(rows) + rng.random(rows)) * (len(grid) / rows)
    return grid[torch.from_numpy(rng.permutation(np.minimum(places.astype(np.int64), len(grid) - 1)))]


@torch.no_grad()
def measure_teacher(network: MotionTransformer, valid: SceneLibrary) -> dict[str, Any]:
    """Loss on held-out windows by quarter of the schedule, the same windows and noise every time; and, of sampled frames, how their
    spread and their speed compare with the data's (1 is alike)."""
    network.eval()
    rng = np.random.default_rng(1234)
    quarters: list[list[float]] = [[], [], [], []]
    for _ in range(_MEASURED_BATCHES):
        windows = valid.draw(_MEASURED_ROWS, _MEASURED_NEW, rng)
        timestep = draw_timesteps(_MEASURED_ROWS, rng)
        noise = torch.from_numpy(rng.standard_normal(windows.state.shape, np.float32))
        _, rows = diffusion_loss(network, windows, timestep, noise)
        for t, row in zip(timestep.tolist(), rows.tolist(), strict=True):
            quarters[t // 250].append(row)
    windows = valid.draw(_SAMPLED_ROWS, _MEASURED_NEW, rng)
    noise = torch.from_numpy(rng.standard_normal(windows.state.shape, np.float32))
    scheduler = MultistepConsistencyScheduler()
    drawn = sample(network, scheduler, 40, noise, windows.played, windows.condition, temperature=1.0)
    network.train()
    return {
        "loss": float(np.mean([row for quarter in quarters for row in quarter])),
        "by_noise": [float(np.mean(quarter)) for quarter in quarters],
        **likeness(drawn, windows),
    }


def likeness(drawn: Tensor, windows: MotionWindows) -> dict[str, float]:
    """Of sampled frames against the true ones: spread, speed, and the step from the last played frame to the first, as ratios
    of root mean squares; and the plain distance to the truth."""
    last = windows.played[:, -1:]

    def rms(x: Tensor) -> float:
        return float(x.square().mean().sqrt())

    def speed(x: Tensor) -> Tensor:
        return x[:, 1:] - x[:, :-1]

    true = windows.state
    return {
        "spread": rms(drawn) / rms(true),
        "speed": rms(speed(drawn)) / rms(speed(true)),
        "seam": rms(drawn[:, :1] - last) / rms(true[:, :1] - last),
        "distance": rms(drawn - true),
    }


def train_teacher(data: Path, run: Path, options: DiffusionTraining, tell: Tell) -> None:
    """Train, or go on training, in ``run``.

    Args:
        data: with ``scenes/train``, ``scenes/valid`` and ``normalisation.npz``. Shards that appear meanwhile are taken in.
        run: folder of checkpoints and of the log.
        tell: is given every line of the log.

    Raises:
        TrainingError: no shards, or ``run`` holds something else.
    """
    torch.manual_seed(options.seed)
    rng = np.random.default_rng(options.seed)
    train, valid = scene_libraries(data)
    network, average_network = MotionTransformer(options.shape), MotionTransformer(options.shape)
    network.innovations.fit(train.states)
    average = Average(network, 0.9985)
    optimizer = torch.optim.AdamW(network.parameters(), lr=options.peak, betas=(0.9, 0.99), weight_decay=0.01)
    progress = load_checkpoint(run, network, average, optimizer, rng, options.about())
    log = Log(run, tell)
    parameters = sum(p.numel() for p in network.parameters())
    log.write(begin=progress.step, parameters=parameters, hours=train.hours, valid_hours=valid.hours)
    unsure = network.innovations.unsure.numpy()
    step, began, total, counted = progress.step, time.monotonic(), 0.0, 0

    def keep(step: int) -> None:
        seconds = progress.seconds + time.monotonic() - began
        save_checkpoint(run, network, average, optimizer, rng, Progress(step, seconds, options.about()))

    try:
        while step < options.steps:
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(step, options.steps, options.peak)
            windows = train.draw(options.rows, int(rng.integers(FEWEST_FRAMES, MOST_FRAMES + 1)), rng, unsure)
            noise = torch.from_numpy(rng.standard_normal(windows.state.shape, np.float32))
            loss, _ = diffusion_loss(network, windows, draw_timesteps(options.rows, rng), noise)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), _CLIP)
            optimizer.step()
            average.update(network, step)
            step, counted, total = step + 1, counted + 1, total + float(loss.detach())
            if step % options.measure_every == 0 or step == options.steps:
                keep(step)
                average.copy_to(average_network)
                log.write(
                    step=step,
                    loss=total / counted,
                    seconds=progress.seconds + time.monotonic() - began,
                    valid=measure_teacher(average_network, valid),
                )
                total, counted = 0.0, 0
                if train.refresh() + valid.refresh():
                    log.write(step=step, hours=train.hours, valid_hours=valid.hours)
    except KeyboardInterrupt:
        keep(step)
        log.write(interrupted=step)
        raise


def scene_libraries(data: Path) -> tuple[SceneLibrary, SceneLibrary]:
    """Training and validation scenes under ``data``.

    Raises:
        TrainingError: there are none yet.
    """
    path = data / "normalisation.npz"
    if not path.is_file():
        raise TrainingError(f"no {path}: make the scenes with `parley motion synthesize`")
    normalisation = Normalisation.load(path)
    train, valid = (SceneLibrary(data / "scenes" / split, normalisation) for split in ("train", "valid"))
    train.refresh()
    valid.refresh()
    if not train.states or not valid.states:
        raise TrainingError(f"no scene shards in {data / 'scenes'}: make some with `parley motion synthesize`")
    return train, valid


def trained_transformer(run: Path) -> MotionTransformer:
    """The averaged network of a run, teacher or student.

    Raises:
        TrainingError: the run has no checkpoint.
    """
    network = MotionTransformer(TransformerShape(**about_run(run)["shape"]))
    load_average(run, network)
    return network.eval()
