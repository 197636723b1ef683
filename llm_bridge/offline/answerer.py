"""The offline answerer: a ``ChatModel`` without a model. It says what a folder of Markdown knows."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from llm_bridge.chat import ChatOptions, Message
from llm_bridge.languages import language_of, primary
from llm_bridge.offline.index import Found, KnowledgeIndex
from llm_bridge.offline.knowledge import Knowledge, Topic, markdown_files, read_file
from llm_bridge.offline.tokens import Tokenizer, is_content, read_synonyms
from llm_bridge.sentences import SentenceCutter

OWN_KNOWLEDGE = Path(__file__).resolve().parent.parent / "knowledge"
"""What Parley knows about itself, and small talk."""

OWN_SYNONYMS = Path(__file__).resolve().parent / "synonyms.txt"

SMALL_TALK = ("small-talk.md", "fallback.md")
"""Files of ours that stay beside an operator's own folder."""

ANSWER_FROM = 0.42
"""Confidence from which an answer is given (benchmarks/answering.py, chosen on the questions' first half)."""

NEAR_FROM = 0.2
"""Confidence from which a topic that does not answer the question is still worth suggesting."""

FOLLOW_UP_BELOW = 0.75
"""A question that fits better than this by itself is not a follow-up, whatever words it begins with."""

PREVIOUS_FACTOR = 0.5
"""How much the words of the question before count in a follow-up; the one before that, the square of it."""

_SMALL_TALK_SUBJECTS = ("Small talk", "闲聊")

_FOLLOW_UP = re.compile(
    r"^(?:and|but|so|then|also|or|ok(?:ay)?|what about|how about|what if|in that case)\b"
    r"|\b(?:it|that|this|they|them|those|these|its|their|there|one|ones|he|she|him|her)\b"
    r"|^(?:那|那么|还有|然后|而且|如果|它|他|她|这|那个|这个)|它|这个|那个|这样|那里|呢[？?。！]*$",
    re.I,
)
_SALUTATION = re.compile(
    r"^\s*(?:(?:hi|hello|hey|ok|okay|so|well|yes|yeah|um+|uh+|excuse me|sorry|please|thanks|thank you|good (?:morning|evening|"
    r"afternoon))(?:\s+(?:there|helen|parley))?[\s,.!]+)+(?=\S+\s+\S)"
    r"|^(?:你好|您好|嗨|喂|请问|麻烦问一下|打扰一下|嗯|那个)[，,。！!\s]*(?=[^，。！？]{3})",
    re.I,
)


@dataclass(frozen=True, slots=True)
class _Loaded:
    stamp: tuple[tuple[str, int, int], ...]
    indexes: dict[str, KnowledgeIndex]
    knowledge: Knowledge
    tokenizer: Tokenizer


class OfflineAnswerer:
    """Retrieval over Markdown, in English and Chinese, aware of what was asked before.

    Files are read again when they change, at the next question.

    Args:
        folder: an operator's Markdown, used instead of what Parley knows about itself (its small talk stays);
            None for Parley's own.
        now: the local time, for "what time is it".

    Raises:
        KnowledgeError: at construction, when the folder is missing or holds no Markdown.
    """

    name = "offline answerer"

    def __init__(self, folder: Path | None = None, *, now: Callable[[], datetime] = datetime.now) -> None:
        self._folder = folder
        self._now = now
        self._loaded: _Loaded | None = None
        if folder is not None:
            markdown_files(folder)

    async def stream(self, messages: Sequence[Message], options: ChatOptions = ChatOptions()) -> AsyncIterator[str]:
        """See ``ChatModel.stream``. The answer comes sentence by sentence, in the question's language.

        Raises:
            KnowledgeError: the folder has become unreadable.
        """
        loaded = await self._load()
        cutter = SentenceCutter()
        answer = self._answer(messages, loaded)
        for piece in [*cutter.feed(answer), *cutter.finish()]:
            yield piece.text

    async def warm_up(self) -> None:
        """Read and index the files."""
        await self._load()

    async def close(self) -> None:
        """Nothing to end."""

    def find(self, messages: Sequence[Message], language: str | None = None) -> list[Found]:
        """What was found for the last question, best first (for benchmarks and for looking into an answer)."""
        self._loaded = self._loaded or self._read()
        questions = [message.text for message in messages if message.role == "user"]
        return _find(questions, language or _language(messages), self._loaded)

    async def _load(self) -> _Loaded:
        if self._loaded is None or self._loaded.stamp != self._stamp():
            self._loaded = await asyncio.to_thread(self._read)
        return self._loaded

    def _paths(self) -> list[tuple[Path, int]]:
        own = markdown_files(OWN_KNOWLEDGE)
        if self._folder is None:
            return [(path, 0) for path in own]
        return [(path, 1) for path in markdown_files(self._folder)] + [
            (path, 0) for path in own if path.name in SMALL_TALK
        ]

    def _stamp(self) -> tuple[tuple[str, int, int], ...]:
        stats = [(str(path), path.stat()) for path, _ in self._paths()]
        return tuple((name, stat.st_mtime_ns, stat.st_size) for name, stat in stats)

    def _read(self) -> _Loaded:
        stamp = self._stamp()
        knowledge = Knowledge()
        for path, priority in self._paths():
            read_file(path, knowledge, priority)
        tokenizer = Tokenizer(self._synonyms())
        by_language: dict[str, list[Topic]] = {}
        for topic in knowledge.topics:
            by_language.setdefault(topic.language, []).append(topic)
        indexes = {key: KnowledgeIndex(topics, tokenizer) for key, topics in by_language.items()}
        return _Loaded(stamp, indexes, knowledge, tokenizer)

    def _synonyms(self) -> list[list[str]]:
        paths = [OWN_SYNONYMS] + ([self._folder / OWN_SYNONYMS.name] if self._folder is not None else [])
        return [group for path in paths if path.is_file() for group in read_synonyms(path.read_text("utf-8"))]

    def _answer(self, messages: Sequence[Message], loaded: _Loaded) -> str:
        questions = [message.text for message in messages if message.role == "user"]
        language = _language(messages)
        asked = questions[-1].strip() if questions else ""
        if not any(map(str.isalnum, asked)):
            return self._filled(_special("unheard", language, loaded, len(questions)), messages, language, loaded, [])
        found = _find(questions, language, loaded)
        if found and found[0].confidence >= ANSWER_FROM:
            return self._filled(found[0].passage, messages, language, loaded, found)
        return self._filled(_special("unknown", language, loaded, len(questions)), messages, language, loaded, found)

    def _filled(
        self, answer: str, messages: Sequence[Message], language: str, loaded: _Loaded, found: list[Found]
    ) -> str:
        """The answer with its placeholders filled."""
        if "{" not in answer:
            return answer
        spoken = [message.text for message in messages if message.role == "assistant" and message.text.strip()]
        nothing = "我还没有说过什么。" if language == "cmn" else "I have not said anything yet."
        previous = spoken[-1].strip().removeprefix(answer.partition("{previous_answer}")[0]) if spoken else nothing
        now = self._now()
        clock = f"{now.hour}点{now.minute:02d}分" if language == "cmn" else f"{now.hour % 12 or 12}:{now:%M %p}"
        day = f"{now.month}月{now.day}日" if language == "cmn" else f"{now:%A, %B} {now.day}"
        for name, value in (
            ("{previous_answer}", previous),
            ("{topics}", _topics(language, loaded, found, len(messages))),
            ("{time}", clock),
            ("{date}", day),
        ):
            answer = answer.replace(name, value)
        return answer


