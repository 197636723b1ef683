"""Windows that go on from each other, against the original's whole clip. Random weights: a check of code, not of pictures."""

from __future__ import annotations

import gc
import tracemalloc
from typing import TYPE_CHECKING

import pytest

torch = pytest.importorskip("torch", reason="the gpu extra is not installed")

from avatar.echomimic.clip_sampler import sample_clip  # noqa: E402
from avatar.echomimic.ddim import NOISE_LIMIT, ddim_scheduler  # noqa: E402
from avatar.echomimic.options import Continuity  # noqa: E402
from avatar.echomimic.streaming import KEPT_FRAMES, NEW_FRAMES, ConversationStream, NewFrames  # noqa: E402
from avatar.echomimic.variants import StreamedClip, stream_clip  # noqa: E402
from avatar.echomimic.window_sampler import Windows, WindowSampler  # noqa: E402

if TYPE_CHECKING:
    from avatar.echomimic.networks import Networks
    from avatar.echomimic.reference_bank import ReferenceKeys

CPU = torch.device("cpu")
SIDE = 8
STEPS = 3
WAYS = [Continuity.STORED, Continuity.RENOISED, Continuity.CARRIED]
"""Of windows with one noise level; those that roll are in ``test_rolling``."""


@pytest.fixture(scope="module")
def reference(tiny: Networks) -> ReferenceKeys:
    with torch.no_grad():
        bank, _ = tiny.reference(torch.randn(1, 4, SIDE, SIDE, generator=torch.Generator().manual_seed(1)))
        return tiny.denoiser.project_reference(bank)


@pytest.fixture(scope="module")
def audio() -> torch.Tensor:
    return torch.randn(40, 30, 32, generator=torch.Generator().manual_seed(2))


def new_stream(continuity: Continuity = Continuity.STORED, seed: int = 5) -> ConversationStream:
    return ConversationStream(SIDE, SIDE, CPU, torch.zeros(16, SIDE, SIDE), seed, continuity=continuity, steps=STEPS)


def clip(tiny: Networks, reference: ReferenceKeys, audio: torch.Tensor, continuity: Continuity) -> StreamedClip:
    return stream_clip(tiny.denoiser, new_stream(continuity), audio, None, reference)


def far(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).norm() / b.norm())


def test_noise_is_a_frames_own_clamped_and_seeded() -> None:
    one, two = new_stream(), new_stream()
    assert torch.equal(one.noise(7), two.noise(7))
    assert not torch.equal(one.noise(7), one.noise(8))
    assert not torch.equal(one.noise(7), new_stream(seed=6).noise(7))
    assert float(one.noise(7).abs().max()) == NOISE_LIMIT


def test_a_window_without_context_is_the_originals(
    tiny: Networks, reference: ReferenceKeys, audio: torch.Tensor
) -> None:
    """Twelve frames that nothing precedes: one window, as the original samples a clip of that length (but for turning
    the frames round by three at each step, which needs a clip that ends where it begins)."""
    stream = new_stream()
    row = stream.row(NewFrames(0, audio[:9], None))
    assert row.held == [False] * 12
    sampler = WindowSampler(tiny.denoiser, STEPS, CPU)
    blank = torch.zeros(1, 16, 1, SIDE, SIDE)
    held, path = torch.zeros(1, 1, 12, 1, 1), torch.zeros(STEPS, 1, 4, 12, SIDE, SIDE)
    latents, _ = sampler(Windows(row.noise[None], row.audio[None], blank, reference, held, path))
    original = sample_clip(
        tiny.denoiser, ddim_scheduler(STEPS), row.noise[None], row.audio[None], blank, reference, shift=0
    )
    assert far(latents, original) < 1e-5


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 6])
def test_any_number_of_steps_is_the_originals_sampler(
    tiny: Networks, reference: ReferenceKeys, audio: torch.Tensor, steps: int
) -> None:
    sampler = WindowSampler(tiny.denoiser, steps, CPU)
    noise = torch.randn(1, 4, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(3))
    held, path = torch.zeros(1, 1, 3, 1, 1), torch.zeros(steps, 1, 4, 3, SIDE, SIDE)
    latents, kept = sampler(Windows(noise, audio[None, :3], None, reference, held, path))
    original = sample_clip(tiny.denoiser, ddim_scheduler(steps), noise, audio[None, :3], None, reference, shift=0)
    assert far(latents, original) < 1e-5
    assert torch.equal(kept[0], noise) and len(kept) == steps


