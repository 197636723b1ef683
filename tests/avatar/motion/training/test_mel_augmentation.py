"""Other voices and rooms: changed in colour, never in time."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install 'parley[train]'")

from avatar.motion.generator.features import BANDS, SILENT_MEL  # noqa: E402
from avatar.motion.training import mel_augmentation  # noqa: E402
from avatar.motion.training.mel_augmentation import augment  # noqa: E402


def syllables(rows: int = 32, hops: int = 200) -> torch.Tensor:
    envelope = np.sin(np.pi * np.arange(hops) / 20) ** 2
    formant = np.exp(-(((np.arange(BANDS) - 20) / 4.0) ** 2))
    mel = -16 + 8 * envelope[:, None] + 4 * formant[None, :]
    return torch.from_numpy(np.repeat(mel[None], rows, axis=0).astype(np.float32))


def test_it_stays_finite_and_in_time() -> None:
    mel = syllables()
    heard = augment(mel, np.random.default_rng(0))
    assert heard.shape == mel.shape and torch.isfinite(heard).all()
    level, true = heard.mean(dim=2).numpy(), mel.mean(dim=2).numpy()
    assert np.median([np.corrcoef(a, b)[0, 1] for a, b in zip(level, true, strict=True)]) > 0.9
    assert torch.equal(mel, syllables())


def test_rows_differ_and_a_seed_repeats() -> None:
    once, again = (augment(syllables(), np.random.default_rng(3)) for _ in range(2))
    assert torch.equal(once, again)
    assert (once[0] - once[1]).abs().max() > 0.1
    assert (once - augment(syllables(), np.random.default_rng(4))).abs().max() > 0.1


def test_digital_silence_is_survived() -> None:
    assert torch.isfinite(augment(torch.full((16, 80, BANDS), SILENT_MEL), np.random.default_rng(0))).all()


def test_a_vocal_tract_moves_the_formant(monkeypatch: pytest.MonkeyPatch) -> None:
    moved = mel_augmentation._warp(syllables(), np.random.default_rng(0))
    peaks = moved.mean(dim=1).argmax(dim=1)
    assert peaks.min() < 20 < peaks.max() and (peaks - 20).abs().max() <= 8


def test_regions_of_a_vocal_tract_move_by_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mel_augmentation, "_WARP", 0.0)
    ramp = torch.arange(BANDS, dtype=torch.float32).expand(64, 4, BANDS)
    shift = mel_augmentation._warp(ramp, np.random.default_rng(0))[:, 0] - ramp[:, 0]
    low, high = shift[:, 15].numpy(), shift[:, 45].numpy()
    assert low.std() > 0.3 and high.std() > 0.3 and abs(np.corrcoef(low, high)[0, 1]) < 0.8
    assert (ramp[:, 0] + shift).diff(dim=1).min() >= 0  # never folded


def test_masked_bands_tell_nothing_of_time() -> None:
    mel = syllables(rows=64)
    masked = mel_augmentation._mask(mel, np.random.default_rng(0))
    still = masked.std(dim=1) < 1e-4  # [rows, bands]
    assert 5 < int(still.any(dim=1).sum()) < 35 and int(still.sum(dim=1).max()) <= mel_augmentation._MASK_BANDS
    assert torch.allclose(masked.mean(dim=1), mel.mean(dim=1), atol=1e-3)


def test_a_room_lasts_and_noise_fills() -> None:
    mel = torch.full((64, 100, BANDS), -23.0)
    mel[:, 40:54] = -6.0
    echoed = mel_augmentation._room(mel, np.random.default_rng(0))
    assert 5 < int((echoed[:, 59].mean(dim=1) > -20).sum()) < 50
    assert (echoed[:, 39] - echoed[:, 30]).abs().max() < 0.3  # nothing is heard before it sounds
    between = mel_augmentation._noise(mel, np.random.default_rng(0))[:, 10].mean(dim=1)
    assert 10 < int((between > -22).sum()) < 54
