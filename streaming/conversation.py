"""One live conversation: the asyncio shell around the turn-taking core."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from avatar.motion.source import Gesture
from llm_bridge.chat import ChatModel, Role
from streaming.events import Event, Item
from streaming.hearing.transcriber import Transcriber
from streaming.output import Output
from streaming.settings import SessionSettings
from streaming.speaking.synthesizer import Synthesizer


class Conversation:
    """Hears, takes turns, answers, speaks. Every method is called in the event loop and returns at once
    unless it is a coroutine.

    Args:
        transcriber, chat_model, synthesizer: engines, shared with other conversations.
        output: this conversation's own; closed with it.
        settings: may be replaced by ``update``.
        observe: gets every event, in order, in the event loop; must not raise.
    """

    def __init__(
        self,
        *,
        transcriber: Transcriber,
        chat_model: ChatModel,
        synthesizer: Synthesizer,
        output: Output,
        settings: SessionSettings,
        observe: Callable[[Event], None],
    ) -> None: ...

    settings: SessionSettings

    async def start(self) -> None:
        """Begin: output runs, hearing is open."""

    def hear(self, pcm16k: NDArray[np.int16]) -> None:
        """The user's sound, mono int16 16 kHz, any length, in order."""

    def commit_input(self) -> None:
        """End the user's turn now (push-to-talk). Raises ValueError when no sound is buffered."""

    def clear_input(self) -> None: ...

    def add_item(self, item_id: str | None, role: Role, text: str, *, after: str | None = None) -> Item:
        """Put a message into the conversation (typed text). Raises ValueError: unknown ``after``, taken id."""

    def delete_item(self, item_id: str) -> None:
        """Raises KeyError: no such item."""

    def truncate_item(self, item_id: str, audio_end_ms: int) -> None:
        """Cut the avatar's item to what was heard. Raises KeyError, ValueError (beyond its sound)."""

    def get_item(self, item_id: str) -> Item:
        """Raises KeyError."""

    def create_response(self, *, instructions: str | None = None) -> str:
        """Answer now; returns the response's id. Raises RuntimeError while a response is being made."""

    def say(self, text: str) -> str:
        """Speak ``text`` verbatim, interrupting nothing: after the current response. Returns the response's id."""

    def cancel_response(self) -> bool:
        """Stop making and speaking the current response; False when there is none."""

    def clear_output(self) -> None:
        """Drop the sound not yet played, keep the text."""

    def gesture(self, gesture: Gesture, strength: float = 1.0) -> None: ...

    def update(self, settings: SessionSettings) -> None: ...

    async def close(self) -> None:
        """End everything this conversation started; returns when it is gone."""