def test_held_frames_stay_as_they_were_drawn(tiny: Networks, reference: ReferenceKeys, audio: torch.Tensor) -> None:
    """Held on their own path, context frames arrive at every step where they were; without being held they drift."""
    stream = new_stream()
    sampler = WindowSampler(tiny.denoiser, STEPS, CPU)

    def draw(first: int, tokens: torch.Tensor, hold: bool = True) -> torch.Tensor:
        row = stream.row(NewFrames(first, tokens, None))
        path = torch.zeros(STEPS, 4, 12, SIDE, SIDE)
        if row.context:
            at = row.held.index(True)
            for n, frame in enumerate(row.context):
                path[:, :, at + n] = frame.path
        held = torch.tensor(row.held, dtype=torch.float32)[None, None, :, None, None] * hold
        windows = Windows(row.noise[None], row.audio[None], stream.blank[None, :, None], reference, held, path[:, None])
        latents, kept = sampler(windows)
        stream.keep(row, latents[0], kept[:, 0], None)
        return kept[:, 0]

    before = draw(0, audio[:9])
    after = draw(9, audio[9:18])
    assert torch.equal(after[:, :, :3], before[:, :, 9:])
    loose = draw(18, audio[18:27], hold=False)
    assert not torch.allclose(loose[1:, :, :3], after[1:, :, 9:], atol=1e-3)


@pytest.mark.parametrize("continuity", WAYS)
def test_windows_are_joined_better_than_unrelated_ones(
    tiny: Networks, reference: ReferenceKeys, audio: torch.Tensor, continuity: Continuity
) -> None:
    """Each variant's distance to the original's whole clip is below that of windows that know nothing of each other,
    which is below that of other noise."""
    streamed = clip(tiny, reference, audio[:30], continuity)
    noise = streamed.noise[None]
    blank = torch.zeros(1, 16, 1, SIDE, SIDE)
    original = sample_clip(tiny.denoiser, ddim_scheduler(STEPS), noise, audio[None, :30], blank, reference)[0]
    other = sample_clip(tiny.denoiser, ddim_scheduler(STEPS), noise.flip(-1), audio[None, :30], blank, reference)[0]
    assert far(streamed.latents, original) < 0.5 * far(other, original)


def test_a_shorter_stretch_has_more_context(audio: torch.Tensor) -> None:
    stream = new_stream()
    for first in (0, 9):
        row = stream.row(NewFrames(first, audio[first : first + 9], None))
        stream.keep(row, row.noise, torch.zeros(STEPS, *row.noise.shape), None)
    row = stream.row(NewFrames(18, audio[18:20], None))
    assert row.held == [True] * 10 + [False] * 2
    assert [frame.number for frame in row.context] == list(range(8, 18))


def test_frames_drawn_anew_forget_the_old_ones(audio: torch.Tensor) -> None:
    stream = new_stream()
    for first in (0, 9, 18):
        row = stream.row(NewFrames(first, audio[first : first + 9], None))
        stream.keep(row, row.noise + first, torch.zeros(STEPS, *row.noise.shape), None)
    row = stream.row(NewFrames(14, audio[14:23], None))
    assert [frame.number for frame in row.context] == [11, 12, 13]
    assert torch.equal(row.context[-1].latent, stream.noise(13) + 9)


def test_impossible_stretches_are_refused(audio: torch.Tensor) -> None:
    stream = new_stream()
    with pytest.raises(ValueError, match="does not follow"):
        stream.row(NewFrames(1, audio[:9], None))
    with pytest.raises(ValueError, match="1 to 9"):
        stream.row(NewFrames(0, audio[:10], None))
    with pytest.raises(ValueError, match="1 to 9"):
        stream.row(NewFrames(0, audio[:0], None))


def test_hands_reach_the_window_and_stay_with_their_frames(audio: torch.Tensor) -> None:
    stream = new_stream()
    row = stream.row(NewFrames(0, audio[:9], torch.ones(9, 16, SIDE, SIDE)))
    assert row.pose is not None and float(row.pose.min()) == 1.0
    stream.keep(row, row.noise, torch.zeros(STEPS, *row.noise.shape), None)
    row = stream.row(NewFrames(9, audio[9:18], None))
    assert row.pose is not None
    assert row.pose.mean(dim=(0, 2, 3)).tolist() == [1.0] * 3 + [0.0] * 9
    stream.keep(row, row.noise, torch.zeros(STEPS, *row.noise.shape), None)
    assert stream.row(NewFrames(18, audio[18:27], None)).pose is None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("continuity", "windows"),
    [(Continuity.STORED, 10_000), (Continuity.RENOISED, 1000), (Continuity.CARRIED, 1000)],
)
def test_an_hour_takes_no_more_memory_than_a_minute(audio: torch.Tensor, continuity: Continuity, windows: int) -> None:
    """Of the stream's own state: 10 000 windows are an hour. Tensors are counted, and what Python holds."""
    stream = new_stream(continuity)
    memories = None

    def window(number: int) -> None:
        nonlocal memories
        row = stream.row(NewFrames(number * NEW_FRAMES, audio[:9], None))
        stream.keep(row, row.noise, torch.zeros(STEPS, *row.noise.shape), row.memories)

    def held() -> int:
        gc.collect()
        return sum(tensor.untyped_storage().nbytes() for tensor in gc.get_objects() if type(tensor) is torch.Tensor)

    for number in range(170):  # a minute
        window(number)
    tensors = held()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for number in range(170, windows):
        window(number)
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert held() <= tensors * 1.01 + 4096
    assert grown < 200_000
    assert len(stream._past) == KEPT_FRAMES
