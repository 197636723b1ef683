from __future__ import annotations

import io
import re

import pytest

from server.cli.progress import seconds_done, steps


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_bar_that_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with steps(2) as begin:
        begin("Reading")
        begin("Writing")
    with seconds_done("Rendering", 10.0) as tell:
        tell(4.0)
        tell(10.5)
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.getvalue())
    assert "Writing" in shown and "━" in shown and "10 of 10 s" in shown
    assert "11 of 10" not in shown, "the tail after the last word is no part of the length"


@pytest.mark.parametrize("total", [10.0, None])
def test_elsewhere_plain_lines(total: float | None, capsys: pytest.CaptureFixture[str]) -> None:
    with seconds_done("Rendering", total) as tell:
        for frame in range(1, 125 * 25):
            tell(frame / 25)
            if total is not None and frame / 25 >= total:
                break
    lines = capsys.readouterr().err.splitlines()
    assert lines == (
        [f"Rendering: {n} of 10 s" for n in range(1, 11)] if total else ["Rendering: 60 s", "Rendering: 120 s"]
    )
    assert capsys.readouterr().out == ""


def test_quiet_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    with steps(1, quiet=True) as begin, seconds_done("Rendering", None, quiet=True) as tell:
        begin("Reading")
        tell(1000.0)
    assert capsys.readouterr() == ("", "")
