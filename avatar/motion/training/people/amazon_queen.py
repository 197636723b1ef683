"""The dialogues of Flight of the Amazon Queen (1995), as Debian distributes the game: who says what, and where its sound lies.

All is in one file: a table of what it holds, then the contents. A ``.DOG`` is one dialogue, of the hero and somebody; its lines have
numbers, and the sound of a line's n-th segment is named by the dialogue, the line, who speaks and n. Segments end where the picture is
told to do something ("*03"). The formats are those that ScummVM's engine for this game reads.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_SIGNATURE = b"QTBL"
_MP3 = 1
_TABLE, _ENTRY, _NAME = 15, 21, 12
"""Bytes before the table, of an entry in it, of its name."""
_BANK_HEADER = 20
_TREE, _LEVEL = 32, 96
"""Bytes before a dialogue's tree, and of each of its levels."""
_COMMAND = re.compile(r"\*(?:XY\d\d\(\d+,\d+\)|..)")


class NotTheGame(ValueError):
    """The file is of another format."""


@dataclass(frozen=True, slots=True)
class Line:
    """Attributes:
    role: who says it: "joe", or the dialogue's name without its number.
    text: of one segment.
    start, size: of its sound in the file, an MP3 of 11025 Hz; bytes.
    """

    role: str
    text: str
    start: int
    size: int


def lines(path: Path) -> list[Line]:
    """Every segment of a dialogue that has words and a sound, in the file's order.

    Args:
        path: ``queen.1c``.

    Raises:
        NotTheGame: it is something else, or its sound is not MP3.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(_TABLE)
        if head[:4] != _SIGNATURE or len(head) < _TABLE or head[12] != _MP3:
            raise NotTheGame(f"{path.name} does not hold this game with its speech as MP3")
        table = file.read(_unsigned(head, 13) * _ENTRY)
        held: dict[str, tuple[int, int]] = {}
        for at in range(0, len(table) - _ENTRY + 1, _ENTRY):
            name = table[at : at + _NAME].rstrip(b"\0").decode("latin-1")
            held[name] = (int.from_bytes(table[at + 13 : at + 17]), int.from_bytes(table[at + 17 : at + 21]))
        found: list[Line] = []
        for name, (start, size) in sorted(held.items()):
            if not name.endswith(".DOG"):
                continue
            file.seek(start + _BANK_HEADER)
            try:
                spoken = list(_dialogue(file.read(size - _BANK_HEADER)))
            except IndexError as error:
                raise NotTheGame(f"{path.name}: {name} is cut short") from error
            somebody = name.removesuffix(".DOG").rstrip("0123456789").lower()
            for prefix, said in spoken:
                for number, text in enumerate(_COMMAND.split(said), 1):
                    sound = held.get(f"{prefix}{number:X}.SB")
                    if sound and text.strip():
                        found.append(Line("joe" if prefix.endswith("J") else somebody, text.strip(), *sound))
    return found


def _dialogue(data: bytes) -> Iterator[tuple[str, str]]:
    """(first seven letters of the sounds' names, what is said with its commands)"""
    levels = abs(int.from_bytes(data[0:2], signed=True))
    key, of_joe, of_somebody = (_unsigned(data, at) for at in (4, 6, 8))
    somebody, again = _unsigned(data, 22), _unsigned(data, 26)
    joe = _TREE + levels * _LEVEL
    for who, at, count in (("J", joe, of_joe), ("P", somebody, of_somebody)):
        for _ in range(count):
            number = _unsigned(data, at + 2)
            text, at = _string(data, at + 4, 4)
            yield f"{key:02}{number:04X}{who}", text
    # How it begins, and how where they have met before.
    if not _unsigned(data, joe + 2):
        yield f"{key:02}SSSSJ", _string(data, joe + 4, 2)[0]
    text, at = _string(data, again, 2)
    yield f"{key:02}XXXXP", text
    yield f"{key:02}XXXXJ", _string(data, at, 2)[0]


def _unsigned(data: bytes, at: int) -> int:
    if at + 2 > len(data):
        raise IndexError(at)
    return int.from_bytes(data[at : at + 2])


def _string(data: bytes, at: int, align: int) -> tuple[str, int]:
    """What follows its length, and where the next begins."""
    length, at = data[at], at + 1
    if not length:
        return "", at
    if at + length > len(data):
        raise IndexError(at)
    return data[at : at + length].decode("latin-1"), -(-(at + length) // align) * align
