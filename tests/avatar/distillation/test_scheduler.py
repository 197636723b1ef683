"""The schedule against its algebra, against DDIM in diffusers, and against what EchoMimicV2 computes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the scheduler needs torch: pip install 'parley[train]'")
pytest.importorskip("diffusers", reason="the scheduler needs diffusers: pip install 'parley[train]'")

from diffusers import DDIMScheduler  # noqa: E402

from avatar.distillation.scheduler import DATA, MultistepConsistencyScheduler  # noqa: E402

SHAPE = (7, 3, 5)


@pytest.fixture
def scheduler() -> MultistepConsistencyScheduler:
    return MultistepConsistencyScheduler()


def normal(seed: int, *shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(shape or SHAPE, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def test_the_grid_and_its_segments(scheduler: MultistepConsistencyScheduler) -> None:
    assert scheduler.teacher_grid.tolist() == [*range(999, -1, -25), -1]
    assert scheduler.boundaries.tolist() == [999, 749, 499, 249, -1]
    assert scheduler.segment_end(torch.tensor([999, 750, 749, 500, 250, 249, 24, 0])).tolist() == [
        749, 749, 499, 499, 249, -1, -1, -1,
    ]  # fmt: skip
    assert int(scheduler.segment_end(999)) == 749
    assert scheduler.teacher_next(torch.tensor([999, 998, 974, 24, 3])).tolist() == [974, 974, 949, -1, -1]


def test_clean_data_lies_in_no_segment(scheduler: MultistepConsistencyScheduler) -> None:
    with pytest.raises(ValueError, match=r"0\.\.999"):
        scheduler.segment_end(torch.tensor([500, DATA]))


def test_the_schedule_ends_in_pure_noise(scheduler: MultistepConsistencyScheduler) -> None:
    assert float(scheduler.alphas_cumprod[-1]) == 0.0
    x = normal(0)
    assert torch.equal(scheduler.add_noise(x, normal(1), 999), normal(1))
    assert torch.equal(scheduler.add_noise(x, normal(1), DATA), x)


def test_landing_where_an_inverted_jump_was_aimed(scheduler: MultistepConsistencyScheduler) -> None:
    for t in (999, 976, 750, 749, 500, 251, 250, 24, 0):
        end = int(scheduler.segment_end(t))
        x, y = normal(t), normal(t + 1)
        v = scheduler.invert(y, t, end, x)
        assert (scheduler.jump(v, t, end, x) - y).abs().max() <= 1e-5, t


def test_an_inverted_prediction_is_the_prediction(scheduler: MultistepConsistencyScheduler) -> None:
    """In double, since a boundary's neighbour amplifies rounding 57-fold."""
    x, v = normal(0, dtype=torch.float64), normal(1, dtype=torch.float64)
    timesteps = torch.tensor([999, 750, 749, 500, 300, 250, 5])
    ends = scheduler.segment_end(timesteps)
    assert (scheduler.invert(scheduler.jump(v, timesteps, ends, x), timesteps, ends, x) - v).abs().max() <= 1e-9


def test_inverting_is_done_in_single_precision_at_least(scheduler: MultistepConsistencyScheduler) -> None:
    x, v = normal(0).half(), normal(1).half()
    landing = scheduler.jump(v.float(), 750, 749, x.float())
    found = scheduler.invert(landing, 750, 749, x)
    assert found.dtype is torch.float32
    assert (found - v).abs().max() < 1e-3
    in_half = (landing.half() - x) / float(scheduler._line(750, 749, x)[1])
    assert (in_half - v).abs().max() > 0.01  # the question is a real one


def test_no_distance_has_no_inverse(scheduler: MultistepConsistencyScheduler) -> None:
    with pytest.raises(ValueError, match="no inverse"):
        scheduler.invert(normal(0), 749, 749, normal(1))


def test_jumps_of_different_lengths_in_one_batch(scheduler: MultistepConsistencyScheduler) -> None:
    x, v = normal(0), normal(1)
    timesteps, ends = torch.tensor([999, 750, 749, 500, 300, 250, 5]), torch.tensor([749, 749, 0, 499, -1, 249, 5])
    together = scheduler.jump(v, timesteps, ends, x)
    for i, (t, s) in enumerate(zip(timesteps.tolist(), ends.tolist(), strict=True)):
        assert torch.equal(together[i], scheduler.jump(v[i : i + 1], t, s, x[i : i + 1])[0])


def test_a_true_prediction_jumps_along_the_noising(scheduler: MultistepConsistencyScheduler) -> None:
    """One data point: v is exact, so every jump lands on the same point noised less."""
    x, noise = normal(0), normal(1)
    for t, s in ((999, 749), (749, 10), (300, DATA)):
        landed = scheduler.jump(scheduler.get_velocity(x, noise, t), t, s, scheduler.add_noise(x, noise, t))
        torch.testing.assert_close(landed, scheduler.add_noise(x, noise, s), rtol=0, atol=1e-6)


