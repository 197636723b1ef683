"""The Realtime session's configuration: what a client may ask for, what it gets, and what it is told about it.

Nothing a client asks for is dropped in silence: what Parley maps to its own (models, voices) or cannot do (tools)
is listed in ``session.avatar.substituted`` of the reply, which always shows the values in force.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from openai.types import realtime as wire
from pydantic import BaseModel

from server.errors import ProtocolError
from server.realtime.extensions import AvatarOptions
from streaming.settings import SessionSettings, Transcription, TurnDetection

MODEL = "parley"
"""The one model name: whatever chat model the operator configured answers behind it."""

VOICE = "auto"
"""The synthesizer's default voice for the language being spoken."""

MAX_INSTRUCTIONS = 32_768
"""Characters; about the context that small chat models have in all."""

AudioFormat = Literal["audio/pcm", "audio/pcmu", "audio/pcma"]

_TURN_FIELDS = {
    "server_vad": ("threshold", "prefix_padding_ms", "silence_duration_ms", "create_response", "interrupt_response"),
    "semantic_vad": ("eagerness", "create_response", "interrupt_response"),
}


@dataclass(frozen=True, slots=True)
class Substitution:
    """A value that was asked for and is not the one in force.

    Attributes:
        requested: what the client sent, shortened.
        used: what holds instead.
        why: for people.
    """

    requested: str
    used: str | None
    why: str


@dataclass(frozen=True, slots=True)
class SessionDefaults:
    """What a session has before a client asks for anything; one per server.

    Attributes:
        voices: names the synthesizer knows.
        transcriber: name of the transcription engine.
        personas: names that may be asked for.
        persona_voices: the voice that suits a persona, where one of ``voices`` does.
    """

    instructions: str = ""
    voices: tuple[str, ...] = ()
    voice: str | None = None
    speed: float = 1.0
    language: str = "en"
    input_language: str | None = None
    transcriber: str = ""
    eagerness: Literal["low", "medium", "high", "auto"] = "auto"
    interruptible: bool = True
    temperature: float | None = None
    max_output_tokens: int | None = None
    persona: str = ""
    personas: tuple[str, ...] = ()
    persona_voices: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SessionConfig:
    """One session's configuration; replaced whole by ``updated``.

    Attributes:
        speak: answers are sound with a transcript ("audio"), else text alone.
        turn_detection: None for push-to-talk.
        transcription: None where the client wants no transcripts; otherwise the language may be None.
        substituted: by path of the parameter.
    """

    defaults: SessionDefaults
    instructions: str
    speak: bool
    voice: str | None
    speed: float
    input_format: AudioFormat
    output_format: AudioFormat
    turn_detection: TurnDetection | None
    transcription: Transcription | None
    max_output_tokens: int | None
    persona: str
    language: str
    substituted: Mapping[str, Substitution] = field(default_factory=dict)

    @staticmethod
    def initial(defaults: SessionDefaults) -> SessionConfig:
        return SessionConfig(
            defaults=defaults,
            instructions=defaults.instructions,
            speak=True,
            voice=defaults.voice,
            speed=defaults.speed,
            input_format="audio/pcm",
            output_format="audio/pcm",
            turn_detection=_default_turns(defaults),
            transcription=Transcription(defaults.input_language),
            max_output_tokens=defaults.max_output_tokens,
            persona=defaults.persona,
            language=defaults.language,
        )

    def updated(
        self, request: wire.RealtimeSessionCreateRequest, avatar: AvatarOptions | None, *, begun: bool = False
    ) -> SessionConfig:
        """The configuration after a client's request; only the fields that the request holds change.

        Args:
            begun: the conversation runs, so persona and formats of sound cannot change any more.

        Raises:
            ProtocolError: a value is out of bounds; nothing changed.
        """
        return _Update(self, begun).apply(request, avatar)

    def with_model(self, model: str) -> SessionConfig:
        """As asked for by ``?model=``."""
        return self.updated(wire.RealtimeSessionCreateRequest(type="realtime", model=model), None)

    def with_persona(self, persona: str) -> SessionConfig:
        """As asked for by ``?persona=``.

        Raises:
            ProtocolError: there is none of that name.
        """
        return self.updated(wire.RealtimeSessionCreateRequest(type="realtime"), AvatarOptions(persona=persona))

    def settings(self) -> SessionSettings:
        """What the conversation is told."""
        return SessionSettings(
            instructions=self.instructions,
            language=self.language,
            voice=self.voice or self.defaults.persona_voices.get(self.persona),
            speed=self.speed,
            turn_detection=self.turn_detection,
            transcription=self.transcription or Transcription(self.defaults.input_language),  # heard all the same
            speak=self.speak,
            max_output_tokens=self.max_output_tokens,
            temperature=self.defaults.temperature,
        )

    def to_wire(self) -> dict[str, Any]:
        """The ``session`` object of server events, without its id and expiry."""
        transcription = None
        if self.transcription is not None:
            transcription = {"model": self.defaults.transcriber, "language": self.transcription.language}
        session: dict[str, Any] = {
            "type": "realtime",
            "object": "realtime.session",
            "model": MODEL,
            "output_modalities": ["audio" if self.speak else "text"],
            "instructions": self.instructions,
            "tools": [],
            "tool_choice": "auto",
            "max_output_tokens": self.max_output_tokens if self.max_output_tokens is not None else "inf",
            "tracing": None,
            "prompt": None,
            "truncation": "auto",
            "include": None,
            "audio": {
                "input": {
                    "format": format_to_wire(self.input_format),
                    "transcription": transcription,
                    "noise_reduction": None,
                    "turn_detection": _turns_to_wire(self.turn_detection),
                },
                "output": {
                    "format": format_to_wire(self.output_format),
                    "voice": self.voice or VOICE,
                    "speed": self.speed,
                },
            },
            "avatar": {
                "persona": self.persona,
                "language": self.language,
                "substituted": [
                    {"param": f"session.{param}", "requested": item.requested, "used": item.used, "why": item.why}
                    for param, item in self.substituted.items()
                ],
            },
        }
        return session


