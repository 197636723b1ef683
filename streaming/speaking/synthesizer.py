"""The seam behind which text becomes sound."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from avatar.speech import SpeechChunk


@dataclass(frozen=True, slots=True)
class Word:
    """When a word of the sentence is heard.

    Attributes:
        start: index of its first character in the sentence's text.
        end: index after its last character (following punctuation included).
        start_ms, end_ms: from the first sample of the *sentence*.
    """

    start: int
    end: int
    start_ms: float
    end_ms: float


@dataclass(frozen=True, slots=True)
class SpokenChunk:
    """A piece of a sentence's sound.

    Attributes:
        speech: the sound and its phonemes.
        words: words that begin in this chunk; empty where the voice gives no word timings
            (then captions are spread over the sentence by length).
    """

    speech: SpeechChunk
    words: tuple[Word, ...] = ()


class Synthesizer(Protocol):
    """A voice engine, shared by all conversations.

    Attributes:
        name: as shown by ``parley doctor``.
        voices: names that ``voice`` may have; the first is the default.
    """

    name: str
    voices: tuple[str, ...]

    def speak(
        self, text: str, *, language: str, voice: str | None = None, speed: float = 1.0
    ) -> AsyncIterator[SpokenChunk]:
        """Speak one sentence, in chunks as they are made. Closing the iterator stops the work.

        Args:
            text: plain words, no markup.
            language: BCP 47 tag of the text.
            voice: one of ``voices``; None for the language's default.
            speed: 0.25..1.5, 1.0 is the voice's own (as the Realtime protocol has it).

        Raises:
            SynthesisFailed: says which engine and why.
        """

    async def warm_up(self) -> None: ...

    async def close(self) -> None: ...
