"""The JavaScript by itself: types, units, size."""

from __future__ import annotations

import gzip
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WEB_CLIENT = ROOT / "web_client"
UNIT_TESTS = sorted((Path(__file__).parent / "unit").glob("*.test.js"))

MIN_NODE = 20
"""First whose test runner is stable."""

ELEMENT_BYTES = 60_000
"""What a page that embeds the element downloads, as servers compress it; a photo's worth."""


def _node() -> str:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node not found (apt install nodejs)")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    if int(version.strip().lstrip("v").split(".")[0]) < MIN_NODE:
        pytest.skip(f"node {version.strip()} is older than {MIN_NODE}")
    return node


def _typescript() -> Path:
    """The compiler that package-lock.json pins; fetched once into node_modules (outside version control)."""
    compiler = ROOT / "node_modules" / "typescript" / "bin" / "tsc"
    if compiler.is_file():
        return compiler
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("typescript is not installed and npm not found (apt install npm)")
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=90)
    except subprocess.TimeoutExpired:
        pytest.skip("typescript is not installed and npm did not fetch it in 90 s")
    if done.returncode != 0 or not compiler.is_file():
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        pytest.skip(f"typescript is not installed and npm could not fetch it: {reason}")
    return compiler


@pytest.mark.slow
def test_types_hold() -> None:
    compiler = _typescript()
    done = subprocess.run([_node(), str(compiler), "-p", str(ROOT)], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr


def test_units() -> None:
    assert UNIT_TESTS
    done = subprocess.run(
        [_node(), "--test", *map(str, UNIT_TESTS)], capture_output=True, text=True, timeout=60, cwd=ROOT
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_element_is_small_and_whole() -> None:
    """Everything that digital-human.js imports is beside it, and compressed it is small."""
    seen: set[Path] = set()
    waiting = [WEB_CLIENT / "digital-human.js"]
    while waiting:
        module = waiting.pop()
        if module in seen:
            continue
        seen.add(module)
        imports = re.findall(r"^import .*?from '(.+?)';", module.read_text("utf-8"), re.MULTILINE | re.DOTALL)
        waiting += [(module.parent / name).resolve() for name in imports]
    assert len(seen) > 10
    assert sum(len(gzip.compress(module.read_bytes())) for module in seen) < ELEMENT_BYTES


def test_nothing_is_loaded_from_elsewhere() -> None:
    """No font, script or picture of another host: kiosks are offline, and visitors are nobody else's business."""
    for path in WEB_CLIENT.rglob("*.*"):
        if path.suffix in (".js", ".html", ".css", ".svg"):
            hosts = set(re.findall(r"https?://([\w.-]+)", path.read_text("utf-8")))
            assert hosts <= {"www.w3.org", "avatar.example"}, path


def test_nothing_that_a_strict_content_security_policy_forbids() -> None:
    for path in WEB_CLIENT.rglob("*.html"):
        text = path.read_text("utf-8")
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", text), path
    for path in WEB_CLIENT.rglob("*.js"):
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", path.read_text("utf-8")
        ), path
