"""Configuration: one ``parley.toml`` and ``PARLEY_*`` variables; a variable wins over the file.

``PARLEY_<SECTION>_<KEY>`` sets one key (``PARLEY_CHAT_BASE_URL``). The file is ``parley.toml`` in the current
folder or the one that ``PARLEY_CONFIG`` names. Unknown keys are errors, so that a typing mistake is not silence.
"""

from __future__ import annotations

import json
import os
import re
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any, Literal

from platformdirs import user_data_path
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)


class ConfigError(Exception):
    """The configuration cannot be used; the text names file or variable, key, value and what is allowed."""

    code = "config_error"


_ICE_SERVER = r"s?:[^?:\s/]+(:[0-9]+)?(\?transport=(udp|tcp))?"
"""What follows "stun" or "turn" (RFC 7064, 7065), as far as aiortc reads them: a wrong one would fail every call instead of the start."""


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class ServerSection(Section):
    """Who may reach the server, and how much of it one visitor may use."""

    host: str = "127.0.0.1"
    """Address to listen on. Beyond loopback an API key and TLS (or a declared proxy) are required."""
    port: int = Field(8765, ge=0, le=65535)
    """TCP port of page, API and signalling; 0 picks a free one."""
    tls_cert: Path | None = None
    """PEM certificate chain; with ``tls_key`` the server speaks HTTPS."""
    tls_key: Path | None = None
    """PEM private key."""
    api_key: SecretStr | None = None
    """Key that clients' servers present to mint tokens. Without one only loopback is served."""
    allowed_origins: tuple[str, ...] = ()
    """Origins of pages that may embed the avatar, besides the server's own ("https://shop.example")."""
    allowed_hosts: tuple[str, ...] = ()
    """Host names that the server answers to, besides loopback names and its own address; guards against DNS rebinding."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses or networks whose X-Forwarded-* headers are believed ("10.0.0.0/8")."""
    max_conversations: int = Field(8, ge=1)
    """Conversations at once; more are answered 503 with Retry-After."""
    max_minutes: float = Field(60, gt=0)
    """Length of one conversation."""
    idle_minutes: float = Field(10, gt=0)
    """A conversation in which nobody says anything ends after this."""
    calls_per_minute: int = Field(30, ge=1)
    """New conversations and tokens a minute from one address."""
    events_per_second: float = Field(200, gt=0)
    """Client events a second in one conversation, on average."""
    token_seconds: int = Field(60, ge=10, le=7200)
    """Life of a client secret until it must have been used, unless the minting call asks otherwise."""
    drain_seconds: float = Field(10, ge=0)
    """How long SIGTERM waits for conversations to finish their sentence."""

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for item in value:
            ip_network(item, strict=False)
        return value

    @model_validator(mode="after")
    def _tls_pair(self) -> ServerSection:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("tls_cert and tls_key belong together: set both or none")
        return self


class AvatarSection(Section):
    """The face."""

    persona: str = "helen"
    """Persona shown unless a client asks for another."""
    renderer: Literal["portrait", "echomimic"] = "portrait"
    """What draws it: portrait on any CPU, or echomimic on a GPU (docs/echomimic.md)."""
    size: Literal[256, 384, 512, 768] = 512
    """Side of the picture in pixels."""
    framing: Literal["portrait", "half-body"] = "portrait"
    """Head and shoulders, or down to the waist where the picture shows it."""
    motion: Literal["auto", "learned", "rules"] = "auto"
    """What moves it: the learned, distilled model, or rules. auto: learned where its weights are whole, else rules, said at the start."""
    codec: Literal["VP8", "H264"] = "VP8"
    """Preferred video codec; H.264 costs nearly twice as much CPU to encode."""
    bitrate_kbps: int = Field(900, ge=100, le=4000)
    """Video bitrate to begin with; receivers' estimates lower it."""
    mark: bool = True
    """Show the "AI-generated" mark. Leaving it out is your legal responsibility (EU AI Act Art. 50)."""
    mark_corner: Literal["top-left", "top-right", "bottom-left", "bottom-right"] = "bottom-right"
    """Where the mark stands."""

    @field_validator("size", mode="before")
    @classmethod
    def _number(cls, value: Any) -> Any:
        """A variable's text: pydantic compares it with the numbers as it is."""
        return int(value) if isinstance(value, str) and value.isdecimal() else value


