"""Sound as it comes, against the original's whole file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soxr

torch = pytest.importorskip("torch", reason="the gpu extra is not installed")

from avatar.echomimic.audio_features import encode_clip, log_mel, slice_windows  # noqa: E402
from avatar.echomimic.running_sound import (  # noqa: E402
    FRAME_SAMPLES,
    LOOKAHEAD_SAMPLES,
    SEGMENT_FRAMES,
    USUAL_LOUDEST,
    RunningSound,
)
from avatar.media import SoundFile  # noqa: E402
from avatar.speech import BEAT_SAMPLES  # noqa: E402

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from avatar.echomimic.networks import Networks

CPU = torch.device("cpu")


def noise(frames: int, seed: int = 0, loudness: int = 3000) -> NDArray[np.int16]:
    return (np.random.default_rng(seed).standard_normal(frames * BEAT_SAMPLES) * loudness).astype(np.int16)


def stream(
    sound: RunningSound, pcm48k: NDArray[np.int16], tiny: Networks, *, stride: int = 9, first: int = 0
) -> torch.Tensor:
    """Tokens of all frames, made a stretch at a time."""
    tokens = []
    frames = len(pcm48k) // BEAT_SAMPLES
    for start in range(0, frames, stride):
        end = min(start + stride, frames)
        segment = sound.hear(
            first + start,
            pcm48k[start * BEAT_SAMPLES : end * BEAT_SAMPLES],
            pcm48k[end * BEAT_SAMPLES :][:LOOKAHEAD_SAMPLES],
            np.ones(end - start, bool),
        )
        with torch.no_grad():
            tokens.append(sound.tokens(segment, tiny.whisper(segment.mel[None])[0]))
    return torch.cat(tokens)


def whole(pcm48k: NDArray[np.int16], tiny: Networks) -> torch.Tensor:
    pcm16k = soxr.resample(pcm48k.astype(np.float32) / 32768, 48_000, 16_000)
    with torch.no_grad():
        features = encode_clip(tiny.whisper, log_mel(pcm16k))
    return slice_windows(features, len(pcm48k) // BEAT_SAMPLES, 25)


def difference(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).norm() / b.norm())


def test_a_clip_heard_at_once_is_the_originals(tiny: Networks) -> None:
    """Everything known, and loud enough to set the clamp: the same segment, the same clamp, the same windows."""
    pcm = noise(20)
    assert difference(stream(RunningSound(80, CPU), pcm, tiny, stride=20), whole(pcm, tiny)) < 2e-3


def test_heard_by_windows_it_stays_near(tiny: Networks) -> None:
    pcm = noise(60)
    near = difference(stream(RunningSound(80, CPU), pcm, tiny), whole(pcm, tiny))
    late = difference(whole(np.roll(pcm, 10 * BEAT_SAMPLES), tiny), whole(pcm, tiny))
    assert near < 0.5 * late


def test_speech_by_windows_stays_near_the_originals_whole_file(shared: Path, tiny: Networks) -> None:
    with SoundFile.open(shared / "samples/speech/en-neural-woman-5s.wav") as file:
        pcm = np.concatenate([chunk.pcm48k for chunk in file.chunks()])
    pcm = pcm[: len(pcm) // BEAT_SAMPLES * BEAT_SAMPLES]
    original = whole(pcm, tiny)
    near = difference(stream(RunningSound(80, CPU), pcm, tiny), original)
    silent = difference(whole(np.zeros_like(pcm), tiny), original)
    assert near < 0.35 * silent


def test_frames_that_are_drawn_anew_are_heard_anew(tiny: Networks) -> None:
    pcm = noise(36)
    straight = stream(RunningSound(80, CPU), pcm, tiny)
    sound = RunningSound(80, CPU)
    stream(sound, noise(27, seed=1, loudness=500), tiny)
    sound.hear(18, noise(9, seed=2, loudness=500), noise(0), np.ones(9, bool))
    restarted = RunningSound(80, CPU)
    stream(restarted, pcm[: 18 * BEAT_SAMPLES], tiny)
    restarted.hear(18, noise(9, seed=3, loudness=500), noise(0), np.ones(9, bool))
    again = stream(restarted, pcm[18 * BEAT_SAMPLES :], tiny, first=18)
    assert difference(again, straight[18:]) < 1e-3


def test_a_segment_begins_with_speech_and_when_thirty_seconds_are_full(tiny: Networks) -> None:
    sound = RunningSound(80, CPU)
    nobody, speaking = np.zeros(9, bool), np.ones(9, bool)
    silence = np.zeros(9 * BEAT_SAMPLES, np.int16)
    firsts = []
    for window in range(SEGMENT_FRAMES // 9 + 4):
        flags = speaking if window == 2 else nobody
        segment = sound.hear(window * 9, silence, silence[:LOOKAHEAD_SAMPLES], flags)
        firsts.append(segment.first)
        assert segment.mel.shape == (80, 3000) and segment.known <= 1500
    assert firsts[:4] == [0, 18, 0, 18]
    assert firsts.count(0) == 3


def test_a_full_segment_goes_on_with_the_features_before_it(tiny: Networks) -> None:
    """The first frames of a segment look 80 ms back, over its edge."""
    sound = RunningSound(80, CPU)
    pcm = noise(9)
    kept = None
    for window in range(SEGMENT_FRAMES // 9 + 1):
        segment = sound.hear(window * 9, pcm, pcm[:LOOKAHEAD_SAMPLES], np.ones(9, bool))
        features = torch.full((1500, 3, 32), float(window + 1))
        tokens = sound.tokens(segment, features).unflatten(1, (10, 3))
        if segment.first == 0 and window:
            kept = tokens
            assert (tokens[0, :4] == window).all() and (tokens[0, 4:] == window + 1).all()
    assert kept is not None


def test_the_clamp_knows_only_what_was_heard(tiny: Networks) -> None:
    sound = RunningSound(80, CPU)
    quiet = sound.hear(0, noise(9, loudness=3), noise(0), np.zeros(9, bool))
    floor = (USUAL_LOUDEST - 8.0 + 4.0) / 4.0
    assert float(quiet.mel[:, : 4 * 9].min()) >= floor - 1e-6
    loud = sound.hear(9, noise(9, loudness=30_000), noise(0), np.zeros(9, bool))
    assert float(loud.mel[:, : 4 * 18].min()) > floor


def test_memory_does_not_grow(tiny: Networks) -> None:
    sound = RunningSound(80, CPU)
    silence = np.zeros(9 * BEAT_SAMPLES, np.int16)
    for window in range(200):
        sound.hear(window * 9, silence, silence[:0], np.zeros(9, bool))
    assert len(sound._segment) <= SEGMENT_FRAMES and all(len(part) == FRAME_SAMPLES for part in sound._segment)
    assert len(sound._before) <= 48
