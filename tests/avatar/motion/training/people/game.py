"""Writes what ``amazon_queen`` reads: a game's file of dialogues and sounds."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import av
import numpy as np
import soxr
from numpy.typing import NDArray


def game(share: Path, held: Mapping[str, bytes], *, compression: int = 1) -> Path:
    """The file where Debian puts it, with these contents."""
    path = share / "scummvm" / "flight-of-the-amazon-queen" / "queen.1c"
    path.parent.mkdir(parents=True, exist_ok=True)
    table, contents = b"", b""
    begin = 15 + 21 * len(held)
    for name, data in held.items():
        table += name.encode().ljust(12, b"\0") + b"\1" + _long(begin + len(contents)) + _long(len(data))
        contents += data
    path.write_bytes(b"QTBLCEM10\0\0\0" + bytes([compression]) + _word(len(held)) + table + contents)
    return path


def dialogue(*, key: int, levels: int, joe: dict[int, str], somebody: dict[int, str], again: tuple[str, str]) -> bytes:
    """A ``.DOG``: joe's line 0 begins it; ``again`` is said where they have met before, by somebody and by joe."""
    begin = 32 + 96 * levels
    first = _lines(joe, begin)
    second = _lines(somebody, begin + len(first))
    third = begin + len(first) + len(second)
    last = b""
    for text in again:
        last += _string(text, third + len(last), 2)
    numbers = [levels, 9, key, len(joe), len(somebody), *[0] * 6, begin + len(first), third + len(last), third, 0, 0]
    tree = b"\xff" * (96 * levels)
    return b"AmBk" + b"\0" * 16 + b"".join(map(_word, numbers)) + tree + first + second + last + b"\0\0\0\0"


def mp3(pcm16k: NDArray[np.int16]) -> bytes:
    """At 11025 Hz, without any header before its first frame, as the game has it."""
    sound = io.BytesIO()
    with av.open(sound, "w", format="mp3", options={"write_xing": "0", "id3v2_version": "0"}) as file:
        stream = file.add_stream("mp3", rate=11_025, layout="mono")
        stream.bit_rate = 16_000
        frame = av.AudioFrame.from_ndarray(soxr.resample(pcm16k, 16_000, 11_025)[None, :], "s16", "mono")
        frame.rate = 11_025
        to_planes = av.AudioResampler("s16p", "mono", 11_025)
        for planes in [*to_planes.resample(frame), None]:
            for packet in stream.encode(planes):
                file.mux(packet)
    return sound.getvalue()


def _lines(said: dict[int, str], begin: int) -> bytes:
    data = b""
    for number, text in said.items():
        data += b"\0\0" + _word(number)
        data += _string(text, begin + len(data), 4)
    return data


def _string(text: str, begin: int, align: int) -> bytes:
    data = bytes([len(text)]) + text.encode("latin-1")
    return data + b"\0" * (-(begin + len(data)) % align) if text else data


def _word(number: int) -> bytes:
    return number.to_bytes(2)


def _long(number: int) -> bytes:
    return number.to_bytes(4)
