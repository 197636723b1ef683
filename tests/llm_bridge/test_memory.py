from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_bridge.chat import Message
from llm_bridge.memory import MESSAGE_TOKENS, Memory, MemoryItem, estimate_tokens


def conversation(*turns: tuple[str, str]) -> Memory:
    memory = Memory()
    for number, (role, text) in enumerate(turns):
        memory.add(f"i{number}", role, text)  # type: ignore[arg-type]
    return memory


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("", 0), ("abc", 1), ("abcd", 2), ("你好", 2), ("你好abc", 3), ("안녕", 2), ("😀", 1), ("да", 2)],
)
def test_estimates(text: str, tokens: int) -> None:
    assert estimate_tokens(text) == tokens


def test_order_and_places() -> None:
    memory = conversation(("user", "one"), ("assistant", "two"))
    assert memory.add("mid", "user", "one and a half", after="i0") == "i0"
    assert memory.add("first", "system", "zero", after="root") is None
    assert memory.add("last", "user", "three") == "i1"
    assert [item.item_id for item in memory.items] == ["first", "i0", "mid", "i1", "last"]
    assert memory.previous("mid") == "i0"
    assert memory.previous("first") is None
    assert len(memory) == 5 and "mid" in memory and "nobody" not in memory
    memory.delete("mid")
    assert memory.get("i1") == MemoryItem("i1", "assistant", "two")


def test_says_what_is_wrong() -> None:
    memory = conversation(("user", "one"))
    with pytest.raises(ValueError, match="already has an item 'i0'"):
        memory.add("i0", "user", "again")
    with pytest.raises(ValueError, match="no item 'gone'"):
        memory.add("x", "user", "again", after="gone")
    for call in (memory.get, memory.delete, memory.previous):
        with pytest.raises(KeyError):
            call("gone")


def test_truncates_an_answer_to_what_was_heard() -> None:
    memory = conversation(("user", "Tell me."), ("assistant", "One two three."))
    assert memory.truncate("i1", 4) == "One"
    assert memory.get("i1").text == "One"
    with pytest.raises(ValueError, match="the user's"):
        memory.truncate("i0", 1)
    with pytest.raises(ValueError, match="3 characters"):
        memory.truncate("i1", 4)
    memory.set_text("i1", "One two")
    assert memory.truncate("i1", 0) == ""
    assert memory.messages(1000) == [Message("user", "Tell me.")]


def test_oldest_turns_go_first_and_whole() -> None:
    memory = conversation(
        ("assistant", "Welcome."),
        ("user", "aaa"),
        ("assistant", "bbb"),
        ("user", "ccc"),
        ("assistant", "ddd"),
        ("user", "eee"),
    )
    a_message = 1 + MESSAGE_TOKENS
    assert [m.text for m in memory.messages(1000)] == ["Welcome.", "aaa", "bbb", "ccc", "ddd", "eee"]
    assert [m.text for m in memory.messages(5 * a_message)] == ["aaa", "bbb", "ccc", "ddd", "eee"]
    assert [m.text for m in memory.messages(5 * a_message - 1)] == ["ccc", "ddd", "eee"]
    assert [m.text for m in memory.messages(2 * a_message)] == ["eee"]


def test_instructions_and_the_newest_question_always_go() -> None:
    memory = conversation(("user", "old"), ("system", "The user is in Rome."), ("user", "x" * 999))
    assert memory.messages(0, "Be brief.") == [
        Message("system", "Be brief."),
        Message("system", "The user is in Rome."),
        Message("user", "x" * 999),
    ]
    assert Memory().messages(10) == []
    assert Memory().messages(10, "Be brief.") == [Message("system", "Be brief.")]


@given(
    st.lists(st.tuples(st.sampled_from(["user", "assistant", "system"]), st.text(max_size=30)), max_size=20),
    st.integers(0, 300),
)
def test_never_beyond_the_budget_but_for_what_must_go(turns: list[tuple[str, str]], budget: int) -> None:
    memory = conversation(*turns)
    sent = memory.messages(budget)
    said = [Message(role, text) for role, text in turns if text.strip()]  # type: ignore[arg-type]
    assert [m for m in said if m in sent] == [m for m in said if m in sent]
    users = [at for at, m in enumerate(said) if m.role == "user"]
    newest = said[users[-1] :] if users else said
    assert [m for m in newest if m not in sent] == []
    others = [m for m in sent if m.role != "system"][: -len([m for m in newest if m.role != "system"]) or None]
    if others:
        assert sum(estimate_tokens(m.text) + MESSAGE_TOKENS for m in sent) <= budget
        assert others[0].role == "user" or len(sent) == len(said)
