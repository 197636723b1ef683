from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import wave
from collections.abc import AsyncIterator
from pathlib import Path

import av
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from avatar.motion.sources import choose_motion
from avatar.speech import Phoneme, SpeechChunk
from server.cli.main import app
from streaming.errors import SynthesisFailed
from streaming.speaking.synthesizer import SpokenChunk


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("PARLEY_") and name != "PARLEY_SHARED":
            monkeypatch.delenv(name)
    monkeypatch.setenv("PARLEY_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    with wave.open(str(tmp_path / "sound.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes((8000 * np.sin(np.arange(16_000) / 5)).astype("<i2").tobytes())
    return tmp_path / "sound.wav"


class Voice:
    """Says every text as half a second of "a"."""

    name = "scripted"
    voices = ("only",)

    def __init__(self) -> None:
        self.said: list[tuple[str, str, str | None]] = []
        self.closed = False

    async def speak(
        self, text: str, *, language: str, voice: str | None = None, speed: float = 1.0
    ) -> AsyncIterator[SpokenChunk]:
        self.said.append((text, language, voice))
        if "fail" in text:
            raise SynthesisFailed("the voice broke")
        yield SpokenChunk(SpeechChunk(np.full(24_000, 3000, np.int16), language, (Phoneme("a", 0, 500),)))

    async def warm_up(self) -> None: ...

    async def close(self) -> None:
        self.closed = True


@pytest.fixture
def voice(monkeypatch: pytest.MonkeyPatch) -> Voice:
    voice = Voice()
    monkeypatch.setattr("server.engines.build_synthesizer", lambda settings: voice)
    return voice


def render(*words: str) -> Result:
    return CliRunner().invoke(app, ["render", *words])


def duration(path: str) -> float:
    with av.open(path) as container:
        return container.duration / 1e6


def test_a_sound_file(sound: Path) -> None:
    result = render("--avatar", "mei", "--audio", str(sound), "-o", "out.mp4", "--size", "256", "--json")
    assert result.exit_code == 0, result.stderr
    report = json.loads(result.stdout)
    assert (report["persona"], report["speech_s"], report["mark"], report["motion"]) == (
        "mei",
        1.0,
        True,
        choose_motion()[0],
    )
    assert duration("out.mp4") == pytest.approx(report["duration_s"], abs=0.05)
    with av.open("out.mp4") as container:
        assert container.streams.video[0].width == 256


def test_plain_lines_tell_progress_without_a_terminal(sound: Path) -> None:
    result = render("--audio", str(sound), "-o", "out.mp4", "--size", "256")
    assert result.stdout == "wrote out.mp4: 1.5 s\n"
    assert result.stderr.count("Rendering: ") >= 5


def test_a_text_is_spoken_sentence_by_sentence(voice: Voice) -> None:
    result = render("--text", "Hello there. 你好，很高兴认识你。", "-o", "out.mp4", "--size", "256", "--voice", "only")
    assert result.exit_code == 0, result.stderr
    assert [(text, language) for text, language, _ in voice.said] == [
        ("Hello there.", "en"), ("你好，很高兴认识你。", "cmn")
    ]  # fmt: skip
    assert {voice for _, _, voice in voice.said} == {"only"} and voice.closed
    assert duration("out.mp4") == pytest.approx(1.48, abs=0.1)


@pytest.mark.parametrize("text", ["", "   ", "🙂", "**"])
def test_a_text_without_words(voice: Voice, text: str) -> None:
    result = render("--text", text, "-o", "out.mp4", "--size", "256", "--json")
    assert result.exit_code == 1 and json.loads(result.stdout)["error"]["code"] == "no_sound"
    assert not Path("out.mp4").exists()


def test_a_voice_that_breaks_leaves_no_file(voice: Voice) -> None:
    result = render("--text", "This is fine. This will fail.", "-o", "out.mp4", "--size", "256")
    assert result.exit_code == 1 and "the voice broke" in result.stderr
    assert voice.closed and not list(Path().glob("*.mp4")) and not list(Path().glob(".*"))


def test_leaving_out_the_mark_is_said(sound: Path) -> None:
    result = render("--audio", str(sound), "-o", "out.mp4", "--size", "256", "--no-mark")
    assert "without the" in result.stderr and result.exit_code == 0


def test_wrong_usage(sound: Path) -> None:
    assert render("-o", "out.mp4").exit_code == 2
    assert render("--audio", str(sound), "--text", "x", "-o", "out.mp4").exit_code == 2
    result = render("--audio", str(sound), "-o", "out.mp4", "--size", "500")
    assert result.exit_code == 2 and "256" in result.stderr
    assert render("--audio", str(sound), "-o", "out.mp4", "--framing", "feet").exit_code == 2


def test_reasons_for_refusing(sound: Path) -> None:
    def code(*words: str) -> str:
        result = render(*words, "--json")
        assert result.exit_code == 1, result.stdout
        return str(json.loads(result.stdout)["error"]["code"])

    Path("taken.mp4").touch()
    assert code("--audio", "absent.wav", "-o", "out.mp4") == "file_missing"
    assert code("--audio", str(sound), "-o", "taken.mp4") == "output_exists"
    assert code("--audio", str(sound), "-o", "out.avi") == "output_unwritable"
    assert code("--audio", str(sound), "-o", "out.mp4", "--avatar", "nobody") == "persona_missing"
    assert code("--audio", str(sound), "-o", "out.mp4", "--avatar", "../x") == "bad_name"


@pytest.mark.slow
def test_ctrl_c_leaves_nothing_and_exits_130(tmp_path: Path) -> None:
    with wave.open("long.wav", "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8_000)
        file.writeframes(bytes(2 * 8_000 * 600))
    # A test run in the background of a shell inherits an ignored SIGINT, which a terminal's foreground never has.
    program = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    program += "; from server.cli.main import main; main()"
    command = [sys.executable, "-c", program, "render", "--audio", "long.wav"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[3])}
    with subprocess.Popen([*command, "-o", "out.mp4"], env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            deadline = time.monotonic() + 60
            while not list(tmp_path.glob(".out.mp4.*")) and time.monotonic() < deadline:
                time.sleep(0.05)
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130, errors
    assert sorted(path.name for path in tmp_path.iterdir()) == ["long.wav"]
    assert "Traceback" not in errors
