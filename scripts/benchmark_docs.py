#!/usr/bin/env python3
"""Writes what was measured into docs/benchmarks.md.

    python scripts/benchmark_docs.py results/turn.json results/skew.json ...

Each file's rows and notes go where the page says ``<!-- figures: NAME -->``, in place of those that stand there.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parent.parent / "docs" / "benchmarks.md"


def filled(page: str, report: dict[str, Any]) -> str:
    """The page with this report's figures.

    Raises:
        ValueError: the page has no place for them.
    """
    name = report["benchmark"]
    place = re.compile(rf"(<!-- figures: {re.escape(name)} -->\n).*?(<!-- end -->\n)", re.DOTALL)
    if not place.search(page):
        raise ValueError(f"the page has no '<!-- figures: {name} -->' followed by '<!-- end -->'")
    return place.sub(lambda found: found[1] + _section(report) + found[2], page)


def _section(report: dict[str, Any]) -> str:
    lines = ["", "| measure | measured | wanted |", "|---|---|---|"]
    lines += [
        f"| {_cell(row['measure'])} | {_cell(row['measured'])} | {_cell(row['goal'])} |" for row in report["rows"]
    ]
    for note in dict.fromkeys(report["notes"]):
        lines += ["", note]
    machine = report["machine"]
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    lines += [
        "",
        f"{report['at'][:10]}, {machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB, "
        f"Python {machine['python']}, {packages}.",
        "",
    ]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def main() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for name in sys.argv[1:]:
        page = filled(page, json.loads(Path(name).read_text(encoding="utf-8")))
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
