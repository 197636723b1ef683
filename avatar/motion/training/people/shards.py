"""Shards of people's recordings, in the format and the folders of the synthetic ones (``synthesis.shards``); made whole or not at all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from avatar.motion.training.people.aligner import Aligner, NotAligned, sounds
from avatar.motion.training.people.recordings import Recording, Speaker, read
from avatar.motion.training.synthesis.augmentation import Sound
from avatar.motion.training.synthesis.corpus import Split
from avatar.motion.training.synthesis.shards import HEARD, Contents, add_take
from avatar.motion.training.synthesis.take import RATE_HZ, direct, take
from avatar.motion.training.synthesis.voices import ESPEAK, PEOPLE, Engine, Manner, Spoken, Voice

TAKES = 3
"""Of every recording that is trained on: one as it is, the others by somebody smaller or bigger, as with other recorded voices.
Whoever is held out is heard as recorded."""
_RECORDING_S = 3.0
"""An ordinary recording, for the progress told."""
_LOG_SIZE = (-0.15, 0.17)
_RECORDINGS = 140
"""In a shard: some 400 s, thrice."""


@dataclass(frozen=True, slots=True)
class PeoplePlan:
    """What decides every bit of a shard.

    Attributes:
        speaker: of all its recordings.
        number: of the speaker's shards.
        recordings: in order.
        seed: of the whole data.
        renditions: augmented ones, besides the clean one.
    """

    speaker: Speaker
    number: int
    recordings: tuple[Recording, ...]
    seed: int
    renditions: int

    @property
    def takes(self) -> int:
        return TAKES if self.speaker.split is Split.TRAIN else 1

    @property
    def seconds(self) -> float:
        """Of clean sound, about."""
        return len(self.recordings) * _RECORDING_S * self.takes

    def path(self, folder: Path) -> Path:
        """Not a number, so that it is not taken for a shard of the schedule of voices."""
        return folder / self.speaker.split.value / f"people-{self.speaker.name}-{self.number:02}.npz"


@dataclass(frozen=True, slots=True)
class PeopleMade:
    """Attributes:
    plan: of which shard.
    used: recordings in it; the others' words could not be found in the sound.
    """

    plan: PeoplePlan
    used: int

    @property
    def notes(self) -> tuple[str, ...]:
        if self.used:
            return ()
        return (f"{self.plan.speaker.name} is left out: what is said could not be found in the recordings",)


def plans(recordings: Sequence[Recording], seed: int, renditions: int) -> list[PeoplePlan]:
    """Every shard, by speaker. Recordings are dealt out in turn, so that a shard holds all kinds of a speaker's."""
    of: dict[Speaker, list[Recording]] = defaultdict(list)
    for recording in recordings:
        of[recording.speaker].append(recording)
    return [
        PeoplePlan(speaker, number, tuple(members[number::shards]), seed, renditions)
        for speaker, members in of.items()
        for shards in [-(-len(members) // _RECORDINGS)]
        for number in range(shards)
    ]


def make_people_shard(plan: PeoplePlan, folder: Path, espeak: Engine) -> PeopleMade:
    """Align, label, augment and write.

    Raises:
        EngineFailed: espeak-ng does not work.
        OSError: it cannot be written.
    """

    def pronounce(word: str, language: str) -> tuple[str, ...]:
        return sounds(espeak.speak(word, Voice(ESPEAK, language, "", language, ""), Manner()).phonemes)

    aligner = Aligner(pronounce)
    speaker = plan.speaker
    voice = Voice(PEOPLE, speaker.name, speaker.name, speaker.language, speaker.licence)
    contents = Contents()
    heard: list[Sound] = []
    used: set[Recording] = set()
    spoken: list[tuple[Recording, Spoken]] = []
    for recording in plan.recordings:
        try:
            pcm = read(recording.path, recording.start, recording.size)
            phonemes = aligner.align(pcm, recording.text, speaker.language)
        except (ValueError, NotAligned):
            continue
        spoken.append((recording, Spoken(pcm.astype(np.float32) / np.float32(32768), RATE_HZ, phonemes)))
    for again in range(plan.takes):
        for index, (recording, said) in enumerate(spoken):
            rng = np.random.default_rng((plan.seed, *speaker.name.encode(), plan.number, again, index))
            size = float(np.exp(rng.uniform(*_LOG_SIZE))) if again else 1.0
            try:
                made = take(said, replace(direct(voice, rng), size=size))
            except ValueError:  # too short, too long, or nothing to be heard
                continue
            about = {"engine": PEOPLE, "voice": speaker.name, "speaker": speaker.name, "language": speaker.language, "text": recording.text}  # fmt: skip
            clean = made.pcm16k.astype(np.float32) / np.float32(32768)
            add_take(contents, made, clean, about, heard, plan.renditions, rng)
            heard.append(clean)
            del heard[:-HEARD]
            used.add(recording)
    if used:
        contents.write(plan.path(folder))
    return PeopleMade(plan, len(used))
