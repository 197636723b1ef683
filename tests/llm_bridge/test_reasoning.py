from __future__ import annotations

import pytest

from llm_bridge.reasoning import ReasoningFilter


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("Hello there.", "Hello there."),
        ("<think>The user greets.</think>\n\nHello.", "Hello."),
        ("\n<think>\n</think>\n\n Hello.", "Hello."),
        ("<thinking>a < b</thinking>Hello.", "Hello."),
        ("<reasoning>a</think>b</reasoning>Hello.", "Hello."),
        ("Say <think> aloud </think> now.", "Say <think> aloud </think> now."),
        ("<b>Bold</b>", "<b>Bold</b>"),
        ("<thin", "<thin"),
        ("<think>never closed", ""),
        ("<think>only thought</think>", ""),
        ("  ", "  "),
        ("", ""),
    ],
)
@pytest.mark.parametrize("step", [1, 3, 1000])
def test_thinking_is_not_spoken(text: str, spoken: str, step: int) -> None:
    reasoning = ReasoningFilter()
    said = "".join(reasoning.feed(text[at : at + step]) for at in range(0, len(text), step))
    assert said + reasoning.finish() == spoken


def test_memory_stays_small() -> None:
    reasoning = ReasoningFilter()
    reasoning.feed("<think>")
    for _ in range(1000):
        reasoning.feed("a very long thought ")
    assert len(reasoning._held) < 20
    assert reasoning.feed("</think>Done.") == "Done."
