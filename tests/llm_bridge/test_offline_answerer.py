"""The offline answerer on Parley's own knowledge and on an operator's folder."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

import pytest

from benchmarks.answering import measure, summary
from llm_bridge.chat import Message
from llm_bridge.errors import KnowledgeError
from llm_bridge.offline.answerer import OWN_KNOWLEDGE, OfflineAnswerer
from llm_bridge.offline.knowledge import MAX_FILE_BYTES, Knowledge, markdown_files, parse, read_file
from llm_bridge.offline.tokens import Tokenizer, is_content, read_synonyms

NOON = datetime(2026, 3, 1, 12, 5)


async def ask(answerer: OfflineAnswerer, *said: str) -> str:
    """The answer to the last of ``said``; user and avatar speak in turns."""
    roles = ("user", "assistant")
    messages = [Message(roles[number % 2], text) for number, text in enumerate(said)]  # type: ignore[arg-type]
    return "".join([delta async for delta in answerer.stream(messages)])


@pytest.fixture(scope="module")
def parley() -> OfflineAnswerer:
    return OfflineAnswerer(now=lambda: NOON)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("What is Parley?", "gives a conversation a face"),
        ("what is parlay", "gives a conversation a face"),
        ("Hi, how do I connect a real language model?", "PARLEY_CHAT_BASE_URL"),
        ("hello", "nice to meet you"),
        ("thanks a lot", "welcome"),
        ("what time is it", "12:05 PM"),
        ("what is the date today", "Sunday, March 1"),
        ("怎么接入语言模型？", "PARLEY_CHAT_BASE_URL"),
        ("你好", "您好"),
        ("现在几点了", "12点05分"),
        ("今天几号", "3月1日"),
    ],
)
async def test_answers(parley: OfflineAnswerer, question: str, answer: str) -> None:
    assert answer in await ask(parley, question)


async def test_streams_whole_sentences(parley: OfflineAnswerer) -> None:
    deltas = [delta async for delta in parley.stream([Message("user", "What is Parley?")])]
    assert len(deltas) > 1
    assert all(delta.rstrip().endswith((".", ",")) for delta in deltas)


async def test_owns_up_and_says_what_it_can_talk_about(parley: OfflineAnswerer) -> None:
    answers = {await ask(parley, *["Why?"] * (2 * n), "Who is the emperor of Japan?") for n in range(3)}
    assert len(answers) > 1, "the same words every time sound like a machine"
    assert all(
        "parley" in answer.lower() or "voices" in answer.lower() or "conversation" in answer.lower()
        for answer in answers
    )
    assert "不知道" in await ask(parley, "日本天皇是谁？") or "没有" in await ask(parley, "日本天皇是谁？")


async def test_follows_up(parley: OfflineAnswerer) -> None:
    assert "Apache" in await ask(parley, "What does Parley cost?", "Nothing.", "And the licence?")
    assert "图形" not in await ask(parley, "需要什么硬件？", "普通电脑。", "那显卡呢？")
    assert "不需要" in await ask(parley, "需要什么硬件？", "普通电脑。", "那显卡呢？")


async def test_repeats_what_it_said(parley: OfflineAnswerer) -> None:
    assert await ask(parley, "Hello", "Hello yourself.", "Can you repeat that?") == "Sure. Hello yourself."
    assert await ask(parley, "Pardon?", "Sure. Hello.", "What?") == "Sure. Hello."
    assert "not said anything" in await ask(parley, "Can you repeat that?")


@pytest.mark.parametrize(("said", "answer"), [((), "hear"), (("...",), "hear"), (("你好", "您好！", "。"), "听")])
async def test_nothing_was_asked(parley: OfflineAnswerer, said: tuple[str, ...], answer: str) -> None:
    heard = await ask(parley, *said)
    assert answer in heard or "catch" in heard


async def test_answers_are_short_enough_to_listen_to(parley: OfflineAnswerer) -> None:
    await parley.warm_up()
    assert parley._loaded is not None
    topics = parley._loaded.knowledge.topics
    assert len([t for t in topics if t.language == "en"]) >= 60
    assert len([t for t in topics if t.language == "cmn"]) >= 60
    for topic in topics:
        assert len(" ".join(topic.paragraphs)) <= (420 if topic.language == "en" else 180), topic.questions[0]
    await parley.close()


def test_every_topic_is_found_by_its_own_questions(parley: OfflineAnswerer) -> None:
    parley.find([Message("user", "load")])
    assert parley._loaded is not None
    missed = [
        question
        for topic in parley._loaded.knowledge.topics
        for question in topic.questions
        if parley.find([Message("user", question)], topic.language)[0].topic.paragraphs != topic.paragraphs
    ]
    assert len(missed) <= 6, missed


def test_both_languages_know_the_same_files() -> None:
    names = [{path.name for path in (OWN_KNOWLEDGE / language).iterdir()} for language in ("en", "zh")]
    assert names[0] == names[1]


def test_hit_rate_of_the_evaluation_set() -> None:
    """A floor well below the measured figures (benchmarks/answering.py): it fails when retrieval breaks."""
    rows = summary(measure("held-out"))
    assert rows["en plain"]["right"] >= 0.70
    assert rows["zh plain"]["right"] >= 0.65
    assert rows["en unknown"]["right"] >= 0.60
    assert rows["zh unknown"]["right"] >= 0.70


HOTEL = """---
owner: reception
---
# Hotel Meridian

