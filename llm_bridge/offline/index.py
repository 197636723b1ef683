"""Finds the topic that answers a question, and says how sure it is.

BM25 (bm25s) picks candidates. How well the best of them fits is then measured on a scale of 0..1 that does not
depend on the collection's size: the share of the question's weight (inverse document frequency) that a candidate's
question covers, and the other way round. Words that the collection does not know weigh most: they are what an
honest "I do not know" rests on. Misheard words are matched to the nearest known one.
"""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import bm25s
import numpy as np
from rapidfuzz import fuzz, process
from rapidfuzz.distance import JaroWinkler

from llm_bridge.languages import is_han
from llm_bridge.offline.knowledge import Topic
from llm_bridge.offline.tokens import Tokenizer, is_content
from llm_bridge.sentences import SentenceCutter

logging.getLogger("bm25s").setLevel(logging.WARNING)  # on import it sets itself to DEBUG

CANDIDATES = 40
FUNCTION_WEIGHT = 0.3
"""Of "who", "you", "do" against words that name something."""

UNKNOWN = 1.3
"""Of a word that the collection does not know, against the rarest it does."""

UNKNOWN_HAN = 0.3
"""Of an unknown Chinese character or pair: most pairs straddle two words and mean nothing."""

BODY_WEIGHT = 0.5
BODY_WEIGHT_ALONE = 0.85
"""Of a word that stands only in an answer's text, against one in the questions it answers; the second where
nobody foresaw questions and the text is all there is."""

LIKENESS_SHARE = 0.5
LIKENESS_SHARE_ALONE = 0.2
"""How much the best foreseen question counts in a topic's fit; the rest is how much of the query the topic covers.
The second where the topic has a heading only."""

FUZZY_MIN = 0.84
"""Jaro-Winkler similarity from which a word may be a known one misheard ("parlay" and "parley": 0.93)."""

HEARD_ALIKE_TRUST = 0.9
HEARD_ALIKE_MIN = 0.8
"""Share of sounds that a question and a foreseen one have in common, from which they may be the same one misheard
("what hard where do I need"). Word by word such questions have little in common."""

SHORTEST_HEARD = 10
"""Letters: shorter questions sound like too many others ("who are you", "how are you")."""

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
    """A question that a topic answers, or a passage of its answer.

    Attributes:
        weights: its tokens; a passage's include those of the topic's questions, which count whole, while its own
            count ``BODY_WEIGHT``.
    """

    topic: Topic
    is_question: bool
    passage: str
    weights: dict[str, float]
    total: float
    asked: frozenset[str]