class EchomimicSection(Section):
    """The ``echomimic`` renderer; read where ``avatar.renderer`` names it."""

    weights: str | None = None
    """Folder in the released layout, or "random" for tiny random networks that show the path works; unset: ``models/echomimic`` in ``data_dir``."""
    variant: Literal["auto", "v2", "v2-accelerated", "v1-audio", "v1-audio-accelerated"] = "auto"
    """Which weights; auto takes the best that the folder holds whole."""
    steps: int = Field(6, ge=1, le=30)
    """Denoising steps of live frames; fewer than 6 want weights distilled for them (`parley distill echomimic`)."""
    continuity: Literal["stored", "renoised", "carried", "rolling"] = "stored"
    """How a window takes up the one before it (docs/echomimic.md); rolling needs 200 ms more of an answer's sound before it begins."""
    drive: Literal["sound", "poses", "sound+poses"] = "sound"
    """What moves the picture: sound and Motion's hands, a pose sequence, or sound and a pose sequence."""
    poses: Path | None = None
    """Pose sequence for the hands while the avatar speaks (`parley echomimic poses` makes one)."""
    idle_poses: Path | None = None
    """The same while it does not; unset goes on with ``poses``."""
    decoder: Literal["taesd", "vae"] = "taesd"
    """What decodes live frames: the small decoder, or the full one at eighteen times its cost."""
    precision: Literal["bf16", "fp16", "fp32"] = "bf16"
    """Of the networks on a GPU."""
    speedup: Literal["none", "graphs", "compile"] = "graphs"
    """CUDA graphs, or torch.compile and graphs (minutes at the start)."""
    max_batch: int = Field(4, ge=1, le=16)
    """Conversations whose windows are drawn together at most."""

    @model_validator(mode="after")
    def _poses_for_drive(self) -> EchomimicSection:
        if self.drive != "sound" and self.poses is None:
            raise ValueError(f'drive is "{self.drive}", which needs poses: name a file')
        return self

    @model_validator(mode="after")
    def _steps_that_roll(self) -> EchomimicSection:
        if self.continuity == "rolling" and self.steps > 12:
            raise ValueError(
                f"windows of 12 frames roll in up to 12 steps, not {self.steps}: take fewer, or another continuity"
            )
        return self


class HearingSection(Section):
    """Speech to text."""

    engine: Literal["auto", "pocketsphinx", "faster-whisper", "openai"] = "auto"
    """auto: openai where base_url is set, else faster-whisper where its model is on disk, else pocketsphinx."""
    model: str | None = None
    """Model name or folder ("small", "/models/whisper"); for openai the endpoint's model name."""
    base_url: str | None = None
    """OpenAI-compatible endpoint for transcription ("http://127.0.0.1:9000/v1")."""
    api_key: SecretStr | None = None
    """Key of that endpoint."""
    language: str | None = None
    """Language of visitors' speech (BCP 47); unset lets the engine find out."""


