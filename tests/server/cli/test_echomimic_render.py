"""``parley render --renderer echomimic`` and ``parley echomimic prepare``, with random weights."""

from __future__ import annotations

import json
import wave
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

torch = pytest.importorskip("torch", reason="the gpu extra is not installed")

from server.cli.main import app  # noqa: E402


@pytest.fixture(autouse=True)
def random_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PARLEY_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("PARLEY_ECHOMIMIC_WEIGHTS", "random")


def sound(path: Path, seconds: float) -> Path:
    pcm = np.random.default_rng(0).integers(-8000, 8000, int(16_000 * seconds)).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(pcm.tobytes())
    return path


def test_a_sound_becomes_a_marked_video(tmp_path: Path) -> None:
    audio = sound(tmp_path / "speech.wav", 0.6)
    asked = [
        "render",
        "--renderer",
        "echomimic",
        "--audio",
        str(audio),
        "--size",
        "256",
        "--steps",
        "1",
        "-o",
        "out.mp4",
    ]
    done = CliRunner().invoke(app, [*asked, "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["frames"] == 15 + 12 and told["mark"] and told["speech_s"] == pytest.approx(0.6, abs=0.01)
    with av.open(str(tmp_path / "out.mp4")) as file:
        frames = [frame.to_ndarray(format="bgr24") for frame in file.decode(video=0)]
    assert len(frames) == 27 and frames[0].shape == (256, 256, 3)


def test_without_weights_it_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLEY_ECHOMIMIC_WEIGHTS", str(tmp_path))
    audio = sound(tmp_path / "speech.wav", 0.2)
    done = CliRunner().invoke(app, ["render", "--renderer", "echomimic", "--audio", str(audio), "-o", "out.mp4"])
    assert done.exit_code == 1 and "parley echomimic fetch" in done.output
    assert not (tmp_path / "out.mp4").exists()


def test_an_unknown_renderer_is_wrong_usage(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["render", "--renderer", "oils", "--text", "Hello.", "-o", "out.mp4"])
    assert done.exit_code == 2 and "portrait, echomimic" in done.output


def test_a_persona_is_prepared_ahead(tmp_path: Path) -> None:
    asked = ["echomimic", "prepare", "helen", "--size", "256", "--framing", "half-body", "--picture", "seen.png"]
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 0, done.output
    assert len(list((tmp_path / "data" / "cache" / "echomimic").glob("helen-half-body-*"))) == 1
    assert cv2.imread(str(tmp_path / "seen.png")).shape == (64, 64, 3)
    missing = CliRunner().invoke(app, ["echomimic", "prepare", "nobody"])
    assert missing.exit_code == 1 and "no persona" in missing.output
