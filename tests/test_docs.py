"""What the pages say is there: links, files, commands, settings."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from scripts.benchmark_docs import filled
from server.cli.main import app
from server.config import known_keys

ROOT = Path(__file__).resolve().parent.parent
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
KNOWLEDGE = sorted((ROOT / "llm_bridge" / "knowledge").rglob("*.md"))
SPOKEN_OF = [*PAGES, *KNOWLEDGE]

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")
FILE = re.compile(
    r"(?:(?:server|streaming|avatar|llm_bridge|web_client|benchmarks|tests|docs|scripts|tools)/[\w./-]+)$"
)
COMMAND = re.compile(r"(?<![\w./`-])(?:\.venv/bin/)?parley (?=[a-z-])[a-z]+[^`\n]*")
ELSEWHERE = re.compile(r"/work\b|/home/\w|/root\b|/Users/|\bTODO\b|\bFIXME\b")

Pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def anchors(page: Path) -> set[str]:
    """Those that GitHub makes of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", text(page), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@Pages
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(text(page)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        aim = (page.parent / path).resolve() if path else page
        assert aim.exists(), f"{page.name}: {target}"
        assert not anchor or anchor in anchors(aim), f"{page.name}: {target}"


@Pages
def test_files_that_are_named_exist(page: Path) -> None:
    for name in CODE.findall(text(page)):
        if FILE.fullmatch(name):
            assert (ROOT / name).exists(), f"{page.name}: {name}"


@cache
def commands() -> dict[str, Any]:
    """ "avatar create" -> the command, and "avatar" -> its group."""
    found: dict[str, Any] = {}

    def add(group: Any, prefix: str) -> None:
        for name, command in group.commands.items():
            found[f"{prefix}{name}"] = command
            if hasattr(command, "commands"):
                add(command, f"{prefix}{name} ")

    add(get_command(app), "")
    return found


FENCED = re.compile(r"^```\w*\n(.*?)^```$", re.M | re.S)
INDENTED = re.compile(r"^ {4,}(.+)$", re.M)


def code_of(page: Path) -> str:
    """All that a page sets as code: blocks as they are, what stands within a sentence on a line of its own."""
    whole = text(page)
    prose = INDENTED.sub("", FENCED.sub("", whole))
    inline = (re.sub(r"\s+", " ", code) for code in re.findall(r"`([^`]+)`", prose))
    return "\n".join([*FENCED.findall(whole), *INDENTED.findall(whole), *inline])


def named_commands(page: Path) -> list[str]:
    """Every ``parley ...`` in code."""
    return COMMAND.findall(code_of(page))


@pytest.mark.parametrize("page", SPOKEN_OF, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_commands_that_are_named_exist_with_their_options(page: Path) -> None:
    for line in named_commands(page):
        words = line.split("#")[0].split("parley ", 1)[1].replace("\\", "").split()
        name = words[0]
        assert name in commands(), f"{page.name}: parley {line}"
        if hasattr(commands()[name], "commands"):
            listed = [word for word in words[1:] if word != "|"]
            alternatives = listed if "|" in words else listed[:1]
            for sub in alternatives:
                assert f"{name} {sub.rstrip('.,')}" in commands(), f"{page.name}: {line}"
            if len(alternatives) != 1:
                continue
            name = f"{name} {alternatives[0]}"
        known = {option for parameter in commands()[name].params for option in parameter.opts} | {"--help"}
        for word in words:
            if word.startswith("-") and len(word) > 1:
                assert word.split("=")[0] in known, f"{page.name}: parley {name} has no {word}"


def test_the_commands_are_found_at_all() -> None:
    """The search above finds what the README names."""
    named = {" ".join(line.split()[1:3]) for line in named_commands(ROOT / "README.md")}
    assert {"avatar create", "models fetch", "bench turn"} <= named


def test_every_command_is_told_somewhere() -> None:
    told = " ".join(text(page) for page in PAGES)
    for name, command in commands().items():
        if not hasattr(command, "commands"):
            assert re.search(rf"parley {name.split()[0]}\b", told) and name.split()[-1] in told, name


@pytest.mark.parametrize("page", SPOKEN_OF, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_variables_that_are_named_exist(page: Path) -> None:
    known = {f"PARLEY_{name}".upper() for name in known_keys()} | {"PARLEY_CONFIG", "PARLEY_SHARED", "PARLEY_CHROMIUM"}
    for name in re.findall(r"\bPARLEY_[A-Z_]*[A-Z]\b(?!\*)", text(page)):
        assert name in known or any(key.startswith(name + "_") for key in known), f"{page.name}: {name}"


@Pages
def test_nothing_of_one_machine_is_told(page: Path) -> None:
    assert not ELSEWHERE.search(text(page))


def test_the_two_commands_of_the_readme_are_targets() -> None:
    targets = set(re.findall(r"^([a-z-]+):", text(ROOT / "Makefile"), re.M))
    named = set(re.findall(r"^make ([a-z-]+)", code_of(ROOT / "README.md"), re.M))
    assert {"serve", "test"} <= named <= targets


def test_the_picture_is_small_enough_for_a_readme() -> None:
    assert (ROOT / "docs" / "picture.jpg").stat().st_size < 400_000


def test_figures_go_where_the_page_wants_them() -> None:
    page = "# B\n\n<!-- figures: turn -->\nold\n<!-- end -->\n\nrest <!-- figures: skew -->\n<!-- end -->\n"
    report = {
        "benchmark": "turn",
        "at": "2026-11-23T01:00:00+00:00",
        "rows": [{"measure": "|skew|", "measured": "1 ms", "goal": ""}],
        "notes": ["A note.", "A note."],
        "machine": {"processor": "P", "cores": 2, "memory_gib": 8, "python": "3.11", "packages": {"parley": "1"}},
    }
    told = filled(page, report)
    assert "old" not in told and told.count("A note.") == 1 and "| \\|skew\\| | 1 ms |  |" in told
    assert filled(told, report) == told
    assert told.endswith("rest <!-- figures: skew -->\n<!-- end -->\n")
    with pytest.raises(ValueError, match="bargein"):
        filled(page, report | {"benchmark": "bargein"})