def _language(messages: Sequence[Message]) -> str:
    """Of the last question; where it has no letters, of what was said before."""
    for message in reversed(messages):
        if message.role != "system" and any(map(str.isalpha, message.text)):
            return "cmn" if primary(language_of(message.text, "en")) == "cmn" else "en"
    return "en"


def _find(questions: Sequence[str], language: str, loaded: _Loaded) -> list[Found]:
    index = loaded.indexes.get(language)
    if index is None or not questions:
        return []
    tokens = loaded.tokenizer.tokens
    asked = _SALUTATION.sub("", questions[-1])
    own = dict.fromkeys(tokens(asked), 1.0)
    found = index.search(own)
    if asked != questions[-1]:  # "thanks a lot" begins like a salutation and is all there is
        found = _best(found, index.search(dict.fromkeys(tokens(questions[-1]), 1.0)))
    if language == "en":
        found = _best(found, index.heard_alike(asked))
    before = [text for text in questions[:-1] if any(map(str.isalnum, text))][-2:]
    certain = bool(found) and found[0].confidence >= FOLLOW_UP_BELOW
    content = [token for token in own if is_content(token)]
    if before and not certain and (_FOLLOW_UP.search(asked) or len(content) == 1):
        mixed: dict[str, float] = {}
        for distance, text in enumerate(reversed(before), 1):
            for token in tokens(_SALUTATION.sub("", text)):
                if is_content(token):
                    mixed[token] = max(mixed.get(token, 0.0), PREVIOUS_FACTOR**distance)
        together = index.search({**mixed, **own})
        if content:  # what is asked now must be in the answer, not only what was asked before
            together = [item for item in together if index.mentions(item.topic, content)]
        found = _best(found, together)
    return found


def _best(one: list[Found], other: list[Found]) -> list[Found]:
    return other if other and (not one or other[0].confidence > one[0].confidence) else one


def _special(kind: str, language: str, loaded: _Loaded, turn: int) -> str:
    """One of the ways to say it, another one at every turn."""
    ways = loaded.knowledge.special.get((kind, language)) or loaded.knowledge.special[(kind, "en")]
    return ways[turn % len(ways)]


def _topics(language: str, loaded: _Loaded, found: list[Found], turn: int) -> str:
    """Two or three subjects to ask about: those nearest to the question, then others, others at every turn."""
    topics = [topic for topic in loaded.knowledge.topics if topic.language == language]
    subjects = list(dict.fromkeys(topic.subject for topic in topics if topic.subject not in _SMALL_TALK_SUBJECTS))
    near = [item.topic.subject for item in found if item.confidence > NEAR_FROM]
    at = turn % len(subjects) if subjects else 0
    ordered = [subject for subject in near if subject in subjects] + subjects[at:] + subjects[:at]
    subjects = list(dict.fromkeys(ordered))[:3]
    if language == "cmn":
        return "、".join(subjects[:-1]) + ("或者" if len(subjects) > 1 else "") + "".join(subjects[-1:])
    plain = [_within_sentence(subject) for subject in subjects]
    return ", ".join(plain[:-1]) + (" or " if len(plain) > 1 else "") + "".join(plain[-1:])


def _within_sentence(subject: str) -> str:
    """A title's first letter made small, unless the title holds a name ("Hotel Meridian", "Parley at home")."""
    words = subject.split()
    named = words[0] == "Parley" or any(not word.islower() and word != "Parley" for word in words[1:])
    return subject if named or not words[0][1:].islower() else subject[0].lower() + subject[1:]
