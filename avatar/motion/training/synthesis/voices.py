"""The voices that data is made with, and what every engine owes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from avatar.speech import Phoneme

ESPEAK, FLITE, FESTIVAL = "espeak-ng", "flite", "festival"
PEOPLE = "people"
"""In the place of an engine: a person who was recorded."""
RECORDED = (FLITE, FESTIVAL)
"""Engines whose voices are made from a person's recordings (diphones, units, or models trained on them)."""


class EngineFailed(Exception):
    """One utterance could not be made: the engine died, hung, or said something that cannot be read."""


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice of an engine.

    Attributes:
        engine: ``ESPEAK``, ``FLITE`` or ``FESTIVAL``.
        name: what the engine calls it; espeak-ng's are a language and a variant ("fr+Annie").
        speaker: who is heard; the same for a speaker whom two engines have.
        language: of the texts it is given, a name of ``grammar.LANGUAGES``.
        licence: of the voice, as Debian's copyright file (espeak-ng: its own COPYING) has it.
    """

    engine: str
    name: str
    speaker: str
    language: str
    licence: str

    @property
    def key(self) -> str:
        return f"{self.engine}:{self.name}"


@dataclass(frozen=True, slots=True)
class Manner:
    """How a sentence is spoken, as far as the engine lets itself be told.

    Attributes:
        speed: 1 is the voice's own.
        pitch: 0..99 of espeak-ng, 50 its own.
        pitch_range: the same, how much the melody moves.
        word_gap_ms: more silence between words.
    """

    speed: float = 1.0
    pitch: int = 50
    pitch_range: int = 50
    word_gap_ms: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Spoken:
    """A sentence as the engine spoke it.

    Attributes:
        pcm: mono float32 within -1..1, [samples].
        rate_hz: of ``pcm``.
        phonemes: IPA, in order of time. A stop's time includes its closure, whatever the engine's labels say.
    """

    pcm: NDArray[np.float32]
    rate_hz: int
    phonemes: tuple[Phoneme, ...]


class Engine(Protocol):
    """One synthesizer, held by one worker process."""

    def voices(self) -> list[Voice]:
        """What is installed here; empty where the engine is not."""

    def speak(self, text: str, voice: Voice, manner: Manner) -> Spoken:
        """Raises EngineFailed."""

    def renew(self) -> None:
        """Be as just started: what was said before leaves no trace in what is said from now on."""

    def close(self) -> None: ...
