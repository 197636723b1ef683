"""What was given to a worker and has not come back as beats: all that is needed to go on with another worker."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from avatar.speech import SPEECH_RATE_HZ, Phoneme, SpeechChunk


@dataclass(slots=True)
class _Utterance:
    number: int
    chunks: deque[SpeechChunk] = field(default_factory=deque)
    start: int = 0  # position of the first sample of chunks[0]
    made: int = 0  # samples that came back as beats
    finished: bool = False


@dataclass(frozen=True, slots=True)
class Remainder:
    """What is left to be said of an utterance.

    Attributes:
        position: of the first sample, in the utterance.
        finished: no more speech of it will come.
    """

    utterance: int
    position: int
    chunks: tuple[SpeechChunk, ...]
    finished: bool


class SpeechJournal:
    """Sans-I/O. Utterances in the order in which they began."""

    def __init__(self) -> None:
        self._utterances: deque[_Utterance] = deque()
        self._over = 0

    def __bool__(self) -> bool:
        """Whether speech is outstanding."""
        return bool(self._utterances)

    def speak(self, number: int, chunk: SpeechChunk) -> bool:
        """Note speech given to the worker; False where the utterance is over and it must not be."""
        utterance = self._find(number)
        if utterance is None or utterance.finished:
            return False
        utterance.chunks.append(chunk)
        return True

    def finish(self, number: int) -> bool:
        """Note that an utterance is complete; False where it is over already."""
        utterance = self._find(number)
        if utterance is None or utterance.finished:
            return False
        utterance.finished = True
        return True

    def made(self, number: int, samples: int, *, last: bool) -> int:
        """Note a beat; returns the position of its first sample in the utterance."""
        if not self._utterances or self._utterances[0].number != number:
            raise ValueError(f"a beat of utterance {number}, which is not the one being spoken")
        utterance = self._utterances[0]
        position = utterance.made
        utterance.made += samples
        while utterance.chunks and utterance.start + len(utterance.chunks[0].pcm48k) <= utterance.made:
            utterance.start += len(utterance.chunks.popleft().pcm48k)
        if last:
            self._over = max(self._over, number)
            self._utterances.popleft()
        return position

    def clear(self) -> None:
        """Everything noted so far is over."""
        if self._utterances:
            self._over = max(self._over, *(utterance.number for utterance in self._utterances))
            self._utterances.clear()

    def remainder(self) -> Iterator[Remainder]:
        """What another worker must be given, in order."""
        for utterance in self._utterances:
            chunks = list(utterance.chunks)
            if chunks:
                chunks[0] = cut(chunks[0], utterance.made - utterance.start)
            yield Remainder(utterance.number, utterance.made, tuple(chunks), utterance.finished)

    def _find(self, number: int) -> _Utterance | None:
        for utterance in self._utterances:
            if utterance.number == number:
                return utterance
        if number <= self._over:
            return None
        self._utterances.append(_Utterance(number))
        return self._utterances[-1]


def cut(chunk: SpeechChunk, samples: int) -> SpeechChunk:
    """``chunk`` without its first samples, its timings moved along."""
    if samples <= 0:
        return chunk
    offset_ms = samples * 1000 / SPEECH_RATE_HZ
    phonemes = chunk.phonemes and tuple(
        Phoneme(p.symbol, max(0.0, p.start_ms - offset_ms), p.end_ms - offset_ms, p.stressed)
        for p in chunk.phonemes
        if p.end_ms > offset_ms
    )
    return SpeechChunk(chunk.pcm48k[samples:], chunk.language, phonemes)
