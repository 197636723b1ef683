"""What the endpoints share: one object for one server."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from starlette.requests import HTTPConnection

from avatar.persona import Persona
from server.config import Settings
from server.conversations import ConversationFactory
from server.metrics import Metrics
from server.personas import PersonaShelf
from server.realtime.lifetime import Ending
from server.realtime.session import RealtimeSession, SessionLimits, Transport
from server.realtime.session_config import SessionConfig, SessionDefaults
from server.registry import Registry
from server.security.access import Access


@dataclass(slots=True)
class ServerState:
    """Attributes:
    defaults: what a session begins with, but for the personas that can be asked for: those are read when needed.
    clock: seconds, monotonic.
    watch_s: how often sessions look at their limits.
    """

    settings: Settings
    conversations: ConversationFactory
    defaults: SessionDefaults
    registry: Registry
    access: Access
    metrics: Metrics
    personas: PersonaShelf
    clock: Callable[[], float] = time.monotonic
    watch_s: float = 1.0
    _thumbnail_key: bytes = field(default_factory=lambda: secrets.token_bytes(32))

    async def initial_config(self) -> SessionConfig:
        personas = await self.personas.all()
        names = tuple(persona.name for persona in personas)
        suiting = {persona.name: persona.voice_among(self.defaults.voices) for persona in personas}
        voices = {name: voice for name, voice in suiting.items() if voice is not None}
        return SessionConfig.initial(replace(self.defaults, personas=names, persona_voices=voices))

    def new_session(
        self, transport: Transport, config: SessionConfig, persona: Persona | None = None
    ) -> RealtimeSession:
        """Args:
        persona: who is shown; None where there is no picture.
        """
        section = self.settings.server
        limits = SessionLimits(
            max_s=section.max_minutes * 60,
            idle_s=section.idle_minutes * 60,
            events_per_second=section.events_per_second,
            watch_s=self.watch_s,
        )
        return RealtimeSession(
            transport,
            config,
            transcriber=self.conversations.transcriber,
            metrics=self.metrics,
            limits=limits,
            persona=(persona.name, persona.manifest.display_name) if persona is not None else None,
            clock=self.clock,
        )

    def count(self, kind: str, call_id: str) -> Callable[[Ending], None]:
        """Count a conversation as begun; the result is called when it ended.

        Args:
            kind: "webrtc" or "websocket".
        """
        self.metrics.active.labels(kind).inc()

        def ended(ending: Ending) -> None:
            self.metrics.active.labels(kind).dec()
            self.metrics.ended.labels(kind, ending.code).inc()
            self.access.secrets.forget_call(call_id)

        return ended

    def sign_thumbnail(self, name: str) -> str:
        """Pictures in a page cannot send a key, so whoever may list the personas gets addresses that prove it."""
        return hmac.new(self._thumbnail_key, name.encode(), hashlib.sha256).hexdigest()[:32]

    def check_thumbnail(self, name: str, signature: str) -> bool:
        return hmac.compare_digest(self.sign_thumbnail(name).encode(), signature.encode("utf-8", "replace"))


def state_of(connection: HTTPConnection) -> ServerState:
    state: ServerState = connection.app.state.parley
    return state