class ChatSection(Section):
    """Who answers."""

    engine: Literal["auto", "offline", "openai"] = "auto"
    """auto: openai where base_url or api_key is set, else the offline answerer."""
    base_url: str | None = None
    """OpenAI-compatible endpoint ("http://127.0.0.1:11434/v1" for Ollama)."""
    api_key: SecretStr | None = None
    """Key of that endpoint; OPENAI_API_KEY is not read, so that nothing is sent anywhere by accident."""
    model: str = "gpt-4o-mini"
    """Model name at that endpoint."""
    instructions: str = (
        "You are a friendly person in a live video conversation. Answer in the language you are spoken to, in one "
        "to three short spoken sentences, without lists, markdown or emoji."
    )
    """System prompt unless a client gives its own."""
    temperature: float | None = Field(None, ge=0, le=2)
    """Unset leaves the model's default."""
    max_output_tokens: int | None = Field(None, ge=1)
    """Unset leaves the model's default."""
    history_tokens: int = Field(6000, ge=200)
    """How much of the conversation the model is shown, by estimate."""
    timeout_seconds: float = Field(20, gt=0)
    """Until the first token; the same again between tokens."""
    knowledge: Path | None = None
    """Folder of Markdown for the offline answerer, used instead of what Parley knows about itself."""


class SpeakingSection(Section):
    """Text to speech."""

    engine: Literal["auto", "espeak", "openai"] = "auto"
    """auto: openai where base_url is set, else espeak."""
    model: str = "tts-1"
    """Model name at the endpoint."""
    base_url: str | None = None
    """OpenAI-compatible endpoint for speech."""
    api_key: SecretStr | None = None
    """Key of that endpoint."""
    voice: str | None = None
    """Voice; unset takes the engine's default for the language."""
    language: str = "en"
    """Language where the text does not tell by its script (BCP 47)."""
    speed: float = Field(1.0, ge=0.25, le=1.5)
    """1.0 is the voice's own speed."""


class TurnsSection(Section):
    """Turn-taking."""

    eagerness: Literal["low", "medium", "high", "auto"] = "auto"
    """How soon a pause counts as the end of a turn."""
    interruptible: bool = True
    """The visitor's voice interrupts the avatar."""
    max_seconds: float = Field(60, ge=5, le=600)
    """Greatest length of a visitor's turn. It is then answered as it stands, and what follows is a new turn."""


class WebrtcSection(Section):
    """The media path."""

    udp_port_min: int | None = Field(None, ge=1024, le=65535)
    """First UDP port for media; with ``udp_port_max`` for firewalls and containers. Unset lets the system choose."""
    udp_port_max: int | None = Field(None, ge=1024, le=65535)
    """Last UDP port for media; a conversation takes one port per local address."""
    public_ip: str | None = None
    """Address announced to browsers where the server stands behind NAT or in a container."""
    stun_url: str | None = None
    """STUN server ("stun:stun.example:3478"). Unreachable, it costs every call 1.5 seconds."""
    turn_url: str | None = None
    """TURN server ("turn:turn.example:3478?transport=udp")."""
    turn_username: str | None = None
    """User name at the TURN server."""
    turn_credential: SecretStr | None = None
    """Password at the TURN server."""

    @field_validator("public_ip")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        if value is not None:
            ip_address(value)
        return value

    @field_validator("stun_url", "turn_url")
    @classmethod
    def _ice_url(cls, value: str | None, info: ValidationInfo) -> str | None:
        scheme = str(info.field_name).removesuffix("_url")
        if value is not None and not re.fullmatch(scheme + _ICE_SERVER, value):
            raise ValueError(f'an address such as "{scheme}:{scheme}.example:3478" is wanted')
        return value

    @model_validator(mode="after")
    def _ports(self) -> WebrtcSection:
        if (self.udp_port_min is None) != (self.udp_port_max is None):
            raise ValueError("udp_port_min and udp_port_max belong together: set both or none")
        if self.udp_port_min is not None and self.udp_port_max is not None and self.udp_port_max < self.udp_port_min:
            raise ValueError("udp_port_max is below udp_port_min")
        return self


