"""What is done for speed, as far as a CPU can tell: one graph, one recording a shape, rows in parts, few waits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

torch = pytest.importorskip("torch", reason="the gpu extra is not installed")

from avatar.echomimic import attention  # noqa: E402
from avatar.echomimic.reference_bank import ReferenceKeys  # noqa: E402
from avatar.echomimic.window_sampler import RecordedSampler, Windows, WindowSampler  # noqa: E402

if TYPE_CHECKING:
    from avatar.echomimic.networks import Networks

CPU = torch.device("cpu")
SIDE = 8
FRAMES = 3
STEPS = 2


@pytest.fixture(autouse=True)
def no_gradients() -> Iterator[None]:
    with torch.no_grad():
        yield


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def keys(tiny: Networks) -> ReferenceKeys:
    with torch.no_grad():
        bank, _ = tiny.reference(normal(1, 4, SIDE, SIDE))
        return tiny.denoiser.project_reference(bank)


def windows(keys: ReferenceKeys, rows: int, seed: int = 0) -> Windows:
    return Windows(
        noise=normal(rows, 4, FRAMES, SIDE, SIDE, seed=seed),
        audio=normal(rows, FRAMES, 30, 32, seed=seed + 1),
        pose=normal(rows, 16, FRAMES, SIDE, SIDE, seed=seed + 2),
        reference=ReferenceKeys.stack([keys] * rows),
        held=torch.tensor([1.0, 0.0, 0.0])[None, None, :, None, None].expand(rows, -1, -1, -1, -1),
        path=normal(STEPS, rows, 4, FRAMES, SIDE, SIDE, seed=seed + 3),
    )


class FakeCuda:
    """A graph that is played does again what was done when it was recorded, in the tensors of that time."""

    def __init__(self) -> None:
        self.pools: list[object] = []
        self.capturing = False

    def Stream(self) -> FakeCuda:
        return self

    def current_stream(self) -> FakeCuda:
        return self

    def wait_stream(self, other: FakeCuda) -> None: ...

    @contextmanager
    def stream(self, stream: FakeCuda) -> Iterator[None]:
        yield

    def CUDAGraph(self) -> FakeGraph:
        return FakeGraph()

    @contextmanager
    def graph(self, graph: FakeGraph, pool: object, *, capture_error_mode: str) -> Iterator[None]:
        assert capture_error_mode == "thread_local", "another thread copies frames meanwhile"
        self.pools.append(pool)
        self.capturing = True
        yield
        self.capturing = False


class FakeGraph:
    def __init__(self) -> None:
        self.again: Callable[[], None] = lambda: None

    def pool(self) -> str:
        return "pool"

    def replay(self) -> None:
        self.again()


class CountingSampler:
    """Stands before the sampler: counts its calls, and tells the graph being recorded how to do it again."""

    def __init__(self, sampler: WindowSampler, cuda: FakeCuda) -> None:
        self.sampler, self.cuda, self.calls = sampler, cuda, 0
        self.again: list[Callable[[], None]] = []

    def __call__(self, given: Windows) -> tuple[torch.Tensor, torch.Tensor]:
        self.calls += 1
        outputs = self.sampler(given)
        if self.cuda.capturing:

            def again() -> None:
                for kept, new in zip(outputs, self.sampler(given), strict=True):
                    kept.copy_(new)

            self.again.append(again)
        return outputs


@pytest.fixture
def recorded(tiny: Networks, monkeypatch: pytest.MonkeyPatch) -> tuple[RecordedSampler, CountingSampler, FakeCuda]:
    cuda = FakeCuda()
    counting = CountingSampler(WindowSampler(tiny.denoiser, STEPS, CPU), cuda)
    made = RecordedSampler(counting, cuda)  # type: ignore[arg-type]
    graphs: list[FakeGraph] = []

    def new_graph() -> FakeGraph:
        graph = FakeGraph()
        number = len(graphs)
        graph.again = lambda: counting.again[number]()
        graphs.append(graph)
        return graph

    monkeypatch.setattr(cuda, "CUDAGraph", new_graph)
    return made, counting, cuda


def test_a_shape_is_recorded_once_and_played_from_then_on(
    recorded: tuple[RecordedSampler, CountingSampler, FakeCuda], tiny: Networks, keys: ReferenceKeys
) -> None:
    made, counting, cuda = recorded
    plain = WindowSampler(tiny.denoiser, STEPS, CPU)
    results, wanted = [], []
    for rows, seed in ((1, 1), (1, 2), (2, 3), (1, 4), (2, 5)):
        given = windows(keys, rows, seed)
        results.append(made(given))
        wanted.append(plain(given))
    assert counting.calls == 2 * (RecordedSampler.WARM_UP + 1), "two sizes, each warmed up and recorded once"
    assert cuda.pools == [None, "pool"], "the second works in the first one's memory"
    for (latents, path), (right, right_path) in zip(results, wanted, strict=True):
        assert torch.allclose(latents, right, atol=1e-5), "each call's own input, and not overwritten by a later one"
        assert torch.allclose(path, right_path, atol=1e-5)


def test_more_rows_than_a_gpus_grid_holds_are_attended_to_in_parts(
    tiny: Networks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Temporal attention has a row for each latent pixel of each conversation."""
    given = normal(2, 4, FRAMES, SIDE, SIDE), torch.tensor([499]), normal(2, FRAMES, 30, 32)
    whole = tiny.denoiser(*given)
    monkeypatch.setattr(attention, "MOST_ROWS", 50)
    assert torch.allclose(tiny.denoiser(*given), whole, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("rolling", [False, True])
def test_the_denoiser_compiles_as_one_graph(tiny: Networks, keys: ReferenceKeys, rolling: bool) -> None:
    """``speedup = "compile"``: nothing in it is read back from a tensor, and nothing depends on one's content."""
    times = torch.tensor([[999, 666, 332]] * 2) if rolling else torch.tensor([499])
    given: tuple[Any, ...] = (
        normal(2, 4, FRAMES, SIDE, SIDE), times, normal(2, FRAMES, 30, 32), normal(1, 16, 1, SIDE, SIDE), keys,
    )  # fmt: skip
    torch._dynamo.reset()
    try:
        compiled = torch.compile(tiny.denoiser, dynamic=False, fullgraph=True, backend="eager")
        assert torch.allclose(compiled(*given), tiny.denoiser(*given), atol=1e-4)
    finally:
        torch._dynamo.reset()


def test_steps_of_the_sampler_are_float32_in_any_precision(tiny: Networks, keys: ReferenceKeys) -> None:
    """The networks answer in half precision; what a step adds up is float32."""
    seen = []

    def half(sample: torch.Tensor, *given: Any, **named: Any) -> torch.Tensor:
        seen.append(sample.dtype)
        return sample.to(torch.bfloat16)

    latents, path = WindowSampler(half, STEPS, CPU)(windows(keys, 1))
    assert {latents.dtype, path.dtype, *seen} == {torch.float32}


def test_a_window_is_drawn_without_reading_back_from_the_device(tiny: Networks, keys: ReferenceKeys) -> None:
    """On the meta device there is nothing to read: ``.item()``, ``bool(tensor)`` or an index of unknown size would raise."""
    networks = {name: tensor.to("meta") for name, tensor in tiny.denoiser.state_dict().items()}
    meta = torch.device("meta")
    from avatar.echomimic.config import TINY
    from avatar.echomimic.denoising_unet import DenoisingUNet

    with torch.device("meta"):
        denoiser = DenoisingUNet(TINY.unet).eval()
    assert networks.keys() == denoiser.state_dict().keys()
    given = windows(keys, 2)
    on_meta = Windows(
        given.noise.to(meta), given.audio.to(meta), given.pose.to(meta), given.reference.to(meta, torch.float32),
        given.held.to(meta), given.path.to(meta),
    )  # fmt: skip
    latents, path = WindowSampler(denoiser.to(meta), STEPS, meta)(on_meta)
    assert latents.shape == given.noise.shape and path.shape == given.path.shape and latents.device.type == "meta"
