"""The page of the learned motion takes what was measured, and only that."""

from __future__ import annotations

import re
from typing import Any

import pytest

from scripts.motion_docs import PAGE, TABLES, filled, two

INTERVAL = {"value": 0.834, "low": 0.771, "high": 0.87}


def score(seconds: float = 42.4) -> dict[str, Any]:
    parts = dict.fromkeys(("opening", "width", "rounding", "recalled", "false"), INTERVAL)
    return {
        **parts, "seconds": seconds, "closures": 27, "amplitude": 0.97, "pause_opening": 0.03,
        "lag_ms": {"a": -22.4, "b": 3.0, "c": None},
    }  # fmt: skip


def test_the_page_has_a_place_for_every_table() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for name in TABLES:
        assert re.search(rf"<!-- motion:{name} -->\n.*?<!-- end -->\n", page, re.DOTALL), name


def test_a_table_takes_the_place_of_what_stood_there() -> None:
    page = "before\n<!-- motion:recordings -->\nold\n<!-- end -->\nafter\n<!-- motion:clips -->\nkept\n<!-- end -->\n"
    told = filled(page, {"recordings": {"model": score(), "energy": score()}})
    assert "| **learned, from sound** | .83 (.77–.87) |" in told and "22 ms" in told and "27 closures in 42 s" in told
    assert "old" not in told and "kept" in told and told.startswith("before\n") and "after" in told
    assert filled(told, {"recordings": {"model": score(), "energy": score()}}) == told


def test_a_page_without_a_place_is_refused() -> None:
    with pytest.raises(ValueError, match="motion:recordings"):
        filled("nothing", {"recordings": {"model": score()}})


def test_what_an_engine_never_heard_fails_on_is_told() -> None:
    data = {
        "encoder-without-flite": {"all": score(), "xx": score(seconds=5.0)},
        "encoder-without-flite, closures": {
            "wanted": {"m": 9, "p": 4},
            "missed": {"m": 3},
            "made up": {"n": 5, "t": 2},
        },
    }
    told = filled("<!-- motion:left-out -->\n<!-- end -->\n", data)
    assert "without flite" in told and "3 of 9 m, 0 of 4 p" in told and "n (5), t (2)" in told
    assert "| xx |" not in told, "too short to tell"


def test_figures_are_short() -> None:
    assert [two(0.834), two(-0.07), two(1.0), two(20.92), two(None)] == [".83", "-.07", "1.00", "20.92", "–"]
