"""Cuts a growing answer into pieces that can be spoken: the first clause early, then whole sentences.

Sans-I/O: text deltas go in, pieces come out. Joined pieces are the text exactly, white space included, and
where the cuts fall does not depend on how the text was split into deltas.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from llm_bridge.languages import is_han, is_wide

FIRST_CLAUSE_WEIGHT = 24
"""The answer's first piece may end at a comma from here on: five English words or eight Chinese characters,
about 1.5 s of speech, long enough for the next piece to be made meanwhile."""

FIRST_LIMIT_WEIGHT = 60
"""The answer's first piece may end before a conjunction from here on (11 words, 4 s): rather that than silence."""

CLAUSE_WEIGHT = 180
"""A later piece is cut at a clause from here on (about 11 s of speech): a listener who interrupts should not
have cost more, and a voice needs its whole piece before the last word."""

LIMIT_WEIGHT = 300
"""No piece is longer (about 20 s); without any clause in it, it is cut at a space, or anywhere."""

_WIDE_WEIGHT = 3
"""A Chinese character takes about as long to say as three Latin letters (0.22 s against 0.07 s)."""

_STOPS = ".!?…。！？｡．"
_WIDE_STOPS = "。！？｡．"
_CLAUSE_ENDS = ",;:，；：、—–"
_WIDE_CLAUSE_ENDS = "，；：、"
_CLOSERS = "\"'”’»)]}）】》〉」』］｝*_~`"
_OPENERS = {"(": ")", "[": "]", "{": "}", "（": "）", "【": "】", "《": "》", "「": "」", "『": "』", "“": "”"}

_NEVER_END = frozenset(
    # A name, a number or an explanation follows.
    "dr mr mrs ms mx prof rev hon gen col sgt capt lt cmdr gov sen rep pres st mt ft vs cf viz eg e.g ie i.e al"
    " nos fig figs eq sec ch vol pp p approx est dept univ ca resp incl excl jan feb mar apr jun jul aug sep"
    " sept oct nov dec mon tue tues wed thu thur thurs fri u.s u.k u.n e.u d.c ph.d".split()
)
_MAY_END = frozenset("etc a.m p.m am pm inc ltd co corp jr sr ave blvd rd b.c a.d".split())
"""End a sentence when a capital, a digit or a new line follows."""

_END_UNLESS_NUMBERED = frozenset({"no"})
"""End a sentence unless a number follows ("No. 5")."""

