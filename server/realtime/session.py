"""One live session: a transport, a conversation, and the protocol between them; gone without trace when it ends."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from openai.types import realtime as wire
from openai.types.realtime import session_created_event, session_updated_event
from pydantic import BaseModel

from server.errors import ProtocolError
from server.metrics import Metrics
from server.realtime.audio import AudioDecoder
from server.realtime.commands import ClientState, carry_out
from server.realtime.extensions import AvatarPersona
from server.realtime.lifetime import CLIENT_LEFT, FLOOD, INTERNAL, Ending, Lifetime
from server.realtime.outbound import Outbound, error_event, refusal_event
from server.realtime.parse import parse_event_object, parse_json_object
from server.realtime.session_config import SessionConfig
from server.security.limits import TokenBucket
from streaming import events
from streaming.conversation import Conversation
from streaming.hearing.transcriber import Transcriber
from streaming.ids import new_event_id, new_id

logger = logging.getLogger(__name__)

INBOX_EVENTS = 512
"""Client events that may wait; at 50 a second (20 ms of sound each) ten seconds' worth."""

BYTES_PER_SECOND = 1024 * 1024
"""Event bytes a second on average: sound at sixteen times real time, in base64."""

BURST_BYTES = 16 * 1024 * 1024
"""Also the most that may wait: four of the longest events."""

SOUND_AHEAD_S = 120.0
"""How far a client's sound may run ahead of the clock: recordings may be sent at once, two of the longest turns. What is heard costs a
recognizer's time by its length, not by when it comes, so beyond this it comes as fast as people speak, or not at all."""

HELD_S = 15.0
"""A client that is held back for so long at a stretch does not slow down. WebSocket pings that wait behind what it sent would time out
after 20 s, and end the conversation without a word."""

MAX_REFUSALS = 100
"""Refused events in a row: a client that only errs is broken or hostile."""

WATCH_S = 1.0

_ACTIVITY = (
    events.SpeechStarted,
    events.SpeechStopped,
    events.ResponseCreated,
    events.OutputStarted,
    events.OutputStopped,
)


class Transport(Protocol):
    """Carries events to the client.

    Attributes:
        has_track: sound (and picture) travel beside the events, as media.
    """

    has_track: bool

    def send(self, text: str) -> None:
        """Queue one event; never blocks, never raises."""

    async def close(self, ending: Ending) -> None:
        """Send what is queued, within a moment, and close. May be called twice."""


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """Bounds of one session; ``watch_s`` is how often they are looked at."""

    max_s: float = 3600
    idle_s: float = 600
    events_per_second: float = 200
    watch_s: float = WATCH_S


