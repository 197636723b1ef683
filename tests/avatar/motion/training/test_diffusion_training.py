"""The teacher on made-up motion: it learns, goes on where it stopped, and a rolled-out scene is its own past."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install 'parley[train]'")
pytest.importorskip("diffusers", reason="training needs diffusers: pip install 'parley[train]'")

from avatar.distillation.scheduler import MultistepConsistencyScheduler  # noqa: E402
from avatar.motion.generator.condition import PHONES, C  # noqa: E402
from avatar.motion.generator.sampler import PLAYED_FRAMES, PREFIX_FRAMES  # noqa: E402
from avatar.motion.generator.state import D  # noqa: E402
from avatar.motion.training.diffusion_training import (  # noqa: E402
    DiffusionTraining,
    diffusion_loss,
    draw_timesteps,
    likeness,
    train_teacher,
    trained_transformer,
)
from avatar.motion.training.innovations import Innovations  # noqa: E402
from avatar.motion.training.learning import TrainingError  # noqa: E402
from avatar.motion.training.sampling import roll_out, sample  # noqa: E402
from avatar.motion.training.scene_windows import SceneLibrary  # noqa: E402
from avatar.motion.training.transformer import MotionTransformer, TransformerShape  # noqa: E402
from tests.avatar.motion.training import shards  # noqa: E402

SMALL = TransformerShape(width=32, layers=2, heads=2)
TINY = DiffusionTraining(steps=6, rows=4, measure_every=3, shape=SMALL)


def quiet(line: str) -> None:
    pass


@pytest.fixture
def library(tmp_path: Path) -> SceneLibrary:
    shards.scenes(tmp_path)
    made = SceneLibrary(tmp_path / "scenes" / "train", shards.normalisation())
    made.refresh()
    return made


def test_a_window_is_a_piece_of_one_scene(library: SceneLibrary) -> None:
    windows = library.draw(64, 7, np.random.default_rng(0))
    assert windows.played.shape == (64, PLAYED_FRAMES, D)
    assert windows.state.shape == (64, 7, D) and windows.condition.shape == (64, PREFIX_FRAMES + 7, C)
    # What drives a frame is told with that frame.
    shown = torch.cat([windows.played[:, -1:], windows.state], dim=1)
    drive = (shown[:, 1:] - shards.KEPT * shown[:, :-1]) / shards.DRIVEN
    assert (drive[5:] - windows.condition[5:, -7:, : min(C, D)]).abs().median() < 0.01


def test_before_a_scene_is_its_first_frame(library: SceneLibrary) -> None:
    library.states, library.conditions = [library.states[0][:9]], [library.conditions[0][:9]]
    library._ends = np.array([9])
    windows = library.draw(20, 4, np.random.default_rng(0))
    first = torch.from_numpy(library.states[0][0])
    assert all(torch.equal(row[0], first) and torch.equal(row[50], first) for row in windows.played)
    assert torch.isfinite(windows.condition).all()


def test_phones_are_left_untold_in_some_windows(library: SceneLibrary) -> None:
    for conditions in library.conditions:
        conditions[:, PHONES] = 1.0
    unsure = np.full(D, 0.01, np.float32)
    told = library.draw(200, 4, np.random.default_rng(0), unsure).condition[:, :, PHONES]
    untold = (told == 0).all(dim=(1, 2)).float().mean()
    assert 0.1 < untold < 0.4
    assert (library.draw(50, 4, np.random.default_rng(0)).condition[:, :, PHONES] == 1.0).all()


def test_timesteps_are_the_teachers_and_cover_them() -> None:
    drawn = draw_timesteps(40, np.random.default_rng(0))
    assert sorted(drawn.tolist()) == sorted(range(24, 1000, 25))
    assert drawn.tolist() != sorted(drawn.tolist())


def test_the_loss_is_nothing_for_the_true_velocity(library: SceneLibrary) -> None:
    windows = library.draw(8, 5, np.random.default_rng(0))
    noise = torch.randn(windows.state.shape, generator=torch.Generator().manual_seed(0))
    t = draw_timesteps(8, np.random.default_rng(0))
    fitted = Innovations()
    fitted.fit(library.states)
    clean = fitted.of(windows.state, windows.played)
    true = MultistepConsistencyScheduler().get_velocity(clean, noise, t)

    class Oracle(MotionTransformer):
        def forward(self, *given: torch.Tensor) -> torch.Tensor:
            assert torch.equal(given[0], MultistepConsistencyScheduler().add_noise(clean, noise, t))
            return true

    oracle = Oracle(SMALL)
    oracle.innovations = fitted
    mean, rows = diffusion_loss(oracle, windows, t, noise)
    assert float(mean) == 0.0 and rows.shape == (8,)


@pytest.mark.slow
def test_it_learns_to_follow_what_it_is_told(tmp_path: Path) -> None:
    shards.scenes(tmp_path)
    told: list[str] = []
    options = DiffusionTraining(steps=400, rows=32, peak=3e-3, measure_every=200, shape=SMALL)
    train_teacher(tmp_path, tmp_path / "run", options, told.append)
    first, last = (json.loads(line)["valid"] for line in told if '"valid"' in line and '"step"' in line)
    assert last["loss"] < 0.85 and last["loss"] < first["loss"]
    assert last["distance"] < first["distance"]


def test_a_run_cut_at_a_checkpoint_is_the_uncut_run(tmp_path: Path) -> None:
    shards.scenes(tmp_path)
    train_teacher(tmp_path, tmp_path / "whole", TINY, quiet)

    class Enough(Exception):
        pass

    def stop(line: str) -> None:
        if json.loads(line).get("step") == 3:
            raise Enough

    with pytest.raises(Enough):
        train_teacher(tmp_path, tmp_path / "cut", TINY, stop)
    train_teacher(tmp_path, tmp_path / "cut", TINY, quiet)
    cut = trained_transformer(tmp_path / "cut").state_dict()
    for name, value in trained_transformer(tmp_path / "whole").state_dict().items():
        assert torch.equal(value, cut[name]), name


def test_scenes_of_another_layout_and_no_scenes_are_told(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="parley motion synthesize"):
        train_teacher(tmp_path, tmp_path / "run", TINY, quiet)
    shards.scenes(tmp_path)
    np.savez(
        tmp_path / "scenes" / "train" / "0001.npz",
        state=np.zeros((5, 3)),
        condition=np.zeros((5, 2)),
        scene_offset=[0, 5],
    )
    with pytest.raises(TrainingError, match="another version"):
        train_teacher(tmp_path, tmp_path / "run", TINY, quiet)


def network() -> MotionTransformer:
    torch.manual_seed(0)
    made = MotionTransformer(SMALL).eval()
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    return made


def test_a_scene_rolled_out_is_repeatable_and_as_long_as_told() -> None:
    condition = np.random.default_rng(0).standard_normal((2, 23, C)).astype(np.float32)
    begin = np.zeros((2, D), np.float32)
    once, again = (roll_out(network(), 2, condition, begin, np.random.default_rng(5)) for _ in range(2))
    assert once.shape == (2, 23, D) and np.array_equal(once, again)
    other = roll_out(network(), 2, condition, begin, np.random.default_rng(6))
    assert np.abs(once - other).max() > 0.01


def test_a_scene_rolled_out_hears_no_further_than_it_may() -> None:
    """The first hop plays two frames and draws two beyond: what is told of the fifth changes neither of the two."""
    condition = np.random.default_rng(0).standard_normal((1, 23, C)).astype(np.float32)
    begin = np.zeros((1, D), np.float32)
    plain = roll_out(network(), 2, condition, begin, np.random.default_rng(5))
    condition[:, 4:] += 1
    other = roll_out(network(), 2, condition, begin, np.random.default_rng(5))
    assert np.array_equal(plain[:, :2], other[:, :2]) and not np.array_equal(plain[:, 2:], other[:, 2:])


def test_sampling_takes_as_many_calls_as_steps(library: SceneLibrary) -> None:
    windows = library.draw(2, 5, np.random.default_rng(0))
    seen: list[int] = []

    class Counted(MotionTransformer):
        def forward(self, *given: torch.Tensor) -> torch.Tensor:
            seen.append(int(given[1][0]))
            return super().forward(*given)

    noise = torch.randn(windows.state.shape, generator=torch.Generator().manual_seed(0))
    sample(Counted(SMALL), MultistepConsistencyScheduler(), 4, noise, windows.played, windows.condition)
    assert seen == [999, 749, 499, 249]


def test_the_truth_is_like_itself(library: SceneLibrary) -> None:
    windows = library.draw(8, 5, np.random.default_rng(0))
    assert likeness(windows.state, windows) == {"spread": 1.0, "speed": 1.0, "seam": 1.0, "distance": 0.0}
