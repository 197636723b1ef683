"""Students on made-up motion: told where the teacher lands, and nearer to it than naive steps."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install 'parley[train]'")
pytest.importorskip("diffusers", reason="training needs diffusers: pip install 'parley[train]'")

from avatar.distillation.scheduler import MultistepConsistencyScheduler  # noqa: E402
from avatar.motion.training.diffusion_training import DiffusionTraining, train_teacher, trained_transformer  # noqa: E402
from avatar.motion.training.distillation import (  # noqa: E402
    Distillation,
    distil,
    read_trajectories,
    roll_teacher,
    save_trajectories,
    student_loss,
)
from avatar.motion.training.learning import TrainingError  # noqa: E402
from avatar.motion.training.sampling import sample  # noqa: E402
from avatar.motion.training.scene_windows import SceneLibrary  # noqa: E402
from avatar.motion.training.transformer import MotionTransformer, TransformerShape  # noqa: E402
from tests.avatar.motion.training import shards  # noqa: E402

SMALL = TransformerShape(width=32, layers=2, heads=2)


def quiet(line: str) -> None:
    pass


@pytest.fixture
def library(tmp_path: Path) -> SceneLibrary:
    shards.scenes(tmp_path)
    made = SceneLibrary(tmp_path / "scenes" / "train", shards.normalisation())
    made.refresh()
    return made


def network() -> MotionTransformer:
    torch.manual_seed(0)
    made = MotionTransformer(SMALL).eval()
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    return made


def noise(windows: object) -> torch.Tensor:
    return torch.randn(windows.state.shape, generator=torch.Generator().manual_seed(0))  # type: ignore[attr-defined]


@torch.no_grad()
def test_a_trajectory_is_the_teachers_sampling(library: SceneLibrary) -> None:
    windows = library.draw(3, 5, np.random.default_rng(0))
    rolled = roll_teacher(network(), windows, noise(windows))
    assert rolled.points.shape == (3, 5, 5, windows.state.shape[2])
    assert torch.equal(rolled.points[:, 0], noise(windows))
    scheduler = MultistepConsistencyScheduler()
    drawn = sample(network(), scheduler, 40, noise(windows), windows.played, windows.condition, temperature=1.0)
    assert torch.equal(network().innovations.to_state(rolled.points[:, -1], windows.played), drawn)


@pytest.mark.parametrize("segments", [4, 2, 1])
@torch.no_grad()
def test_a_student_that_lands_where_its_teacher_does_has_no_loss(library: SceneLibrary, segments: int) -> None:
    windows = library.draw(8, 5, np.random.default_rng(0))
    rolled = roll_teacher(network(), windows, noise(windows))
    scheduler = MultistepConsistencyScheduler(segments=segments)
    segment = torch.arange(8) % segments
    stride = 4 // segments

    class Oracle(torch.nn.Module):
        def forward(self, begin: torch.Tensor, timestep: torch.Tensor, *rest: torch.Tensor) -> torch.Tensor:
            assert timestep.tolist() == scheduler.boundaries[segment].tolist()
            landing = rolled.points[torch.arange(8), (segment + 1) * stride]
            return scheduler.invert(landing, timestep, scheduler.segment_end(timestep), begin)

    assert student_loss(Oracle(), rolled, segment, segments).max() < 1e-9  # type: ignore[arg-type]
    assert student_loss(network(), rolled, segment, segments).max() > 1e-7


def test_trajectories_are_kept(library: SceneLibrary, tmp_path: Path) -> None:
    windows = library.draw(3, 5, np.random.default_rng(0))
    with torch.no_grad():
        rolled = roll_teacher(network(), windows, noise(windows))
    save_trajectories(tmp_path / "t.npz", rolled)
    back = read_trajectories(tmp_path / "t.npz")
    torch.testing.assert_close(back.points, rolled.points, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(back.windows.condition, windows.condition, rtol=1e-3, atol=1e-3)
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.slow
def test_a_student_comes_nearer_to_its_teacher_than_naive_steps(tmp_path: Path) -> None:
    shards.scenes(tmp_path)
    teacher = DiffusionTraining(steps=300, rows=32, peak=3e-3, measure_every=300, shape=SMALL)
    train_teacher(tmp_path, tmp_path / "teacher", teacher, quiet)
    told: list[str] = []
    options = Distillation(segments=2, trajectories=512, steps=400, rows=32, peak=2e-3, measure_every=400)
    distil(tmp_path, tmp_path / "teacher", tmp_path / "student", options, told.append)
    naive = next(json.loads(line)["naive"] for line in told if "naive" in line)
    taught = json.loads(told[-1])["valid"]
    assert len(taught["jumps"]) == 2
    assert taught["distance"] < 0.8 * naive["distance"]
    assert taught["jumps"][-1] < naive["jumps"][-1]


def test_it_begins_as_its_teacher_and_goes_on(tmp_path: Path) -> None:
    shards.scenes(tmp_path)
    train_teacher(
        tmp_path, tmp_path / "teacher", DiffusionTraining(steps=2, rows=4, measure_every=2, shape=SMALL), quiet
    )
    options = Distillation(segments=4, trajectories=8, steps=2, rows=4, peak=0.0, measure_every=1)
    distil(tmp_path, tmp_path / "teacher", tmp_path / "student", options, quiet)
    assert len(list((tmp_path / "teacher" / "trajectories").glob("*.npz"))) == 2
    teacher = trained_transformer(tmp_path / "teacher").state_dict()
    for name, value in trained_transformer(tmp_path / "student").state_dict().items():
        torch.testing.assert_close(value, teacher[name], rtol=0, atol=1e-6)
    told: list[str] = []
    more = Distillation(segments=4, trajectories=8, steps=3, rows=4, measure_every=1)
    distil(tmp_path, tmp_path / "teacher", tmp_path / "student", more, told.append)
    assert [json.loads(line)["step"] for line in told if '"step"' in line] == [3]


def test_a_student_of_three_steps_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="4, 2, 1 steps, not 3"):
        distil(tmp_path, tmp_path, tmp_path, Distillation(segments=3), quiet)
    shards.scenes(tmp_path)
    with pytest.raises(TrainingError, match="train first"):
        distil(tmp_path, tmp_path / "none", tmp_path / "student", Distillation(), quiet)
