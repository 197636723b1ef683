"""What lips are judged on: recordings with forced alignments, and held-out synthetic speech, each with the rules' mouth."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from avatar.media import SoundFile
from avatar.motion.evaluation.lips import Reference, mouth_of
from avatar.motion.speech import coarticulation
from avatar.motion.speech.arpabet import to_ipa
from avatar.motion.speech.mouth import to_channels
from avatar.motion.speech.track import SpeechTrack
from avatar.speech import FRAME_RATE_HZ, SPEECH_RATE_HZ, Phoneme, SpeechChunk

PAUSE_INSIDE_MS = 80.0
"""A pause begins and ends this far inside its silence: there the mouth is still closing, or opening already."""

_VOWELS = ("AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW")


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """One recording or utterance.

    Attributes:
        name: of the recording, or shard and number.
        group: recording, or the voice's engine.
        speech: with phonemes.
        reference: the rules' mouth by these phonemes.
    """

    name: str
    group: str
    speech: SpeechChunk
    reference: Reference

    @property
    def untimed(self) -> SpeechChunk:
        """The sound alone."""
        return SpeechChunk(self.speech.pcm48k, self.speech.language, None)


def aligned_clips(folder: Path) -> list[Clip]:
    """Recordings of a folder, with ``aligned/NAME.json`` beside them ("phonemes": [[ARPABET, start_s, end_s], ...]).

    Raises:
        MediaFileError: a recording cannot be read.
    """
    return [_aligned(folder, path) for path in sorted((folder / "aligned").glob("*.json"))]


def _aligned(folder: Path, alignment: Path) -> Clip:
    sound = next(path for path in sorted(folder.iterdir()) if path.stem == alignment.stem and path.is_file())
    with SoundFile.open(sound) as file:
        pcm = np.concatenate([chunk.pcm48k for chunk in file.chunks()])
    phonemes = tuple(
        Phoneme(to_ipa(symbol), start * 1000, end * 1000, symbol.rstrip("012") in _VOWELS)
        for symbol, start, end in json.loads(alignment.read_text())["phonemes"]
    )
    speech = SpeechChunk(pcm, "en", phonemes)
    return Clip(alignment.stem, alignment.stem, speech, reference_of(speech))


def reference_of(speech: SpeechChunk) -> Reference:
    """The rules' mouth for speech with phonemes, contacts enforced."""
    track = SpeechTrack()
    track.push(speech)
    track.finish()
    frames = [track.next() for _ in range(track.ready())]
    mouth = np.stack([frame.planned.mouth for frame in frames])
    sealed = np.array([frame.planned.sealed for frame in frames])
    return _reference(mouth, sealed, np.array([frame.planned.touching for frame in frames]), speech)


def _reference(
    mouth: NDArray[np.float32], sealed: NDArray[np.bool_], touching: NDArray[np.bool_], speech: SpeechChunk
) -> Reference:
    shown = np.array(mouth, np.float32)
    coarticulation.enforce(shown, sealed, touching)
    frames = len(shown)
    return Reference(
        mouth_of(to_channels(shown)), sealed, _away_from_sounds(speech, frames, 0.0),
        _away_from_sounds(speech, frames, PAUSE_INSIDE_MS),
    )  # fmt: skip


def _away_from_sounds(speech: SpeechChunk, frames: int, by_ms: float) -> NDArray[np.bool_]:
    """Frames whose middle is farther from every sound; what precedes the first and follows the last is silence too."""
    away = np.ones(frames, bool)
    middles = (np.arange(frames) + 0.5) * 1000 / FRAME_RATE_HZ
    for phoneme in speech.phonemes or ():
        if phoneme.symbol not in ("", "_"):
            away &= (middles < phoneme.start_ms - by_ms) | (middles > phoneme.end_ms + by_ms)
    return away


def held_out_clips(shards: Path, *, most: int | None = None) -> Iterator[Clip]:
    """Clean utterances of a folder of speech shards (``avatar.motion.training.synthesis``), evenly from all of them.

    Args:
        shards: a folder of ``NNNN.npz``.
        most: utterances at most, spread over all; None takes all.
    """
    paths = sorted(shards.glob("*.npz"))
    if not paths:
        return
    each = None if most is None else -(-most // len(paths))
    left = most
    for path in paths:
        with np.load(path, allow_pickle=False) as shard:
            arrays = {name: shard[name] for name in _NEEDED}
        count = len(arrays["voice"])
        wanted = count if each is None else min(each, count, left if left is not None else count)
        for i in np.unique(np.linspace(0, count - 1, wanted).astype(int)) if wanted else ():
            yield _utterance(arrays, int(i), f"{path.stem}/{i}")
        if left is not None:
            left -= wanted


_NEEDED = (
    "pcm16k", "pcm_offset", "mouth", "sealed", "touching", "frame_offset", "phoneme_symbol", "phoneme_start_ms",
    "phoneme_end_ms", "phoneme_stressed", "phoneme_offset", "voice", "engine", "language",
)  # fmt: skip


def _utterance(arrays: dict[str, NDArray[np.generic]], i: int, name: str) -> Clip:
    def part(key: str, offset: str) -> NDArray[np.generic]:
        start, end = arrays[offset][i : i + 2]
        return arrays[key][int(start) : int(end)]

    pcm = soxr.resample(part("pcm16k", "pcm_offset"), 16_000, SPEECH_RATE_HZ)
    phonemes = tuple(
        Phoneme(str(symbol), float(start), float(end), bool(stressed))
        for symbol, start, end, stressed in zip(
            *(part(f"phoneme_{key}", "phoneme_offset") for key in ("symbol", "start_ms", "end_ms", "stressed")),
            strict=True,
        )
    )
    speech = SpeechChunk(np.asarray(pcm, np.int16), str(arrays["language"][i]), phonemes)
    mouth = np.asarray(part("mouth", "frame_offset"), np.float32)
    sealed, touching = (np.asarray(part(key, "frame_offset"), bool) for key in ("sealed", "touching"))
    reference = _reference(mouth, sealed, touching, speech)
    return Clip(f"{name} {arrays['voice'][i]}", str(arrays["engine"][i]), speech, reference)
