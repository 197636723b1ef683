from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from avatar.errors import ToolMissing
from avatar.motion.motion import Motion
from avatar.motion.motion_file import load_motion, save_motion
from server.cli.main import app


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("PARLEY_") and name != "PARLEY_SHARED":
            monkeypatch.delenv(name)
    monkeypatch.setenv("PARLEY_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)


def parley(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def error_code(result: Result) -> str:
    return str(json.loads(result.stdout)["error"]["code"])


@pytest.fixture
def motion(tmp_path: Path) -> Path:
    moved = Motion.zeros(20)
    moved["jawOpen"][:] = np.abs(np.sin(np.arange(20) / 2)) * 0.5
    save_motion(tmp_path / "m.npz", moved)
    return tmp_path / "m.npz"


def test_recorded_motion_is_rendered(motion: Path) -> None:
    result = parley("render", "--motion", str(motion), "-o", "out.mp4", "--size", "256", "--json")
    assert result.exit_code == 0, result.stderr
    report = json.loads(result.stdout)
    assert report["speech_s"] == pytest.approx(0.8) and report["frames"] == 20 + 12
    with av.open("out.mp4") as container:
        assert container.streams.video[0].frames == 32


def test_recorded_motion_is_rendered_with_sound(motion: Path, tmp_path: Path) -> None:
    with av.open("sound.wav", "w") as container:
        stream = container.add_stream("pcm_s16le", rate=48_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.full((1, 96_000), 4000, np.int16), format="s16", layout="mono")
        frame.sample_rate = 48_000
        container.mux(stream.encode(frame))
    words = ("render", "--motion", str(motion), "--audio", "sound.wav", "-o", "out.mp4", "--size", "256", "--json")
    result = parley(*words)
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["frames"] == 32  # as long as the motion


def test_motion_and_text_do_not_go_together(motion: Path) -> None:
    assert parley("render", "--motion", str(motion), "--text", "x", "-o", "out.mp4").exit_code == 2


def test_what_is_no_motion_is_refused() -> None:
    Path("text.npz").write_text("hello")
    assert error_code(parley("render", "--motion", "text.npz", "-o", "out.mp4", "--json")) == "not_a_motion_file"
    assert error_code(parley("render", "--motion", "absent.npz", "-o", "out.mp4", "--json")) == "file_missing"
    assert not Path("out.mp4").exists()


def test_capturing_tells_why_not() -> None:
    Path("text.mp4").write_text("not a video")
    assert error_code(parley("motion", "capture", "absent.mp4", "-o", "m.npz", "--json")) == "file_missing"
    assert error_code(parley("motion", "capture", "text.mp4", "-o", "m.npz", "--json")) == "not_a_media_file"
    assert error_code(parley("motion", "capture", "text.mp4", "-o", "m.mp4", "--json")) == "output_unwritable"
    Path("m.npz").touch()
    assert error_code(parley("motion", "capture", "text.mp4", "-o", "m.npz", "--json")) == "output_exists"


def test_capturing_without_mediapipe_is_one_line_and_code_4(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def missing(name: str) -> None:
        raise ToolMissing("MediaPipe is not installed.")

    monkeypatch.setattr("avatar.motion.capture.tracker.load_solution", missing)
    with av.open("v.mp4", "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width = stream.height = 64
        frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="bgr24")
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    result = parley("motion", "capture", "v.mp4", "-o", "m.npz")
    assert result.exit_code == 4 and result.stderr == "parley: MediaPipe is not installed.\n"
    assert not Path("m.npz").exists()


@pytest.mark.slow
def test_a_sample_video_is_captured_and_played(shared: Path, tmp_path: Path) -> None:
    pytest.importorskip("mediapipe", reason="MediaPipe 0.10.14 is not installed (see mediapipe-requirements.txt)")
    video = shared / "samples" / "video" / "talking-man-7s.mp4"
    result = parley("motion", "capture", str(video), "-o", "man.npz", "--no-hands", "--json")
    assert result.exit_code == 0, result.stderr
    report = json.loads(result.stdout)
    assert report["face_share"] > 0.95
    moved, about = load_motion(Path("man.npz"))
    assert about["source"] == video.name and len(moved) == report["frames"]
    assert moved["jawOpen"].std() > 0.02 and moved["headYaw"].std() > 0.3


def test_evaluating_says_what_it_needs() -> None:
    assert parley("motion", "evaluate", "--only", "everything").exit_code == 2
    result = parley("motion", "evaluate", "--recordings", "nowhere")
    assert result.exit_code == 1 and "--recordings" in result.stderr


def test_training_commands_name_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    import typer

    from server.cli.motion import extras

    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    with pytest.raises(typer.Exit) as left:
        extras.require_training()
    assert left.value.exit_code == 4


def test_the_group_loads_nothing_heavy() -> None:
    program = "import server.cli.main, sys; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env={**os.environ},
        cwd=Path(__file__).resolve().parents[3],
    )  # fmt: skip
    assert not {"torch", "diffusers", "mediapipe", "onnxruntime", "cv2", "av"} & set(ran.stdout.split())