_CONJUNCTIONS = frozenset("and but because so which while when where although though since unless whereas".split())
_LIST_NUMBER = re.compile(r"\s*(?:[-*+•#>]\s+)*\**(?:\d{1,3}|[a-zA-Z])[.)]?$")
_FENCE = "```"


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of the answer, spoken as one.

    Attributes:
        text: exactly as it stands in the answer, with the white space around it.
        start: index of its first character in the answer.
        complete: it ends where a sentence or a line ends, not within one.
    """

    text: str
    start: int
    complete: bool

    @property
    def end(self) -> int:
        return self.start + len(self.text)


class SentenceCutter:
    """One answer, from its first delta to ``finish``."""

    def __init__(self) -> None:
        self._text = ""
        self._start = 0
        self._weight = 0
        self._has_words = False
        self._in_code = False
        self._first = True

    def feed(self, delta: str) -> list[Piece]:
        """Pieces that the new text completes, in order."""
        pieces: list[Piece] = []
        for char in delta:
            self._add(char)
            cut = self._cut()
            if cut is not None and any(map(str.isalnum, self._text[: cut[0]])):
                pieces.append(self._take(*cut))
        return pieces

    def finish(self) -> list[Piece]:
        """The rest, when the answer is complete."""
        return [self._take(len(self._text), True)] if self._text else []

    def _add(self, char: str) -> None:
        self._text += char
        self._weight += _WIDE_WEIGHT if is_wide(char) else 1
        self._has_words = self._has_words or char.isalnum()

    def _take(self, length: int, complete: bool) -> Piece:
        piece = Piece(self._text[:length], self._start, complete)
        rest = self._text[length:]
        self._start += length
        self._text, self._weight, self._has_words, self._first = "", 0, False, False
        for char in rest:
            self._add(char)
        return piece

    def _cut(self) -> tuple[int, bool] | None:
        """Where the piece ends, and whether a sentence ends there, now that one more character is known."""
        text = self._text
        if text.endswith(_FENCE) and text[-4:-3] in ("", "\n"):
            self._in_code = not self._in_code
            if self._in_code:  # what came before the code need not wait for its end
                return len(text) - 3, True
            return len(text), True
        if self._in_code or not self._has_words:
            return None
        end = _sentence_end(text) or _line_end(text)
        if end is not None:
            return end, True
        wanted = FIRST_CLAUSE_WEIGHT if self._first else CLAUSE_WEIGHT
        if self._weight >= wanted:
            end = _clause_end(text)
            if end is None and self._first and self._weight >= FIRST_LIMIT_WEIGHT:
                end = _conjunction(text)
            if end is not None and not _inside_brackets(text[:end]):
                return end, False
        if self._weight >= LIMIT_WEIGHT:
            return _forced_end(text), False
        return None


def _sentence_end(text: str) -> int | None:
    """Index after the sentence that the last character of ``text`` confirms to be over."""
    last = text[-1]
    before = text[:-1]
    closed = _without_closers(before)
    if closed and closed[-1] in _STOPS:
        return _after_stop(text, closed, last)
    if not last.isspace():
        # A stop whose meaning hung on what follows the space: "3 p.m. The", "Well... I".
        spaced = before.rstrip()
        closed = _without_closers(spaced)
        if len(spaced) < len(before) and closed and closed[-1] in ".…":
            word = _word_before_stop(closed)
            ellipsis = closed[-1] == "…" or closed.endswith("..")
            if (ellipsis or word in _MAY_END) and _starts_sentence(last):
                return len(before)
            if word in _END_UNLESS_NUMBERED and not last.isdigit():
                return len(before)
    return None


def _after_stop(text: str, closed: str, last: str) -> int | None:
    """``closed`` ends in a stop, only closers lie between it and ``last``."""
    if last in _STOPS or _is_closer(last):
        return None
    if closed[-1] in _WIDE_STOPS:
        return len(text) if last.isspace() else len(text) - 1
    if not last.isspace():
        # Chinese written with ASCII stops has no space after them.
        bare = closed.rstrip(_STOPS)
        wide = is_han(last) and bool(bare) and is_han(bare[-1])
        return len(text) - 1 if wide else None
    if closed[-1] in "!?":
        return len(text)
    if closed[-1] == "…" or closed.endswith(".."):
        return None
    word = _word_before_stop(closed)
    if word in _NEVER_END | _MAY_END | _END_UNLESS_NUMBERED or (len(word) == 1 and word.isalpha() and word.isascii()):
        return None
    line = closed[closed.rfind("\n") + 1 : -1]
    if _LIST_NUMBER.fullmatch(line):
        return None
    return len(text)


def _is_closer(char: str) -> bool:
    """Quotes, brackets, markdown's marks and emoji belong to the sentence whose stop they follow."""
    return char in _CLOSERS or (char >= "\u2190" and unicodedata.category(char) in ("So", "Sk", "Mn", "Me", "Cf"))


def _without_closers(text: str) -> str:
    end = len(text)
    while end and _is_closer(text[end - 1]):
        end -= 1
    return text[:end]


def _word_before_stop(closed: str) -> str:
    """The word that a full stop ends, in lower case, without brackets, its last stop taken off."""
    words = closed[:-1].split()
    return words[-1].lower().lstrip("\"'“‘([{*_") if words and not closed[:-1][-1:].isspace() else ""


def _starts_sentence(char: str) -> bool:
    return char.isupper() or char.isdigit() or is_han(char) or char in '"“‘(*#'


def _line_end(text: str) -> int | None:
    """A line is over unless the next one goes on in lower case (a paragraph wrapped by hand)."""
    before, last = text[:-1], text[-1]
    bare = before.rstrip(" \t")
    if not bare.endswith("\n"):
        return None
    return None if last.islower() or last in " \t" else len(before)


def _clause_end(text: str) -> int | None:
    last = text[-1]
    mark = _without_closers(text[:-1])[-1:]
    if not mark or mark not in _CLAUSE_ENDS + "…":
        return None
    if mark in _WIDE_CLAUSE_ENDS:
        return len(text) - (not last.isspace()) if not _is_closer(last) else None
    return len(text) if last.isspace() else None


def _conjunction(text: str) -> int | None:
    """Index before the conjunction that ``text`` has just been completed by."""
    if text[-1] != " ":
        return None
    at = text.rfind(" ", 0, -1)
    return at + 1 if text[at + 1 : -1].lower() in _CONJUNCTIONS else None


def _inside_brackets(text: str) -> bool:
    """Whether a bracket, a quotation or a code span is open at the end of ``text``."""
    waiting: list[str] = []
    for char in text:
        if waiting and char == waiting[-1]:
            waiting.pop()
        elif char in _OPENERS:
            waiting.append(_OPENERS[char])
    return bool(waiting) or text.count("`") % 2 == 1 or text.count('"') % 2 == 1


def _forced_end(text: str) -> int:
    """The best place in an over-long piece: after its last clause, else its last space, else here."""
    half = len(text) // 2
    for marks in (_CLAUSE_ENDS, " \n\t"):
        at = max(text.rfind(mark, half, len(text) - 1) for mark in marks)
        if at >= 0:
            return at + 1
    return len(text)
