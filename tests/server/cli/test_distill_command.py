"""``parley distill`` from videos to a student, with random weights."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

torch = pytest.importorskip("torch", reason="the train extra is not installed")

from server.cli.main import app  # noqa: E402
from tests.avatar.distillation.test_prepare import write_video  # noqa: E402


@pytest.mark.slow
def test_from_a_video_to_a_student(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from avatar.distillation import prepare as module
    from avatar.errors import ToolMissing

    def missing(*, hands: bool) -> None:
        raise ToolMissing("MediaPipe is not here.")

    monkeypatch.setattr(module, "Tracker", missing)  # the picture shows nobody
    video = write_video(tmp_path / "talk.mp4", 30)
    run = CliRunner()
    given = ["--weights", "random"]
    made = run.invoke(
        app, ["distill", "prepare", str(video), "--into", str(tmp_path / "clips"), "--size", "64", *given]
    )
    assert made.exit_code == 0, made.output
    assert "1 clips, 30 frames" in made.output
    options = ["--run", str(tmp_path / "run"), "--steps", "1", "--segments", "1", "--teacher-steps", "2", "--rows", "1"]
    trained = run.invoke(app, ["distill", "echomimic", str(tmp_path / "clips"), *options, *given])
    assert trained.exit_code == 0, trained.output
    assert (tmp_path / "run" / "denoising_unet_acc.safetensors").is_file()
    lines = (tmp_path / "run" / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [0, 1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["prepare", "none.mp4", "--into", "clips", "--weights", "random"], "There is no file"),
        (["prepare", "none.mp4", "--into", "clips", "--weights", "random", "--size", "100"], "multiple of 64"),
        (["prepare", "none.mp4", "--into", "clips", "--weights", "nowhere"], "no folder of weights"),
        (["echomimic", "clips", "--run", "run", "--weights", "random"], "holds no clip"),
        (["echomimic", "clips", "--run", "run", "--weights", "random", "--segments", "3"], "must divide"),
    ],
)
def test_what_cannot_be_done_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["distill", *arguments])
    assert done.exit_code == 1 and said in done.output
