"""Maps what is heard to what is written: when each word of the answer's own text is spoken."""

from __future__ import annotations

from dataclasses import dataclass

from llm_bridge.languages import is_wide
from llm_bridge.mapped_text import MappedText
from streaming.speaking.synthesizer import Word

LETTER_MS = 68.0
"""How long a letter takes to say at speed 1.0 until the voice itself shows it: 165 words a minute of 5.3
characters; a Chinese character counts three."""

_WIDE_WEIGHT = 3


@dataclass(frozen=True, slots=True)
class CaptionWord:
    """A word as written, with the space and the marks around it.

    Attributes:
        text: joined over an answer these are its text exactly.
        start_ms, end_ms: from the utterance's first sample.
    """

    text: str
    start_ms: float
    end_ms: float


class SentenceCaptions:
    """The captions of one sentence, in order.

    Args:
        written: the sentence as it stands in the answer.
        spoken: what the voice was given, with its way back.
        begin_ms: of the sentence's first sample, from the utterance's.
        carried: written text before this sentence that was not spoken (an emoji line); it joins the first word.
        letter_ms: for a voice without word timings.
    """

    def __init__(
        self, written: str, spoken: MappedText, begin_ms: float, carried: str = "", letter_ms: float = LETTER_MS
    ) -> None:
        self._written = carried + written
        self._spoken = spoken
        self._shift = len(carried)
        self._begin_ms = begin_ms
        self._letter_ms = letter_ms
        self._done = 0
        self._waiting_since_ms: float | None = None
        self._guessed = _guessed_words(spoken.text, letter_ms)
        self._guessed_ms = self._guessed[-1].end_ms if self._guessed else 0.0
        self._last_end_ms = 0.0

    def letter_ms_heard(self, sound_ms: float) -> float:
        """How long this voice takes for a letter, now that the sentence's length is known: between half and
        double of what was expected, so that one odd sentence does not spoil the next one's guess."""
        if not self._guessed_ms:
            return self._letter_ms
        return self._letter_ms * min(max(sound_ms / self._guessed_ms, 0.5), 2.0)

    def timed(self, words: tuple[Word, ...]) -> tuple[CaptionWord, ...]:
        """Captions for words whose times the voice knows."""
        captions = [self._caption(word) for word in words]
        return tuple(caption for caption in captions if caption is not None)

    def guessed(self, sound_ms: float) -> tuple[CaptionWord, ...]:
        """Captions for the words that have probably begun, when ``sound_ms`` of the sentence are known."""
        begun = [word for word in self._guessed if word.start_ms < sound_ms]
        self._guessed = self._guessed[len(begun) :]
        return self.timed(tuple(begun))

    def finish(self, sound_ms: float) -> tuple[CaptionWord, ...]:
        """The words not yet captioned by a voice without timings, spread over what is left of the sentence.
        Afterwards ``rest`` is what no word stood for."""
        left = self._guessed
        self._guessed = []
        if not left:
            return ()
        first_ms = min(self._last_end_ms, sound_ms)
        scale = (sound_ms - first_ms) / max(left[-1].end_ms - left[0].start_ms, 1.0)
        begin_ms = left[0].start_ms
        return self.timed(
            tuple(
                Word(word.start, word.end, first_ms + (word.start_ms - begin_ms) * scale,
                     first_ms + (word.end_ms - begin_ms) * scale)
                for word in left
            )
        )  # fmt: skip

    @property
    def rest(self) -> str:
        """Written text that is in no caption yet."""
        return self._written[self._done :]

    def _caption(self, word: Word) -> CaptionWord | None:
        since_ms = word.start_ms if self._waiting_since_ms is None else self._waiting_since_ms
        self._last_end_ms = max(self._last_end_ms, word.end_ms)
        end = self._written_end(word.end)
        if end <= self._done:  # one written word is several spoken ones: "$3.50"
            self._waiting_since_ms = since_ms
            return None
        text = self._written[self._done : end]
        self._done = end
        self._waiting_since_ms = None
        return CaptionWord(text, self._begin_ms + since_ms, self._begin_ms + max(word.end_ms, since_ms))

    def _written_end(self, spoken_end: int) -> int:
        """Where the caption of a word ends that ends at ``spoken_end``: before the next word's first character."""
        if spoken_end >= len(self._spoken.text):
            return len(self._written)
        end = self._spoken.sources[spoken_end] + self._shift
        while end < len(self._written) and self._written[end].isspace():
            end += 1
        return end


def _guessed_words(text: str, letter_ms: float) -> list[Word]:
    words: list[Word] = []
    now_ms = 0.0
    start: int | None = None
    for at, char in enumerate(text + " "):
        ends = char.isspace() or is_wide(char) or (start is not None and is_wide(text[at - 1]) and char.isalnum())
        if ends and start is not None:
            weight = sum(_WIDE_WEIGHT if is_wide(letter) else 1 for letter in text[start:at])
            words.append(Word(start, at, now_ms, now_ms + weight * letter_ms))
            now_ms += (weight + 1) * letter_ms
            start = None
        if start is None and not char.isspace():
            start = at
    return words
