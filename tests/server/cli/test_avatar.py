from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from avatar.errors import ToolMissing
from avatar.landmarks import find_faces
from avatar.persona import BUILT_IN_DIR
from server.cli.main import app

PORTRAIT = BUILT_IN_DIR / "mei" / "portrait.png"


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in os.environ:
        if name.startswith("PARLEY_") and name != "PARLEY_SHARED":
            monkeypatch.delenv(name)
    monkeypatch.setenv("PARLEY_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "data"


@pytest.fixture
def mediapipe() -> None:
    try:
        find_faces(np.zeros((64, 64, 3), np.uint8))
    except ToolMissing as error:
        pytest.skip(f"finding faces: {error}")


@pytest.fixture
def own(data_dir: Path) -> Path:
    """A persona of the user's."""
    shutil.copytree(BUILT_IN_DIR / "mei", data_dir / "personas" / "mine")
    manifest = data_dir / "personas" / "mine" / "manifest.json"
    manifest.write_text(manifest.read_text("utf-8").replace('"mei"', '"mine"'), "utf-8")
    return manifest.parent


def parley(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def test_list_shows_helen_first_and_where_each_comes_from(own: Path) -> None:
    lines = parley("avatar", "list").stdout.splitlines()
    assert [line.split("\t")[0] for line in lines] == ["helen", "mei", "arjun", "mine"]
    assert "built in" in lines[0] and str(own) in lines[3]


def test_list_for_scripts_tells_of_damage(own: Path) -> None:
    (own / "rig.npz").unlink()
    result = parley("avatar", "list", "--json")
    found = json.loads(result.stdout)
    assert result.exit_code == 0
    assert [persona["name"] for persona in found["personas"]] == ["helen", "mei", "arjun"]
    assert found["damaged"] == [
        {"path": str(own), "code": "persona_damaged", "message": found["damaged"][0]["message"]}
    ]
    assert "rig.npz is missing" in found["damaged"][0]["message"]


def test_check_says_what_a_frame_costs() -> None:
    result = parley("avatar", "check", "arjun", str(BUILT_IN_DIR / "mei"), "--json")
    found = json.loads(result.stdout)
    assert result.exit_code == 0 and found["damaged"] == []
    assert [(persona["name"], persona["frame_cost_ms"] > 0) for persona in found["personas"]] == [
        ("arjun", True), ("mei", True)
    ]  # fmt: skip
    assert "ms of one core a frame" in parley("avatar", "check", "arjun").stdout


def test_check_fails_for_what_cannot_be_drawn(own: Path) -> None:
    (own / "rig.npz").write_bytes(b"not a rig")
    result = parley("avatar", "check", "mine")
    assert result.exit_code == 1 and "rig" in result.stderr
    assert parley("avatar", "check", "nobody").exit_code == 1
    assert parley("avatar", "check", "./absent").exit_code == 1


def test_remove(own: Path) -> None:
    assert parley("avatar", "remove", "mine").exit_code == 2, "nobody can be asked"
    assert own.is_dir()
    assert parley("avatar", "remove", "mine", "--yes").exit_code == 0
    assert not own.exists()
    assert parley("avatar", "remove", "mine", "--yes").exit_code == 1


def test_a_damaged_persona_can_be_removed(own: Path) -> None:
    (own / "manifest.json").write_text("{}")
    assert parley("avatar", "remove", "mine", "--yes").exit_code == 0
    assert not own.exists()


@pytest.mark.parametrize("name", ["helen", "../mine", "", "."])
def test_what_is_not_the_user_s_is_not_removed(name: str, own: Path) -> None:
    result = parley("avatar", "remove", name, "--yes")
    assert result.exit_code == 1 and result.stderr.startswith("parley: ")
    assert (BUILT_IN_DIR / "helen").is_dir() and own.is_dir()


@pytest.mark.usefixtures("mediapipe")
def test_create_tells_each_step_and_asks_for_consent(data_dir: Path) -> None:
    result = parley("avatar", "create", str(PORTRAIT), "--name", "anna-b", "--locale", "de", "--locale", "en")
    assert result.exit_code == 0
    assert "Reading the picture" in result.stderr and "consent" in result.stderr
    manifest = json.loads((data_dir / "personas" / "anna-b" / "manifest.json").read_text("utf-8"))
    assert (manifest["display_name"], manifest["locales"], manifest["source"]) == (
        "Anna B",
        ["de", "en"],
        "portrait.png",
    )
    again = parley("avatar", "create", str(PORTRAIT), "--name", "anna-b", "--json")
    assert again.exit_code == 1 and json.loads(again.stdout)["error"]["code"] == "persona_exists"


@pytest.mark.usefixtures("mediapipe")
def test_create_refuses_pictures_with_their_own_exit_code(tmp_path: Path, data_dir: Path) -> None:
    (tmp_path / "p.png").write_bytes(b"not a picture")
    result = parley("avatar", "create", str(tmp_path / "p.png"), "--name", "x")
    assert result.exit_code == 3
    assert result.stderr.splitlines()[-1].startswith(f"parley: {tmp_path / 'p.png'} is not a picture")
    result = parley("avatar", "create", str(tmp_path / "p.png"), "--name", "x", "--json")
    assert json.loads(result.stdout)["error"]["code"] == "not_a_picture" and result.stderr == ""
    assert parley("avatar", "create", str(PORTRAIT), "--name", "../x").exit_code == 1
    assert not data_dir.exists() or not list(data_dir.rglob("*.json"))


COMMAND = [
    sys.executable,
    "-c",
    "from server.cli.main import main; main()",
    "avatar",
    "create",
    str(PORTRAIT),
    "--name",
    "x",
]
ROOT = Path(__file__).resolve().parents[3]


def run(command: list[str], **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100)


@pytest.mark.skipif(sys.platform != "linux", reason="LD_LIBRARY_PATH is the Linux loader's")
@pytest.mark.usefixtures("mediapipe")
def test_create_works_without_libgl(tmp_path: Path, data_dir: Path) -> None:
    """The loader finds rubbish in place of the graphics libraries, as if they were not installed."""
    blocked = tmp_path / "blocked"
    blocked.mkdir()
    names = ["libGL.so.1", "libGLX.so.0", "libEGL.so.1", "libGLESv2.so.2", "libOpenGL.so.0"]
    for name in names:
        (blocked / name).write_text("not a library")
    tried = "import ctypes, sys; ctypes.CDLL(sys.argv[1])"
    for name in names:
        assert run([sys.executable, "-c", tried, name], LD_LIBRARY_PATH=str(blocked)).returncode != 0, name
    result = run(COMMAND, LD_LIBRARY_PATH=str(blocked))
    assert result.returncode == 0, result.stderr
    assert (data_dir / "personas" / "x" / "rig.npz").is_file()


def test_create_without_mediapipe_says_so_in_one_line(tmp_path: Path, data_dir: Path) -> None:
    (tmp_path / "without" / "mediapipe").mkdir(parents=True)
    (tmp_path / "without" / "mediapipe" / "__init__.py").write_text("raise ImportError('libGL.so.1: cannot open')")
    result = run(COMMAND, PYTHONPATH=os.pathsep.join([str(tmp_path / "without"), str(ROOT)]))
    assert result.returncode == 4
    (line,) = (line for line in result.stderr.splitlines() if not line.endswith(" ..."))
    assert "MediaPipe" in line and "libGL.so.1" in line and "copy its folder" in line
    assert not list(data_dir.rglob("*.json")), "nothing half-made"
    listed = run([*COMMAND[:3], "avatar", "list"], PYTHONPATH=os.pathsep.join([str(tmp_path / "without"), str(ROOT)]))
    assert listed.returncode == 0 and listed.stdout.startswith("helen"), "the rest runs"
