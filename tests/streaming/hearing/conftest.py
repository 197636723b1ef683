"""Sounds and engines that the tests of hearing share."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.streaming.hearing.tiny_whisper import make_tiny_whisper

TINY_SAYS = "Hello there, how are you?"


def read_pcm16k(path: Path) -> NDArray[np.int16]:
    with av.open(str(path)) as container:
        resampler = av.AudioResampler(format="s16", layout="mono", rate=16_000)
        frames = [part for frame in container.decode(audio=0) for part in resampler.resample(frame)]
        frames += resampler.resample(None)
    return np.concatenate([frame.to_ndarray()[0] for frame in frames])


@pytest.fixture(scope="session")
def recording(shared: Path) -> NDArray[np.int16]:
    """ "he might even have been made amiable himself", 3.3 s."""
    return read_pcm16k(shared / "samples" / "speech" / "en-librivox-0930.wav")


@pytest.fixture(scope="session")
def long_recording(shared: Path) -> NDArray[np.int16]:
    """ "and mister john dashwood had then leisure ...", 7.1 s."""
    return read_pcm16k(shared / "samples" / "speech" / "en-librivox-0870.wav")


@pytest.fixture(scope="session")
def tiny_whisper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_whisper(tmp_path_factory.mktemp("models") / "tiny", TINY_SAYS)


def noise(seconds: float, loudness: float = 300) -> NDArray[np.int16]:
    samples = np.random.default_rng(7).standard_normal(round(seconds * 16_000)) * loudness
    return samples.astype(np.int16)
