"""Words as retrieval compares them: English stems; Chinese characters and pairs of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

import snowballstemmer

from llm_bridge.languages import is_han

_WORD = re.compile(r"[a-z0-9]+(?:'[a-z]+)?|[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+")
_WHOLE_CONTRACTIONS = (
    ("won't", "will not"), ("can't", "can not"), ("cannot", "can not"), ("gonna", "going to"), ("wanna", "want to"),
)  # fmt: skip
_CONTRACTIONS = (
    ("n't", " not"), ("'re", " are"), ("'s", " is"), ("'m", " am"), ("'ve", " have"), ("'ll", " will"),
    ("'d", " would"),
)  # fmt: skip

_DROPPED = frozenset("a an the of um uh er hmm oh please just really actually very kindly basically like".split())

_FUNCTION_HAN = frozenset("的了是吗呢啊吧呀么什怎样哪谁我你您他她它们这那个有在和与及也都就要会能可以请问想说一不为")

_stemmer = snowballstemmer.stemmer("english")


@lru_cache(maxsize=20_000)
def _stem(word: str) -> str:
    return str(_stemmer.stemWord(word))


_FUNCTION_WORDS = (
    "what who whom whose which where when why how is are am was were be been being do does did done have has had can"
    " could will would shall should may might must i you he she it we they me my your his her us our them their this"
    " that these those there here to for from in on at by with about into and or but not no yes if so than then too"
    " also as up out all any some more much many want need use get make tell know let go one thing something anything"
    " everything"
)
FUNCTION_WORDS = frozenset(_stem(word) for word in _FUNCTION_WORDS.split())
"""Stems that say little about what is asked for, though small talk ("who are you") is made of them."""


class Tokenizer:
    """Turns text into comparable tokens.

    Args:
        synonyms: groups of words that ask for the same thing. English words of a group become one token;
            a Chinese word of a group adds the group's token to its characters.
    """

    def __init__(self, synonyms: Iterable[Sequence[str]] = ()) -> None:
        self._same: dict[str, str] = {}
        self._phrases: dict[str, list[str]] = {}
        for number, group in enumerate(synonyms):
            for word in group:
                if is_han(word[0]):
                    self._phrases.setdefault(word, []).append(f"={number}")
                else:
                    self._same.setdefault(_stem(word), _stem(group[0]))

    def tokens(self, text: str) -> list[str]:
        """Tokens of a text in any mixture of English and Chinese, in order, repeats kept."""
        text = text.lower().replace("’", "'")
        for short, long in (*_WHOLE_CONTRACTIONS, *_CONTRACTIONS):
            text = text.replace(short, long)
        found: list[str] = []
        for match in _WORD.finditer(text):
            word = match[0]
            if is_han(word[0]):
                found.extend(word)
                found.extend(word[at : at + 2] for at in range(len(word) - 1))
                for phrase, groups in self._phrases.items():
                    if phrase in word:
                        found.extend(groups)
            elif word not in _DROPPED:
                stem = _stem(word)
                found.append(self._same.get(stem, stem))
        return found

    def canonical(self, stem: str) -> str:
        """The token that stands for a stem's group."""
        return self._same.get(stem, stem)


def read_synonyms(text: str) -> list[list[str]]:
    """Groups, one a line, words apart by spaces; ``#`` begins a comment."""
    lines = (line.partition("#")[0].split() for line in text.splitlines())
    return [[word.lower() for word in words] for words in lines if len(words) > 1]


def is_content(token: str) -> bool:
    """Whether the token says what is asked for, rather than how."""
    if token.startswith("="):
        return True
    if is_han(token[0]):
        return (
            not any(char in _FUNCTION_HAN for char in token)
            if len(token) == 1
            else not all(char in _FUNCTION_HAN for char in token)
        )
    return token not in FUNCTION_WORDS
