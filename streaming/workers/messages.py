"""What passes between the gateway and a worker process: length-prefixed msgpack arrays, named by their first item.

Both ends are the same version of the same program on one machine; the format is private to this folder.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgpack
import numpy as np

from avatar.motion.source import Gesture, Manner, Mode
from avatar.speech import Phoneme, SpeechChunk
from streaming.beat import Beat
from streaming.workers.pool import WorkerSpec

HEADER = struct.Struct("!I")
MAX_MESSAGE_BYTES = 64 * 1024 * 1024
"""A chunk of five minutes of speech is 29 MB; anything longer is a fault."""


@dataclass(frozen=True, slots=True)
class Speak:
    utterance: int
    chunk: SpeechChunk


@dataclass(frozen=True, slots=True)
class Finish:
    utterance: int


@dataclass(frozen=True, slots=True)
class Clear:
    epoch: int


@dataclass(frozen=True, slots=True)
class SetMode:
    mode: Mode


@dataclass(frozen=True, slots=True)
class SetManner:
    manner: Manner


@dataclass(frozen=True, slots=True)
class MakeGesture:
    gesture: Gesture
    strength: float


@dataclass(frozen=True, slots=True)
class RequestKeyframe:
    pass


@dataclass(frozen=True, slots=True)
class SetBitrate:
    bitrate_bps: int


@dataclass(frozen=True, slots=True)
class Grant:
    beats: int


@dataclass(frozen=True, slots=True)
class Ready:
    """The worker can make beats."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The worker ends; ``message`` is fit for a user."""

    code: str
    message: str


Command = Speak | Finish | Clear | SetMode | SetManner | MakeGesture | RequestKeyframe | SetBitrate | Grant
Report = Ready | Failed | Beat


def pack(message: Command | Report) -> bytes:
    """A message with its length before it."""
    body: bytes = msgpack.packb(_fields(message))
    if len(body) > MAX_MESSAGE_BYTES:
        raise ValueError(f"a message of {len(body)} bytes is over the limit of {MAX_MESSAGE_BYTES}")
    return HEADER.pack(len(body)) + body


def unpack(body: bytes) -> Command | Report:
    """The message whose bytes, without the length, are ``body``.

    Raises:
        ValueError: not such a message.
    """
    match msgpack.unpackb(body):
        case ["beat", *fields]:
            return Beat(*fields)
        case ["speak", utterance, pcm, language, phonemes]:
            timings = None if phonemes is None else tuple(Phoneme(*phoneme) for phoneme in phonemes)
            return Speak(utterance, SpeechChunk(np.frombuffer(pcm, "<i2"), language, timings))
        case ["finish", utterance]:
            return Finish(utterance)
        case ["clear", epoch]:
            return Clear(epoch)
        case ["mode", mode]:
            return SetMode(Mode(mode))
        case ["manner", mood, gestures]:
            return SetManner(Manner(mood, gestures))
        case ["gesture", gesture, strength]:
            return MakeGesture(Gesture(gesture), strength)
        case ["keyframe"]:
            return RequestKeyframe()
        case ["bitrate", bitrate_bps]:
            return SetBitrate(bitrate_bps)
        case ["grant", beats]:
            return Grant(beats)
        case ["ready"]:
            return Ready()
        case ["failed", code, message]:
            return Failed(code, message)
        case other:
            raise ValueError(f"not a message: {str(other)[:80]}")


def _fields(message: Command | Report) -> list[Any]:
    match message:
        case Beat() as b:
            return [
                "beat", b.pcm48k, b.picture, b.keyframe, b.utterance, b.position, b.speech_samples, b.last, b.epoch
            ]  # fmt: skip
        case Speak(utterance, chunk):
            timings = chunk.phonemes and [[p.symbol, p.start_ms, p.end_ms, p.stressed] for p in chunk.phonemes]
            pcm = np.ascontiguousarray(chunk.pcm48k, "<i2").tobytes()
            return ["speak", utterance, pcm, chunk.language, timings]
        case Finish(utterance):
            return ["finish", utterance]
        case Clear(epoch):
            return ["clear", epoch]
        case SetMode(mode):
            return ["mode", mode.value]
        case SetManner(manner):
            return ["manner", manner.mood, manner.gestures]
        case MakeGesture(gesture, strength):
            return ["gesture", gesture.value, strength]
        case RequestKeyframe():
            return ["keyframe"]
        case SetBitrate(bitrate_bps):
            return ["bitrate", bitrate_bps]
        case Grant(beats):
            return ["grant", beats]
        case Ready():
            return ["ready"]
        case Failed(code, text):
            return ["failed", code, text]


def pack_spec(spec: WorkerSpec) -> dict[str, Any]:
    fields = {name: getattr(spec, name) for name in WorkerSpec.__slots__}
    return {**fields, "persona": spec.persona and str(spec.persona)}


def unpack_spec(fields: dict[str, Any]) -> WorkerSpec:
    return WorkerSpec(**{**fields, "persona": fields["persona"] and Path(fields["persona"])})
