"""What a conversation can be told to do differently. The server fills these from the Realtime session."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class TurnDetection:
    """How the end of a user's turn is found.

    Attributes:
        kind: "semantic" adapts the silence to what was said; "silence" waits a fixed ``silence_ms``.
        threshold: voice probability above which sound counts as voice.
        silence_ms: for "silence".
        prefix_padding_ms: sound kept from before the voice began.
        eagerness: for "semantic": scales the waiting ("high" answers sooner).
        create_response: answer by itself at the end of a turn.
        interrupt_response: the user's voice interrupts the avatar.
    """

    kind: Literal["semantic", "silence"] = "semantic"
    threshold: float = 0.5
    silence_ms: float = 500
    prefix_padding_ms: float = 300
    eagerness: Literal["low", "medium", "high", "auto"] = "auto"
    create_response: bool = True
    interrupt_response: bool = True


@dataclass(frozen=True, slots=True)
class Transcription:
    """Attributes:
    language: BCP 47 tag of the user's speech; None lets the engine decide.
    """

    language: str | None = None


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """Settings of one conversation; replaced whole by ``Conversation.update``.

    Attributes:
        instructions: the system prompt.
        language: of the avatar's speech where the text does not tell ("en", "cmn").
        voice: the synthesizer's voice; None for the language's default.
        speed: 0.25..1.5.
        turn_detection: None for push-to-talk (``commit_input`` ends a turn).
        transcription: None where the client does not want transcripts (turns are still understood).
        speak: False for text answers only.
        max_output_tokens, temperature: handed to the chat model.
    """

    instructions: str = ""
    language: str = "en"
    voice: str | None = None
    speed: float = 1.0
    turn_detection: TurnDetection | None = field(default_factory=TurnDetection)
    transcription: Transcription | None = field(default_factory=Transcription)
    speak: bool = True
    max_output_tokens: int | None = None
    temperature: float | None = None
