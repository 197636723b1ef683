"""What drawing costs: a frame of each persona (``benchmarks.render``), and a whole video by ``parley render``."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from avatar.persona import Persona, find_persona, list_personas
from benchmarks import render
from benchmarks.callers import FILLING
from benchmarks.report import Report
from benchmarks.served import ServerFailed
from server.config import load_settings

ROUNDS = 3
"""The best of so many counts: another process on the same core can only make a frame dearer."""


def measure(names: list[str], *, progress: Callable[[str], None] = lambda line: None) -> Report:
    """Args:
        names: of personas; all of them where empty.

    Raises:
        PersonaError: no such persona, or a damaged one.
        ServerFailed: ``parley render`` failed; the text holds what it said.
    """
    folder = load_settings().data_dir / "personas"
    personas = [find_persona(name, folder) for name in names] or list_personas(folder)
    report = Report("render", "parley bench render")
    costs = []
    for persona in personas:
        progress(f"frames of {persona.name}")
        rounds = [render.measure(persona) for _ in range(ROUNDS)]
        cost = min(rounds, key=lambda each: each.speaking_ms)
        costs.append(asdict(cost))
        report.add(
            f"{persona.name}: CPU a frame at {cost.size}, speaking (p95), idle",
            f"{cost.speaking_ms:.2f} ms ({cost.speaking_p95_ms:.2f}), {cost.idle_ms:.2f} ms",
            "<= 4 ms; goal 3",
        )
        report.add(f"{persona.name}: loading", f"{cost.load_ms:.0f} ms CPU")
    report.add("one plain resampling of such a frame, for comparison", f"{costs[0]['remap_ms']:.2f} ms")
    progress("a video")
    video_s, cpu_s, wall_s = video(personas[0])
    report.add(
        "`parley render`: seconds of video a second of one core's CPU (start-up, voice and encoding included)",
        f"{video_s / cpu_s:.1f}",
        "> 1",
    )
    report.data = {"frames": costs, "video": {"seconds": video_s, "cpu_s": cpu_s, "wall_s": wall_s}}
    return report


def video(persona: Persona) -> tuple[float, float, float]:
    """Seconds of the video of a spoken text, and the CPU and wall seconds that making it took."""
    with tempfile.TemporaryDirectory() as scratch:
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "server", "render", "--avatar", persona.name, "--text", " ".join([FILLING] * 3),
             "--out", str(Path(scratch) / "video.mp4"), "--json"],
            capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        after, wall_s = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic() - began
    if done.returncode != 0:
        raise ServerFailed(f"parley render failed:\n{done.stdout}{done.stderr}")
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return float(json.loads(done.stdout)["duration_s"]), cpu_s, wall_s
