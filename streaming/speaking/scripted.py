"""A voice for tests and benchmarks: tones of known length, exact timings, no engine and no clock."""

from __future__ import annotations

from collections.abc import AsyncIterator

import numpy as np
from numpy.typing import NDArray

from avatar.speech import SPEECH_RATE_HZ, Phoneme, SpeechChunk
from llm_bridge.languages import is_wide
from streaming.errors import SynthesisFailed
from streaming.speaking.synthesizer import SpokenChunk, Word

LETTER_MS = 70
"""Sound for a letter or digit at speed 1.0; a Chinese character takes three times as long."""

GAP_MS = 60
"""Silence after each word at speed 1.0."""

_IPA = dict(zip("abcdefghijklmnopqrstuvwxyz", "ɑbkdɛfɡhɪʒkljnnɔpkɹstuvwksjz", strict=False)) | {
    "l": "l", "m": "m", "n": "n", "o": "oʊ", "p": "p", "q": "k", "r": "ɹ", "s": "s", "t": "t", "u": "uː", "v": "v",
    "w": "w", "x": "s", "y": "j", "z": "z",
}  # fmt: skip


class ScriptedSynthesizer:
    """Speaks each word as a tone as long as its letters are many.

    Args:
        timed: give phonemes and word timings; without, it behaves like an endpoint that sends sound alone.
        words_per_chunk: how finely a sentence is streamed.
        fail_at: the number of the call (from 1) that fails after its first chunk; None never fails.

    Attributes:
        calls: (text, language, voice, speed) of every call, in order.
        open: calls begun and neither ended nor closed.
    """

    name = "scripted"
    voices = ("tone", "low")

    def __init__(self, *, timed: bool = True, words_per_chunk: int = 3, fail_at: int | None = None) -> None:
        self._timed = timed
        self._words_per_chunk = words_per_chunk
        self._fail_at = fail_at
        self.calls: list[tuple[str, str, str | None, float]] = []
        self.open = 0

    async def speak(
        self, text: str, *, language: str, voice: str | None = None, speed: float = 1.0
    ) -> AsyncIterator[SpokenChunk]:
        """See ``Synthesizer.speak``; a sentence's chunks end between words."""
        self.calls.append((text, language, voice, speed))
        number = len(self.calls)
        pitch_hz = 110.0 if voice == "low" else 220.0
        spans = word_spans(text)
        self.open += 1
        try:
            sentence_ms = 0.0
            for at in range(0, len(spans), self._words_per_chunk):
                if number == self._fail_at and at:
                    raise SynthesisFailed(f"The scripted voice fails at call {number}, as told.")
                chunk = self._chunk(
                    text, spans[at : at + self._words_per_chunk], sentence_ms, language, pitch_hz, speed
                )
                sentence_ms += chunk.speech.duration_ms
                yield chunk
            if number == self._fail_at:
                raise SynthesisFailed(f"The scripted voice fails at call {number}, as told.")
        finally:
            self.open -= 1

    async def warm_up(self) -> None:
        """Nothing to load."""

    async def close(self) -> None:
        """Nothing to end."""

    def _chunk(
        self, text: str, spans: list[tuple[int, int]], begin_ms: float, language: str, pitch_hz: float, speed: float
    ) -> SpokenChunk:
        sounds: list[NDArray[np.int16]] = []
        phonemes: list[Phoneme] = []
        words: list[Word] = []
        now_ms = 0.0
        for start, end in spans:
            start_ms = now_ms
            for char in text[start:end]:
                if not char.isalnum():
                    continue
                sound = _tone(LETTER_MS / speed * (3 if is_wide(char) else 1), pitch_hz)
                sounds.append(sound)
                length_ms = len(sound) * 1000 / SPEECH_RATE_HZ
                phonemes.append(Phoneme(_IPA.get(char.lower(), "ə"), now_ms, now_ms + length_ms))
                now_ms += length_ms
            words.append(Word(start, end, begin_ms + start_ms, begin_ms + now_ms))
            gap = np.zeros(round(GAP_MS / speed * SPEECH_RATE_HZ / 1000), np.int16)
            sounds.append(gap)
            gap_ms = len(gap) * 1000 / SPEECH_RATE_HZ
            phonemes.append(Phoneme("", now_ms, now_ms + gap_ms))
            now_ms += gap_ms
        speech = SpeechChunk(np.concatenate(sounds), language, tuple(phonemes) if self._timed else None)
        return SpokenChunk(speech, tuple(words) if self._timed else ())


def word_spans(text: str) -> list[tuple[int, int]]:
    """(start, end) of each word with the marks behind it; a Chinese or Japanese character is a word."""
    spans: list[tuple[int, int]] = []
    start: int | None = None
    has_sound = False
    for at, char in enumerate(text + " "):
        begins = is_wide(char) or (start is not None and is_wide(text[at - 1]) and char.isalnum())
        if start is not None and (char.isspace() or (begins and has_sound)):
            if has_sound:
                spans.append((start, at))
                start, has_sound = None, False
            elif char.isspace() and spans:  # marks that stand alone belong to the word before
                spans[-1] = (spans[-1][0], at)
                start = None
        if not char.isspace():
            start = at if start is None else start
            has_sound = has_sound or char.isalnum()
    return spans


def _tone(length_ms: float, pitch_hz: float) -> NDArray[np.int16]:
    samples = round(length_ms * SPEECH_RATE_HZ / 1000)
    fade = np.minimum(1.0, np.minimum(np.arange(samples), np.arange(samples)[::-1]) / 240.0)
    wave = np.sin(2 * np.pi * pitch_hz * np.arange(samples) / SPEECH_RATE_HZ)
    return (wave * fade * 8000).astype(np.int16)