def format_to_wire(kind: AudioFormat) -> dict[str, Any]:
    return {"type": kind, "rate": 24000} if kind == "audio/pcm" else {"type": kind}


def _default_turns(defaults: SessionDefaults) -> TurnDetection:
    return TurnDetection(eagerness=defaults.eagerness, interrupt_response=defaults.interruptible)


def _turns_to_wire(turns: TurnDetection | None) -> dict[str, Any] | None:
    if turns is None:
        return None
    common = {"create_response": turns.create_response, "interrupt_response": turns.interrupt_response}
    if turns.kind == "semantic":
        return {"type": "semantic_vad", "eagerness": turns.eagerness, **common}
    return {
        "type": "server_vad",
        "threshold": turns.threshold,
        "prefix_padding_ms": round(turns.prefix_padding_ms),
        "silence_duration_ms": round(turns.silence_ms),
        "idle_timeout_ms": None,
        **common,
    }


class _Update:
    """Applies one request: collects the changed fields and what had to be substituted."""

    def __init__(self, before: SessionConfig, begun: bool) -> None:
        self._before = before
        self._defaults = before.defaults
        self._begun = begun
        self._changes: dict[str, Any] = {}
        self._substituted = dict(before.substituted)

    def apply(self, request: wire.RealtimeSessionCreateRequest, avatar: AvatarOptions | None) -> SessionConfig:
        given = request.model_fields_set
        if "model" in given:
            self._map("model", request.model, request.model in (None, MODEL), MODEL, "Parley has this one model.")
        if "instructions" in given:
            text = request.instructions
            if text is not None and len(text) > MAX_INSTRUCTIONS:
                raise _out_of_range("instructions", f"at most {MAX_INSTRUCTIONS} characters")
            self._changes["instructions"] = self._defaults.instructions if text is None else text
        if "output_modalities" in given:
            self._modalities(request.output_modalities)
        if "max_output_tokens" in given:
            tokens = request.max_output_tokens
            if isinstance(tokens, int) and not 1 <= tokens <= 4096:
                raise _out_of_range("max_output_tokens", "1 to 4096, or 'inf'")
            self._changes["max_output_tokens"] = tokens if isinstance(tokens, int) else self._defaults.max_output_tokens
        self._unsupported(request, given)
        if request.audio is not None and request.audio.input is not None:
            self._input(request.audio.input)
        if request.audio is not None and request.audio.output is not None:
            self._output(request.audio.output)
        if avatar is not None:
            self._avatar(avatar)
        return replace(self._before, substituted=self._substituted, **self._changes)

    def _unsupported(self, request: wire.RealtimeSessionCreateRequest, given: set[str]) -> None:
        if "tools" in given:
            names = ", ".join(str(getattr(tool, "name", None) or tool.type) for tool in request.tools or [])
            self._map("tools", names, not request.tools, "[]", "Parley calls no tools.")
        if "tool_choice" in given:
            harmless = request.tool_choice in (None, "auto", "none")
            self._map("tool_choice", request.tool_choice, harmless, "auto", "Parley calls no tools.")
        for name, why in (
            ("tracing", "Parley writes no traces."),
            ("prompt", "Stored prompts live at OpenAI; use instructions."),
            ("reasoning", "The chat model's own setting holds."),
            ("include", "The transcriber gives no log probabilities."),
            ("parallel_tool_calls", "Parley calls no tools."),
        ):
            if name in given:
                self._map(name, getattr(request, name), not getattr(request, name), None, why)
        if "truncation" in given:
            ours = request.truncation in (None, "auto")
            self._map("truncation", request.truncation, ours, "auto", "History is kept within chat.history_tokens.")

    def _modalities(self, modalities: list[Literal["text", "audio"]] | None) -> None:
        if modalities is not None and modalities not in (["audio"], ["text"]):
            raise ProtocolError(
                "Invalid value for 'session.output_modalities': use ['audio'] (sound with its transcript) or ['text'].",
                code="invalid_value",
                param="session.output_modalities",
            )
        self._changes["speak"] = modalities != ["text"]

    def _input(self, audio: wire.RealtimeAudioConfigInput) -> None:
        given = audio.model_fields_set
        if "format" in given:
            self._format("input_format", "audio.input.format", audio.format)
        if "noise_reduction" in given:
            why = "Browsers reduce noise before sending; the server does not."
            self._map("audio.input.noise_reduction", audio.noise_reduction, audio.noise_reduction is None, None, why)
        if "transcription" in given:
            self._transcription(audio.transcription)
        if "turn_detection" in given:
            self._turns(audio.turn_detection)

    def _transcription(self, wanted: wire.AudioTranscription | None) -> None:
        path = "audio.input.transcription"
        if wanted is None:
            self._changes["transcription"] = None
            return
        engine = self._defaults.transcriber
        if "model" in wanted.model_fields_set:
            ours = wanted.model in (None, engine)
            self._map(f"{path}.model", wanted.model, ours, engine, "The server's transcriber is used.")
        for name in ("prompt", "keywords", "languages", "delay"):
            if name in wanted.model_fields_set:
                value = getattr(wanted, name)
                self._map(f"{path}.{name}", value, not value, None, "The transcriber does not take it.")
        before = self._before.transcription
        language = before.language if before is not None else self._defaults.input_language
        if "language" in wanted.model_fields_set:
            language = wanted.language or self._defaults.input_language
            if language is not None and not (len(language) <= 35 and language.replace("-", "").isalnum()):
                raise _out_of_range(f"{path}.language", "a language tag such as 'en'")
        self._changes["transcription"] = Transcription(language)

    def _turns(self, wanted: BaseModel | None) -> None:
        path = "audio.input.turn_detection"
        if wanted is None:
            self._changes["turn_detection"] = None
            return
        kind = str(getattr(wanted, "type", ""))
        same = self._before.turn_detection
        wanted_kind: Literal["semantic", "silence"] = "semantic" if kind == "semantic_vad" else "silence"
        if same is None or same.kind != wanted_kind:
            same = replace(_default_turns(self._defaults), kind=wanted_kind)
        names = {"silence_duration_ms": "silence_ms"}
        changes: dict[str, Any] = {}
        for name in _TURN_FIELDS[kind]:
            value = getattr(wanted, name)
            if name in wanted.model_fields_set and value is not None:
                changes[names.get(name, name)] = value
        if not 0 <= changes.get("threshold", 0.5) <= 1:
            raise _out_of_range(f"{path}.threshold", "0.0 to 1.0")
        if not 0 <= changes.get("prefix_padding_ms", 300) <= 2000:
            raise _out_of_range(f"{path}.prefix_padding_ms", "0 to 2000")
        if not 100 <= changes.get("silence_ms", 500) <= 10_000:
            raise _out_of_range(f"{path}.silence_duration_ms", "100 to 10000")
        idle_ms = getattr(wanted, "idle_timeout_ms", None)
        self._map(f"{path}.idle_timeout_ms", idle_ms, idle_ms is None, None, "The avatar does not speak up by itself.")
        self._changes["turn_detection"] = replace(same, **changes)

    def _output(self, audio: wire.RealtimeAudioConfigOutput) -> None:
        given = audio.model_fields_set
        if "format" in given:
            self._format("output_format", "audio.output.format", audio.format)
        if "speed" in given:
            speed = 1.0 if audio.speed is None else audio.speed
            if not 0.25 <= speed <= 1.5:
                raise _out_of_range("audio.output.speed", "0.25 to 1.5")
            self._changes["speed"] = speed
        if "voice" in given:
            voice = audio.voice if isinstance(audio.voice, str) or audio.voice is None else audio.voice.id
            known = voice in (None, VOICE) or voice in self._defaults.voices
            used = (voice if voice != VOICE else None) if known else self._defaults.voice
            self._map("audio.output.voice", voice, known, used or VOICE, "Parley has voices of its own.")
            self._changes["voice"] = used

    def _format(self, name: str, path: str, wanted: BaseModel | None) -> None:
        kind = getattr(wanted, "type", None) or "audio/pcm"
        if self._begun and kind != getattr(self._before, name):
            raise ProtocolError(
                f"'session.{path}' cannot change once sound has been exchanged.",
                code="cannot_update_audio_format",
                param=f"session.{path}",
            )
        self._changes[name] = kind

    def _avatar(self, avatar: AvatarOptions) -> None:
        if avatar.language is not None:
            self._changes["language"] = avatar.language
        persona = avatar.persona
        if persona is None or persona == self._before.persona:
            return
        if self._begun:
            raise ProtocolError(
                "The persona is chosen when a conversation begins; begin another one to change it.",
                code="cannot_update_persona",
                param="session.avatar.persona",
            )
        if persona not in self._defaults.personas:
            known = ", ".join(f"'{name}'" for name in self._defaults.personas)
            raise ProtocolError(
                f"There is no persona {persona!r}. Known personas are: {known}.",
                code="persona_missing",
                param="session.avatar.persona",
            )
        self._changes["persona"] = persona

    def _map(self, path: str, requested: object, ours: bool, used: str | None, why: str) -> None:
        if ours:
            self._substituted.pop(path, None)
        else:
            shown = requested if isinstance(requested, str) else _brief(requested)
            self._substituted[path] = Substitution(shown[:120], used, why)


def _brief(value: object) -> str:
    if isinstance(value, BaseModel):
        return str(value.model_dump(exclude_unset=True))
    return str(value)


def _out_of_range(path: str, allowed: str) -> ProtocolError:
    param = f"session.{path}"
    return ProtocolError(f"Invalid value for '{param}': allowed is {allowed}.", code="invalid_value", param=param)
