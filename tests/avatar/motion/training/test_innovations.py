"""Innovations: of unit variance, without memory, and back again."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install 'parley[train]'")

from avatar.motion.generator.sampler import MOST_FRAMES, PREFIX_FRAMES  # noqa: E402
from avatar.motion.generator.state import D  # noqa: E402
from avatar.motion.training.innovations import Innovations  # noqa: E402


def scenes(count: int = 12, frames: int = 400) -> list[np.ndarray]:  # type: ignore[type-arg]
    """Damped oscillators of many rates pushed by noise: as smooth as a head, or not at all."""
    rng = np.random.default_rng(0)
    rate = np.linspace(0.02, 1.2, D)
    push = rng.standard_normal((count, frames + 200, D))
    out = np.zeros_like(push)
    for t in range(2, frames + 200):
        out[:, t] = 2 * 0.95 * np.cos(rate) * out[:, t - 1] - 0.95**2 * out[:, t - 2] + push[:, t]
    out = out[:, 200:]
    return list((out / out.std(axis=(0, 1))).astype(np.float32))


@pytest.fixture(scope="module")
def fitted() -> Innovations:
    made = Innovations()
    made.fit(scenes())
    return made


def windows(new: int) -> tuple[torch.Tensor, torch.Tensor]:
    rows = [scene[at : at + PREFIX_FRAMES + new] for scene in scenes() for at in range(0, 380, 11)]
    whole = torch.from_numpy(np.stack([row for row in rows if len(row) == PREFIX_FRAMES + new]))
    return whole[:, :PREFIX_FRAMES], whole[:, PREFIX_FRAMES:]


def test_they_have_unit_variance_and_no_memory(fitted: Innovations) -> None:
    played, state = windows(MOST_FRAMES)
    found = fitted.of(state, played)
    assert (found.std(dim=0) - 1).abs().mean() < 0.15
    covariance = torch.einsum("bid,bjd->dij", found, found) / len(found)
    beside = covariance - torch.diag_embed(covariance.diagonal(dim1=1, dim2=2))
    assert beside.abs().mean() < 0.08
    plain = (state - played[:, -1:]) / state.std(dim=0)
    assert torch.einsum("bid,bjd->dij", plain, plain).abs().mean() / len(found) > 0.2  # what the states themselves have


@pytest.mark.parametrize("new", [1, 2, 7, MOST_FRAMES])
def test_there_and_back(fitted: Innovations, new: int) -> None:
    played, state = windows(new)
    torch.testing.assert_close(fitted.to_state(fitted.of(state, played), played), state, rtol=0, atol=2e-4)


def test_fewer_frames_have_the_same_innovations(fitted: Innovations) -> None:
    played, state = windows(MOST_FRAMES)
    torch.testing.assert_close(fitted.of(state[:, :5], played), fitted.of(state, played)[:, :5], rtol=0, atol=1e-4)


def test_white_innovations_are_as_smooth_as_the_data(fitted: Innovations) -> None:
    """Hop after hop from their own output: neither jerk nor spread runs away."""
    generator = torch.Generator().manual_seed(0)
    played = torch.from_numpy(np.stack([scene[:PREFIX_FRAMES] for scene in scenes()]))
    for _ in range(60):
        noise = torch.randn((len(played), 7, D), generator=generator)
        played = torch.cat([played, fitted.to_state(noise, played)[:, :5]], dim=1)
    true = torch.from_numpy(np.stack(scenes()))
    for order in (0, 1, 3):
        a, b = (torch.diff(x, n=order, dim=1).square().mean(dim=(0, 1)).sqrt() for x in (played[:, 50:], true))
        assert float((a / b).min()) > 0.6 and float((a / b).max()) < 1.6, order


def test_what_never_moves_stays(fitted: Innovations) -> None:
    still = Innovations()
    still.fit([np.zeros((40, D), np.float32)])
    moved = still.to_state(torch.randn((4, 7, D), generator=torch.Generator().manual_seed(0)), torch.zeros(4, 12, D))
    assert moved.abs().max() < 0.03


def test_no_scene_long_enough_is_told() -> None:
    with pytest.raises(ValueError, match="16 frames"):
        Innovations().fit([np.zeros((9, D), np.float32)])
