"""The original's schedule and sampler."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the gpu extra is not installed")

from avatar.echomimic.ddim import ddim_scheduler, initial_noise  # noqa: E402


def test_timesteps() -> None:
    assert ddim_scheduler(6).timesteps.tolist() == [999, 832, 666, 499, 332, 166]
    thirty = ddim_scheduler(30).timesteps.tolist()
    assert (thirty[:3], thirty[-1]) == ([999, 966, 932], 32)


def test_the_first_step_starts_from_noise_alone() -> None:
    scheduler = ddim_scheduler(6)
    assert float(scheduler.alphas_cumprod[999]) == 0
    out = scheduler.step(torch.full((1, 4, 1, 2, 2), 2.0), 999, torch.zeros(1, 4, 1, 2, 2))
    assert torch.allclose(out.pred_original_sample, torch.full((1, 4, 1, 2, 2), -2.0)), "v is -x0 there"


def test_against_the_original(fixtures: Path) -> None:
    with np.load(fixtures / "parity_v2.npz", allow_pickle=False) as arrays:
        scheduler = ddim_scheduler(6)
        assert np.allclose(scheduler.alphas_cumprod, arrays["ddim|alphas_cumprod"], atol=1e-6)
        sample, velocity = torch.from_numpy(arrays["ddim|sample"]), torch.from_numpy(arrays["ddim|v"])
        for number in (0, 2, 5):
            step = scheduler.step(velocity, int(scheduler.timesteps[number]), sample)
            assert np.allclose(step.prev_sample, arrays[f"ddim|step6_{number}_prev"], atol=1e-6)


def test_noise_is_clamped_and_repeats() -> None:
    noise = initial_noise((1, 4, 12, 32, 32), torch.Generator().manual_seed(420))
    assert float(noise.abs().max()) == 1.5 and noise.shape == (1, 4, 12, 32, 32)
    assert torch.equal(noise, initial_noise((1, 4, 12, 32, 32), torch.Generator().manual_seed(420)))
    free = initial_noise((1, 4, 12, 32, 32), torch.Generator().manual_seed(420), limit=None)
    assert float(free.abs().max()) > 1.5 and torch.equal(free.clamp(-1.5, 1.5), noise)
