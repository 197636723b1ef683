"""Sound to audio tokens, as the original cuts them."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the gpu extra is not installed")

from avatar.echomimic.audio_features import (  # noqa: E402
    encode_clip,
    frame_count,
    log_mel,
    log_mel_power,
    mel_filters,
    normalise_log_mel,
    slice_windows,
    window_indices,
)
from avatar.echomimic.networks import Networks  # noqa: E402


def tone(seconds: float, hz: float = 440.0) -> np.ndarray:
    time = np.arange(int(16_000 * seconds)) / 16_000
    return (0.3 * np.sin(2 * np.pi * hz * time)).astype(np.float32)


def test_a_tone_is_in_its_band() -> None:
    mel = log_mel(tone(1.0, hz=1000.0))
    assert mel.shape == (80, 100) and mel.dtype == torch.float32
    filters = mel_filters(80)
    band = int(mel[:, 50].argmax())
    assert abs(int(filters[band].argmax()) * 40 - 1000) <= 40  # 201 bins of 40 Hz
    assert float(mel.max() - mel.min()) <= 2.0  # 8 decades, divided by 4


def test_filters_cover_everything_between_their_ends() -> None:
    filters = mel_filters(80)
    assert filters.shape == (80, 201) and (filters >= 0).all()
    assert (filters[:, 1:-1].sum(axis=0) > 0).all() and filters[:, 0].sum() == 0
    area = filters.sum(axis=1) * 40
    assert area[20:] == pytest.approx(1.0, abs=0.1)  # Slaney: unit area; narrow low bands see few bins


def test_the_clamp_is_against_the_loudest_unless_told() -> None:
    power = log_mel_power(torch.from_numpy(np.concatenate([tone(0.5), 1e-6 * tone(0.5)])))
    whole = normalise_log_mel(power)
    assert torch.equal(whole, normalise_log_mel(power, float(power.max())))
    later = normalise_log_mel(power, float(power[:, 60:].max()))
    assert (later[:, 60:] <= whole[:, 60:]).all() and (later[:, 60:] < whole[:, 60:]).any()


def test_too_little_sound_is_told() -> None:
    with pytest.raises(ValueError, match="200 samples are too few"):
        log_mel(np.zeros(200, np.float32))
    assert log_mel(np.zeros(201, np.float32)).shape == (80, 1)


def test_segments_are_encoded_on_their_own(tiny: Networks) -> None:
    mel = log_mel(tone(31.0))
    features = encode_clip(tiny.whisper, mel)
    assert features.shape == (1550, 3, 32)
    assert torch.equal(features[:1500], encode_clip(tiny.whisper, mel[:, :3000]))
    rest = encode_clip(tiny.whisper, mel[:, 3000:])
    assert rest.shape[0] == 50 and torch.equal(features[1500:], rest)


def test_an_odd_mel_frame_is_left_over(tiny: Networks) -> None:
    assert encode_clip(tiny.whisper, torch.zeros(80, 101)).shape[0] == 50


def test_positions_and_levels(tiny: Networks) -> None:
    """The first level is the embedded input; what differs only in time differs by the position table."""
    levels = tiny.whisper(torch.zeros(1, 80, 200))[0]
    table = tiny.whisper.encoder.positional_embedding
    assert torch.allclose(levels[10, 0] - levels[20, 0], table[10] - table[20], atol=1e-5)
    assert not torch.allclose(levels[:, 1], levels[:, 0])


@pytest.mark.parametrize(("features", "fps", "frames"), [(100, 24, 50), (50, 24, 26), (100, 25, 52), (1, 24, 2)])
def test_windows_run_past_the_end(features: int, fps: float, frames: int) -> None:
    assert frame_count(features, fps) == frames


def test_a_frame_sees_80_ms_back_and_120_ms_ahead() -> None:
    seen = window_indices(1000, 30, 25)
    assert seen[10].tolist() == list(range(16, 26))
    assert seen[0].tolist() == [0, 0, 0, 0, 0, 1, 2, 3, 4, 5]
    assert window_indices(1000, 13, 24)[12].tolist() == list(range(21, 31))


def test_tokens_are_levels_of_positions() -> None:
    features = torch.arange(20 * 3 * 2.0).reshape(20, 3, 2)
    tokens = slice_windows(features, 5, 25)
    assert tokens.shape == (5, 30, 2)
    assert torch.equal(tokens[4, :3], features[4]) and torch.equal(tokens[4, -3:], features[13])
    assert torch.equal(slice_windows(features, 40, 25)[-1, :3], features[19]), "past the end the last one stays"
