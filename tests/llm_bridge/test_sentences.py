"""Where answers are cut, and that nothing is lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_bridge.sentences import LIMIT_WEIGHT, Piece, SentenceCutter


def cut(*deltas: str) -> list[Piece]:
    cutter = SentenceCutter()
    pieces = [piece for delta in deltas for piece in cutter.feed(delta)]
    return pieces + cutter.finish()


def texts(text: str) -> list[str]:
    pieces = cut(text)
    assert "".join(piece.text for piece in pieces) == text
    return [piece.text for piece in pieces]


@pytest.mark.parametrize(
    "expected",
    [
        ["It costs $3.50. ", "Next."],
        ["It is $29. ", "Next."],
        ["Version 2.0 of Node.js is out. ", "Good."],
        ["Dr. Smith met Mrs. Jones at St. Mary's. ", "Fine."],
        ["Fruit, e.g. apples. ", "Good."],
        ["Fruit, i.e. apples. ", "Good."],
        ["The U.S. army left. ", "So did I."],
        ["J. R. R. Tolkien wrote it. ", "Yes."],
        ["Meet me at 3 p.m. on Monday. ", "Good."],
        ["Meet me at 3 p.m. ", "Bring cake."],
        ["Bring cake, tea, etc. ", "Then sit down."],
        ["Cakes, tea, etc. are there. ", "Sit."],
        ["See No. 5 for that. ", "Good."],
        ["No. ", "That is not it."],
        ["Well... ", "I think so."],
        ["Well... perhaps. ", "No."],
        ["Wait… ", "What is that?"],
        ["Wait… what? ", "Oh."],
        ["What?! ", "Really?"],
        ['He said "Stop." ', "Then he left."],
        ["(See the manual.) ", "It helps."],
        ["**Bold end.** ", "Next."],
        ["Great!😀 ", "More."],
        ["Great! ", "😀 More."],
        ["See https://a.example/b?c=1.2&d=e. ", "Good."],
        ["Is it at www.example.com? ", "Yes."],
        ["First line\n", "Second line\nwrapped by hand"],
        ["1. Open the box\n", "2. Take it out. ", "Done."],
        ["- one\n", "- two\n", "- three"],
        ["# Title\n", "\nText here."],
        ["| a | b |\n", "|---|---|\n| c | d |"],
        ["你好！", "我是海伦。", "很高兴认识你？", "好的"],
        ["他说：“好。”", "然后走了。"],
        ["真的吗？！", "是的。"],
        ["你好吗?", "我很好.", "谢谢"],
        ["价格是3.50元。", "Price is 3.50. ", "好。"],
        ["嗯……", "好的。"],
        ["Hello 世界。", "Next one."],
        ["你好。 ", "再见。"],
        ["   "],
        ["😀 \n\n Hello. ", "You."],
        ["One two. ", "   Three."],
    ],
)
def test_cuts(expected: list[str]) -> None:
    assert texts("".join(expected)) == expected


def test_says_where_a_sentence_is_complete() -> None:
    long = "I will explain that to you now, in all its detail and from the very beginning."
    first, second = cut(long)
    assert (first.text, first.complete) == ("I will explain that to you now, ", False)
    assert (second.text, second.complete) == ("in all its detail and from the very beginning.", True)
    assert (second.start, second.end) == (len(first.text), len(long))


def test_the_first_clause_is_spoken_early_but_not_a_scrap() -> None:
    assert texts("Yes, of course it is.") == ["Yes, of course it is."]
    assert texts("我们可以帮您连接语言模型，然后再聊别的。")[0] == "我们可以帮您连接语言模型，"
    assert texts("Bread costs about 1,000, or 2,000 if you are rich.")[0] == "Bread costs about 1,000, "


def test_closed_brackets_do_not_hinder() -> None:
    assert texts("Look (as I said) at this one, please do.")[0] == "Look (as I said) at this one, "


def test_later_clauses_stay_together() -> None:
    assert texts("Good. I will explain that to you now, in all its detail.")[1:] == [
        "I will explain that to you now, in all its detail."
    ]


def test_a_first_clause_without_a_comma_ends_before_a_conjunction() -> None:
    text = "The thing that I wanted to tell you about this morning is nice and it goes on and on."
    assert texts(text)[0] == "The thing that I wanted to tell you about this morning is nice "


@pytest.mark.parametrize(
    "text",
    [
        "The long list (with apples, pears, plums and cherries) is here for you.",
        'The long saying "with apples, pears, plums" is here for you.',
        "Look at the code `print(apples, pears, plums)` here for you.",
        "他说了这样一句长长的话（苹果，梨，李子）就走了。",
    ],
)
def test_no_clause_is_cut_inside_brackets(text: str) -> None:
    assert texts(text) == [text]


def test_long_sentences_are_cut_at_clauses() -> None:
    clause = "and the story goes on for quite a while, "
    pieces = cut("Once. " + clause * 12)
    assert [piece.complete for piece in pieces[1:-1]] == [False] * (len(pieces) - 2)
    assert all(180 <= len(piece.text) <= LIMIT_WEIGHT for piece in pieces[1:-1])
    assert all(piece.text.endswith(", ") for piece in pieces[1:])


@pytest.mark.parametrize(("word", "ends"), [("word ", " "), ("x", "x"), ("字", "字"), ("w,", ",")])
def test_nothing_grows_beyond_the_limit(word: str, ends: str) -> None:
    pieces = cut("Once. " + word * 1000)
    assert all(len(piece.text) <= LIMIT_WEIGHT and piece.text.endswith(ends) for piece in pieces[1:-1])
    assert len(pieces) >= 5


def test_code_is_one_piece_and_what_comes_before_it_does_not_wait() -> None:
    code = "```python\nprint('Hi. There.')\n\nx = 1\n```"
    assert texts(f"Here it is:\n{code}\nDone.") == ["Here it is:\n", code, "\nDone."]
    assert texts(f"{code}\n") == [code, "\n"]
    assert texts("```\n***\n```") == ["```\n***\n```"]
    cutter = SentenceCutter()
    assert [piece.text for piece in cutter.feed("So it goes\n```")] == ["So it goes\n"]
    assert texts("Inline ``` is no fence. Next.") == ["Inline ``` is no fence. ", "Next."]
    assert texts("```\nnever closed. Really.") == ["```\nnever closed. Really."]


def test_pieces_come_as_soon_as_they_are_certain() -> None:
    cutter = SentenceCutter()
    assert cutter.feed("It costs $29.") == []
    assert cutter.feed("5") == []
    assert cutter.feed("0.") == []
    assert [piece.text for piece in cutter.feed(" ")] == ["It costs $29.50. "]
    assert cutter.finish() == []


ALPHABET = st.sampled_from([*"ab AB1.,!?;:…\n\"'()`*-—$%。，！你好“”😀", "e.g.", "```\n", "Dr. "])


@given(st.lists(ALPHABET, max_size=200), st.randoms())
def test_cuts_do_not_depend_on_how_text_arrives(parts: list[str], random: object) -> None:
    text = "".join(parts)
    whole = cut(text)
    assert "".join(piece.text for piece in whole) == text
    assert [piece.start for piece in whole] == [sum(len(p.text) for p in whole[:n]) for n in range(len(whole))]
    assert all(piece.text for piece in whole)
    deltas: list[str] = []
    at = 0
    while at < len(text):
        step = random.randint(1, 7)  # type: ignore[attr-defined]
        deltas.append(text[at : at + step])
        at += step
    assert cut(*deltas) == whole


@given(st.text(max_size=400))
def test_any_text_survives(text: str) -> None:
    assert "".join(piece.text for piece in cut(text)) == text
