"""What a conversation tells its observer, in the order it happens. The server turns these into Realtime events.

Ids are the Realtime protocol's: ``item_...`` for conversation items, ``resp_...`` for responses. Times are
milliseconds since the conversation began, on the audio clock of the stream they speak of.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from llm_bridge.chat import Role

ResponseStatus = Literal["completed", "cancelled", "failed", "incomplete"]


class AgentState(StrEnum):
    IDLE = "idle"
    LISTENING = "listening"
    THINKING = "thinking"
    SPEAKING = "speaking"


@dataclass(frozen=True, slots=True)
class Item:
    """One entry of the conversation.

    Attributes:
        spoken: the text was (or will be) sound rather than typed.
        complete: False while it is being heard or said.
    """

    item_id: str
    role: Role
    text: str
    spoken: bool
    complete: bool = True


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    item_id: str
    audio_start_ms: int


@dataclass(frozen=True, slots=True)
class SpeechStopped:
    item_id: str
    audio_end_ms: int


@dataclass(frozen=True, slots=True)
class InputCommitted:
    item_id: str
    previous_item_id: str | None


@dataclass(frozen=True, slots=True)
class InputCleared:
    pass


@dataclass(frozen=True, slots=True)
class InputFull:
    """The turn that the client has to commit has its greatest length; what follows is not heard before it does."""

    item_id: str
    duration_ms: float


@dataclass(frozen=True, slots=True)
class TranscriptDelta:
    item_id: str
    delta: str


@dataclass(frozen=True, slots=True)
class TranscriptCompleted:
    item_id: str
    text: str
    duration_ms: float


@dataclass(frozen=True, slots=True)
class TranscriptFailed:
    item_id: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class ItemAdded:
    item: Item
    previous_item_id: str | None


@dataclass(frozen=True, slots=True)
class ItemDone:
    item: Item
    previous_item_id: str | None


@dataclass(frozen=True, slots=True)
class ItemDeleted:
    item_id: str


@dataclass(frozen=True, slots=True)
class ItemTruncated:
    """The avatar's item was cut to what was heard (interruption, or the client's truncate).

    Attributes:
        text: what remains in memory.
        audio_end_ms: of the item's sound that was heard.
    """

    item_id: str
    text: str
    audio_end_ms: int


@dataclass(frozen=True, slots=True)
class ResponseCreated:
    response_id: str


@dataclass(frozen=True, slots=True)
class ResponseDelta:
    """A piece of the answer's text as it is made (ahead of the sound)."""

    response_id: str
    item_id: str
    delta: str


@dataclass(frozen=True, slots=True)
class ResponseAudio:
    """Sound of the answer; only for conversations without a peer (WebSocket).

    Attributes:
        pcm24k: mono int16 little-endian.
    """

    response_id: str
    item_id: str
    pcm24k: bytes


@dataclass(frozen=True, slots=True)
class ResponseDone:
    """The response is complete as text, and as sound unless it was cancelled.

    Attributes:
        item_id: None where no item was made (failed before the first text).
        reason: "turn_detected" or "client_cancelled" when cancelled; the error's code when failed;
            "max_output_tokens" when incomplete.
        message: for people, when failed.
        generated_text: the whole text made, heard or not.
    """

    response_id: str
    item_id: str | None
    status: ResponseStatus
    reason: str | None = None
    message: str | None = None
    generated_text: str = ""


@dataclass(frozen=True, slots=True)
class OutputStarted:
    """The first sound of the response leaves the server."""

    response_id: str


@dataclass(frozen=True, slots=True)
class OutputStopped:
    """The last sound of the response has left the server."""

    response_id: str


@dataclass(frozen=True, slots=True)
class OutputCleared:
    """The response's remaining sound was dropped."""

    response_id: str


@dataclass(frozen=True, slots=True)
class Caption:
    """A word of the answer, sent when its sound leaves the server.

    Attributes:
        text: the word with the space or punctuation around it, so that joined captions are the answer's text.
        start_ms, end_ms: from the first sound of the response.
    """

    response_id: str
    item_id: str
    text: str
    start_ms: float
    end_ms: float


@dataclass(frozen=True, slots=True)
class VolumeChanged:
    """The avatar's sound, as it leaves the server, is lowered for a voice that speaks over it, or back.

    Attributes:
        gain_db: 0 is its ordinary loudness.
    """

    gain_db: float


@dataclass(frozen=True, slots=True)
class AgentStateChanged:
    state: AgentState


@dataclass(frozen=True, slots=True)
class TurnLatency:
    """Where the time between the user's last sound and the avatar's first went, in milliseconds.

    Attributes:
        stages: in order: "endpointing" (last voice to end of turn), "transcription", "thinking" (to the
            first speakable clause), "synthesis" (to its first sound), "rendering" (to the first beat on the
            wire). Stages that ran speculatively count only what remained.
        total_ms: last voice to first beat sent.
    """

    response_id: str
    stages: dict[str, float] = field(default_factory=dict)
    total_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Failed:
    """Something went wrong that the user should know of; the conversation goes on."""

    code: str
    message: str
    retryable: bool


@dataclass(frozen=True, slots=True)
class OutputLost:
    """Nothing can be played any more; the conversation is of no use and its owner closes it."""

    code: str
    message: str
    retryable: bool


Event = (
    SpeechStarted | SpeechStopped | InputCommitted | InputCleared | InputFull
    | TranscriptDelta | TranscriptCompleted | TranscriptFailed
    | ItemAdded | ItemDone | ItemDeleted | ItemTruncated
    | ResponseCreated | ResponseDelta | ResponseAudio | ResponseDone
    | OutputStarted | OutputStopped | OutputCleared | Caption
    | VolumeChanged | AgentStateChanged | TurnLatency | Failed | OutputLost
)  # fmt: skip
