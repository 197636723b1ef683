"""From text deltas to sound with captions, on the scripted voice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_bridge.errors import ModelBroken
from streaming.errors import SynthesisFailed
from streaming.speaking.espeak import EspeakSynthesizer
from streaming.speaking.pipeline import AHEAD_MS, SpokenPiece, speak_deltas
from streaming.speaking.scripted import GAP_MS, LETTER_MS, ScriptedSynthesizer, word_spans

ANSWER = (
    "**Hello** there, I am Helen from [Parley](http://x.example), nice to meet you! It costs $3.50 😀. 😀\n\n"
    "- one\n- two & three\n\n你好，世界。 👍\n"
)


class Source:
    """Deltas that remember whether they were closed."""

    def __init__(self, *deltas: str, error: Exception | None = None, hang: bool = False) -> None:
        self.closed = False
        self.taken = 0
        self._deltas, self._error, self._hang = deltas, error, hang

    async def stream(self) -> AsyncIterator[str]:
        try:
            for delta in self._deltas:
                self.taken += 1
                yield delta
            if self._hang:
                await asyncio.Event().wait()
            if self._error is not None:
                raise self._error
        finally:
            self.closed = True


async def collect(
    text: str | Source, speaker: ScriptedSynthesizer | None = None, step: int = 5, **options: object
) -> list[SpokenPiece]:
    source = text if isinstance(text, Source) else Source(*(text[at : at + step] for at in range(0, len(text), step)))
    settings = {"language": "en", **options}
    return [piece async for piece in speak_deltas(source.stream(), speaker or ScriptedSynthesizer(), **settings)]  # type: ignore[arg-type]


def captions(pieces: list[SpokenPiece]) -> list[str]:
    return [caption.text for piece in pieces for caption in piece.captions]


@pytest.mark.parametrize("timed", [True, False])
@pytest.mark.parametrize("words_per_chunk", [1, 3, 100])
async def test_captions_are_the_answer_as_written(timed: bool, words_per_chunk: int) -> None:
    voice = ScriptedSynthesizer(timed=timed, words_per_chunk=words_per_chunk)
    pieces = await collect(ANSWER, voice)
    assert "".join(captions(pieces)) == ANSWER
    assert "".join(piece.text for piece in pieces) == ANSWER
    assert "[Parley](http://x.example), " in captions(pieces) and "$3.50 😀. " in captions(pieces)
    starts = [caption.start_ms for piece in pieces for caption in piece.captions]
    whole_ms = sum(piece.chunk.duration_ms for piece in pieces)
    assert all(0 <= start <= whole_ms for start in starts)
    assert all(c.start_ms <= c.end_ms for piece in pieces for c in piece.captions)
    if timed:
        assert starts == sorted(starts)


async def test_captions_of_the_voice_that_is_always_there() -> None:
    voice = EspeakSynthesizer()
    try:
        spoken = speak_deltas(Source(*ANSWER).stream(), voice, language="en")
        pieces = [piece async for piece in spoken]
    finally:
        await voice.close()
    assert "".join(captions(pieces)) == ANSWER
    starts = [caption.start_ms for piece in pieces for caption in piece.captions]
    assert starts == sorted(starts)
    assert {piece.chunk.language for piece in pieces} == {"en", "cmn"}


async def test_what_the_voice_is_given() -> None:
    voice = ScriptedSynthesizer()
    await collect(ANSWER, voice, voice="low", speed=1.5)
    assert [(text, language) for text, language, *_ in voice.calls] == [
        ("Hello there, I am Helen from Parley,", "en"),
        ("nice to meet you!", "en"),
        ("It costs 3 dollars and 50 cents.", "en"),
        ("one.", "en"),
        ("two and three.", "en"),
        ("你好，世界。", "cmn"),
    ]
    assert {(name, speed) for _, _, name, speed in voice.calls} == {("low", 1.5)}


async def test_times_of_words_are_those_of_their_sound() -> None:
    pieces = await collect("One two. Three.")
    assert [(c.text, c.start_ms, c.end_ms) for piece in pieces for c in piece.captions] == [
        ("One ", 0, 3 * LETTER_MS),
        ("two. ", 3 * LETTER_MS + GAP_MS, 6 * LETTER_MS + GAP_MS),
        ("Three.", 6 * LETTER_MS + 2 * GAP_MS, 11 * LETTER_MS + 2 * GAP_MS),
    ]


async def test_several_spoken_words_for_one_written_one() -> None:
    pieces = await collect("Pay $3.50 now.")
    found = {c.text: c for piece in pieces for c in piece.captions}
    assert found["$3.50 "].start_ms == 3 * LETTER_MS + GAP_MS
    assert found["now."].start_ms > found["$3.50 "].end_ms - 1 > found["$3.50 "].start_ms + 1000


async def test_a_voice_without_timings_learns_its_pace() -> None:
    text = "This is a sentence of many words that are spoken slowly. " * 6
    pieces = await collect(text, ScriptedSynthesizer(timed=False), speed=0.5)
    truth = await collect(text, ScriptedSynthesizer(), speed=0.5)
    guessed = [c.start_ms for piece in pieces for c in piece.captions]
    exact = [c.start_ms for piece in truth for c in piece.captions]
    assert len(guessed) == len(exact)
    assert np.abs(np.subtract(guessed, exact)).max() < 500


@pytest.mark.parametrize("text", ["😀", " \n", "---", "**"])
async def test_what_has_no_sound_is_still_captioned(text: str) -> None:
    voice = ScriptedSynthesizer()
    (piece,) = await collect(text, voice)
    assert len(piece.chunk.pcm48k) == 0
    assert piece.text == "".join(c.text for c in piece.captions) == text
    assert voice.calls == []


async def test_nothing_at_all() -> None:
    assert await collect("") == []


async def test_the_first_clause_is_heard_before_the_sentence_is_written() -> None:
    source = Source("Well, that is what I would like to say, ", "and", hang=True)
    spoken = speak_deltas(source.stream(), ScriptedSynthesizer(), language="en")
    first = await asyncio.wait_for(anext(spoken), 5)
    assert first.text == "Well, that is what I would like to say, "
    await spoken.aclose()  # type: ignore[attr-defined]
    assert source.closed


async def test_runs_ahead_but_not_far() -> None:
    voice = ScriptedSynthesizer(words_per_chunk=100)
    source = Source(*["This is one more sentence. "] * 50)
    spoken = speak_deltas(source.stream(), voice, language="en")
    await anext(spoken)
    for _ in range(200):
        await asyncio.sleep(0)
    assert source.taken == 50, "the model is not kept waiting"
    assert 2 <= len(voice.calls) <= 4, "the voice is"
    await spoken.aclose()  # type: ignore[attr-defined]
    assert voice.open == 0


async def test_a_long_sentence_does_not_run_ahead_either() -> None:
    voice = ScriptedSynthesizer(words_per_chunk=1)
    spoken = speak_deltas(Source("Once. " + "wonderful " * 29).stream(), voice, language="en")
    await anext(spoken)
    for _ in range(500):
        await asyncio.sleep(0)
    assert voice.open == 1
    made = [await anext(spoken)]
    assert made and AHEAD_MS == 10_000
    await spoken.aclose()  # type: ignore[attr-defined]
    assert voice.open == 0


async def test_a_model_that_breaks_off_is_heard_to_its_last_word() -> None:
    source = Source("One sentence. ", "And half", error=ModelBroken("The answer broke off."))
    pieces: list[SpokenPiece] = []
    with pytest.raises(ModelBroken):
        async for piece in speak_deltas(source.stream(), ScriptedSynthesizer(), language="en"):
            pieces.append(piece)
    assert "".join(captions(pieces)) == "One sentence. And half"


async def test_a_voice_that_fails_lets_the_rest_before_it_be_heard() -> None:
    voice = ScriptedSynthesizer(fail_at=2)
    source = Source("One. ", "Two. ", "Three. ", hang=True)
    pieces: list[SpokenPiece] = []
    with pytest.raises(SynthesisFailed, match="call 2"):
        async for piece in speak_deltas(source.stream(), voice, language="en"):
            pieces.append(piece)
    assert captions(pieces)[0] == "One. "
    assert source.closed and voice.open == 0


@pytest.mark.parametrize("steps", range(0, 12, 3))
async def test_cancelling_closes_model_and_voice(steps: int) -> None:
    voice = ScriptedSynthesizer(words_per_chunk=1)
    source = Source("One sentence here. ", "Another one there. ", hang=True)

    async def consume() -> None:
        async with aclosing(speak_deltas(source.stream(), voice, language="en")) as pieces:  # type: ignore[type-var]
            async for _ in pieces:
                await asyncio.sleep(0)

    task = asyncio.create_task(consume())
    for _ in range(5 + steps):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert voice.open == 0
    assert source.closed or source.taken == 0


PARTS = st.sampled_from(
    [
        "Hi",
        " ",
        "you",
        ". ",
        ", ",
        "\n",
        "- ",
        "你好",
        "。",
        "😀",
        "**",
        "$3.50",
        "`x`",
        "http://a.example ",
        "!",
        "```\n",
    ]
)


@settings(max_examples=60, deadline=None)
@given(st.lists(PARTS, max_size=40), st.booleans(), st.integers(1, 9))
def test_any_answer_is_captioned_exactly(parts: list[str], timed: bool, step: int) -> None:
    text = "".join(parts)
    pieces = asyncio.run(collect(text, ScriptedSynthesizer(timed=timed), step))
    assert "".join(captions(pieces)) == text
    assert "".join(piece.text for piece in pieces) == text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Hi there.", ["Hi", "there."]),
        ("你好，世 - Hi abc你", ["你", "好，", "世 -", "Hi", "abc", "你"]),
        ("- 'quoted' !", ["- 'quoted' !"]),
        ("...", []),
        ("", []),
    ],
)
def test_words_of_the_scripted_voice(text: str, words: list[str]) -> None:
    assert [text[start:end] for start, end in word_spans(text)] == words
