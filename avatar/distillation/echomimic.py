"""Distils EchoMimic's denoiser: forty guided steps of the released weights become four (or fewer) unguided ones.

Multistep consistency (Heek et al., arXiv 2403.06807; see ``avatar.distillation.scheduler``). For a frame at noise level t, in a
segment that ends at s: the teacher takes one step of its grid, t to u, with classifier-free guidance baked in; the
student (or its moving average), without gradient, jumps from u to s; the student learns the prediction that jumps from
t to there at once. The inverse of the jump is formed in float32 whatever the networks compute in.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from avatar.distillation.clips import ClipFolder, ClipWindows, encoders_digest
from avatar.distillation.scheduler import DATA, MultistepConsistencyScheduler
from avatar.echomimic.checkpoint import save_tensors
from avatar.echomimic.config import LATENT_SCALE
from avatar.echomimic.denoising_unet import DenoisingUNet
from avatar.echomimic.networks import Networks
from avatar.echomimic.pose_map import draw_hands
from avatar.echomimic.reference_bank import ReferenceBank
from avatar.motion.training.learning import (
    Average,
    Log,
    Progress,
    learning_rate,
    load_checkpoint,
    save_checkpoint,
)

STUDENT_FILES = ("denoising_unet_acc.safetensors", "motion_module_acc.safetensors")
"""The names under which a folder of weights is looked through first: put them there, and live drawing uses the student."""

_MOTION = "motion_modules."
_VALID_SEED = 4321


@dataclass(frozen=True, slots=True)
class Distillation:
    """Attributes:
    segments: steps of the student.
    teacher_steps: of the teacher's grid; a multiple of ``segments``.
    guidance: of the teacher, baked into the student; 1 is without (for weights that were accelerated already).
    steps: updates in all; a finished run goes on where more are asked for.
    rows: windows in a batch.
    frames: of a window.
    peak: of the learning rate.
    decay: of the student's moving average, which then gives the targets and is what is written; 0 is without.
    checkpointing: recompute activations instead of keeping them: a third more time, a fraction of the memory.
    measure_every: updates between measurements and checkpoints.
    valid_rows: windows that are measured on.
    seed: of everything that is left to chance.
    """

    segments: int = 4
    teacher_steps: int = 40
    guidance: float = 2.5
    steps: int = 20_000
    rows: int = 1
    frames: int = 12
    peak: float = 1e-5
    decay: float = 0.0
    checkpointing: bool = True
    measure_every: int = 500
    valid_rows: int = 4
    seed: int = 0

    def about(self) -> dict[str, Any]:
        """What must not change between a run's sessions."""
        kept = ("segments", "teacher_steps", "guidance", "frames", "decay", "seed")
        return {"what": "student of EchoMimic's denoiser", **{name: asdict(self)[name] for name in kept}}


@dataclass(frozen=True, slots=True)
class Told:
    """What the denoiser is told of a batch of windows.

    Attributes:
        audio: [B, F, N, C].
        pose: [B, C, F or 1, h, w].
        bank: of the references, a row each.
    """

    audio: Tensor
    pose: Tensor
    bank: ReferenceBank


@dataclass(frozen=True, slots=True)
class Measured:
    """Of the student against its teacher, on clips that it did not learn from; relative L2.

    Attributes:
        end_to_end: of what ``segments`` steps make of a noise, from what the guided teacher makes of it.
        by_segment: of one jump from the teacher's own state at each boundary.
    """

    end_to_end: float
    by_segment: list[float]


