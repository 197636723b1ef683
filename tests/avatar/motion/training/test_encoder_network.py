"""Causal to the hop, and the same in pieces as in one."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install 'parley[train]'")

from avatar.motion.generator.features import BANDS, HOPS_PER_FRAME, LOOK_AHEAD_FRAMES, LOOK_AHEAD_HOPS  # noqa: E402
from avatar.motion.generator.phones import COUNT, INDEX  # noqa: E402
from avatar.motion.training.encoder_network import (  # noqa: E402
    EncoderNetwork,
    EncoderOutput,
    EncoderShape,
    weigh_contacts,
)

SMALL = EncoderShape(fast=8, middle=12, slow=16)


def mel(hops: int, seed: int = 0) -> torch.Tensor:
    return 3 * torch.randn(2, hops, BANDS, generator=torch.Generator().manual_seed(seed))


def network(shape: EncoderShape = SMALL) -> EncoderNetwork:
    torch.manual_seed(0)
    return EncoderNetwork(shape).eval()


def joined(parts: list[EncoderOutput]) -> list[torch.Tensor]:
    return [torch.cat([getattr(p, name) for p in parts], dim=1) for name in ("mouth", "contacts", "phones")]


@pytest.mark.parametrize("frames", [(24,), (1,) * 24, (2, 1, 5, 3, 13), (20, 4)])
@torch.no_grad()
def test_a_stream_in_pieces_is_the_whole(frames: tuple[int, ...]) -> None:
    encoder = network()
    sound = mel(24 * HOPS_PER_FRAME)
    whole, last = encoder(sound, encoder.initial_state(2))
    state, parts, at = encoder.initial_state(2), [], 0
    for count in frames:
        part, state = encoder(sound[:, at : at + count * HOPS_PER_FRAME], state)
        parts.append(part)
        at += count * HOPS_PER_FRAME
    for mine, all_ in zip(joined(parts), joined([whole]), strict=True):
        torch.testing.assert_close(mine, all_, rtol=0, atol=2e-6)
    torch.testing.assert_close(state, last, rtol=0, atol=2e-6)


@torch.no_grad()
def test_a_frame_hears_eighty_milliseconds_beyond_its_end_and_no_more() -> None:
    encoder = network()
    hops, frame = 40 * HOPS_PER_FRAME, 20
    sound = mel(hops)
    at = frame + LOOK_AHEAD_FRAMES
    before = encoder(sound, encoder.initial_state(2))[0].mouth[:, at]
    last_heard = frame * HOPS_PER_FRAME + HOPS_PER_FRAME - 1 + LOOK_AHEAD_HOPS
    for hop, heard in ((last_heard, True), (last_heard + 1, False)):
        other = sound.clone()
        other[:, hop:] += 1.0
        after = encoder(other, encoder.initial_state(2))[0].mouth[:, at]
        assert bool((after != before).any()) is heard


def test_it_is_of_the_size_that_serving_affords() -> None:
    parameters = sum(p.numel() for p in EncoderNetwork().parameters())
    assert 400_000 <= parameters <= 1_000_000


@torch.no_grad()
def test_digital_silence_and_a_shout_stay_finite() -> None:
    encoder = network()
    for level in (-60.0, 60.0):
        output, _ = encoder(torch.full((1, 40, BANDS), level), encoder.initial_state())
        assert torch.isfinite(output.mouth).all() and output.mouth.abs().max() < 50


def test_a_gap_that_is_called_t_hardly_seals() -> None:
    contacts, phones = torch.tensor([[3.0, 1.5]]), torch.zeros(1, COUNT)
    sealed = {}
    for name in ("b", "t"):
        named = phones.clone()
        named[0, INDEX[name]] = 8.0
        sealed[name] = weigh_contacts(contacts, named).sigmoid()[0]
    assert sealed["b"][0] > 0.9 and sealed["t"][0] < 0.1
    assert sealed["t"][1] == contacts.sigmoid()[0, 1], "lip and teeth are as they were"


def test_contacts_of_any_certainty_stay_finite() -> None:
    phones = torch.zeros(2, COUNT)
    phones[:, INDEX["p"]] = torch.tensor([200.0, -200.0])
    weighed = weigh_contacts(torch.tensor([[90.0, 0.0], [-90.0, 0.0]]), phones)
    assert torch.isfinite(weighed).all() and weighed[0, 0] > 5 > -5 > weighed[1, 0]