@pytest.mark.parametrize("steps", [1, 2, 4, 6, 8, 30, 40])
@pytest.mark.parametrize("betas", ["linear", "scaled_linear"])
def test_steps_are_those_of_ddim_in_diffusers(steps: int, betas: str) -> None:
    ours = MultistepConsistencyScheduler(beta_schedule=betas)
    theirs = DDIMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule=betas, clip_sample=False, prediction_type="v_prediction",
        timestep_spacing="trailing", rescale_betas_zero_snr=True,
    )  # fmt: skip
    ours.set_timesteps(steps)
    theirs.set_timesteps(steps)
    assert ours.timesteps.tolist() == theirs.timesteps.tolist()
    x = normal(0)
    for i, t in enumerate(ours.timesteps):
        v = normal(i + 1)
        mine, other = ours.step(v, t, x), theirs.step(v, t, x)
        torch.testing.assert_close(mine.prev_sample, other.prev_sample, rtol=0, atol=2e-5)
        torch.testing.assert_close(mine.pred_original_sample, other.pred_original_sample, rtol=0, atol=2e-5)
        x = mine.prev_sample


def test_echomimic_v2s_timesteps_and_steps(shared: Path, scheduler: MultistepConsistencyScheduler) -> None:
    fixture = shared / "echomimic" / "parity_v2.npz"
    if not fixture.is_file():
        pytest.skip(f"no values of the released code at {fixture}")
    with np.load(fixture) as file:
        known = {key.removeprefix("ddim|"): file[key] for key in file.files if key.startswith("ddim|")}
    for key in known:
        if key.startswith("timesteps_"):
            scheduler.set_timesteps(int(key.removeprefix("timesteps_")))
            assert scheduler.timesteps.tolist() == known[key].tolist(), key
    np.testing.assert_allclose(scheduler.alphas_cumprod.numpy(), known["alphas_cumprod"], rtol=0, atol=1e-6)
    sample, v = torch.from_numpy(known["sample"]), torch.from_numpy(known["v"])
    scheduler.set_timesteps(6)
    for i in (0, 2, 5):
        out = scheduler.step(v, scheduler.timesteps[i], sample)
        np.testing.assert_allclose(out.prev_sample.numpy(), known[f"step6_{i}_prev"], rtol=0, atol=2e-5)
        np.testing.assert_allclose(out.pred_original_sample.numpy(), known[f"step6_{i}_x0"], rtol=0, atol=2e-5)


def test_as_many_segments_as_steps_is_the_teacher_exactly() -> None:
    scheduler = MultistepConsistencyScheduler(segments=40)
    assert torch.equal(scheduler.boundaries, scheduler.teacher_grid)
    scheduler.set_timesteps(40)
    x = y = normal(0)
    for t in scheduler.timesteps:
        v = torch.tanh(x) + t / 1000
        x = scheduler.teacher_step(v, t, x)
        y = scheduler.step(v, t, y).prev_sample
        assert int(scheduler.segment_end(t)) == int(scheduler.teacher_next(t))
        assert torch.equal(x, y)


def test_sampling_is_repeatable_to_the_bit_and_finite(scheduler: MultistepConsistencyScheduler) -> None:
    def sample() -> torch.Tensor:
        scheduler.set_timesteps(4)
        x = normal(3)
        for t in scheduler.timesteps:
            x = scheduler.step(torch.sin(3 * x), t, x).prev_sample
        return x

    once, again = sample(), sample()
    assert torch.isfinite(once).all()
    assert torch.equal(once, again)


def test_half_precision_comes_back_as_it_came(scheduler: MultistepConsistencyScheduler) -> None:
    scheduler.set_timesteps(4)
    x, v = normal(0).to(torch.bfloat16), normal(1).to(torch.bfloat16)
    out = scheduler.step(v, 999, x)
    assert out.prev_sample.dtype is torch.bfloat16
    exact = scheduler.step(v.float(), 999, x.float()).prev_sample
    assert torch.equal(out.prev_sample, exact.to(torch.bfloat16))  # rounded once, at the end


def test_it_is_saved_and_loaded_as_diffusers_does(tmp_path: Path) -> None:
    MultistepConsistencyScheduler(segments=8).save_pretrained(tmp_path)
    assert MultistepConsistencyScheduler.from_pretrained(tmp_path).boundaries.tolist() == [*range(999, 0, -125), -1]


@pytest.mark.parametrize(
    "wrong",
    [
        {"segments": 3},
        {"teacher_steps": 30},
        {"segments": 0},
        {"prediction_type": "epsilon"},
        {"timestep_spacing": "leading"},
        {"rescale_betas_zero_snr": False},
        {"beta_schedule": "cosine"},
    ],
)
def test_what_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        MultistepConsistencyScheduler(**wrong)


def test_timesteps_outside_are_refused(scheduler: MultistepConsistencyScheduler) -> None:
    for wrong in (1000, -2):
        with pytest.raises(ValueError, match="timesteps must be"):
            scheduler.add_noise(normal(0), normal(1), wrong)
    with pytest.raises(ValueError, match="num_inference_steps"):
        scheduler.set_timesteps(0)
    with pytest.raises(RuntimeError, match="set_timesteps"):
        scheduler.step(normal(0), 999, normal(1))
