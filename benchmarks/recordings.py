"""Human speech as a visitor's: recordings with forced alignments, cut at their pauses into utterances."""

from __future__ import annotations

import json
import wave
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import av
import numpy as np
import soxr
from numpy.typing import NDArray

RATE_HZ = 48_000
Phoneme = tuple[str, float, float]
"""ARPABET symbol, start and end in seconds."""
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
        words: said in it, lower case; empty where the alignment's transcript does not fit its phonemes.
        lead_s: silence (or noise) before its first phoneme.
    """

    clip: str
    pcm48k: NDArray[np.int16]
    words: tuple[str, ...] = ()
    lead_s: float = 0.0

    @property
    def seconds(self) -> float:
        return len(self.pcm48k) / RATE_HZ


@dataclass(frozen=True, slots=True)
class Word:
    text: str
    start_s: float
    end_s: float


LEAD_S = 0.08
"""Kept before an utterance's first phoneme: alignments put a soft beginning too late."""


def utterances(folder: Path, *, shortest_s: float = 1.0, longest_s: float = 5.0) -> list[Utterance]:
    """Every utterance of that length in ``folder`` (recordings, with ``aligned/NAME.json`` beside them).

    Raises:
        NoRecordings
    """
    found = []
    for name, pcm, phonemes, words in _clips(folder):
        for start_s, end_s in _runs(phonemes):
            if shortest_s <= end_s - start_s <= longest_s:
                from_s = max(0.0, start_s - LEAD_S)
                inside = tuple(word.text for word in words if start_s <= (word.start_s + word.end_s) / 2 <= end_s)
                part = pcm[round(from_s * RATE_HZ) : round(end_s * RATE_HZ)]
                found.append(Utterance(name, part, inside, start_s - from_s))
    if not found:
        raise _none(folder)
    return found


def single_words(folder: Path, *, shortest_s: float = 0.2, longest_s: float = 0.45) -> list[Utterance]:
    """Words of that length, each cut out of its sentence.

    Raises:
        NoRecordings
    """
    found = [
        Utterance(name, pcm[round(word.start_s * RATE_HZ) : round(word.end_s * RATE_HZ)], (word.text,))
        for name, pcm, _, words in _clips(folder)
        for word in words
        if shortest_s <= word.end_s - word.start_s <= longest_s
    ]
    if not found:
        raise _none(folder)
    return found


def _none(folder: Path) -> NoRecordings:
    return NoRecordings(
        f"{folder} holds no recordings with aligned/NAME.json (transcript, and phonemes: [[ARPABET, start_s, end_s], "
        "...]); name a folder that does with --recordings"
    )


def _clips(folder: Path) -> Iterator[tuple[str, NDArray[np.int16], list[Phoneme], list[Word]]]:
    for alignment in sorted((folder / "aligned").glob("*.json")):
        sound = next((path for path in sorted(folder.glob(alignment.stem + ".*")) if path.is_file()), None)
        if sound is not None:
            told = json.loads(alignment.read_text(encoding="utf-8"))
            words = spell(told.get("transcript", ""), told["phonemes"], dictionary())
            yield alignment.stem, read_sound(sound), told["phonemes"], words


@cache
def dictionary() -> dict[str, list[tuple[str, ...]]]:
    """Pronunciations of English words: the CMU dictionary that comes with pocketsphinx."""
    import pocketsphinx

    found: dict[str, list[tuple[str, ...]]] = {}
    for line in Path(pocketsphinx.get_model_path("en-us/cmudict-en-us.dict")).read_text().splitlines():
        word, *sounds = line.split()
        found.setdefault(word.partition("(")[0], []).append(tuple(sounds))
    return found


def spell(transcript: str, phonemes: list[Phoneme], said_as: dict[str, list[tuple[str, ...]]]) -> list[Word]:
    """When each word of a transcript is said, by fitting pronunciations to the phonemes; empty where they do not fit."""
    voiced = [phoneme for phoneme in phonemes if phoneme[0] != "SIL"]
    symbols = [phoneme[0] for phoneme in voiced]
    texts = transcript.lower().split()
    ways: list[dict[int, int]] = [{0: 0}]  # after each word: where its phonemes end -> where they began
    for text in texts:
        ends: dict[int, int] = {}
        for begin in ways[-1]:
            for sounds in said_as.get(text, ()):
                if tuple(symbols[begin : begin + len(sounds)]) == sounds:
                    ends[begin + len(sounds)] = begin
        ways.append(ends)
    if len(voiced) not in ways[-1]:
        return []
    words, end = [], len(voiced)
    for text, ends in zip(reversed(texts), reversed(ways), strict=False):
        begin = ends[end]
        words.append(Word(text, voiced[begin][1], voiced[end - 1][2]))
        end = begin
    return words[::-1]


def words_found(said: Sequence[str], heard: str) -> int:
    """How many of the words said stand in what was heard, in order (longest common subsequence)."""
    other = ["".join(c for c in word if c.isalnum() or c == "'") for word in heard.lower().split()]
    best = np.zeros((len(said) + 1, len(other) + 1), int)
    for i, x in enumerate(said):
        for j, y in enumerate(other):
            best[i + 1, j + 1] = best[i, j] + 1 if x == y else max(best[i, j + 1], best[i + 1, j])
    return int(best[-1, -1])


def _runs(phonemes: list[Phoneme]) -> list[tuple[float, float]]:
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
    return np.asarray(soxr.resample(np.concatenate(parts), rate_hz, RATE_HZ), np.int16)


def write_wav(path: Path, pcm48k: NDArray[np.int16]) -> Path:
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE_HZ)
        out.writeframes(pcm48k.tobytes())
    return path
