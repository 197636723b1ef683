"""The diffusion transformer: what it sees, and what it must not care about."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install 'parley[train]'")
pytest.importorskip("diffusers", reason="training needs diffusers: pip install 'parley[train]'")

from avatar.motion.generator.condition import C  # noqa: E402
from avatar.motion.generator.sampler import (  # noqa: E402
    HISTORY_BLOCKS,
    HISTORY_FRAMES,
    MOST_FRAMES,
    PLAYED_FRAMES,
    PREFIX_FRAMES,
)
from avatar.motion.generator.state import D  # noqa: E402
from avatar.motion.training.transformer import MotionTransformer, TransformerShape, summarise  # noqa: E402

SMALL = TransformerShape(width=32, layers=2, heads=2)


def network(shape: TransformerShape = SMALL) -> MotionTransformer:
    """Random everywhere: as begun, every block is the identity."""
    torch.manual_seed(0)
    made = MotionTransformer(shape).eval()
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return made


def inputs(rows: int = 3, new: int = 7, seed: int = 1) -> list[torch.Tensor]:
    g = torch.Generator().manual_seed(seed)
    shapes = ((rows, new, D), (rows, PREFIX_FRAMES, D), (rows, HISTORY_BLOCKS, D), (rows, PREFIX_FRAMES + new, C))
    noisy, prefix, history, condition = (torch.randn(shape, generator=g) for shape in shapes)
    return [noisy, torch.randint(0, 1000, (rows,), generator=g), prefix, history, condition]


@pytest.mark.parametrize("new", [2, 7, MOST_FRAMES])
@torch.no_grad()
def test_it_gives_a_velocity_of_each_new_frame(new: int) -> None:
    assert network()(*inputs(new=new)).shape == (3, new, D)


@torch.no_grad()
def test_everything_it_is_told_matters() -> None:
    net = network()
    given = inputs()
    plain = net(*given)
    for i in range(len(given)):
        changed = list(given)
        changed[i] = given[i] + (1 if given[i].dtype == torch.int64 else 0.5)
        assert (net(*changed) - plain).abs().max() > 1e-4, i


@torch.no_grad()
def test_rows_do_not_mix() -> None:
    net = network()
    given = inputs()
    torch.testing.assert_close(net(*given)[1:2], net(*(x[1:2] for x in given)), rtol=0, atol=1e-5)


@torch.no_grad()
def test_timing_can_be_had_ready() -> None:
    net = network()
    noisy, t, prefix, history, condition = inputs()
    ready = net.denoise(noisy, net.timing(t), prefix, history, condition)
    assert torch.equal(ready, net(noisy, t, prefix, history, condition))


def test_what_was_played_is_summed_up_oldest_first() -> None:
    played = torch.arange(PLAYED_FRAMES, dtype=torch.float32)[None, :, None].expand(2, -1, D)
    prefix, history = summarise(played)
    assert prefix[0, :, 0].tolist() == [float(x) for x in range(PLAYED_FRAMES - PREFIX_FRAMES, PLAYED_FRAMES)]
    assert history[1, :, 3].tolist() == [(HISTORY_FRAMES - 1) / 2 + HISTORY_FRAMES * i for i in range(HISTORY_BLOCKS)]


def test_it_is_of_the_size_that_serving_affords() -> None:
    assert 3_000_000 <= sum(p.numel() for p in MotionTransformer().parameters()) <= 8_000_000


def test_gradients_reach_every_weight() -> None:
    net = network()
    net(*inputs()).square().mean().backward()
    assert [name for name, p in net.named_parameters() if p.grad is None or not p.grad.abs().sum()] == []
