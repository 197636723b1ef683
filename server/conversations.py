"""Makes the conversation behind a session: engines from the server, an output of its own, a peer where there is one."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from typing import Protocol

import numpy as np
from aiortc import RTCIceServer
from numpy.typing import NDArray

from avatar.errors import AvatarError
from avatar.motion.sources import choose_motion
from avatar.persona import Persona, find_persona
from server.config import Settings
from server.engines import Engines
from server.realtime.session_config import SessionConfig
from server.renderer_options import renderer_options
from streaming.conversation import Conversation
from streaming.errors import StreamingError
from streaming.events import Event
from streaming.hearing.transcriber import Transcriber
from streaming.hearing.voice import VoiceDetector
from streaming.make_output import make_avatar_output
from streaming.output import Output
from streaming.sound_output import SoundOutput
from streaming.webrtc.peer import Peer, PeerSettings
from streaming.webrtc.udp_ports import UdpPorts
from streaming.workers.pool import WorkerSpec

logger = logging.getLogger(__name__)


class CallPeer(Protocol):
    """What of a ``Peer`` the server uses."""

    async def answer(self, offer_sdp: str) -> str: ...

    def send(self, text: str) -> None: ...

    @property
    def video_wanted(self) -> bool: ...

    async def close(self) -> None: ...


class ConversationFactory(Protocol):
    """The seam between the server and what is spoken in it; tests put a scripted one in.

    Attributes:
        transcriber: for sound inside items.
    """

    transcriber: Transcriber

    def peer(
        self,
        *,
        on_pcm: Callable[[NDArray[np.int16]], None],
        on_message: Callable[[str | bytes], None],
        on_open: Callable[[], None],
        on_closed: Callable[[str], None],
    ) -> CallPeer: ...

    def over_peer(
        self, peer: CallPeer, persona: Persona | None, config: SessionConfig, observe: Callable[[Event], None]
    ) -> Conversation:
        """Sound, and picture where the peer wants it, through the peer's tracks."""

    def over_events(self, config: SessionConfig, observe: Callable[[Event], None]) -> Conversation:
        """Sound inside events."""


async def draw_once(settings: Settings, engines: Engines) -> None:
    """Load the default persona where workers are forked, so that the first visitor does not wait for it; what is wrong
    with it is logged before anybody calls."""
    try:
        persona = find_persona(settings.avatar.persona, settings.data_dir / "personas")
        worker = await engines.worker_pool.acquire(worker_spec(settings, persona, settings.avatar.codec, "en"))
        await worker.close()
    except (AvatarError, StreamingError) as error:
        logger.warning("%s", error)


class LiveConversations:
    """See ``ConversationFactory``."""

    def __init__(self, settings: Settings, engines: Engines) -> None:
        self._settings = settings
        self._engines = engines
        self.transcriber = engines.transcriber

    def peer(
        self,
        *,
        on_pcm: Callable[[NDArray[np.int16]], None],
        on_message: Callable[[str | bytes], None],
        on_open: Callable[[], None],
        on_closed: Callable[[str], None],
    ) -> Peer:
        return Peer(
            on_pcm=on_pcm,
            on_message=on_message,
            on_open=on_open,
            on_closed=on_closed,
            settings=peer_settings(self._settings),
        )

    def over_peer(
        self, peer: CallPeer, persona: Persona | None, config: SessionConfig, observe: Callable[[Event], None]
    ) -> Conversation:
        assert isinstance(peer, Peer)
        if persona is None:
            return self._conversation(SoundOutput(peer.audio), config, observe)
        spec = worker_spec(self._settings, persona, peer.codec, config.language)
        return self._conversation(make_avatar_output(peer, self._engines.worker_pool, spec), config, observe)

    def over_events(self, config: SessionConfig, observe: Callable[[Event], None]) -> Conversation:
        return self._conversation(SoundOutput(), config, observe, sound_events=True)

    def _conversation(
        self, output: Output, config: SessionConfig, observe: Callable[[Event], None], *, sound_events: bool = False
    ) -> Conversation:
        return Conversation(
            transcriber=self._engines.transcriber,
            chat_model=self._engines.chat_model,
            synthesizer=self._engines.synthesizer,
            activity=VoiceDetector(),
            output=output,
            settings=config.settings(),
            observe=observe,
            history_tokens=self._settings.chat.history_tokens,
            sound_events=sound_events,
            longest_turn_ms=self._settings.turns.max_seconds * 1000,
        )


def worker_spec(settings: Settings, persona: Persona, codec: str, language: str) -> WorkerSpec:
    section = settings.avatar
    return WorkerSpec(
        persona=persona.path,
        renderer=section.renderer,
        size=section.size,
        framing=section.framing,
        codec=codec,
        mark=section.mark,
        language=language,
        mark_corner=section.mark_corner,
        seed=secrets.randbits(31),
        bitrate_bps=section.bitrate_kbps * 1000,
        motion=choose_motion(section.motion)[0],
        options=renderer_options(settings),
    )


def peer_settings(settings: Settings) -> PeerSettings:
    section = settings.webrtc
    servers = []
    if section.stun_url:
        servers.append(RTCIceServer(urls=section.stun_url))
    if section.turn_url:
        credential = section.turn_credential.get_secret_value() if section.turn_credential else None
        servers.append(RTCIceServer(urls=section.turn_url, username=section.turn_username, credential=credential))
    ports = UdpPorts(section.udp_port_min, section.udp_port_max, section.public_ip)
    return PeerSettings(udp_ports=ports, ice_servers=tuple(servers), codec=settings.avatar.codec)
