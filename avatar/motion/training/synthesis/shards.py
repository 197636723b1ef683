"""A shard: some minutes of labelled speech in one file, made whole or not at all.

Arrays of all its utterances lie one after the other; ``..._offset`` [n + 1] says where each begins. Keys:

``pcm16k`` int16 [samples], ``pcm_offset``: clean sound.
``rendition_mel`` float16 [hops, 64], ``rendition_offset``, ``rendition_utterance`` [R], ``rendition_kind`` [R]: un-normalised log-mel bands
of every rendition, 100 a second; an utterance's first is "clean", and all of them share its clock.
``mouth`` float16 [frames, 11], ``sealed``, ``touching`` bool [frames], ``frame_offset``: 25 a second (``labels.Labels``).
``phone`` uint8 [hops], ``hop_offset``: 100 a second (``generator.phones``).
``phoneme_symbol``, ``phoneme_start_ms``, ``phoneme_end_ms``, ``phoneme_stressed``, ``phoneme_offset``.
``engine``, ``voice``, ``speaker``, ``language``, ``text`` [U]: str. A take in which nobody speaks has the engine "noise".
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.motion.generator.features import BANDS, log_mel
from avatar.motion.training.synthesis.augmentation import Sound, augment, background
from avatar.motion.training.synthesis.corpus import NOISE, TEXT, Schedule, Split, cast
from avatar.motion.training.synthesis.grammar import sentence
from avatar.motion.training.synthesis.labels import HOP_SAMPLES, Labels, label
from avatar.motion.training.synthesis.take import FRAME_SAMPLES, RATE_HZ, Take, direct, level_db, take
from avatar.motion.training.synthesis.voices import Engine, EngineFailed, Voice

_FAILURES = 3
"""So many sentences in a row that a voice could not say, and the shard goes on without it."""
HEARD = 12
"""Takes kept for babble."""
_SPLIT_NUMBER = {split: number for number, split in enumerate(Split)}


@dataclass(frozen=True, slots=True)
class ShardPlan:
    """What decides every bit of a shard, besides the synthesizers themselves.

    Attributes:
        split, number: which.
        seed: of the whole data.
        seconds: of clean sound.
        renditions: augmented ones, besides the clean one.
    """

    split: Split
    number: int
    seed: int
    seconds: float
    renditions: int

    def path(self, folder: Path) -> Path:
        return folder / self.split.value / f"{self.number:04}.npz"


@dataclass(frozen=True, slots=True)
class ShardMade:
    """Attributes:
    plan: of which shard.
    seconds: of clean sound, by voice key.
    notes: voices left out and why, in words.
    """

    plan: ShardPlan
    seconds: dict[str, float]
    notes: tuple[str, ...]


@dataclass(slots=True)
class Contents:
    """A shard that is being made."""

    arrays: dict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))
    offsets: dict[str, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0]))

    def add(self, take_: Take, labels: Labels, about: Mapping[str, str]) -> None:
        for key in ("mouth", "sealed", "touching"):
            self.arrays[key].append(getattr(labels, key))
        self.arrays["pcm16k"].append(take_.pcm16k)
        self.arrays["phone"].append(labels.phone)
        for phoneme in labels.phonemes:
            self.arrays["phoneme_symbol"].append(phoneme.symbol)
            self.arrays["phoneme_start_ms"].append(phoneme.start_ms)
            self.arrays["phoneme_end_ms"].append(phoneme.end_ms)
            self.arrays["phoneme_stressed"].append(phoneme.stressed)
        for key, text in about.items():
            self.arrays[key].append(text)
        self._end("pcm", len(take_.pcm16k))
        self._end("frame", len(labels.mouth))
        self._end("hop", len(labels.phone))
        self._end("phoneme", len(labels.phonemes))

    def add_rendition(self, mel: NDArray[np.float32], kind: str) -> None:
        """Of the utterance added last."""
        self.arrays["rendition_mel"].append(mel.astype(np.float16))
        self.arrays["rendition_kind"].append(kind)
        self.arrays["rendition_utterance"].append(len(self.offsets["pcm"]) - 2)
        self._end("rendition", len(mel))

    def write(self, path: Path) -> None:
        """Under another name first, so that a file of this name is always whole."""
        whole: dict[str, NDArray[Any]] = {
            "pcm16k": np.concatenate(self.arrays["pcm16k"]),
            "rendition_mel": np.concatenate(self.arrays["rendition_mel"]),
            "mouth": np.concatenate(self.arrays["mouth"]).astype(np.float16),
            "phone": np.concatenate(self.arrays["phone"]),
            "rendition_utterance": np.array(self.arrays["rendition_utterance"], np.int64),
            "phoneme_stressed": np.array(self.arrays["phoneme_stressed"], bool),
        }
        for key in ("sealed", "touching"):
            whole[key] = np.concatenate(self.arrays[key])
        for key in ("phoneme_start_ms", "phoneme_end_ms"):
            whole[key] = np.array(self.arrays[key], np.float32)
        for key in ("phoneme_symbol", "rendition_kind", "engine", "voice", "speaker", "language", "text"):
            whole[key] = np.array(self.arrays[key], np.str_)
        for key, offsets in self.offsets.items():
            whole[f"{key}_offset"] = np.array(offsets, np.int64)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            with part.open("wb") as file:
                np.savez(file, **whole)  # type: ignore[arg-type]  # numpy's stubs take the names for options
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)

    def _end(self, key: str, length: int) -> None:
        self.offsets[key].append(self.offsets[key][-1] + length)


def make_shard(plan: ShardPlan, folder: Path, voices: list[Voice], engine_of: Callable[[Voice], Engine]) -> ShardMade:
    """Make and write a shard.

    Raises:
        EngineFailed: nobody of the split's voices works.
        OSError: it cannot be written.
    """
    seed = (plan.seed, _SPLIT_NUMBER[plan.split], plan.number)
    schedule = Schedule(cast(voices, plan.split), np.random.default_rng(seed))
    contents = Contents()
    heard: list[Sound] = []
    spent: dict[str, float] = defaultdict(float)
    failures: dict[Voice, int] = defaultdict(int)
    notes: list[str] = []
    for engine in {id(engine): engine for engine in map(engine_of, voices)}.values():
        engine.renew()  # so that a shard is the same whatever was made before it
    attempt = 0
    while sum(spent.values()) < plan.seconds:
        rng = np.random.default_rng((*seed, attempt))
        attempt += 1
        group = schedule.next()
        among = schedule.voices(group)
        if not among:
            seconds = _add_noise(contents, heard, plan, rng)
            schedule.spent(group, seconds)
            continue
        voice = among[rng.integers(len(among))]
        text = sentence(voice.language, TEXT[plan.split], rng)
        direction = direct(voice, rng)
        try:
            made = take(engine_of(voice).speak(text, voice, direction.manner), direction)
        except (EngineFailed, ValueError) as error:
            failures[voice] += 1
            schedule.spent(group, 1.0)
            if failures[voice] >= _FAILURES:
                notes.append(f"{voice.key} is left out: {error}")
                if not schedule.drop(group, voice):
                    raise EngineFailed(f"no voice works any more; the last one, {voice.key}: {error}") from error
            continue
        failures[voice] = 0
        about = {"engine": voice.engine, "voice": voice.name, "speaker": voice.speaker, "language": voice.language, "text": text}  # fmt: skip
        clean = made.pcm16k.astype(np.float32) / np.float32(32768)
        add_take(contents, made, clean, about, heard, plan.renditions, rng)
        heard.append(clean)
        del heard[:-HEARD]
        schedule.spent(group, made.seconds)
        spent[voice.key] += made.seconds
    contents.write(plan.path(folder))
    return ShardMade(plan, dict(spent), tuple(notes))


def _add_noise(contents: Contents, heard: list[Sound], plan: ShardPlan, rng: np.random.Generator) -> float:
    """A take in which nobody speaks, and the mouth stays shut. Returns its seconds."""
    samples = int(rng.integers(40, 120)) * FRAME_SAMPLES
    noise, kind = background(samples, [], rng)  # babble is left out: somebody does speak in it
    clean = noise * np.float32(10 ** ((rng.uniform(-65.0, -22.0) - level_db(noise)) / 20))
    pcm = np.round(np.clip(clean, -1, 1) * 32767).astype(np.int16)
    about = {"engine": NOISE, "voice": kind, "speaker": NOISE, "language": "", "text": ""}
    clean = pcm.astype(np.float32) / np.float32(32768)
    add_take(contents, Take(pcm, ()), clean, about, heard, plan.renditions, rng)
    return samples / RATE_HZ


def add_take(
    contents: Contents, made: Take, clean: Sound, about: Mapping[str, str], heard: list[Sound], renditions: int,
    rng: np.random.Generator,
) -> None:  # fmt: skip
    """A take with its labels and renditions.

    Args:
        clean: its sound, float32 within -1..1, [samples].
        about: engine, voice, speaker, language and text.
        heard: other takes, which babble is made of.
        renditions: augmented ones, besides the clean one.
    """
    contents.add(made, label(made), about)
    for number in range(1 + renditions):
        sound, kind = (clean, "clean") if number == 0 else augment(clean, heard, rng)
        mel = log_mel(sound, RATE_HZ)
        assert mel.shape == (len(clean) // HOP_SAMPLES, BANDS)
        contents.add_rendition(mel, kind)
