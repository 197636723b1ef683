"""What a conversation remembers: its messages in order, and as many of them as the model has room for."""

from __future__ import annotations

from dataclasses import dataclass

from llm_bridge.chat import Message, Role
from llm_bridge.languages import is_hangul, is_wide

MESSAGE_TOKENS = 4
"""Tokens a message costs beside its text (role and separators), as OpenAI's cookbook counts them
("How to count tokens with tiktoken": 3 a message, 1 where a name is given)."""


def estimate_tokens(text: str) -> int:
    """Tokens of ``text``, estimated from above without any model's tokenizer.

    English prose runs at about four characters a token (OpenAI's help, "What are tokens and how to count
    them?"); three are reckoned here, for code and for other Latin languages. A Chinese, Japanese or Korean
    character costs about one token in current vocabularies; any other script, and emoji, one a character.
    """
    dense = sum(is_wide(char) or is_hangul(char) or char > "\u024f" for char in text)
    return dense + -(-(len(text) - dense) // 3)


@dataclass(frozen=True, slots=True)
class MemoryItem:
    """One message.

    Attributes:
        text: what the model will be told was said; for an interrupted answer, the part that was heard.
    """

    item_id: str
    role: Role
    text: str


class Memory:
    """The messages of one conversation. Pure: knows no time and no model."""

    def __init__(self) -> None:
        self._items: list[MemoryItem] = []

    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, item_id: object) -> bool:
        return any(item.item_id == item_id for item in self._items)

    @property
    def items(self) -> tuple[MemoryItem, ...]:
        return tuple(self._items)

    def add(self, item_id: str, role: Role, text: str, after: str | None = None) -> str | None:
        """Put a message at the end, behind ``after``, or (``after="root"``, as the Realtime protocol has it)
        in front of all others. Returns the id of the message before it.

        Raises:
            ValueError: the id is taken, or ``after`` is unknown.
        """
        if item_id in self:
            raise ValueError(f"The conversation already has an item {item_id!r}; choose another id.")
        if after is None:
            at = len(self._items)
        elif after == "root":
            at = 0
        elif after in self:
            at = self._index(after) + 1
        else:
            raise ValueError(f"The conversation has no item {after!r} to put {item_id!r} behind.")
        self._items.insert(at, MemoryItem(item_id, role, text))
        return self._items[at - 1].item_id if at else None

    def get(self, item_id: str) -> MemoryItem:
        """Raises KeyError: no such item."""
        return self._items[self._index(item_id)]

    def previous(self, item_id: str) -> str | None:
        """Id of the message before this one; None for the first. Raises KeyError."""
        at = self._index(item_id)
        return self._items[at - 1].item_id if at else None

    def set_text(self, item_id: str, text: str) -> None:
        """Replace a message's text (a growing answer, a transcript that came late). Raises KeyError."""
        at = self._index(item_id)
        self._items[at] = MemoryItem(item_id, self._items[at].role, text)

    def truncate(self, item_id: str, heard_characters: int) -> str:
        """Cut an assistant's message to what was heard of it; returns what remains.

        Raises:
            KeyError: no such item.
            ValueError: not the assistant's, or longer than the message.
        """
        item = self.get(item_id)
        if item.role != "assistant":
            raise ValueError(f"Item {item_id!r} is the {item.role}'s; only what the assistant says can be cut.")
        if not 0 <= heard_characters <= len(item.text):
            raise ValueError(
                f"Item {item_id!r} has {len(item.text)} characters and cannot be cut to {heard_characters}."
            )
        heard = item.text[:heard_characters].rstrip()
        self.set_text(item_id, heard)
        return heard

    def delete(self, item_id: str) -> None:
        """Raises KeyError: no such item."""
        del self._items[self._index(item_id)]

    def messages(self, budget_tokens: int, instructions: str = "") -> list[Message]:
        """What to send to the model: the instructions, then the newest turns that fit.

        A turn is a user's message with all that follows it up to the next one; the oldest are left out
        whole, so that no answer stands without its question. System messages inside the conversation stay.
        The instructions and the newest user's message with what follows are always sent, whatever their size.
        Empty messages (nothing of an answer was heard) are left out.
        """
        said = [item for item in self._items if item.text.strip()]
        spent = _cost(instructions) if instructions else 0
        spent += sum(_cost(item.text) for item in said if item.role == "system")
        turns: list[list[MemoryItem]] = [[]]
        for item in said:
            if item.role == "user":
                turns.append([])
            turns[-1].append(item)
        first_kept = len(turns)
        for number in range(len(turns) - 1, -1, -1):
            cost = sum(_cost(item.text) for item in turns[number] if item.role != "system")
            if first_kept < len(turns) and spent + cost > budget_tokens:
                break
            spent += cost
            first_kept = number
        messages = [Message("system", instructions)] if instructions else []
        for number, turn in enumerate(turns):
            kept = turn if number >= first_kept else [item for item in turn if item.role == "system"]
            messages.extend(Message(item.role, item.text) for item in kept)
        return messages

    def _index(self, item_id: str) -> int:
        for at, item in enumerate(self._items):
            if item.item_id == item_id:
                return at
        raise KeyError(item_id)


def _cost(text: str) -> int:
    return estimate_tokens(text) + MESSAGE_TOKENS
