"""A measurement's result: a table to read, and JSON with the machine it was measured on."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

PACKAGES = ("parley", "aiortc", "av", "numpy", "onnxruntime", "opencv-python-headless")


@dataclass(slots=True)
class Report:
    """One benchmark's outcome.

    Attributes:
        name: of the benchmark; also of its JSON file.
        command: that repeats it.
        rows: (measure, value, goal) for people.
        data: everything measured, JSON-able.
        notes: what a reader must know to believe the rows.
    """

    name: str
    command: str
    rows: list[tuple[str, str, str]] = field(default_factory=list)
    data: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add(self, measure: str, value: str, goal: str = "") -> None:
        self.rows.append((measure, value, goal))

    def text(self) -> str:
        """A Markdown table, with the notes and the machine beneath."""
        lines = ["| measure | measured | goal |", "|---|---|---|"]
        lines += [f"| {measure} | {value} | {goal} |" for measure, value, goal in self.rows]
        return "\n".join([*lines, *(f"\n{note}" for note in (*self.notes, machine_line(machine())))])

    def write(self, folder: Path) -> Path:
        """``folder/NAME.json``."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.name}.json"
        whole = {
            "benchmark": self.name,
            "command": self.command,
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": machine(),
            "rows": [dict(zip(("measure", "measured", "goal"), row, strict=True)) for row in self.rows],
            "notes": self.notes,
            "data": self.data,
        }
        path.write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        return path


def machine() -> dict[str, Any]:
    """Processor, cores, memory, load, Python and the packages that matter for speed."""
    import psutil

    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "load_1min": round(os.getloadavg()[0], 2),
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
    }


def machine_line(told: Mapping[str, Any]) -> str:
    packages = ", ".join(f"{name} {number}" for name, number in told["packages"].items())
    return (
        f"Measured on {told['processor']}, {told['cores']} cores, {told['memory_gib']} GiB, {told['system']}, "
        f"Python {told['python']}, {packages}; load average {told['load_1min']} at the end."
    )


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def percentiles(values: Sequence[float], at: Sequence[int] = (50, 95)) -> dict[str, float]:
    """``{"p50": ..., "p95": ...}``; empty without values."""
    if not len(values):
        return {}
    return {f"p{p}": round(float(np.percentile(values, p)), 2) for p in at}


def shown(values: Mapping[str, float], unit: str = "") -> str:
    """``p50 0.61 s, p95 0.92 s``"""
    return (
        ", ".join(f"{name} {value:g}{' ' + unit if unit else ''}" for name, value in values.items())
        or "nothing measured"
    )