class Settings(BaseSettings):
    """Everything that can be set, with its default."""

    model_config = SettingsConfigDict(
        env_prefix="PARLEY_",
        env_nested_delimiter="_",
        env_nested_max_split=1,
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
    )

    data_dir: Path = Field(default_factory=lambda: user_data_path("parley"))
    """Personas, models and state; created when absent."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """How much is logged. Transcripts and keys never are."""
    server: ServerSection = ServerSection()
    avatar: AvatarSection = AvatarSection()
    echomimic: EchomimicSection = EchomimicSection()
    hearing: HearingSection = HearingSection()
    chat: ChatSection = ChatSection()
    speaking: SpeakingSection = SpeakingSection()
    turns: TurnsSection = TurnsSection()
    webrtc: WebrtcSection = WebrtcSection()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        path = config_path()
        sources: list[PydanticBaseSettingsSource] = [init_settings, env_settings]
        if path is not None:
            sources.append(TomlConfigSettingsSource(settings_cls, path))
        return tuple(sources)


def config_path() -> Path | None:
    """The file in use: what ``PARLEY_CONFIG`` names, else ``parley.toml`` here, else none.

    Raises:
        ConfigError: ``PARLEY_CONFIG`` names a file that is not there.
    """
    named = os.environ.get("PARLEY_CONFIG")
    if named:
        path = Path(named).expanduser()
        if not path.is_file():
            raise ConfigError(f"PARLEY_CONFIG names {path}, which is not a file")
        return path
    here = Path("parley.toml")
    return here if here.is_file() else None


def load_settings(**overrides: Any) -> Settings:
    """Settings from defaults, file, variables and ``overrides`` (section name -> mapping, or a top-level key).

    Raises:
        ConfigError: names every key at fault, its value and what is allowed.
    """
    _refuse_unknown_variables()
    try:
        return Settings(**overrides)
    except ValidationError as error:
        lines = [_explain(problem) for problem in error.errors(include_url=False)]
        raise ConfigError("\n".join(lines)) from None
    except SettingsError as error:
        raise ConfigError(_explain_lists() or str(error)) from None
    except ValueError as error:  # tomllib.TOMLDecodeError is one
        raise ConfigError(f"{config_path()} is not valid TOML: {error}") from None


def _explain(problem: Any) -> str:
    key = ".".join(str(part) for part in problem["loc"]) or "settings"
    secret = any(word in key for word in ("api_key", "credential"))
    given = "" if secret or isinstance(problem.get("input"), dict) else f" (given: {problem.get('input')!r})"
    source = config_path()
    where = f"{source} or " if source else ""
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "extra_forbidden":
        message = "is not a known key (docs/configuration.md lists them all)"
    message = message[0].lower() + message[1:]
    return f"{where}PARLEY_{key.upper().replace('.', '_')}: {key}: {message}{given}"


def _explain_lists() -> str:
    lines = []
    for name, (key, default, _) in known_keys().items():
        value = os.environ.get(f"PARLEY_{name}".upper())
        if value is None or not isinstance(default, tuple):
            continue
        try:
            json.loads(value)
        except ValueError:
            example = json.dumps([part.strip() for part in value.split(",")])
            lines.append(f"PARLEY_{name.upper()}: {key}: a list is written as JSON: '{example}' (given: {value!r})")
    return "\n".join(lines)


def _refuse_unknown_variables() -> None:
    known = {f"PARLEY_{name}".upper() for name in known_keys()} | {"PARLEY_CONFIG", "PARLEY_SHARED", "PARLEY_CHROMIUM"}
    for name in os.environ:
        if name.startswith("PARLEY_") and name not in known and "__" not in name:
            raise ConfigError(f"{name}: no such setting (docs/configuration.md lists them all)")


def known_keys() -> dict[str, tuple[str, Any, str]]:
    """``section_key -> (dotted key, default, what it does)`` for every setting, in order."""
    keys: dict[str, tuple[str, Any, str]] = {}
    for name, info in Settings.model_fields.items():
        annotation = info.annotation
        if isinstance(annotation, type) and issubclass(annotation, Section):
            for key, item in annotation.model_fields.items():
                keys[f"{name}_{key}"] = (f"{name}.{key}", item.default, item.description or "")
        else:
            keys[name] = (name, info.default, info.description or "")
    return keys
