"""What strangers install: a wheel, in an environment of its own, run from another folder.

Nothing is downloaded: the environment sees the packages of this one through a ``.pth`` line, which brings in what
Parley depends on but not the editable Parley itself (``.pth`` files in a folder so added are not read).
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
import urllib.request
import venv
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from websockets.sync.client import connect

ROOT = Path(__file__).resolve().parent.parent
ROOMS = {"server", "streaming", "avatar", "llm_bridge", "web_client", "benchmarks"}
ANSWER_S = 30

pytestmark = pytest.mark.slow


@dataclass(frozen=True, slots=True)
class Installed:
    """Attributes:
    wheel: the file.
    bin: folder of the environment's programs.
    home: an empty folder, in which commands run.
    """

    wheel: Path
    bin: Path
    home: Path

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "TMPDIR")}
        return kept | {"HOME": str(self.home), "PYTHONUNBUFFERED": "1"}

    def run(self, *command: str) -> str:
        ran = subprocess.run(
            [str(self.bin / command[0]), *command[1:]],
            cwd=self.home, env=self.environment(), capture_output=True, text=True, timeout=100,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    pytest.importorskip("hatchling", reason="hatchling builds the wheel: pip install 'parley[test]'")
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = [*pip, "wheel", "--no-index", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, timeout=100)
    (wheel,) = folder.glob("*.whl")
    home = folder / "home"
    home.mkdir()
    venv.create(folder / "env", symlinks=True)
    python = folder / "env" / "bin" / "python"
    install = [*pip, "--python", str(python), "install", "--no-index", "--no-deps", str(wheel)]
    subprocess.run(install, check=True, timeout=100)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(folder / "env"), "platbase": str(folder / "env")}))
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return Installed(wheel, python.parent, home)


@pytest.fixture
def url(installed: Installed) -> Iterator[str]:
    """A server that runs from the wheel."""
    process = subprocess.Popen(
        [installed.bin / "parley", "serve", "--port", "0"],
        cwd=installed.home, env=installed.environment(), text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert process.stdout is not None
    with process:
        try:
            said = []
            for line in process.stdout:
                said.append(line)
                if found := re.search(r"listening: (\S+)", line):
                    yield found[1]
                    break
            else:
                pytest.fail("the server left:\n" + "".join(said))
        finally:
            process.terminate()
            process.communicate(timeout=30)
    assert process.returncode in (0, -15)


def test_it_holds_what_is_needed_and_nothing_else(installed: Installed) -> None:
    with zipfile.ZipFile(installed.wheel) as archive:
        names = archive.namelist()
    info = "parley-" + installed.wheel.name.split("-")[1] + ".dist-info"
    assert {name.split("/")[0] for name in names} == ROOMS | {info}
    assert {f"{info}/licenses/LICENSE", f"{info}/licenses/NOTICE"} <= set(names)
    # All that version control holds of the rooms is here: personas, masks, knowledge, page.
    listed = subprocess.run(["git", "ls-files", "-z", *ROOMS], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode == 0:
        assert set(listed.stdout.rstrip("\0").split("\0")) <= set(names)
    for needed in (
        "avatar/mark_masks.npz",
        "avatar/mediapipe-requirements.txt",
        "avatar/personas/helen/rig.npz",
        "llm_bridge/knowledge/en/parley.md",
        "llm_bridge/knowledge/zh/parley.md",
        "web_client/digital-human.js",
    ):
        assert needed in names
    stray = [name for name in names if re.search(r"__pycache__|\.pyc$|(^|/)tests?/|\.(wav|mp4|log|tmp)$", name)]
    assert not stray
    assert installed.wheel.stat().st_size < 12e6


def test_it_is_this_version_and_runs_from_its_own_files(installed: Installed) -> None:
    assert re.fullmatch(r"parley \d+\.\d+\.\d+\n", installed.run("parley", "--version"))
    where = installed.run("python", "-c", "import server, avatar; print(server.__file__, avatar.__file__)")
    assert all(str(installed.bin.parent) in path for path in where.split()), where


def test_the_personas_are_here(installed: Installed) -> None:
    listed = json.loads(installed.run("parley", "avatar", "list", "--json"))
    assert {persona["name"] for persona in listed["personas"]} >= {"helen", "mei", "arjun"}
    assert listed["damaged"] == []


def test_a_face_speaks_into_a_file(installed: Installed) -> None:
    """Persona, rig, voice, renderer and the mark's masks, all from the wheel."""
    import av

    installed.run("parley", "render", "--avatar", "helen", "--text", "Hello there.", "-o", "hello.mp4")
    with av.open(str(installed.home / "hello.mp4")) as film:
        assert film.streams.video[0].frames > 15
        assert film.streams.audio[0].codec_context.name == "aac"


def test_it_serves_the_page_and_answers_from_its_knowledge(url: str) -> None:
    def get(path: str) -> tuple[str, bytes]:
        with urllib.request.urlopen(url + path, timeout=20) as answer:
            return answer.headers.get_content_type(), answer.read()

    kind, page = get("/")
    assert kind == "text/html" and b"digital-human" in page
    assert get("/digital-human.js")[0] == "text/javascript"
    avatars = json.loads(get("/v1/avatars")[1])["data"]
    assert {avatar["name"] for avatar in avatars} >= {"helen", "mei", "arjun"}
    for avatar in avatars:
        kind, thumbnail = get(avatar["thumbnail"])
        assert kind == "image/webp" and len(thumbnail) > 2000
    assert "Parley" in _ask(url, "What is Parley?")


def _ask(url: str, question: str) -> str:
    """The answer to a typed question, as it is spoken."""
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": question}]}
    with connect(url.replace("http", "ws", 1) + "/v1/realtime?model=gpt-realtime", max_size=None) as socket:
        socket.send(json.dumps({"type": "conversation.item.create", "item": item}))
        socket.send(json.dumps({"type": "response.create"}))
        while True:
            event = json.loads(socket.recv(timeout=ANSWER_S))
            assert event["type"] != "error", event
            if event["type"] == "response.output_audio_transcript.done":
                return str(event["transcript"])
