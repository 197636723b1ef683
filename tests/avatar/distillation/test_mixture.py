"""Multistep consistency on a mixture of Gaussians in one dimension, where the perfect teacher is a formula.

Noise is taken at the normal distribution's quantiles, and DDIM is monotone in one dimension, so distances to the mixture
(W1, the mean distance of quantiles) are exact up to the grid: nothing here is random but the student's start.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

torch = pytest.importorskip("torch", reason="the scheduler needs torch: pip install 'parley[train]'")
pytest.importorskip("diffusers", reason="the scheduler needs diffusers: pip install 'parley[train]'")

from avatar.distillation.scheduler import MultistepConsistencyScheduler  # noqa: E402

WEIGHTS = torch.tensor([0.3, 0.5, 0.2], dtype=torch.float64)
MEANS = torch.tensor([-2.0, 0.5, 2.5], dtype=torch.float64)
DEVIATIONS = torch.tensor([0.25, 0.35, 0.2], dtype=torch.float64)
POINTS = 4001

Velocity = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def teacher(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    """The exact v at x [batch, 1] and t [batch]: E[alpha eps - sigma x0 | x]."""
    scheduler = MultistepConsistencyScheduler()
    alpha, sigma = scheduler._at(t, 2)
    alpha, sigma, x = alpha.expand(len(x), 1), sigma.expand(len(x), 1), x.double()
    variance = alpha**2 * DEVIATIONS**2 + sigma**2
    log_weight = WEIGHTS.log() - 0.5 * variance.log() - (x - alpha * MEANS) ** 2 / (2 * variance)
    share = torch.softmax(log_weight, dim=1)
    clean = (share * (MEANS + alpha * DEVIATIONS**2 / variance * (x - alpha * MEANS))).sum(1, keepdim=True)
    noise = (x - alpha * clean) / sigma
    return alpha * noise - sigma * clean


def quantiles() -> tuple[torch.Tensor, torch.Tensor]:
    """Of the normal distribution and of the mixture, each [POINTS, 1]."""
    level = (torch.arange(POINTS, dtype=torch.float64) + 0.5) / POINTS
    normal = math.sqrt(2.0) * torch.erfinv(2 * level - 1)
    low, high = torch.full_like(level, -6.0), torch.full_like(level, 6.0)
    for _ in range(60):
        middle = (low + high) / 2
        z = (middle[:, None] - MEANS) / DEVIATIONS / math.sqrt(2.0)
        below = (WEIGHTS * 0.5 * (1 + torch.erf(z))).sum(1) < level
        low, high = torch.where(below, middle, low), torch.where(below, high, middle)
    return normal[:, None], low[:, None]


def distance_to_data(velocity: Velocity, steps: int) -> float:
    """W1 between what ``steps`` steps sample and the mixture."""
    scheduler = MultistepConsistencyScheduler()
    scheduler.set_timesteps(steps)
    x, data = quantiles()
    for t in scheduler.timesteps:
        x = scheduler.step(velocity(x, t.expand(len(x))), t, x).prev_sample
    return float((x - data).abs().mean())


def test_few_naive_steps_are_far_and_forty_are_near() -> None:
    four, forty, thousand = (distance_to_data(teacher, steps) for steps in (4, 40, 1000))
    assert forty == pytest.approx(0.05, abs=0.025)
    assert four == pytest.approx(0.34, abs=0.1)
    assert thousand < 0.01


def test_a_student_told_the_landing_point_is_the_teacher() -> None:
    """v* carries the teacher's ten steps through one jump."""
    scheduler = MultistepConsistencyScheduler()
    start, _ = quantiles()
    taught, jumped = start, start
    for begin, end in zip(scheduler.boundaries[:-1].tolist(), scheduler.boundaries[1:].tolist(), strict=True):
        at = torch.tensor(begin)
        origin = taught
        while int(at) > end:
            taught = scheduler.teacher_step(teacher(taught, at.expand(len(taught))), at, taught)
            at = scheduler.teacher_next(at)
        assert int(at) == end
        jumped = scheduler.jump(scheduler.invert(taught, begin, end, origin), begin, end, jumped)
    assert (taught - jumped).abs().max() < 1e-12
    assert (taught - start).abs().max() > 0.5  # they went somewhere


class Student(torch.nn.Module):
    """An MLP on x and on waves of the time."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(9, 96), torch.nn.SiLU(), torch.nn.Linear(96, 96), torch.nn.SiLU(), torch.nn.Linear(96, 1)
        )

    def forward(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        phase = t.float()[:, None] / 1000 * math.pi * torch.tensor([1.0, 2.0, 4.0, 8.0])
        features = torch.cat([x.float(), phase.sin(), phase.cos()], dim=1)
        return self.layers(features)


@torch.no_grad()
def trajectories(count: int, seed: int) -> list[torch.Tensor]:
    """The teacher at the boundaries, from random noise, [count, 1] each."""
    scheduler = MultistepConsistencyScheduler()
    x = torch.randn(count, 1, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    points = [x]
    for t, u in zip(scheduler.teacher_grid[:-1], scheduler.teacher_grid[1:], strict=True):
        x = scheduler.teacher_step(teacher(x, t.expand(count)), t, x)
        if u in scheduler.boundaries:
            points.append(x)
    return points


@pytest.mark.slow
def test_a_trained_student_of_four_steps_is_near_its_teacher() -> None:
    torch.manual_seed(0)
    scheduler = MultistepConsistencyScheduler()
    student = Student()
    points = torch.cat(trajectories(8192, 1), dim=1)
    iterations, batch = 3000, 512
    optimizer = torch.optim.Adam(student.parameters(), lr=5e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, iterations)
    for _ in range(iterations):
        row, segment = torch.randint(0, len(points), (batch,)), torch.randint(0, 4, (batch,))
        t = scheduler.boundaries[segment]
        begin, landing = points[row, segment][:, None], points[row, segment + 1][:, None]
        target = scheduler.invert(landing, t, scheduler.segment_end(t), begin).float()
        loss = (student(begin, t) - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        taught = distance_to_data(teacher, 40)
        assert distance_to_data(student, 4) <= 1.5 * taught
        assert distance_to_data(Student(), 4) > 4 * taught  # before it learned anything
