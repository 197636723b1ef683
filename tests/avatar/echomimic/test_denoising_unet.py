"""What the denoiser attends to, and that caching, batching and streaming change nothing that they should not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

torch = pytest.importorskip("torch", reason="the gpu extra is not installed")

from avatar.echomimic.config import TINY  # noqa: E402
from avatar.echomimic.denoising_unet import DenoisingUNet  # noqa: E402
from avatar.echomimic.motion_module import TemporalMemory  # noqa: E402
from avatar.echomimic.networks import DENOISER, Networks, synthetic  # noqa: E402
from avatar.echomimic.reference_bank import ReferenceBank, ReferenceKeys  # noqa: E402

FRAMES = 5
SIDE = 16
CHANNELS = TINY.unet.channels[0]


@pytest.fixture(autouse=True)
def no_gradients() -> Iterator[None]:
    with torch.no_grad():
        yield


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def inputs(rows: int = 1, frames: int = FRAMES, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Latents, audio and pose features."""
    return (
        normal(rows, 4, frames, SIDE, SIDE, seed=seed),
        normal(rows, frames, 50, TINY.unet.audio_channels, seed=seed + 1),
        normal(rows, CHANNELS, frames, SIDE, SIDE, seed=seed + 2),
    )


def reference(tiny: Networks, seed: int = 7) -> ReferenceKeys:
    return tiny.denoiser.project_reference(tiny.reference(normal(1, 4, SIDE, SIDE, seed=seed))[0])


T500 = torch.tensor([500])