class KnowledgeIndex:
    """The topics of one language."""

    def __init__(self, topics: Sequence[Topic], tokenizer: Tokenizer) -> None:
        tokens = tokenizer.tokens
        texts: list[tuple[Topic, bool, str, list[str]]] = []
        asked_of: dict[int, frozenset[str]] = {}
        for topic in topics:
            passages = _passages(topic)
            texts.extend((topic, True, passages[0], tokens(question)) for question in topic.questions)
            asked = [token for question in topic.questions for token in tokens(question)]
            asked_of[id(topic)] = frozenset(asked)
            texts.extend((topic, False, passage, tokens(passage) + asked) for passage in passages)
        frequency = Counter(token for *_, words in texts for token in set(words))
        count = len(texts)
        self._canonical = tokenizer.canonical
        self._idf = {token: math.log(1 + (count - n + 0.5) / (n + 0.5)) for token, n in frequency.items()}
        self._unknown_idf = math.log(1 + (count + 0.5) / 0.5) * UNKNOWN if count else 1.0
        self._words = [token for token in frequency if not is_han(token[0]) and len(token) > 3]
        self._sounds = {_sound(token): token for token in frequency if is_han(token[0]) and len(token) == 2}
        self._documents = [self._document(*text, asked_of[id(text[0])]) for text in texts]
        self._questions = {
            _letters(question): topic
            for topic in topics
            for question in topic.questions
            if len(_letters(question)) >= SHORTEST_HEARD
        }
        self._heard = list(self._questions)
        self._bm25 = None
        if texts:
            self._bm25 = bm25s.BM25()
            self._bm25.index([words or ["\0"] for *_, words in texts], show_progress=False)

    def heard_alike(self, question: str) -> list[Found]:
        """Topics that have a question which sounds like this one as a whole, by falling confidence."""
        sounds = _letters(question)
        best: dict[int, Found] = {}
        for heard, ratio, _ in process.extract(
            sounds, self._heard, scorer=fuzz.ratio, score_cutoff=HEARD_ALIKE_MIN * 100, limit=3
        ):
            topic = self._questions[heard]
            best.setdefault(id(topic), Found(topic, _passages(topic)[0], ratio / 100 * HEARD_ALIKE_TRUST))
        return list(best.values())

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
        alike: dict[int, float] = {}
        covered: dict[int, tuple[float, str]] = {}
        topics: dict[int, Topic] = {}
        for at in self._candidates([token for token in known if token not in unknown]):
            document = self._documents[at]
            key = id(document.topic)
            topics[key] = document.topic
            if document.is_question:
                alike[key] = max(alike.get(key, 0.0), _alike(weights, document))
            else:
                covered[key] = max(covered.get(key, (0.0, "")), (_covered(weights, document), document.passage))
        found: list[Found] = []
        for key, topic in topics.items():
            likeness = alike.get(key, 0.0)
            coverage, passage = covered.get(key, (0.0, ""))
            share = LIKENESS_SHARE if len(topic.questions) > 1 else LIKENESS_SHARE_ALONE
            confidence = max(likeness, share * likeness + (1 - share) * coverage)
            found.append(Found(topic, passage or _passages(topic)[0], confidence))
        return sorted(found, key=lambda item: (-item.confidence, -item.topic.priority))

    def mentions(self, topic: Topic, words: Sequence[str]) -> bool:
        """Whether one of the topic's questions holds one of the tokens (or what it was misheard for)."""
        known = self._known(dict.fromkeys(words, 1.0))
        return any(
            token in document.weights
            for document in self._documents
            if document.topic is topic and document.is_question
            for token in known
        )

    def _candidates(self, known: list[str]) -> list[int]:
        if not known or self._bm25 is None:
            return []
        scores = self._bm25.get_scores(known)
        order = np.argsort(-scores, kind="stable")[:CANDIDATES]
        return [int(at) for at in order if scores[at] > 0]

    def _document(
        self, topic: Topic, is_question: bool, passage: str, words: list[str], asked: frozenset[str]
    ) -> _Document:
        weights = {token: self._weight(token) for token in set(words)}
        return _Document(topic, is_question, passage, weights, sum(weights.values()), asked)

    def _weight(self, token: str) -> float:
        idf = self._idf.get(token)
        if idf is None:
            idf = self._unknown_idf * (UNKNOWN_HAN if is_han(token[0]) else 1.0)
        return idf * (1.0 if is_content(token) else FUNCTION_WEIGHT)

    def _known(self, query: Mapping[str, float]) -> dict[str, float]:
        """The query with misheard words replaced by the known ones they resemble."""
        known: dict[str, float] = {}
        for token, factor in query.items():
            nearest = token if token in self._idf else self._canonical(self._nearest(token))
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
        return self._sounds.get(_sound(pair), pair)


@lru_cache(maxsize=50_000)
def _sound(pair: str) -> str:
    """Pinyin without tones."""
    from pypinyin import lazy_pinyin  # 0.1 s to import, and only Chinese needs it

    return " ".join(lazy_pinyin(pair))


_CONSONANT_CLASSES = str.maketrans("bvfdzcgkqxwyhaeiou", "ppptssjjjj        ")


def _consonants(word: str) -> str:
    """A rough phonetic key: voiced and unvoiced alike, vowels and doubled letters dropped."""
    key = word.replace("ph", "f").replace("ck", "k").replace("x", "ks").translate(_CONSONANT_CLASSES).replace(" ", "")
    return "".join(char for at, char in enumerate(key) if at == 0 or key[at - 1] != char)


def _letters(question: str) -> str:
    """A question as a row of sounds: what a recognizer splits and spells otherwise stays together."""
    text = "".join(char for char in question.lower() if "a" <= char <= "z")
    for written, heard in (("ph", "f"), ("ck", "k"), ("wh", "w"), ("ee", "i"), ("ea", "i"), ("gh", "")):
        text = text.replace(written, heard)
    text = text.translate(_LETTER_SOUNDS)
    return "".join(char for at, char in enumerate(text) if at == 0 or text[at - 1] != char)


_LETTER_SOUNDS = str.maketrans("bdgvzcqyou", "ptkfskkiaa")


def _alike(query: Mapping[str, float], question: _Document) -> float:
    """0..1, Dice: the two must cover each other."""
    shared = sum(weight for token, weight in query.items() if token in question.weights)
    covered = sum(weight for token, weight in question.weights.items() if token in query)
    return (shared + covered) / (sum(query.values()) + question.total)


def _covered(query: Mapping[str, float], passage: _Document) -> float:
    """0..1: how much of what the query names the topic speaks of."""
    content = {token: weight for token, weight in query.items() if is_content(token)}
    in_text = BODY_WEIGHT if len(passage.topic.questions) > 1 else BODY_WEIGHT_ALONE
    found = sum(
        weight * (1.0 if token in passage.asked else in_text)
        for token, weight in content.items()
        if token in passage.weights
    )
    return found / sum(content.values()) if content else 0.0


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
