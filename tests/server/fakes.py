"""A scripted conversation and peer, so that the server is tested without sound, picture or network."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from avatar.motion.source import Gesture, Manner
from llm_bridge.chat import Role
from server.engines import Engines
from server.realtime.session_config import SessionConfig
from streaming import events
from streaming.conversation import Conversation
from streaming.errors import NegotiationFailed
from streaming.events import Event, Item
from streaming.hearing.transcriber import Transcript
from streaming.ids import new_id
from streaming.settings import SessionSettings

SDP_OFFER = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n"
SDP_ANSWER = "v=0\r\no=- 2 2 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"


class FakeConversation:
    """Behaves as ``Conversation`` promises; answers every turn with ``answer``, instantly."""

    def __init__(self, settings: SessionSettings, observe: Callable[[Event], None], *, sound: bool) -> None:
        self.settings = settings
        self.observe = observe
        self.sound = sound
        self.answer = "Hello there."
        self.items: dict[str, Item] = {}
        self.heard: list[NDArray[np.int16]] = []
        self.calls: list[tuple[Any, ...]] = []
        self.active: str | None = None
        self.hold = False
        self.started = False
        self.closed = 0
        self.start_error: Exception | None = None

    async def start(self) -> None:
        if self.start_error is not None:
            raise self.start_error
        self.started = True

    async def close(self) -> None:
        await asyncio.sleep(0)
        self.closed += 1

    def hear(self, pcm16k: NDArray[np.int16]) -> None:
        assert pcm16k.dtype == np.int16 and pcm16k.ndim == 1
        self.heard.append(pcm16k)

    def commit_input(self) -> None:
        if not sum(map(len, self.heard)):
            raise ValueError("the buffer is empty")
        duration_ms = sum(map(len, self.heard)) / 16
        self.heard.clear()
        item_id = new_id("item")
        self.observe(events.SpeechStarted(item_id, 0))
        self.observe(events.SpeechStopped(item_id, round(duration_ms)))
        self.observe(events.InputCommitted(item_id, self._last()))
        self._add(Item(item_id, "user", "", spoken=True))
        self.observe(events.TranscriptDelta(item_id, "what time "))
        self.observe(events.TranscriptDelta(item_id, "is it"))
        self.items[item_id] = Item(item_id, "user", "what time is it", spoken=True)
        self.observe(events.TranscriptCompleted(item_id, "what time is it", duration_ms))
        if self.settings.turn_detection is None or self.settings.turn_detection.create_response:
            self.create_response()

    def clear_input(self) -> None:
        self.heard.clear()
        self.observe(events.InputCleared())

    def add_item(self, item_id: str | None, role: Role, text: str, *, after: str | None = None) -> Item:
        item_id = item_id or new_id("item")
        if item_id in self.items:
            raise ValueError(f"the id {item_id} is taken")
        if after is not None and after != "root" and after not in self.items:
            raise ValueError(f"there is no item {after}")
        item = Item(item_id, role, text, spoken=False)
        self._add(item)
        return item

    def delete_item(self, item_id: str) -> None:
        del self.items[item_id]
        self.observe(events.ItemDeleted(item_id))

    def truncate_item(self, item_id: str, audio_end_ms: int) -> None:
        item = self.items[item_id]
        if audio_end_ms > 60_000:
            raise ValueError("beyond its sound")
        self.observe(events.ItemTruncated(item_id, item.text, audio_end_ms))

    def get_item(self, item_id: str) -> Item:
        return self.items[item_id]

    def create_response(self, *, instructions: str | None = None) -> str:
        self.calls.append(("create_response", instructions))
        if self.active is not None:
            raise RuntimeError("a response is being made")
        return self._respond(self.answer)

    def say(self, text: str) -> str:
        self.calls.append(("say", text))
        return self._respond(text)

    def cancel_response(self) -> bool:
        if self.active is None:
            return False
        response_id, self.active = self.active, None
        item_id = next(reversed(self.items))
        self.items[item_id] = Item(item_id, "assistant", self.answer, spoken=True)
        self.observe(events.ItemDone(self.items[item_id], None))
        self.observe(
            events.ResponseDone(response_id, item_id, "cancelled", "client_cancelled", generated_text=self.answer)
        )
        self.observe(events.OutputCleared(response_id))
        self.items[item_id] = Item(item_id, "assistant", "Hello", spoken=True)
        self.observe(events.ItemTruncated(item_id, "Hello", 400))
        return True

    def clear_output(self) -> None:
        self.calls.append(("clear_output",))
        if self.active is not None:
            self.observe(events.OutputCleared(self.active))

    def set_manner(self, manner: Manner) -> None:
        self.calls.append(("set_manner", manner))

    def gesture(self, gesture: Gesture, strength: float = 1.0) -> None:
        self.calls.append(("gesture", gesture, strength))

    def update(self, settings: SessionSettings) -> None:
        self.settings = settings

    def finish(self) -> None:
        """Let a held response come to its end."""
        assert self.active is not None
        response_id, self.active = self.active, None
        self._end(response_id, next(reversed(self.items)))

    def _respond(self, text: str) -> str:
        response_id, item_id = new_id("resp"), new_id("item")
        self.active = response_id
        self.observe(events.AgentStateChanged(events.AgentState.THINKING))
        self.observe(events.ResponseCreated(response_id))
        previous = self._last()
        spoken = self.settings.speak
        self.items[item_id] = Item(item_id, "assistant", "", spoken, complete=False)
        self.observe(events.ItemAdded(self.items[item_id], previous))
        half = len(text) // 2
        for piece in (text[:half], text[half:]):
            self.observe(events.ResponseDelta(response_id, item_id, piece))
        self.items[item_id] = Item(item_id, "assistant", text, spoken)
        if spoken:
            self.observe(events.AgentStateChanged(events.AgentState.SPEAKING))
            self.observe(events.TurnLatency(response_id, {"endpointing": 210.04, "thinking": 31.0}, 300.0))
            self.observe(events.OutputStarted(response_id))
            if self.sound:
                for _ in range(3):
                    tone = (np.sin(np.arange(960) / 8) * 8000).astype("<i2")
                    self.observe(events.ResponseAudio(response_id, item_id, tone.tobytes()))
            self.observe(events.Caption(response_id, item_id, text, 0.0, 400.0))
        if not self.hold:
            self.active = None
            self._end(response_id, item_id)
        return response_id

    def _end(self, response_id: str, item_id: str) -> None:
        item = self.items[item_id]
        self.observe(events.ItemDone(item, None))
        self.observe(events.ResponseDone(response_id, item_id, "completed", generated_text=item.text))
        if item.spoken:
            self.observe(events.OutputStopped(response_id))
        self.observe(events.AgentStateChanged(events.AgentState.IDLE))

    def _add(self, item: Item) -> None:
        previous = self._last()
        self.items[item.item_id] = item
        self.observe(events.ItemAdded(item, previous))
        self.observe(events.ItemDone(item, previous))

    def _last(self) -> str | None:
        return next(reversed(self.items), None)


class FakePeer:
    """Answers any offer that begins like one; ``open`` is the browser's data channel opening."""

    def __init__(
        self,
        on_pcm: Callable[[NDArray[np.int16]], None],
        on_message: Callable[[str | bytes], None],
        on_open: Callable[[], None],
        on_closed: Callable[[str], None],
    ) -> None:
        self.on_pcm, self.on_message, self.on_open, self.on_closed = on_pcm, on_message, on_open, on_closed
        self.sent: list[str] = []
        self.closed = 0
        self.video_wanted = False

    async def answer(self, offer_sdp: str) -> str:
        await asyncio.sleep(0)
        if not offer_sdp.startswith("v=0"):
            raise NegotiationFailed("This is no SDP offer: it does not begin with 'v=0'.")
        self.video_wanted = "m=video" in offer_sdp
        return SDP_ANSWER

    def send(self, text: str) -> None:
        self.sent.append(text)

    async def close(self) -> None:
        self.closed += 1


