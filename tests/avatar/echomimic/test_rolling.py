"""Windows whose frames have noise levels of their own. Random weights: a check of code, not of pictures."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest

torch = pytest.importorskip("torch", reason="the gpu extra is not installed")

from avatar.echomimic.clip_sampler import sample_clip  # noqa: E402
from avatar.echomimic.ddim import ddim_scheduler  # noqa: E402
from avatar.echomimic.options import Continuity  # noqa: E402
from avatar.echomimic.rolling import (  # noqa: E402
    RollingStream,
    RollingStretch,
    block_frames,
    frames_ahead,
    stretch_frames,
)
from avatar.echomimic.streaming import KEPT_FRAMES, ConversationStream  # noqa: E402
from avatar.echomimic.variants import StreamedClip, roll_clip, stream_clip  # noqa: E402
from avatar.echomimic.window_sampler import WindowSampler  # noqa: E402

if TYPE_CHECKING:
    from avatar.echomimic.networks import Networks
    from avatar.echomimic.reference_bank import ReferenceKeys

CPU = torch.device("cpu")
SIDE = 8


@pytest.fixture(scope="module")
def reference(tiny: Networks) -> ReferenceKeys:
    with torch.no_grad():
        bank, _ = tiny.reference(torch.randn(1, 4, SIDE, SIDE, generator=torch.Generator().manual_seed(1)))
        return tiny.denoiser.project_reference(bank)


@pytest.fixture(scope="module")
def audio() -> torch.Tensor:
    return torch.randn(60, 30, 32, generator=torch.Generator().manual_seed(2))


def new_stream(tiny: Networks, steps: int = 3, seed: int = 5) -> RollingStream:
    return RollingStream(SIDE, SIDE, CPU, torch.zeros(16, SIDE, SIDE), seed, WindowSampler(tiny.denoiser, steps, CPU))


def stretch(
    audio: torch.Tensor, first: int, count: int = 8, heard: int | None = None, *, speaking: bool = True, ahead: int = 8
) -> RollingStretch:
    heard = count + ahead if heard is None else heard
    return RollingStretch(first, count, audio[first : first + count + ahead], heard, [speaking] * count, None)


def passes(stream: RollingStream, start: RollingStretch) -> list[list[int]]:
    """The timesteps of each pass of a stretch, with a denoiser that says nothing."""
    stream.begin(start)
    times = []
    while stream.waiting:
        one = stream.window()
        assert one.sample.shape[1] == len(one.audio) == one.pose.shape[1] == len(one.times)
        times.append(one.times.tolist())
        stream.move(torch.zeros_like(one.sample))
    return times


@pytest.mark.parametrize(("steps", "block", "stretched", "ahead"), [(6, 2, 4, 10), (4, 3, 6, 9), (2, 6, 9, 6), (1, 9, 9, 0)])  # fmt: skip
def test_blocks_fill_a_window(steps: int, block: int, stretched: int, ahead: int) -> None:
    assert (block_frames(steps), stretch_frames(steps), frames_ahead(steps)) == (block, stretched, ahead)


def test_every_pass_moves_the_window_on_by_a_block(tiny: Networks, audio: torch.Tensor) -> None:
    """Three steps: the first block takes three passes, every further one a single pass, and levels fall from front to rear."""
    stream = new_stream(tiny)
    noisy, middle, clean = stream.sampler.timesteps
    first = passes(stream, stretch(audio, 0))
    assert first == [
        [noisy] * 12,
        [middle] * 8 + [noisy] * 4,
        [clean] * 4 + [middle] * 4 + [noisy] * 4,
        [clean] * 4 + [middle] * 4 + [noisy] * 4,
    ]
    assert passes(stream, stretch(audio, 8)) == [[clean] * 4 + [middle] * 4 + [noisy] * 4] * 2


@pytest.mark.parametrize("steps", [1, 2, 4, 6])
def test_frames_go_every_step_of_the_sampler_once(tiny: Networks, audio: torch.Tensor, steps: int) -> None:
    """With a denoiser that says nothing a frame is its noise times what the steps keep of it."""
    stream = new_stream(tiny, steps)
    count = stretch_frames(steps)
    for first in range(0, 3 * count, count):
        passes(stream, stretch(audio, first, count, ahead=frames_ahead(steps)))
    scheduler = ddim_scheduler(steps)
    noise = torch.stack([frame.sample for frame in roll_noise(stream, 3 * count)])
    sample = noise
    for t in scheduler.timesteps:
        sample = scheduler.step(torch.zeros_like(sample), int(t), sample, return_dict=False)[0]
    assert torch.allclose(stream.drawn(), sample[-count:], rtol=1e-4, atol=1e-6)


def roll_noise(stream: RollingStream, count: int) -> list:
    fresh = RollingStream(SIDE, SIDE, CPU, stream.blank, stream.seed, stream.sampler)
    told = RollingStretch(0, 1, torch.zeros(1, 30, 32), 1, [True], None)
    return [fresh._new(told, number) for number in range(count)]


def test_one_step_is_what_stored_windows_are(tiny: Networks, reference: ReferenceKeys, audio: torch.Tensor) -> None:
    """There is one level then."""
    rolled = roll_clip(tiny.denoiser, new_stream(tiny, 1), audio[:27], None, reference)
    stream = ConversationStream(SIDE, SIDE, CPU, torch.zeros(16, SIDE, SIDE), 5, continuity=Continuity.STORED, steps=1)
    stored = stream_clip(tiny.denoiser, stream, audio[:27], None, reference)
    assert torch.equal(rolled.noise, stored.noise)
    assert torch.allclose(rolled.latents, stored.latents, atol=1e-4)


@pytest.mark.parametrize("steps", [2, 3, 6])
def test_it_is_nearer_the_originals_clip_than_other_noise(
    tiny: Networks, reference: ReferenceKeys, audio: torch.Tensor, steps: int
) -> None:
    clip = roll_clip(tiny.denoiser, new_stream(tiny, steps), audio[:30], None, reference)
    blank = torch.zeros(1, 16, 1, SIDE, SIDE)
    original, other = (
        sample_clip(tiny.denoiser, ddim_scheduler(steps), noise[None], audio[None, :30], blank, reference)[0]
        for noise in (clip.noise, clip.noise.flip(-1))
    )
    assert clip.latents.shape == original.shape
    assert clip.distance(original) < 0.6 * StreamedClip(other, clip.noise, []).distance(original)


def test_what_was_taken_for_silent_and_speaks_is_begun_anew(tiny: Networks, audio: torch.Tensor) -> None:
    stream = new_stream(tiny)
    passes(stream, stretch(audio, 0, heard=8, speaking=False))
    assert len(passes(stream, stretch(audio, 8, heard=8, speaking=False))) == 2, "silence goes on"
    assert len(passes(stream, stretch(audio, 16))) == 4, "an answer does not begin in the middle of denoising silence"
    assert len(passes(stream, stretch(audio, 24))) == 2


def test_frames_on_their_way_hear_what_is_known_by_now(tiny: Networks, audio: torch.Tensor) -> None:
    stream = new_stream(tiny)
    passes(stream, stretch(audio, 0))
    stream.begin(stretch(audio + 1, 8))
    assert torch.equal(stream.window().audio[0], audio[8] + 1)


def test_an_interruption_goes_on_from_what_was_shown(tiny: Networks, audio: torch.Tensor) -> None:
    stream = new_stream(tiny)
    for first in (0, 8):
        passes(stream, stretch(audio, first))
    kept = stream._past[9].sample
    stream.begin(stretch(audio, 10, speaking=False))
    one = stream.window()
    assert one.times.tolist() == [stream.sampler.timesteps[-1]] * 8 + [stream.sampler.timesteps[0]] * 4
    stream.move(torch.zeros_like(one.sample))
    assert stream._past[9].number == 9 and torch.equal(stream._past[9].sample, kept), "what was drawn stays"


def test_an_interruption_at_the_very_beginning(tiny: Networks, audio: torch.Tensor) -> None:
    """Nothing is there to fill the window with; it is shorter then."""
    stream = new_stream(tiny)
    passes(stream, stretch(audio, 0))
    assert [len(times) for times in passes(stream, stretch(audio, 1))] == [5, 9, 12, 12]


def test_hands_stay_with_their_frames(tiny: Networks, audio: torch.Tensor) -> None:
    stream = new_stream(tiny)
    posed = RollingStretch(0, 8, audio[:16], 16, [True] * 8, torch.arange(8.0)[:, None, None, None].expand(8, 16, 8, 8))
    stream.begin(posed)
    for expected in (
        [0.0] * 8 + [0, 1, 2, 3],
        [0.0] * 4 + [0, 1, 2, 3, 4, 5, 6, 7],
        [0, 1, 2, 3, 4, 5, 6, 7] + [7.0] * 4,
    ):
        one = stream.window()
        assert one.pose[0, :, 0, 0].tolist() == expected
        stream.move(torch.zeros_like(one.sample))


def test_impossible_stretches_are_refused(tiny: Networks, audio: torch.Tensor) -> None:
    stream = new_stream(tiny)
    with pytest.raises(ValueError, match="does not follow"):
        stream.begin(stretch(audio, 1))
    with pytest.raises(ValueError, match="1 to 9"):
        stream.begin(stretch(audio, 0, count=10))


def test_memory_is_constant(tiny: Networks, audio: torch.Tensor) -> None:
    stream = new_stream(tiny)

    def held() -> int:
        gc.collect()
        return sum(tensor.untyped_storage().nbytes() for tensor in gc.get_objects() if type(tensor) is torch.Tensor)

    def roll(first: int, until: int) -> None:
        for number in range(first, until):
            one = RollingStretch(8 * number, 8, audio[:16], 16, [True] * 8, None)
            passes(stream, one)

    roll(0, 40)
    before = held()
    roll(40, 400)
    assert held() <= before * 1.01 + 4096
    assert len(stream._past) == KEPT_FRAMES
