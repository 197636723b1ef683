"""The seam behind which a conversation is answered."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation, as the model sees it."""

    role: Role
    text: str


@dataclass(frozen=True, slots=True)
class ChatOptions:
    """Per-request choices; None leaves the model's own default."""

    temperature: float | None = None
    max_output_tokens: int | None = None


class ChatModel(Protocol):
    """Answers.

    Attributes:
        name: as shown by ``parley doctor``.
    """

    name: str

    def stream(self, messages: Sequence[Message], options: ChatOptions = ChatOptions()) -> AsyncIterator[str]:
        """Text deltas of the answer, none of them empty. Closing the iterator cancels the request.

        Raises:
            ModelUnavailable: nothing came; retries are used up.
            ModelBroken: the answer broke off midway; what came before stands.
        """

    async def warm_up(self) -> None: ...

    async def close(self) -> None: ...
