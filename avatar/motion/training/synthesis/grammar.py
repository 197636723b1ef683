"""Sentences to be spoken: templates and word lists, a file a language in ``words/``.

The lists are written to be phonetically wide, not to make sense. Which split a sentence belongs to hangs on the sentence
itself, so that no text is in two splits, whatever is drawn.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from pathlib import Path

import numpy as np

_FOLDER = Path(__file__).parent / "words"
LANGUAGES = tuple(sorted(path.stem for path in _FOLDER.glob("*.txt")))
"""Names of the files; "cmn-latn-pinyin" is Mandarin for a voice that reads pinyin."""

_SLOT = re.compile(r"\{(\w+)\}")
_SALAD_SHARE = 0.15
"""Sentences of unconnected words: every neighbourhood of sounds, which no grammar would make."""
_JOINED_SHARE = 0.2
"""Two sentences in a row, with a pause between."""
_LONGEST = 150
"""Characters; a longer sentence is drawn again."""


class TextSplit(Enum):
    """Share of the sentences of each split, of 100."""

    TRAIN = range(0, 88)
    VALID = range(88, 94)
    TEST = range(94, 100)

    @staticmethod
    def of(text: str) -> TextSplit:
        bucket = zlib.crc32(text.encode()) % 100
        return next(split for split in TextSplit if bucket in split.value)


@dataclass(frozen=True, slots=True)
class Grammar:
    """One language's file.

    Attributes:
        lists: words by slot.
        templates: sentences with {slots}.
        join: what stands between words.
    """

    lists: dict[str, tuple[str, ...]]
    templates: tuple[str, ...]
    join: str

    def sentence(self, rng: np.random.Generator) -> str:
        """One sentence, or two."""
        text = self._one(rng)
        if rng.random() < _JOINED_SHARE:
            text += (" " if self.join else "") + self._one(rng)
        return text

    def _one(self, rng: np.random.Generator) -> str:
        if "noun" in self.lists and rng.random() < _SALAD_SHARE:
            return self._salad(rng)
        template = self.templates[rng.integers(len(self.templates))]
        text = _SLOT.sub(lambda slot: self._word(slot[1], rng), template)
        return text[0].upper() + text[1:]

    def _word(self, slot: str, rng: np.random.Generator) -> str:
        if slot != "made":
            words = self.lists[slot]
            return words[rng.integers(len(words))]
        syllables = rng.integers(1, 4)
        made = "".join(self._word("onset", rng) + self._word("nucleus", rng) for _ in range(syllables))
        return made + self._word("coda", rng)

    def _salad(self, rng: np.random.Generator) -> str:
        slots = [slot for slot in self.lists if slot not in ("onset", "nucleus", "coda", "pair")]
        words = [self._word(slots[rng.integers(len(slots))], rng) for _ in range(rng.integers(4, 9))]
        pause = rng.integers(1, len(words))
        words[pause - 1] += ","
        return (self.join or " ").join(words) + "."


@lru_cache
def grammar(language: str) -> Grammar:
    """Raises KeyError: no such language."""
    if language not in LANGUAGES:
        raise KeyError(language)
    lists: dict[str, tuple[str, ...]] = {}
    templates: list[str] = []
    join = " "
    for line in (_FOLDER / f"{language}.txt").read_text("utf-8").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        name, _, rest = (part.strip() for part in line.partition("="))
        if name == "template":
            templates.append(rest)
        elif name == "join":
            join = rest
        else:
            lists[name] = tuple(item.replace("_", " ") for item in rest.split())
    return Grammar(lists, tuple(templates), join)


def sentence(language: str, split: TextSplit, rng: np.random.Generator) -> str:
    """A sentence that belongs to ``split``."""
    rules = grammar(language)
    while True:
        text = rules.sentence(rng)
        if TextSplit.of(text) is split and len(text) <= _LONGEST:
            return text
