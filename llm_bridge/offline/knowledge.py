"""A folder of Markdown as topics that can be asked for.

Any Markdown works. A section is a topic: its heading says what it is about, its paragraphs are the answer. A
section becomes easier to find when the list right under its heading holds other ways to ask for it, each ending
in a question mark::

    ## What does it cost?
    - How much is a ticket?
    - Is there a discount for students?

    A ticket costs twelve euros. Students pay eight.

Two headings mean more: ``unknown`` (what to say when nothing was found) and ``unheard`` (when nothing was said);
each of their paragraphs is one way to say it. Answers may hold ``{previous_answer}``, ``{topics}``, ``{time}``
and ``{date}``.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from llm_bridge.errors import KnowledgeError
from llm_bridge.languages import language_of, primary

MAX_FILE_BYTES = 1_000_000
MAX_FILES = 2_000
"""Beyond these a folder is hardly meant as spoken knowledge; the search itself stays under 10 ms."""

_HEADING = re.compile(r"^(#{1,6})\s+(.+?)\s*#*\s*$")
_BULLET = re.compile(r"^\s*[-*+]\s+(.+?)\s*$")
_FENCE = re.compile(r"^\s*(```|~~~)")
_FRONT_MATTER = re.compile(r"\A---\s*\n.*?\n---\s*\n", re.S)
_SPECIAL = {"unknown", "unheard"}


@dataclass(frozen=True, slots=True)
class Topic:
    """One section.

    Attributes:
        subject: the title of the file it stands in ("Privacy"): what a visitor may be told to ask about.
        questions: the heading and the other ways to ask.
        paragraphs: the answer.
        language: "en" or "cmn", by script.
        priority: of two topics that fit equally well, the higher one answers (an operator's own before ours).
    """

    subject: str
    questions: tuple[str, ...]
    paragraphs: tuple[str, ...]
    language: str
    priority: int = 0


@dataclass(slots=True)
class Knowledge:
    """All topics of one or more folders.

    Attributes:
        special: what to say for ``unknown`` and ``unheard``, by (heading, language).
    """

    topics: list[Topic] = field(default_factory=list)
    special: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)


def markdown_files(folder: Path) -> list[Path]:
    """The ``.md`` files below ``folder``, hidden ones left out, in a stable order.

    Raises:
        KnowledgeError: the folder cannot be read, or holds none.
    """
    if not folder.is_dir():
        raise KnowledgeError(f"The knowledge folder {folder} does not exist. Create it and put Markdown files into it.")
    found: list[Path] = []
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if name.lower().endswith((".md", ".markdown")) and not name.startswith("."):
                found.append(Path(root) / name)
    if not found:
        raise KnowledgeError(f"The knowledge folder {folder} holds no Markdown file (.md).")
    if len(found) > MAX_FILES:
        raise KnowledgeError(
            f"The knowledge folder {folder} holds {len(found)} Markdown files; {MAX_FILES} are the most."
        )
    return found


def read_file(path: Path, into: Knowledge, priority: int = 0) -> None:
    """Add a file's topics.

    Raises:
        KnowledgeError: it cannot be read, or is too large.
    """
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise KnowledgeError(f"{path} has {size} bytes; a knowledge file may have {MAX_FILE_BYTES}. Split it.")
        text = path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise KnowledgeError(f"{path} cannot be read: {error.strerror}.") from error
    parse(text, path.stem.replace("-", " ").replace("_", " "), into, priority)


def parse(text: str, name: str, into: Knowledge, priority: int = 0) -> None:
    """Add the topics of one Markdown text. ``name`` is its subject until a first-level heading gives one."""
    subject = name
    heading = ""
    lines: list[str] = []
    in_code = False

    def close() -> None:
        _add_section(subject, heading, lines, into, priority)
        lines.clear()

    for line in _FRONT_MATTER.sub("", text.replace("\r\n", "\n")).split("\n"):
        if _FENCE.match(line):
            in_code = not in_code
            continue
        match = None if in_code else _HEADING.match(line)
        if match is None:
            if not in_code:  # code is nothing to say
                lines.append(line)
            continue
        close()
        heading = match[2]
        if len(match[1]) == 1:
            subject = heading
    close()


def _add_section(subject: str, heading: str, lines: list[str], into: Knowledge, priority: int) -> None:
    asked, body = _leading_questions(lines)
    paragraphs = tuple(_paragraphs(body))
    title = heading or subject
    if not paragraphs:
        return
    language = primary(language_of(" ".join(paragraphs), "en"))
    if heading.lower() in _SPECIAL:
        into.special.setdefault((heading.lower(), language), paragraphs)
        return
    into.topics.append(Topic(subject, (title, *asked), paragraphs, language, priority))


def _leading_questions(lines: list[str]) -> tuple[list[str], list[str]]:
    """The list of questions under a heading, and what follows it."""
    asked: list[str] = []
    for at, line in enumerate(lines):
        bullet = _BULLET.match(line)
        if bullet and bullet[1].endswith(("?", "？")):
            asked.append(bullet[1])
        elif bullet:
            return [], lines  # an ordinary list: it is the answer
        elif line.strip():
            return asked, lines[at:]
    return asked, []


def _paragraphs(lines: list[str]) -> list[str]:
    paragraphs: list[str] = []
    current: list[str] = []
    for line in [*lines, ""]:
        if not line.strip():
            if current:
                paragraphs.append(_joined(current))
            current = []
        else:
            current.append(line.strip())
    return paragraphs


def _joined(lines: list[str]) -> str:
    """A paragraph as one line: Chinese lines join without a space, list items end in a mark."""
    text = ""
    for line in lines:
        bullet = _BULLET.match(line)
        if bullet:
            line = (
                bullet[1]
                if bullet[1][-1:] in ".!?;。！？；"
                else bullet[1] + ("。" if language_of(line, "en") == "cmn" else ".")
            )
        wide = bool(text) and text[-1] > "\u2e80" and line[0] > "\u2e80"
        text += line if wide or not text else " " + line
    return text
