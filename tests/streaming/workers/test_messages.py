from __future__ import annotations

from pathlib import Path

import msgpack
import numpy as np
import pytest

from avatar.motion.source import Gesture, Manner, Mode
from avatar.speech import Phoneme, SpeechChunk
from streaming.beat import Beat
from streaming.workers import messages
from streaming.workers.messages import (
    HEADER,
    Clear,
    Command,
    Failed,
    Finish,
    Grant,
    MakeGesture,
    Ready,
    Report,
    RequestKeyframe,
    SetBitrate,
    SetManner,
    SetMode,
    Speak,
    pack,
    unpack,
)
from streaming.workers.pool import WorkerSpec

EVERY = [
    Finish(3),
    Clear(4),
    SetMode(Mode.THINKING),
    MakeGesture(Gesture.WAVE, 0.25),
    SetManner(Manner(-0.5, 0.75)),
    RequestKeyframe(),
    SetBitrate(600_000),
    Grant(2),
    Ready(),
    Failed("persona_error", "The persona folder is damaged."),
    Beat(b"\x01\x00" * 1920, b"frame", True, 5, 960, 1920, False, 6),
]


@pytest.mark.parametrize("message", EVERY, ids=lambda message: type(message).__name__)
def test_there_and_back(message: Command | Report) -> None:
    packed = pack(message)
    (length,) = HEADER.unpack_from(packed)
    assert length == len(packed) - HEADER.size
    assert unpack(packed[HEADER.size :]) == message


@pytest.mark.parametrize("phonemes", [None, (), (Phoneme("ɑ", 0.0, 12.5, True), Phoneme("_", 12.5, 40.0))])
def test_speech_there_and_back(phonemes: tuple[Phoneme, ...] | None) -> None:
    pcm = np.arange(-5, 5, dtype=np.int16)
    back = unpack(pack(Speak(7, SpeechChunk(pcm[::2], "cmn", phonemes)))[HEADER.size :])
    assert isinstance(back, Speak)
    assert back.utterance == 7 and back.chunk.language == "cmn" and back.chunk.phonemes == phonemes
    assert back.chunk.pcm48k.dtype == np.int16 and back.chunk.pcm48k.tolist() == pcm[::2].tolist()


def test_a_message_over_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "MAX_MESSAGE_BYTES", 1000)
    with pytest.raises(ValueError, match="over the limit of 1000"):
        pack(Speak(1, SpeechChunk(np.zeros(1000, np.int16))))


def test_anything_else_is_refused() -> None:
    with pytest.raises(ValueError, match="not a message"):
        unpack(msgpack.packb(["dance"]))


@pytest.mark.parametrize("persona", [None, Path("/personas/helen")])
def test_a_specification_there_and_back(persona: Path | None) -> None:
    spec = WorkerSpec(persona, size=256, codec="H264", mark=False, seed=3)
    assert messages.unpack_spec(msgpack.unpackb(msgpack.packb(messages.pack_spec(spec)))) == spec
