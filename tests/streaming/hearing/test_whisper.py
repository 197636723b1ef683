"""The real loading and decoding path of faster-whisper, with a model that says one sentence."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray

from streaming.errors import EngineUnavailable
from streaming.hearing.whisper import WhisperTranscriber
from streaming.hearing.whisper_engine import WhisperEngine, WhisperSegment, believable
from tests.streaming.hearing.conftest import TINY_SAYS
from tests.streaming.hearing.tiny_whisper import make_tiny_whisper

ANSWER_S = 60.0
SECOND = 16_000


@pytest.fixture(scope="module")
def engine(tiny_whisper: Path) -> WhisperEngine:
    made = WhisperEngine(folder=str(tiny_whisper), device="cpu")
    made.load()
    return made


async def test_through_the_helper_process(
    tiny_whisper: Path, recording: NDArray[np.int16], long_recording: NDArray[np.int16]
) -> None:
    transcriber = WhisperTranscriber("tiny", models=tiny_whisper.parent)
    assert (transcriber.name, transcriber.languages) == ("faster-whisper tiny", ())
    partial: list[str] = []
    told = asyncio.Event()

    def tell(text: str) -> None:
        partial.append(text)
        told.set()

    async with asyncio.timeout(ANSWER_S):
        await transcriber.warm_up()
        stream = transcriber.open(on_partial=tell)
        stream.feed(recording)
        assert (await stream.transcribe()).text == TINY_SAYS
        for start in range(0, len(long_recording), SECOND):
            stream.feed(long_recording[start : start + SECOND])
            await asyncio.sleep(0.05)
        await told.wait()
        final = await stream.transcribe()
        await stream.close()
        await transcriber.close()
    assert final.text.startswith(partial[-1]) and partial[-1] == TINY_SAYS
    assert final.duration_ms == (len(recording) + len(long_recording)) / 16


def test_the_language_is_found_once(
    tmp_path: Path, recording: NDArray[np.int16], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = WhisperEngine(folder=str(make_tiny_whisper(tmp_path / "m", "Guten Tag.", language="de")), device="cpu")
    engine.load()
    asked: list[int] = []
    detect = engine.detect
    monkeypatch.setattr(engine, "detect", lambda sound: (asked.append(len(sound)), detect(sound))[1])
    segment = engine.open(None)
    segment.feed(recording)
    assert (segment.finish().text, segment.finish().language) == ("Guten Tag.", "de")
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("tag", "code"),
    [(None, None), ("en-US", "en"), ("cmn-Hans-CN", "zh"), ("ZH", "zh"), ("nb", "no"), ("tlh", None)],
)
def test_language_tags(engine: WhisperEngine, tag: str | None, code: str | None) -> None:
    assert engine.code(tag) == code


def test_an_english_model_knows_no_other_language(tmp_path: Path, recording: NDArray[np.int16]) -> None:
    folder = make_tiny_whisper(tmp_path / "tiny.en", "Good day.", multilingual=False)
    assert WhisperTranscriber(folder, models=tmp_path).languages == ("en",)
    engine = WhisperEngine(folder=str(folder), device="cpu")
    engine.load()
    segment = engine.open("de")
    segment.feed(recording)
    heard = segment.finish()
    assert (heard.text, heard.language) == ("Good day.", "en")


def test_a_model_that_takes_a_voice_for_silence_says_nothing(tmp_path: Path, recording: NDArray[np.int16]) -> None:
    engine = WhisperEngine(folder=str(make_tiny_whisper(tmp_path / "m", "Thanks for watching", silent=True)))
    engine.load()
    segment = engine.open("en")
    segment.feed(recording)
    assert segment.finish().text == ""


def test_what_is_believed() -> None:
    def segment(no_speech: float = 0.1, log_prob: float = -0.3, compression: float = 1.5) -> SimpleNamespace:
        return SimpleNamespace(no_speech_prob=no_speech, avg_logprob=log_prob, compression_ratio=compression)

    assert believable(segment())
    assert believable(segment(no_speech=0.9)), "certain of its words"
    assert not believable(segment(no_speech=0.9, log_prob=-1.2))
    assert not believable(segment(compression=9.0)), "the same words over and over"


class _ScriptedEngine(WhisperEngine):
    """Says "word N" for each second of sound, one segment every two seconds."""

    def __init__(self) -> None:
        super().__init__(folder="")
        self.decoded: list[int] = []

    def decode(
        self, pcm16k: NDArray[np.int16], language: str, *, beams: int | None = None, voiced: bool = False
    ) -> list[SimpleNamespace]:
        self.decoded.append(len(pcm16k))
        first = int(pcm16k[0])
        seconds = range(len(pcm16k) // SECOND)
        return [SimpleNamespace(text=f" word{first + s} word{first + s + 1}.", start=float(s)) for s in seconds[::2]]


def _seconds(first: int, count: int) -> NDArray[np.int16]:
    """Sound whose samples tell which second they are of."""
    return np.repeat(np.arange(first, first + count, dtype=np.int16), SECOND)


def test_partial_texts_are_what_decodes_agree_on() -> None:
    engine = _ScriptedEngine()
    segment = WhisperSegment(engine, "en")
    for second in range(0, 8, 2):
        segment.feed(_seconds(second, 2))
        assert not segment.work(urgent=False)
    assert segment.settled() == "word0 word1. word2 word3. word4 word5."
    assert segment.finish().text == "word0 word1. word2 word3. word4 word5. word6 word7."


def test_a_slow_machine_makes_no_partial_texts() -> None:
    engine = _ScriptedEngine()
    engine.decode_s = 2.0
    segment = WhisperSegment(engine, "en")
    segment.feed(_seconds(0, 9))
    assert not segment.work(urgent=False)
    assert engine.decoded == []


def test_a_long_speech_is_told_in_parts_without_losing_or_repeating_a_word() -> None:
    engine = _ScriptedEngine()
    segment = WhisperSegment(engine, "en")
    for second in range(0, 60, 2):
        segment.feed(_seconds(second, 2))
        while segment.work(urgent=False):
            pass
    heard = segment.finish()
    assert heard.text.replace(".", "").split() == [f"word{number}" for number in range(60)]
    assert heard.samples == 60 * SECOND
    assert max(engine.decoded) <= 26 * SECOND
    assert heard.text.startswith(segment.settled())


def test_too_short_to_say_anything() -> None:
    engine = _ScriptedEngine()
    segment = WhisperSegment(engine, "en")
    segment.feed(np.ones(900, np.int16))
    assert segment.finish().text == "" and engine.decoded == []
    segment.close()


def test_a_model_that_is_not_there_is_told_with_the_command_that_fetches_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(EngineUnavailable, match="parley models fetch small"):
        WhisperTranscriber("small", models=tmp_path)
    with pytest.raises(EngineUnavailable, match="names are tiny"):
        WhisperTranscriber("smal", models=tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "model.bin").touch()
    with pytest.raises(EngineUnavailable, match=r"lacks config.json, tokenizer.json, vocabulary"):
        WhisperTranscriber(tmp_path / "mine", models=tmp_path)


async def test_a_damaged_model_is_told(tiny_whisper: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "tiny"
    shutil.copytree(tiny_whisper, folder)
    content = (folder / "model.bin").read_bytes()
    (folder / "model.bin").write_bytes(content[: len(content) // 2])
    transcriber = WhisperTranscriber(folder, models=tmp_path)
    async with asyncio.timeout(ANSWER_S):
        with pytest.raises(EngineUnavailable, match="--again"), caplog.at_level("CRITICAL"):
            await transcriber.warm_up()
        await transcriber.close()
    (folder / "vocabulary.json").write_text("[")
    with pytest.raises(EngineUnavailable, match="vocabulary"):
        WhisperTranscriber(folder, models=tmp_path)