def distance(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    return float((ours - theirs).norm() / theirs.norm())


def test_shape_and_determinism(tiny: Networks) -> None:
    latents, audio, pose = inputs(rows=2)
    keys = reference(tiny)
    out = tiny.denoiser(latents, T500, audio, pose, keys)
    assert out.shape == latents.shape and out.isfinite().all()
    assert torch.equal(out, tiny.denoiser(latents, T500, audio, pose, keys))


@pytest.mark.parametrize("without", ["reference", "pose", "audio", "time", "motion"])
def test_everything_it_is_given_matters(tiny: Networks, without: str) -> None:
    latents, audio, pose = inputs()
    keys = reference(tiny)
    right = tiny.denoiser(latents, T500, audio, pose, keys)
    wrong = {
        "reference": lambda: tiny.denoiser(latents, T500, audio, pose, None),
        "pose": lambda: tiny.denoiser(latents, T500, audio, None, keys),
        "audio": lambda: tiny.denoiser(latents, T500, torch.zeros_like(audio), pose, keys),
        "time": lambda: tiny.denoiser(latents, torch.tensor([100]), audio, pose, keys),
        "motion": lambda: torch.cat(
            [tiny.denoiser(latents[:, :, [n]], T500, audio[:, [n]], pose[:, :, [n]], keys) for n in range(FRAMES)],
            dim=2,
        ),
    }[without]()
    assert distance(wrong, right) > 0.01


def test_cached_keys_are_what_attention_over_both_gives(tiny: Networks) -> None:
    """The original concatenates the tokens and projects them at every call."""
    block = tiny.denoiser.down_blocks[0].attentions[0].transformer_blocks[0]
    own, other = normal(FRAMES, 9, CHANNELS), normal(1, 6, CHANNELS, seed=1)
    keys, values = block.attn1.keys_values(other)
    together = block.attn1(own, torch.cat([own, other.expand(FRAMES, -1, -1)], dim=1))
    from avatar.echomimic.spatial_transformer import PassContext

    context = PassContext(frames=FRAMES, reference=ReferenceKeys({block.name: (keys, values)}))
    assert distance(block._look(own, context), together) < 1e-6


def test_rows_do_not_see_each_other(tiny: Networks) -> None:
    latents, audio, pose = inputs(rows=3)
    keys = reference(tiny)
    together = tiny.denoiser(latents, T500, audio, pose, keys)
    for row in range(3):
        one = slice(row, row + 1)
        assert distance(together[one], tiny.denoiser(latents[one], T500, audio[one], pose[one], keys)) < 1e-5


def test_a_reference_for_each_row(tiny: Networks) -> None:
    latents, audio, pose = inputs(rows=2)
    first, second = reference(tiny, seed=7), reference(tiny, seed=8)
    together = tiny.denoiser(latents, T500, audio, pose, ReferenceKeys.stack([first, second]))
    for row, keys in enumerate((first, second)):
        one = slice(row, row + 1)
        assert distance(together[one], tiny.denoiser(latents[one], T500, audio[one], pose[one], keys)) < 1e-5


def test_unconditional_rows_read_no_reference(tiny: Networks) -> None:
    latents, audio, pose = inputs(rows=2)
    keys = reference(tiny)
    both = tiny.denoiser(latents, T500, audio, pose, keys, unconditional=1)
    assert distance(both[:1], tiny.denoiser(latents[:1], T500, audio[:1], pose[:1], None)) < 1e-5
    assert distance(both[1:], tiny.denoiser(latents[1:], T500, audio[1:], pose[1:], keys)) < 1e-5


@pytest.mark.parametrize("shape", [(), (1,), (2,), (2, FRAMES)])
def test_timesteps_for_all_for_a_row_or_for_a_frame(tiny: Networks, shape: tuple[int, ...]) -> None:
    latents, audio, pose = inputs(rows=2)
    keys = reference(tiny)
    given = tiny.denoiser(latents, torch.full(shape, 500), audio, pose, keys)
    assert distance(given, tiny.denoiser(latents, T500, audio, pose, keys)) < 1e-6


def test_frames_of_one_window_may_have_different_noise(tiny: Networks) -> None:
    latents, audio, pose = inputs()
    keys = reference(tiny)
    rising = tiny.denoiser(latents, torch.arange(FRAMES)[None] * 200, audio, pose, keys)
    assert distance(rising, tiny.denoiser(latents, T500, audio, pose, keys)) > 0.001


def test_one_pose_for_all_frames(tiny: Networks) -> None:
    """V1's audio mode: a face mask that does not move."""
    latents, audio, pose = inputs()
    keys = reference(tiny)
    still = pose[:, :, :1]
    given = tiny.denoiser(latents, T500, audio, still, keys)
    assert torch.equal(given, tiny.denoiser(latents, T500, audio, still.expand(-1, -1, FRAMES, -1, -1), keys))


def test_memory_stands_in_for_the_frames_before(tiny: Networks) -> None:
    """With the first frames' states kept, later frames see them as if they were in the window."""
    latents, audio, pose = inputs(frames=6)
    keys = reference(tiny)

    def part(frames: slice, memory: TemporalMemory | None) -> torch.Tensor:
        return tiny.denoiser(latents[:, :, frames], T500, audio[:, frames], pose[:, :, frames], keys, memory=memory)

    memory = TemporalMemory(frames=3)
    first = part(slice(0, 3), memory)
    assert torch.equal(first, part(slice(0, 3), None)), "nothing is remembered yet"
    assert len(memory.states) == 2 * 13, "two attentions in each motion module of the tiny network"
    with_memory, alone = part(slice(3, 6), memory), part(slice(3, 6), None)
    assert distance(with_memory, alone) > 0.01
    assert all(state.shape[1] == 3 for state in memory.states.values())


def test_memory_keeps_only_the_last_frames() -> None:
    memory = TemporalMemory(frames=2)
    assert memory.extend(0, torch.arange(3.0).reshape(1, 3, 1)).flatten().tolist() == [0, 1, 2]
    assert memory.extend(0, torch.arange(3.0, 4.0).reshape(1, 1, 1)).flatten().tolist() == [1, 2, 3]
    assert memory.states[0].flatten().tolist() == [2, 3]


def test_what_cannot_be_denoised_is_told(tiny: Networks) -> None:
    long, sound, _ = inputs(frames=33)
    with pytest.raises(ValueError, match="32 frames, not 33"):
        tiny.denoiser(long, T500, sound)


@pytest.mark.parametrize(("height", "width"), [(12, 16), (9, 15), (1, 30)])
def test_sides_that_cannot_be_halved(tiny: Networks, height: int, width: int) -> None:
    """96x128 pixels, say: levels round up, and the bank fits all the same."""
    latents, audio, pose = inputs()
    latents, pose = (
        latents[..., :height, :].repeat(1, 1, 1, 1, 2)[..., :width],
        pose[..., :height, :].repeat(1, 1, 1, 1, 2),
    )
    bank, last = tiny.reference(latents[:, :, 0])
    out = tiny.denoiser(latents, T500, audio, pose[..., :width], tiny.denoiser.project_reference(bank))
    assert out.shape == latents.shape and last.shape[-2:] == (height, width) and out.isfinite().all()


def test_half_precision(tiny: Networks) -> None:
    """Near float32's result, by bfloat16's eight bits: a smoke test, no bound for real weights."""
    latents, audio, pose = inputs()
    right = tiny.denoiser(latents, T500, audio, pose, reference(tiny))
    half = synthetic(lambda: DenoisingUNet(TINY.unet), DENOISER).to(torch.bfloat16)
    bank = tiny.reference(normal(1, 4, SIDE, SIDE, seed=7))[0]
    out = half(latents, T500, audio, pose, half.project_reference(bank))
    assert out.dtype == torch.bfloat16
    assert distance(out.float(), right) < 0.05


def test_memory_format_changes_nothing(tiny: Networks) -> None:
    latents, audio, pose = inputs()
    keys = reference(tiny)
    last = synthetic(lambda: DenoisingUNet(TINY.unet), DENOISER).to(memory_format=torch.channels_last)
    right = tiny.denoiser(latents, T500, audio, pose, keys)
    assert distance(last(latents, T500, audio, pose, keys), right) < 1e-5


def test_recomputing_activations_gives_the_same_gradients(tiny: Networks) -> None:
    latents, audio, pose = inputs()
    keys = reference(tiny)
    gradients = []
    for recomputing in (False, True):
        network = synthetic(lambda: DenoisingUNet(TINY.unet), DENOISER).requires_grad_(True)
        network.checkpoint_gradients(recomputing)
        with torch.enable_grad():
            network(latents, T500, audio, pose, keys).square().mean().backward()
        gradients.append(torch.cat([p.grad.flatten() for p in network.parameters() if p.grad is not None]))
    assert gradients[0].abs().sum() > 0
    assert torch.allclose(*gradients, rtol=1e-4, atol=1e-7)


def test_the_bank(tiny: Networks) -> None:
    bank, last = tiny.reference(normal(2, 4, SIDE, SIDE))
    widths = [tokens.shape[-1] for tokens in bank.tokens.values()]
    assert widths == sorted(widths, reverse=True) and len(widths) == 3 * 1 + 3 * 2 + 1
    assert all(tokens.shape[0] == 2 for tokens in bank.tokens.values())
    assert last.shape == (2, CHANNELS, SIDE, SIDE)
    rounded = bank.rounded()
    for name, tokens in bank.tokens.items():
        assert rounded.tokens[name].dtype == torch.float32
        assert torch.equal(rounded.tokens[name], tokens.half().float())
        assert not torch.equal(rounded.tokens[name], tokens)


def test_the_bank_moves(tiny: Networks) -> None:
    bank = ReferenceBank({"a": torch.ones(1, 2, 3)}).to("cpu", torch.float16)
    assert bank.tokens["a"].dtype == torch.float16
    keys = ReferenceKeys({"a": (torch.ones(1, 2, 3), torch.ones(1, 2, 3))}).to("cpu", torch.float16)
    assert {tensor.dtype for tensor in keys.keys_values["a"]} == {torch.float16}
