"""Human speech as a visitor's: recordings with forced alignments, cut at their pauses into utterances."""

from __future__ import annotations

import json
import wave
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import soxr
from numpy.typing import NDArray

RATE_HZ = 48_000
SHORTEST_PAUSE_S = 0.25
"""A pause that ends an utterance; shorter ones are closures and breaths inside it."""


class NoRecordings(Exception):
    """The folder holds no recordings with alignments."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """One stretch of speech.

    Attributes:
        clip: the recording that it was cut from.
        pcm48k: mono int16, from 80 ms before its first phoneme to the end of its last.
    """

    clip: str
    pcm48k: NDArray[np.int16]

    @property
    def seconds(self) -> float:
        return len(self.pcm48k) / RATE_HZ


def utterances(folder: Path, *, shortest_s: float = 1.0, longest_s: float = 5.0) -> list[Utterance]:
    """Every utterance of that length in ``folder`` (recordings, with ``aligned/NAME.json`` beside them).

    Raises:
        NoRecordings
    """
    found = []
    for alignment in sorted((folder / "aligned").glob("*.json")):
        sound = next((path for path in folder.glob(alignment.stem + ".*") if path.is_file()), None)
        if sound is None:
            continue
        pcm = read_sound(sound)
        for start_s, end_s in _runs(json.loads(alignment.read_text())["phonemes"]):
            if shortest_s <= end_s - start_s <= longest_s:
                part = pcm[round(max(0.0, start_s - 0.08) * RATE_HZ) : round(end_s * RATE_HZ)]
                found.append(Utterance(alignment.stem, part))
    if not found:
        raise NoRecordings(
            f"{folder} holds no recordings with aligned/NAME.json (phonemes: [[ARPABET, start_s, end_s], ...]); "
            "name a folder that does with --recordings"
        )
    return found


def _runs(phonemes: list[tuple[str, float, float]]) -> list[tuple[float, float]]:
    """Stretches of speech between pauses."""
    runs: list[tuple[float, float]] = []
    for symbol, start_s, end_s in phonemes:
        if symbol == "SIL":
            continue
        if runs and start_s - runs[-1][1] < SHORTEST_PAUSE_S:
            runs[-1] = (runs[-1][0], end_s)
        else:
            runs.append((start_s, end_s))
    return runs


def read_sound(path: Path) -> NDArray[np.int16]:
    """Any sound file as mono int16 at 48 kHz."""
    with av.open(str(path)) as container:
        rate_hz = container.streams.audio[0].rate
        resampler = av.AudioResampler(format="s16", layout="mono", rate=rate_hz)
        parts = [out.to_ndarray()[0] for frame in container.decode(audio=0) for out in resampler.resample(frame)]
    return soxr.resample(np.concatenate(parts), rate_hz, RATE_HZ).astype(np.int16)


def write_wav(path: Path, pcm48k: NDArray[np.int16]) -> Path:
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE_HZ)
        out.writeframes(pcm48k.tobytes())
    return path
