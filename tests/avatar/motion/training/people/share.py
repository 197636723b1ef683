"""A folder like Debian's /usr/share, with recordings that espeak-ng spoke."""

from __future__ import annotations

import gzip
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np
import soxr
from numpy.typing import NDArray

from avatar.motion.training.synthesis.espeak import EspeakEngine
from avatar.motion.training.synthesis.voices import ESPEAK, Manner, Voice

HELPER = (sys.executable, "-m", "streaming.speaking.espeak_helper")


@contextmanager
def espeak() -> Iterator[EspeakEngine]:
    engine = EspeakEngine(HELPER)
    try:
        yield engine
    finally:
        engine.close()


def spoken(engine: EspeakEngine, text: str, language: str) -> NDArray[np.int16]:
    """At 16 kHz, with silence around it."""
    said = engine.speak(text, Voice(ESPEAK, language, "", language, ""), Manner())
    pcm = soxr.resample(said.pcm, said.rate_hz, 16_000)
    whole: NDArray[np.int16] = np.round(np.pad(pcm, 3200) * 32767).astype(np.int16)
    return whole


def write(path: Path, pcm16k: NDArray[np.int16]) -> None:
    """As .g722 without a header, or as .ogg."""
    path.parent.mkdir(parents=True, exist_ok=True)
    raw = path.suffix == ".g722"
    rate = 16_000 if raw else 48_000
    if not raw:
        pcm16k = soxr.resample(pcm16k, 16_000, rate)
    with av.open(str(path), "w", format="g722" if raw else "ogg") as file:
        stream = file.add_stream("g722" if raw else "libopus", rate=rate, layout="mono")
        frame = av.AudioFrame.from_ndarray(pcm16k[None, :], "s16", "mono")
        frame.rate = rate
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            file.mux(packet)


def prompts(
    share: Path, folder: str, language: str, lines: dict[str, str], sounds: dict[str, NDArray[np.int16]]
) -> None:
    words = share / "doc" / f"asterisk-core-sounds-{language}" / f"core-sounds-{language}.txt.gz"
    words.parent.mkdir(parents=True, exist_ok=True)
    words.write_bytes(gzip.compress("\n".join(f"{name}: {text}" for name, text in lines.items()).encode()))
    for name, pcm in sounds.items():
        write(share / "asterisk" / "sounds" / folder / f"{name}.g722", pcm)