class FakeTranscriptionStream:
    def __init__(self) -> None:
        self.samples = 0

    def feed(self, pcm16k: NDArray[np.int16]) -> None:
        self.samples += len(pcm16k)

    async def transcribe(self) -> Transcript:
        await asyncio.sleep(0)
        return Transcript("what time is it" if self.samples else "", "en", self.samples / 16)

    async def close(self) -> None: ...


class FakeEngine:
    """Stands behind every seam of ``Engines``."""

    name = "scripted"
    languages = ("en",)
    voices = ("anna", "ben")
    believed_when_brief = True

    def __init__(self) -> None:
        self.closed = 0

    def open(self, *, language: str | None = None, on_partial: object = None) -> FakeTranscriptionStream:
        return FakeTranscriptionStream()

    async def start(self) -> None: ...

    async def acquire(self, spec: object) -> FakeEngine:
        """A worker that does nothing, as the pool's own end is all that is asked of it."""
        return FakeEngine()

    async def warm_up(self) -> None: ...

    async def close(self) -> None:
        self.closed += 1


class FakeConversations:
    """See ``server.conversations.ConversationFactory``; keeps what it made."""

    def __init__(self) -> None:
        self.transcriber = cast(Any, FakeEngine())
        self.made: list[FakeConversation] = []
        self.peers: list[FakePeer] = []
        self.start_error: Exception | None = None

    def peer(self, **callbacks: Any) -> FakePeer:
        self.peers.append(FakePeer(**callbacks))
        return self.peers[-1]

    def over_peer(
        self, peer: Any, persona: Any, config: SessionConfig, observe: Callable[[Event], None]
    ) -> Conversation:
        return self._make(config, observe, sound=False)

    def over_events(self, config: SessionConfig, observe: Callable[[Event], None]) -> Conversation:
        return self._make(config, observe, sound=True)

    def _make(self, config: SessionConfig, observe: Callable[[Event], None], *, sound: bool) -> Conversation:
        conversation = FakeConversation(config.settings(), observe, sound=sound)
        conversation.start_error = self.start_error
        self.made.append(conversation)
        return cast(Conversation, conversation)


def fake_engines() -> Engines:
    engine = cast(Any, FakeEngine())
    return Engines(transcriber=engine, chat_model=engine, synthesizer=engine, worker_pool=engine)


def types_of(messages: Sequence[dict[str, Any]]) -> list[str]:
    return [message["type"] for message in messages]