We are a small hotel by the lake. The rooms have balconies.

## Breakfast
- When can I eat in the morning?

Breakfast is served from seven to ten in the winter garden.

## Pets

* Dogs are welcome
* Cats stay at home.

## Parking

You can park behind the house. The garage holds thirty cars. It opens at six. It closes at midnight.
Charging stations stand at the entrance. They take all cards. The first hour is free. Ask us for a card.

```
code is never spoken
```

## Empty
"""


@pytest.fixture
def hotel(tmp_path: Path) -> Path:
    folder = tmp_path / "knowledge"
    folder.mkdir()
    (folder / "hotel.md").write_text(HOTEL, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("when is breakfast", "winter garden"),
        ("are dogs allowed", "Dogs are welcome."),
        ("where can I park", "behind the house"),
        ("are there charging stations", "Charging stations"),
        ("does the hotel have balconies", "balconies"),
        ("hello", "nice to meet you"),
    ],
)
async def test_an_operators_folder(hotel: Path, question: str, answer: str) -> None:
    assert answer in await ask(OfflineAnswerer(hotel), question)


async def test_an_operators_folder_replaces_what_we_know_of_ourselves(hotel: Path) -> None:
    answerer = OfflineAnswerer(hotel)
    assert "PARLEY" not in await ask(answerer, "How do I connect a real language model?")
    assert "Hotel Meridian" in await ask(answerer, "Who is the emperor of Japan?")
    assert "code is never" not in await ask(answerer, "code is never spoken")


async def test_a_changed_file_counts_at_the_next_question(hotel: Path) -> None:
    answerer = OfflineAnswerer(hotel)
    assert "seven" in await ask(answerer, "when is breakfast")
    (hotel / "hotel.md").write_text(HOTEL.replace("seven", "eight"), encoding="utf-8")
    os.utime(hotel / "hotel.md", ns=(1, 1))
    assert "eight" in await ask(answerer, "when is breakfast")


async def test_an_operators_words_for_the_same_thing(hotel: Path) -> None:
    assert "garage" not in await ask(OfflineAnswerer(hotel), "wo ist die tiefgarage")
    (hotel / "synonyms.txt").write_text("parking tiefgarage  # German guests\n", encoding="utf-8")
    assert "garage" in await ask(OfflineAnswerer(hotel), "tiefgarage")


def test_folders_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(KnowledgeError, match="does not exist"):
        OfflineAnswerer(tmp_path / "nowhere")
    with pytest.raises(KnowledgeError, match="no Markdown"):
        OfflineAnswerer(tmp_path)
    big = tmp_path / "big.md"
    big.write_bytes(b"x" * (MAX_FILE_BYTES + 1))
    with pytest.raises(KnowledgeError, match="Split it"):
        read_file(big, Knowledge())
    with pytest.raises(KnowledgeError, match="cannot be read"):
        read_file(tmp_path / "gone.md", Knowledge())


def test_hidden_files_are_left_out(tmp_path: Path) -> None:
    for name in ("a.md", ".hidden.md", "b.txt", ".git/c.md", "sub/d.MARKDOWN"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("# x\n\ny")
    assert [path.name for path in markdown_files(tmp_path)] == ["a.md", "d.MARKDOWN"]


async def test_an_operators_own_words_for_not_knowing(hotel: Path) -> None:
    (hotel / "extra.md").write_text("## unknown\n\nPlease ask at the reception.\n")
    assert await ask(OfflineAnswerer(hotel), "Who is the emperor of Japan?") == "Please ask at the reception."


def test_undecodable_bytes_do_not_stop_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_bytes(b"\xef\xbb\xbf# Cake\r\n\r\nCake is \xff good.\r\n")
    knowledge = Knowledge()
    read_file(tmp_path / "a.md", knowledge)
    assert knowledge.topics[0].questions == ("Cake",)
    assert knowledge.topics[0].paragraphs == ("Cake is \ufffd good.",)


def test_chinese_lines_join_without_a_space() -> None:
    knowledge = Knowledge()
    parse("## 早餐？\n- 几点吃早餐？\n\n七点开始，\n十点结束。\n", "x", knowledge)
    assert knowledge.topics[0].paragraphs == ("七点开始，十点结束。",)
    assert knowledge.topics[0].questions == ("早餐？", "几点吃早餐？")


def test_tokens() -> None:
    tokenizer = Tokenizer(read_synonyms("photo picture\n# nothing\nalone\n照片 图片\n"))
    assert tokenizer.tokens("The pictures, please!") == tokenizer.tokens("a photo")
    assert tokenizer.tokens("I can't") == ["i", "can", "not"]
    assert tokenizer.tokens("换图片") == ["换", "图", "片", "换图", "图片", "=1"]
    assert [is_content(token) for token in ("photo", "who", "照", "的", "是谁", "照片", "=1")] == [
        True, False, True, False, False, True, True
    ]  # fmt: skip
