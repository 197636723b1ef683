"""Who may know whom: imports point down only, and what is heavy stays out until it is needed."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

BELOW = {
    "avatar": set[str](),
    "llm_bridge": set[str](),
    "web_client": set[str](),
    "streaming": {"avatar", "llm_bridge"},
    "server": {"streaming", "avatar", "llm_bridge", "web_client"},
    "benchmarks": {"server", "streaming", "avatar", "llm_bridge", "web_client"},
    "tools": {"avatar"},
    "scripts": {"server", "benchmarks"},
}
"""Room -> rooms that it may import. Tests may import everything; nothing imports tests."""

BENCH_COMMANDS = {"server/cli/bench.py", "server/cli/motion/evaluate.py"}
"""`parley bench` and `parley motion evaluate`: what of the server knows the benchmarks, and loads them only when asked."""

WRAPPED = {
    "ctranslate2": {"streaming/hearing/whisper_engine.py"},
    "faster_whisper": {"streaming/hearing/whisper_engine.py"},
    "pocketsphinx": {"streaming/hearing/sphinx_engine.py", "avatar/motion/training/people/aligner.py"},
    "mediapipe": {"avatar/landmarks.py"},
    "espeakng_loader": {"streaming/speaking/espeak_helper.py"},
    "huggingface_hub": {"avatar/echomimic/hub.py"},
    "playwright": {"benchmarks/chromium.py"},
    "onnxruntime": {
        "avatar/motion/generator/network.py",
        "avatar/motion/training/export.py",  # writes 8-bit weights
        "streaming/hearing/voice.py",
    },
}
"""Heavy or separable packages, and the only files of the product that may import them."""

OF_EXTRAS = ("torch", "diffusers", "safetensors", "transformers", "accelerate")
TORCH_PLACES = (
    "avatar/echomimic/", "avatar/distillation/", "avatar/motion/training/", "benchmarks/",
    "server/cli/motion/learning.py",  # says how many threads training has
)  # fmt: skip
"""Packages that come with the extras, and the only folders that may import them."""

HEAVY = (
    "torch", "diffusers", "transformers", "ctranslate2", "faster_whisper", "ray", "TTS", "mediapipe", "matplotlib",
    "playwright", "pocketsphinx",
)  # fmt: skip

SLOW_TO_LOAD = ("cv2", "av", "aiortc", "onnxruntime", "openai", "fastapi", "uvicorn")
"""What `parley --help` has no use for."""

HELP_CPU_S = 1.0


def sources(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Full names of the modules that a file imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names.add(node.module or "")
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "import_module" and node.args:
            names.update(str(arg.value) for arg in node.args[:1] if isinstance(arg, ast.Constant))
    return names


def top_level(names: set[str]) -> set[str]:
    return {name.split(".")[0] for name in names}


@pytest.mark.parametrize("room", BELOW)
def test_imports_point_down(room: str) -> None:
    found = sources(room)
    assert found, f"{room} has no modules"
    wrong = []
    for path in found:
        name = path.relative_to(ROOT).as_posix()
        allowed = BELOW[room] | {room} | ({"benchmarks"} if name in BENCH_COMMANDS else set())
        wrong += [f"{name} imports {other}" for other in top_level(imported(path)) & {*BELOW, "tests"} - allowed]
    assert not wrong, wrong


def test_every_package_of_the_tree_is_a_room() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert packages - {"tests"} == set(BELOW)


@pytest.mark.parametrize("package", WRAPPED)
def test_one_module_wraps_each_heavy_package(package: str) -> None:
    rooms = (room for room in BELOW if room != "benchmarks" or package == "playwright")  # they compare engines
    users = {
        path.relative_to(ROOT).as_posix()
        for room in rooms
        for path in sources(room)
        if package in top_level(imported(path))
    }
    assert users == WRAPPED[package]


def test_torch_stays_in_its_places() -> None:
    users = {
        path.relative_to(ROOT).as_posix()
        for room in BELOW
        for path in sources(room)
        if top_level(imported(path)) & set(OF_EXTRAS)
    }
    assert users and not [user for user in users if not user.startswith(TORCH_PLACES)]


def loaded_after(code: str, tmp_path: Path) -> tuple[set[str], float]:
    """Top-level packages in a fresh interpreter after ``code``, and the CPU seconds it took."""
    program = f"{code}\nimport json, sys, time\nprint(json.dumps([sorted(sys.modules), time.process_time()]))"
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    modules, seconds = json.loads(ran.stdout.splitlines()[-1])
    return {name.split(".")[0] for name in modules}, seconds


def test_the_command_line_loads_little(tmp_path: Path) -> None:
    loaded, _ = loaded_after("import server.cli.main", tmp_path)
    assert not loaded & {*HEAVY, *SLOW_TO_LOAD}


def test_help_is_quick(tmp_path: Path) -> None:
    code = """
import sys
sys.argv = ["parley", "--help"]
from server.cli.main import main
try:
    main()
except SystemExit as end:
    assert not end.code
"""
    fastest = min(loaded_after(code, tmp_path)[1] for _ in range(2))
    assert fastest < HELP_CPU_S, f"parley --help took {fastest:.2f} s of CPU"


def test_serving_the_cpu_default_loads_nothing_heavy(tmp_path: Path) -> None:
    """The engines that need no model live in helper processes; none of a visitor's path needs torch."""
    code = """
from server.app import create_app
from server.config import Settings
from server.engines import build_engines
settings = Settings()
create_app(settings, build_engines(settings))
import server.serving, streaming.webrtc.peer, streaming.conversation
"""
    loaded, _ = loaded_after(code, tmp_path)
    assert "aiortc" in loaded  # the question was asked of the real thing
    assert not loaded & set(HEAVY)


def test_a_worker_loads_neither_network_nor_conversation(tmp_path: Path) -> None:
    """What draws a face knows no server."""
    loaded, _ = loaded_after("import streaming.workers.worker, avatar.portrait.renderer", tmp_path)
    assert not loaded & {*HEAVY, "aiortc", "fastapi", "openai", "server", "llm_bridge"}
