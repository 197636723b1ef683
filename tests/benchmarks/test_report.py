"""A report is a Markdown table for people and JSON with the machine's description for programs."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.report import Report, percentiles, shown


def test_table_and_json(tmp_path: Path) -> None:
    report = Report("turn", "parley bench turn")
    report.add("a measure", "p50 1 s", "<= 2 s")
    report.notes.append("A note.")
    report.data = {"every": [1.0]}
    lines = report.text().splitlines()
    assert lines[:3] == ["| measure | measured | goal |", "|---|---|---|", "| a measure | p50 1 s | <= 2 s |"]
    assert "A note." in lines and "cores" in lines[-1] and "aiortc" in lines[-1]
    told = json.loads(report.write(tmp_path / "results").read_text())
    assert told["rows"] == [{"measure": "a measure", "measured": "p50 1 s", "goal": "<= 2 s"}]
    assert told["machine"]["cores"] >= 1 and told["data"] == {"every": [1.0]} and told["command"] == "parley bench turn"


def test_percentiles() -> None:
    assert percentiles([1.0, 2.0, 3.0]) == {"p50": 2.0, "p95": 2.9}
    assert shown(percentiles([1.0]), "ms") == "p50 1 ms, p95 1 ms"
    assert shown(percentiles([])) == "nothing measured"
