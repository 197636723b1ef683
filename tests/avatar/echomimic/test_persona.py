"""A persona's reference: made once, kept by picture and weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

torch = pytest.importorskip("torch", reason="the gpu extra is not installed")

from avatar.echomimic import persona as module  # noqa: E402
from avatar.echomimic.config import TINY, EchoMimicConfig, GuideConfig  # noqa: E402
from avatar.echomimic.networks import synthetic_networks  # noqa: E402
from avatar.echomimic.persona import fingerprint, make_reference, open_reference  # noqa: E402
from avatar.persona import Persona, find_persona  # noqa: E402

if TYPE_CHECKING:
    from avatar.echomimic.networks import Networks
    from avatar.echomimic.persona import Reference


@pytest.fixture
def helen() -> Persona:
    return find_persona("helen")


def nobody(rgb: object) -> None:
    return None


def open_here(persona: Persona, tiny: Networks, cache: Path, size: int = 64, framing: str = "half-body") -> Reference:
    return open_reference(persona, tiny, size, framing, cache, finder=nobody)


def test_what_is_kept_is_what_was_made(
    tmp_path: Path, tiny: Networks, helen: Persona, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = open_here(helen, tiny, tmp_path)
    assert made.latent.shape == (1, 4, 8, 8) and made.warnings and made.mask is None
    monkeypatch.setattr(module, "make_reference", lambda *args, **kwargs: pytest.fail("made again"))
    kept = open_here(helen, tiny, tmp_path)
    assert torch.equal(kept.latent, made.latent) and kept.warnings == made.warnings
    assert kept.keys.keys_values.keys() == made.keys.keys_values.keys()
    for name, (keys, values) in made.keys.keys_values.items():
        assert torch.equal(kept.keys.keys_values[name][0], keys) and torch.equal(kept.keys.keys_values[name][1], values)


def test_its_keys_are_the_banks(tiny: Networks, helen: Persona) -> None:
    made = make_reference(helen, tiny, 64, "portrait")
    with torch.no_grad():
        bank, _ = tiny.reference(made.latent)
        expected, exact = (tiny.denoiser.project_reference(one) for one in (bank.rounded(), bank))
    name = next(iter(expected.keys_values))
    assert torch.equal(made.keys.keys_values[name][0], expected.keys_values[name][0])
    assert not torch.equal(made.keys.keys_values[name][0], exact.keys_values[name][0]), "the original rounds its bank"


def test_another_size_framing_or_weights_is_another_file(tmp_path: Path, tiny: Networks, helen: Persona) -> None:
    for size, framing in ((64, "half-body"), (128, "half-body"), (64, "portrait")):
        open_here(helen, tiny, tmp_path, size, framing)
    assert len(list(tmp_path.iterdir())) == 3
    others = synthetic_networks(TINY)
    with torch.no_grad():
        others.reference.conv_in.weight.add_(1.0)
    assert fingerprint(others) != fingerprint(tiny)
    (older,) = tmp_path.glob("helen-portrait-64-*")
    open_here(helen, others, tmp_path, 64, "portrait")
    (newer,) = tmp_path.glob("helen-portrait-64-*")
    assert newer != older, "what belongs to weights no more in use goes"


@pytest.mark.parametrize("damage", [b"", b"\0" * 100, None])
def test_a_damaged_file_is_made_again(tmp_path: Path, tiny: Networks, helen: Persona, damage: bytes | None) -> None:
    made = open_here(helen, tiny, tmp_path)
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-50] if damage is None else damage)
    again = open_here(helen, tiny, tmp_path)
    assert torch.equal(again.latent, made.latent)
    assert torch.equal(open_here(helen, tiny, tmp_path).latent, made.latent)


def test_a_cache_that_cannot_be_written_is_no_hindrance(tmp_path: Path, tiny: Networks, helen: Persona) -> None:
    (tmp_path / "file").write_text("")
    assert open_here(helen, tiny, tmp_path / "file" / "cache").latent.shape == (1, 4, 8, 8)


def test_v1_is_cropped_around_the_face_and_has_a_mask(helen: Persona) -> None:
    config = EchoMimicConfig(
        unet=TINY.unet, whisper=TINY.whisper, guide=GuideConfig(in_channels=1, channels=(4, 8, 8, 16)),
        vae=TINY.vae, tiny_vae=TINY.tiny_vae,
    )  # fmt: skip
    made = make_reference(helen, synthetic_networks(config), 128, "portrait")
    assert made.mask is not None and made.mask.shape == (1, 128, 128)
    assert 0.2 < float(made.mask.mean()) < 0.8
