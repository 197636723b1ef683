"""The ``avatar.*`` events: what the Realtime protocol has no word for. Clients that do not know them ignore them."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from avatar.motion.source import Gesture

MAX_SAY_CHARACTERS = 4000
"""About four minutes of speech."""


class Extension(BaseModel):
    """Unknown fields are kept, and refused by the parser, as for the protocol's own events."""

    model_config = ConfigDict(extra="allow")


class AvatarOptions(Extension):
    """``session.avatar``: the face's part of a session.

    Attributes:
        persona: name of the persona; chosen when the conversation begins.
        language: BCP 47 tag of the avatar's speech where the text does not tell.
    """

    persona: str | None = Field(None, max_length=64)
    language: str | None = Field(None, max_length=35, pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$")


class AvatarSay(Extension):
    """Client event: speak this text verbatim, after the current response."""

    type: Literal["avatar.say"]
    text: str = Field(min_length=1, max_length=MAX_SAY_CHARACTERS)
    event_id: str | None = None


class AvatarGesture(Extension):
    """Client event: move now."""

    type: Literal["avatar.gesture"]
    gesture: Gesture
    strength: float = Field(1.0, ge=0, le=1)
    event_id: str | None = None


class AvatarManner(Extension):
    """Client event: move like this from now on; what is left out is as at the beginning."""

    type: Literal["avatar.manner"]
    mood: float = Field(0.0, ge=-1, le=1)
    gestures: float = Field(0.5, ge=0, le=1)
    event_id: str | None = None


class AvatarPing(Extension):
    """Client event: still here. Answered by ``avatar.pong``; see docs/protocol.md for what follows from silence."""

    type: Literal["avatar.ping"]
    event_id: str | None = None


class AvatarPong(Extension):
    """Server event.

    Attributes:
        ping_event_id: ``event_id`` of the ping.
    """

    type: Literal["avatar.pong"] = "avatar.pong"
    event_id: str
    ping_event_id: str | None = None


class AvatarState(Extension):
    """Server event: what the avatar is doing."""

    type: Literal["avatar.state"] = "avatar.state"
    event_id: str
    state: Literal["idle", "listening", "thinking", "speaking"]


class AvatarVolume(Extension):
    """Server event: the avatar's sound is lowered for a voice that speaks over it, or back at its ordinary loudness.

    The sound itself says so too, later by the client's jitter buffer: a client that follows the event yields sooner.

    Attributes:
        gain_db: 0 is the ordinary loudness.
    """

    type: Literal["avatar.volume"] = "avatar.volume"
    event_id: str
    gain_db: float


class AvatarCaption(Extension):
    """Server event: a word, sent as its sound leaves the server.

    Attributes:
        text: with the space or punctuation around it; joined captions are the answer's text.
        start_ms, end_ms: from the first sound of the response.
    """

    type: Literal["avatar.caption"] = "avatar.caption"
    event_id: str
    response_id: str
    item_id: str
    text: str
    start_ms: float
    end_ms: float


class AvatarLatency(Extension):
    """Server event: where the time between the user's last sound and the avatar's first went.

    Attributes:
        stages: milliseconds by stage, in order: endpointing, transcription, thinking, synthesis, rendering.
        total_ms: last voice to first beat sent.
    """

    type: Literal["avatar.latency"] = "avatar.latency"
    event_id: str
    response_id: str
    stages: dict[str, float]
    total_ms: float


class AvatarPersona(Extension):
    """Server event: who is shown; sent once, after ``session.created``, where there is a picture.

    Attributes:
        name: as in ``session.avatar.persona``.
        display_name: for people.
    """

    type: Literal["avatar.persona"] = "avatar.persona"
    event_id: str
    name: str
    display_name: str