class RealtimeSession:
    """Use: make it, give it its conversation with ``attach``, await ``run``; feed it with ``receive``; ``end`` it.

    Args:
        transport: closed by the session.
        config: to begin with.
        transcriber: for sound inside items.
        persona: (name, display name) of who is shown; None where there is no picture.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        transport: Transport,
        config: SessionConfig,
        *,
        transcriber: Transcriber,
        metrics: Metrics,
        limits: SessionLimits,
        persona: tuple[str, str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.session_id = new_id("sess")
        self.config = config
        self.transcriber = transcriber
        self.client = ClientState()
        self.decoder = AudioDecoder(config.input_format)
        self.outbound = Outbound(new_id("conv"), config, audio_events=not transport.has_track)
        self.ending: Ending | None = None
        self._transport = transport
        self._metrics = metrics
        self._limits = limits
        self._persona = persona
        self._clock = clock
        self._expires_at = int(time.time() + limits.max_s)
        self._lifetime = Lifetime(limits.max_s, limits.idle_s, clock())
        self._event_bucket = TokenBucket(limits.events_per_second, limits.events_per_second * 5)
        self._byte_bucket = TokenBucket(BYTES_PER_SECOND, BURST_BYTES)
        self._sound_bucket = TokenBucket(1.0, SOUND_AHEAD_S)
        self._inbox: asyncio.Queue[str | bytes] = asyncio.Queue(INBOX_EVENTS)
        self._inbox_bytes = 0
        self._inbox_moved = asyncio.Event()
        self._held_since: float | None = None
        self._ended = asyncio.Event()
        self._closed = asyncio.Event()
        self._conversation: Conversation | None = None
        self._refusals = 0
        self._speaking: set[str] = set()

    @property
    def has_track(self) -> bool:
        return self._transport.has_track

    @property
    def conversation(self) -> Conversation:
        assert self._conversation is not None, "attach() comes first"
        return self._conversation

    @property
    def speaking(self) -> bool:
        """The avatar's voice is being played."""
        return bool(self._speaking)

    def attach(self, conversation: Conversation) -> None:
        """The conversation, made with ``observe`` of this session; closed by the session."""
        self._conversation = conversation

    def connected(self) -> None:
        """The transport is open: greet the client."""
        session = session_created_event.SessionCreatedEvent(
            type="session.created", event_id=new_event_id(), session=self._wire_session()
        )
        self.send(session)
        if self._persona is not None:
            name, display_name = self._persona
            self.send(AvatarPersona(event_id=new_event_id(), name=name, display_name=display_name))

    def receive(self, text: str | bytes) -> bool:
        """Take a client event, at once. False when too many wait: the session ends for that."""
        if self._inbox_full():
            self.end(FLOOD)
            return False
        self._put(text)
        return True

    async def receive_patiently(self, text: str | bytes) -> None:
        """Take a client event; waits while too many do, so that the transport's own flow control holds the client.
        Without effect once the session ends; ends it when the client has been held for ``HELD_S``."""
        if not self._inbox_full():
            self._held_since = None
        elif self._held_since is None:
            self._held_since = self._clock()
        elif self._clock() - self._held_since > HELD_S:
            self.end(FLOOD)
        while self._inbox_full() and self.ending is None:
            self._inbox_moved.clear()
            await self._inbox_moved.wait()
        if self.ending is None:
            self._put(text)

    async def run(self) -> Ending:
        """Carry events out until the session ends; returns why, after everything is closed."""
        tasks = [asyncio.create_task(self._consume()), asyncio.create_task(self._watch())]
        try:
            await self._ended.wait()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            ending = self.ending or CLIENT_LEFT
            if ending.message:
                self.send(
                    error_event(ending.message, code=ending.code, kind="session_ended", retryable=ending.retryable)
                )
            try:
                if self._conversation is not None:
                    await self._conversation.close()
            except Exception:
                logger.exception("closing conversation %s failed", self.session_id)
            finally:
                await self._transport.close(ending)
                self._closed.set()
        return ending

    def end(self, ending: Ending) -> None:
        """End soon; the first reason given is the one that counts."""
        if self.ending is None:
            self.ending = ending
            self._ended.set()
            self._inbox_moved.set()

    async def closed(self) -> None:
        """Wait until ``run`` is over."""
        await self._closed.wait()

    def observe(self, event: events.Event) -> None:
        """For the conversation. Never raises."""
        try:
            if isinstance(event, _ACTIVITY):
                self.touch()
            if isinstance(event, events.OutputStarted):
                self._speaking.add(event.response_id)
            elif isinstance(event, (events.OutputStopped, events.OutputCleared)):
                self._speaking.discard(event.response_id)
            self._metrics.count_event(event)
            for message in self.outbound.translate(event):
                self.send(message)
            if isinstance(event, events.OutputLost):
                self.end(Ending(event.code, event.message, 1011, event.retryable))
        except Exception:
            logger.exception("session %s could not tell %s", self.session_id, type(event).__name__)
            self.end(INTERNAL)

    def send(self, event: BaseModel) -> None:
        """Queue one server event."""
        self._transport.send(encode_event(event))

    def hear(self, pcm16k: NDArray[np.int16]) -> None:
        if len(pcm16k) and self._conversation is not None and self.ending is None:
            self._conversation.hear(pcm16k)

    def take_sound(self, seconds: float, param: str) -> None:
        """Count sound that came inside an event, before it is heard.

        Raises:
            ProtocolError: it runs too far ahead of the clock; nothing was counted.
        """
        if self._sound_bucket.take(self._clock(), seconds) > 0:
            raise ProtocolError(
                f"Sound may come at most {SOUND_AHEAD_S:g} s ahead of real time; these {seconds:.1f} s were not heard. "
                "Send it as fast as it is spoken.",
                code="rate_limit_exceeded",
                param=param,
            )

    def touch(self) -> None:
        self._lifetime.touch(self._clock())

    def ping(self) -> None:
        self._lifetime.ping(self._clock())

    def configure(self, config: SessionConfig) -> None:
        """Put a new configuration in force and tell the client."""
        if config.input_format != self.config.input_format:
            self.decoder = AudioDecoder(config.input_format)
        self.config = config
        self.outbound.config = config
        self.conversation.update(config.settings())
        self.send(
            session_updated_event.SessionUpdatedEvent(
                type="session.updated", event_id=new_event_id(), session=self._wire_session()
            )
        )

    async def _consume(self) -> None:
        while True:
            text = await self._inbox.get()
            self._inbox_bytes -= len(text)
            self._inbox_moved.set()
            await self._handle(text)

    def _put(self, text: str | bytes) -> None:
        self._inbox.put_nowait(text)
        self._inbox_bytes += len(text)

    def _inbox_full(self) -> bool:
        return self._inbox.full() or self._inbox_bytes >= BURST_BYTES

    async def _handle(self, text: str | bytes) -> None:
        for bucket, amount in ((self._event_bucket, 1), (self._byte_bucket, min(len(text), BURST_BYTES))):
            while (wait_s := bucket.take(self._clock(), amount)) > 0:
                if self.has_track:
                    self.end(FLOOD)
                    return
                await asyncio.sleep(wait_s)  # a WebSocket is held back by not being read
        event_id: str | None = None
        try:
            if isinstance(text, bytes):
                raise ProtocolError("Events are text, not binary messages.", code="invalid_json")
            data = parse_json_object(text)
            event_id = _event_id(data)
            await carry_out(parse_event_object(data), self)
            self._refusals = 0
        except ProtocolError as error:
            self._refuse(error, event_id)
        except Exception:
            logger.exception("session %s could not carry out an event", self.session_id)
            self._refuse(ProtocolError(INTERNAL.message, code=INTERNAL.code, kind="server_error"), event_id)

    def _refuse(self, error: ProtocolError, event_id: str | None) -> None:
        self._refusals += 1
        self._metrics.client_errors.labels(error.code).inc()
        self.send(refusal_event(error, event_id))
        if self._refusals >= MAX_REFUSALS:
            self.end(FLOOD)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._limits.watch_s)
            ending = self._lifetime.verdict(self._clock())
            if ending is not None:
                self.end(ending)

    def _wire_session(self) -> wire.RealtimeSessionCreateRequest:
        session = {"id": self.session_id, "expires_at": self._expires_at} | self.config.to_wire()
        return wire.RealtimeSessionCreateRequest.model_validate(session)


def encode_event(event: BaseModel) -> str:
    """JSON of an event: fields that were set, ASCII only, so that no text can break the framing."""
    return json.dumps(event.model_dump(exclude_unset=_is_protocol_model(event), by_alias=True), ensure_ascii=True)


def _is_protocol_model(event: BaseModel) -> bool:
    """The extensions' ``type`` is a default and must be sent all the same."""
    return not type(event).__module__.startswith("server.")


def _event_id(data: dict[str, Any]) -> str | None:
    event_id = data.get("event_id")
    return event_id if isinstance(event_id, str) and len(event_id) <= 512 else None