class Distiller:
    """Teacher, student, and one update of it.

    Args:
        networks: of the released variant, on their device; the denoiser is the teacher.
        options: see there.
    """

    def __init__(self, networks: Networks, options: Distillation) -> None:
        self.networks = networks
        self.options = options
        self.device = networks.denoiser.conv_in.weight.device
        self.schedule = MultistepConsistencyScheduler(teacher_steps=options.teacher_steps, segments=options.segments)
        self.teacher = networks.denoiser
        self.student = copy.deepcopy(networks.denoiser).float().requires_grad_(True).train()
        self.student.checkpoint_gradients(options.checkpointing)
        self.target = copy.deepcopy(self.student).requires_grad_(False).eval() if options.decay else self.student
        self.average = Average(self.target, options.decay)
        self.alias()
        self.optimizer = torch.optim.AdamW(self.student.parameters(), lr=options.peak, weight_decay=0.0)

    def alias(self) -> None:
        """Let the average's weights be the target's own tensors, so that updating one updates the other."""
        if any(self.average.weights[name] is not value for name, value in self.target.state_dict().items()):
            self.target.load_state_dict(self.average.weights)
            self.average.weights = dict(self.target.state_dict())

    @torch.no_grad()
    def told(self, windows: ClipWindows) -> Told:
        """Features of a batch's pictures of hands, and its references' bank."""
        dtype = self.teacher.dtype
        bank, _ = self.networks.reference(windows.reference.to(self.device))
        size = windows.reference.shape[-1] * LATENT_SCALE
        maps = [
            np.stack([draw_hands(hands, scores, size, size) for hands, scores in zip(row, marks, strict=True)])
            for row, marks in zip(windows.hands, windows.scores, strict=True)
        ]
        pixels = torch.from_numpy(np.stack(maps)).to(self.device).permute(0, 4, 1, 2, 3) / 255.0
        return Told(windows.audio.to(self.device, dtype), self.networks.guide(pixels), bank)

    def predict(self, denoiser: DenoisingUNet, sample: Tensor, timesteps: Tensor, told: Told) -> Tensor:
        """v of a denoiser, float32, without guidance."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            keys = denoiser.project_reference(told.bank)
            return denoiser(sample, timesteps, told.audio, told.pose, keys).float()

    @torch.no_grad()
    def guided(self, sample: Tensor, timesteps: Tensor, told: Told) -> Tensor:
        """The teacher's v with guidance, float32."""
        guidance = self.options.guidance
        if guidance <= 1:
            return self.predict(self.teacher, sample, timesteps, told)
        rows = len(sample)
        v = self.teacher(
            torch.cat([sample, sample]),
            torch.cat([timesteps, timesteps]),
            torch.cat([torch.zeros_like(told.audio), told.audio]),
            torch.cat([torch.zeros_like(told.pose), told.pose]),
            self.teacher.project_reference(told.bank),
            unconditional=rows,
        ).float()
        free, conditioned = v.chunk(2)
        return free + guidance * (conditioned - free)

    @torch.no_grad()
    def goal(self, sample: Tensor, timesteps: Tensor, told: Told) -> Tensor:
        """The prediction that the student should make at ``sample``, float32."""
        schedule = self.schedule
        nearer, end = schedule.teacher_next(timesteps), schedule.segment_end(timesteps)
        landed = schedule.jump(self.guided(sample, timesteps, told), timesteps, nearer, sample)
        if bool((nearer != end).any()):  # a row that has arrived is not moved: its jump has no length
            onward = self.predict(self.target, landed, nearer.clamp(min=0), told)
            landed = schedule.jump(onward, nearer, end, landed)
        return schedule.invert(landed, timesteps, end, sample)

    def update(self, windows: ClipWindows, rng: np.random.Generator, step: int) -> float:
        """One step of the optimizer; its loss."""
        options, schedule = self.options, self.schedule
        told = self.told(windows)
        clean = windows.latents.to(self.device)
        noise = torch.from_numpy(rng.standard_normal(clean.shape, np.float32)).to(self.device)
        grid = schedule.teacher_grid[:-1]
        timesteps = grid[torch.from_numpy(rng.integers(len(grid), size=len(clean)))].to(self.device)
        sample = schedule.add_noise(clean, noise, timesteps)
        goal = self.goal(sample, timesteps, told)
        loss = functional.mse_loss(self.predict(self.student, sample, timesteps, told), goal)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(step, options.steps, options.peak, warmup=min(200, options.steps // 10 + 1))
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.student.parameters(), 1.0)
        self.optimizer.step()
        if options.decay:
            self.average.update(self.student, step)
        return float(loss.detach())

    @torch.no_grad()
    def measure(self, windows: ClipWindows) -> Measured:
        """See ``Measured``. Forty guided calls of the teacher, and two a segment of the student."""
        schedule, told = self.schedule, self.told(windows)
        generator = torch.Generator().manual_seed(_VALID_SEED)
        sample = torch.randn(windows.latents.shape, generator=generator).to(self.device)
        rows = len(sample)
        states = {int(schedule.boundaries[0]): sample}
        for t in schedule.teacher_grid[:-1].tolist():
            at = torch.full((rows,), t, device=self.device)
            sample = schedule.teacher_step(self.guided(sample, at, told), t, sample)
            following = int(schedule.teacher_next(t))
            if following in schedule.boundaries.tolist():
                states[following] = sample
        ends = schedule.boundaries.tolist()
        own, by_segment = states[ends[0]], []
        for start, end in pairwise(ends):
            at = torch.full((rows,), start, device=self.device)
            jumped = schedule.jump(self.predict(self.target, states[start], at, told), start, end, states[start])
            by_segment.append(_far(jumped, states[end]))
            own = schedule.jump(self.predict(self.target, own, at, told), start, end, own)
        return Measured(_far(own, states[DATA]), by_segment)


def distill(
    networks: Networks,
    clips: Path,
    run: Path,
    options: Distillation,
    tell: Callable[[str], None] = lambda line: None,
) -> tuple[Measured, Measured]:
    """Train, going on where an earlier call of the same run stopped; write the student as released files into ``run``.

    Metrics are appended to ``run/log.jsonl``: loss, and ``Measured`` on held-out clips.

    Returns:
        The measurement before the first update of this call, and the last one.

    Raises:
        TrainingError: no clips, clips of other weights, or the run is of other options.
    """
    distiller = Distiller(networks, options)
    folder = ClipFolder(clips, options.frames, encoders_digest(networks))
    rng = np.random.default_rng(options.seed)
    torch.manual_seed(options.seed)
    progress = load_checkpoint(run, distiller.student, distiller.average, distiller.optimizer, rng, options.about())
    distiller.alias()
    log = Log(run, tell)
    valid = folder.draw(options.valid_rows, np.random.default_rng(_VALID_SEED), held_out=True)
    before = measured = distiller.measure(valid)
    log.write(step=progress.step, end_to_end=before.end_to_end, by_segment=before.by_segment)
    begun, losses = time.monotonic(), []
    for step in range(progress.step, options.steps):
        losses.append(distiller.update(folder.draw(options.rows, rng), rng, step))
        if (step + 1) % options.measure_every == 0 or step + 1 == options.steps:
            measured = distiller.measure(valid)
            seconds = progress.seconds + time.monotonic() - begun
            log.write(
                step=step + 1,
                loss=float(np.mean(losses)),
                end_to_end=measured.end_to_end,
                by_segment=measured.by_segment,
                seconds=round(seconds),
            )
            losses.clear()
            save_checkpoint(
                run, distiller.student, distiller.average, distiller.optimizer, rng,
                Progress(step + 1, seconds, options.about()),
            )  # fmt: skip
    write_student(distiller.target, run, options)
    return before, measured


def write_student(student: DenoisingUNet, folder: Path, options: Distillation) -> list[Path]:
    """The two files of the released layout, float16, split as the authors split theirs."""
    tensors = student.state_dict()
    origin = f"distilled by Parley: {options.teacher_steps} steps to {options.segments}, guidance {options.guidance}"
    written = []
    for name, motion in zip(STUDENT_FILES, (False, True), strict=True):
        part = {key: value for key, value in tensors.items() if (_MOTION in key) == motion}
        save_tensors(part, folder / name, torch.float16, origin)
        written.append(folder / name)
    return written


def _far(a: Tensor, b: Tensor) -> float:
    return float((a - b).norm() / b.norm())
