from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.hearing.agreement import LocalAgreement, units


def test_what_two_transcripts_agree_on_is_settled() -> None:
    agreement = LocalAgreement()
    assert agreement.hear("What is") == ""
    assert agreement.hear("What is the whether") == "What is"
    assert agreement.hear("What is the weather like") == "What is the"
    assert agreement.hear("What is the weather like today?") == "What is the weather like"
    assert agreement.finish("What is the weather like today?") == "What is the weather like today?"


def test_case_and_punctuation_do_not_count() -> None:
    agreement = LocalAgreement()
    agreement.hear("hello. my name")
    assert agreement.hear("Hello, my name is") == "Hello, my name"


def test_what_was_told_is_not_taken_back() -> None:
    agreement = LocalAgreement()
    agreement.hear("I scream for")
    assert agreement.hear("I scream for ice") == "I scream for"
    assert agreement.hear("Ice cream for all") == "I scream for"
    assert agreement.finish("Ice cream for all of us") == "I scream for all of us"
    assert agreement.finish("") == "I scream for"


def test_a_transcript_that_was_never_asked_for_again_stands_as_it_is() -> None:
    assert LocalAgreement().finish(" Yes. ") == "Yes."


def test_chinese_is_compared_by_character() -> None:
    agreement = LocalAgreement()
    agreement.hear("今天天气")
    assert agreement.hear("今天天氣很好") == "今天天"
    assert agreement.finish("今天天氣很好。") == "今天天氣很好。"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", []),
        ("one  two\nthree", ["one", "  two", "\nthree"]),
        ("我爱 Parley!你呢?", ["我", "爱", " Parley!", "你", "呢?"]),
        (" ... ", [" ..."]),
    ],
)
def test_units(text: str, parts: list[str]) -> None:
    assert units(text) == parts


@given(st.text())
def test_units_lose_nothing(text: str) -> None:
    assert "".join(units(text)) == text.rstrip()


@given(st.lists(st.text(alphabet="ab ,。你", max_size=12), max_size=6))
def test_settled_text_only_grows(transcripts: list[str]) -> None:
    agreement = LocalAgreement()
    settled = ""
    for transcript in transcripts:
        grown = agreement.hear(transcript)
        assert grown.startswith(settled)
        settled = grown
        assert agreement.finish(transcript).startswith(settled)
