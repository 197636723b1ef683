"""Finds the topic that answers a question, and says how sure it is.

BM25 (bm25s) picks candidates. How well the best of them fits is then measured on a scale of 0..1 that does not
depend on the collection's size: the share of the question's weight (inverse document frequency) that a candidate's
question covers, and the other way round. Words that the collection does not know weigh most: they are what an
honest "I do not know" rests on. Misheard words are matched to the nearest known one.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import bm25s
import numpy as np
from rapidfuzz import process
from rapidfuzz.distance import JaroWinkler

from llm_bridge.languages import is_han
from llm_bridge.offline.knowledge import Topic
from llm_bridge.offline.tokens import is_content, tokens
from llm_bridge.sentences import SentenceCutter

CANDIDATES = 40
FUNCTION_WEIGHT = 0.3
"""Of "who", "you", "do" against words that name something."""

BODY_TRUST = 0.8
"""A question whose words are all found in an answer's text fits less surely than one that was foreseen."""

FUZZY_MIN = 0.84
"""Jaro-Winkler similarity from which a word may be a known one misheard ("parlay" and "parley": 0.93)."""

PASSAGE_SENTENCES = 4
"""Longest answer: a listener cannot skim."""


@dataclass(frozen=True, slots=True)
class Found:
    """Attributes:
    passage: what to say: at most ``PASSAGE_SENTENCES`` sentences.
    confidence: 0..1.
    """

    topic: Topic
    passage: str
    confidence: float


@dataclass(frozen=True, slots=True)
class _Document:
    topic: Topic
    is_question: bool
    passage: str
    weights: dict[str, float]
    total: float


class KnowledgeIndex:
    """The topics of one language."""

    def __init__(self, topics: Sequence[Topic]) -> None:
        texts: list[tuple[Topic, bool, str, list[str]]] = []
        for topic in topics:
            passages = _passages(topic)
            texts.extend((topic, True, passages[0], tokens(question)) for question in topic.questions)
            titled = tokens(topic.questions[0])
            texts.extend((topic, False, passage, tokens(passage) + titled) for passage in passages)
        frequency = Counter(token for *_, words in texts for token in set(words))
        count = len(texts)
        self._idf = {token: math.log(1 + (count - n + 0.5) / (n + 0.5)) for token, n in frequency.items()}
        self._unknown_idf = math.log(1 + (count + 0.5) / 0.5) * 0.75 if count else 1.0
        self._words = [token for token in frequency if not is_han(token[0]) and len(token) > 3]
        self._sounds: dict[str, str] | None = None
        self._pairs = [token for token in frequency if is_han(token[0]) and len(token) == 2]
        self._documents = [self._document(*text) for text in texts]
        self._bm25 = None
        if texts:
            self._bm25 = bm25s.BM25()
            self._bm25.index([words or ["\0"] for *_, words in texts], show_progress=False)

    def search(self, query: Mapping[str, float]) -> list[Found]:
        """Topics by falling confidence, each once.

        Args:
            query: tokens with a factor each (1.0 for the question's own, less for what was said before).
        """
        known = self._known(query)
        if self._bm25 is None or not known:
            return []
        weights = {token: factor * self._weight(token) for token, factor in known.items()}
        unknown = [token for token in known if token not in self._idf]
        best: dict[int, Found] = {}
        for at in self._candidates([token for token in known if token not in unknown]):
            document = self._documents[at]
            confidence = _fit(weights, document)
            before = best.get(id(document.topic))
            if before is None or confidence > before.confidence:
                best[id(document.topic)] = Found(document.topic, document.passage, confidence)
        return sorted(best.values(), key=lambda found: (-found.confidence, -found.topic.priority))

    def _candidates(self, known: list[str]) -> list[int]:
        if not known or self._bm25 is None:
            return []
        scores = self._bm25.get_scores(known)
        order = np.argsort(-scores, kind="stable")[:CANDIDATES]
        return [int(at) for at in order if scores[at] > 0]

    def _document(self, topic: Topic, is_question: bool, passage: str, words: list[str]) -> _Document:
        weights = {token: self._weight(token) for token in set(words)}
        return _Document(topic, is_question, passage, weights, sum(weights.values()))

    def _weight(self, token: str) -> float:
        idf = self._idf.get(token, self._unknown_idf)
        return idf * (1.0 if is_content(token) else FUNCTION_WEIGHT) * (0.5 if is_han(token[0]) else 1.0)

    def _known(self, query: Mapping[str, float]) -> dict[str, float]:
        """The query with misheard words replaced by the known ones they resemble."""
        known: dict[str, float] = {}
        for token, factor in query.items():
            nearest = token if token in self._idf else self._nearest(token)
            known[nearest] = max(factor, known.get(nearest, 0.0))
        return known

    def _nearest(self, token: str) -> str:
        if is_han(token[0]):
            return self._same_sound(token) if len(token) == 2 else token
        if len(token) < 4 or not is_content(token):
            return token
        match = process.extractOne(token, self._words, scorer=JaroWinkler.similarity, score_cutoff=FUZZY_MIN)
        return str(match[0]) if match and _consonants(match[0]) == _consonants(token) else token

    def _same_sound(self, pair: str) -> str:
        """A pair of characters that sounds the same: what a recognizer writes when it knows no context."""
        from pypinyin import lazy_pinyin  # 0.1 s to import, and only Chinese needs it

        if self._sounds is None:
            self._sounds = {" ".join(lazy_pinyin(known)): known for known in self._pairs}
        return self._sounds.get(" ".join(lazy_pinyin(pair)), pair)


_CONSONANT_CLASSES = str.maketrans("bvfdzcgkqxwyhaeiou", "ppptssjjjj        ")


def _consonants(word: str) -> str:
    """A rough phonetic key: voiced and unvoiced alike, vowels and doubled letters dropped."""
    key = word.replace("ph", "f").replace("ck", "k").replace("x", "ks").translate(_CONSONANT_CLASSES).replace(" ", "")
    return "".join(char for at, char in enumerate(key) if at == 0 or key[at - 1] != char)


def _fit(query: Mapping[str, float], document: _Document) -> float:
    """0..1: for a foreseen question both must cover each other; a text need only cover the question."""
    asked = sum(query.values())
    shared = sum(weight for token, weight in query.items() if token in document.weights)
    if document.is_question:
        covered = sum(weight for token, weight in document.weights.items() if token in query)
        return (shared + covered) / (asked + document.total)
    return BODY_TRUST * shared / asked if asked else 0.0


def _passages(topic: Topic) -> list[str]:
    """What could be said for a topic: all of it where that is short, else stretches of it, first one first."""
    sentences: list[str] = []
    for paragraph in topic.paragraphs:
        cutter = SentenceCutter()
        whole = ""
        for piece in [*cutter.feed(paragraph), *cutter.finish()]:
            whole += piece.text
            if piece.complete:
                sentences.append(whole)
                whole = ""
        sentences.append(whole) if whole else None
        if sentences and topic.language == "en" and not sentences[-1].endswith(" "):
            sentences[-1] += " "
    step = PASSAGE_SENTENCES // 2
    starts = range(0, max(1, len(sentences) - step), step) if len(sentences) > PASSAGE_SENTENCES else range(1)
    return ["".join(sentences[at : at + PASSAGE_SENTENCES]).strip() for at in starts]
