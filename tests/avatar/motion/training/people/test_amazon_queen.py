"""A game's dialogues are taken apart as the game does; whatever is no such file is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from avatar.motion.training.people.amazon_queen import NotTheGame, lines
from avatar.motion.training.people.recordings import installed, read
from tests.avatar.motion.training.people.game import dialogue, game, mp3

SPOKEN = dialogue(
    key=5,
    levels=2,
    joe={0: "Hi there.*03", 6: "Why are you pink?*15", 0x1F: "Bye.*GDSee you."},
    somebody={1: "Hello.", 6: "Because*XY03(100,112)my blue one is dirty."},
    again=("You again.", "Me again."),
)


def test_who_says_what(tmp_path: Path) -> None:
    sounds = (
        "050006J1",
        "05001FJ1",
        "05001FJ2",
        "050001P1",
        "050006P1",
        "050006P2",
        "05XXXXP1",
        "05XXXXJ1",
        "05SSSSJ1",
        "C13A_011",
    )
    path = game(tmp_path, {"APE3.DOG": SPOKEN, **{f"{name}.SB": name.encode() for name in sounds}})
    data = path.read_bytes()
    found = [(line.role, line.text, data[line.start : line.start + line.size].decode()) for line in lines(path)]
    assert found == [
        ("joe", "Why are you pink?", "050006J1"), ("joe", "Bye.", "05001FJ1"), ("joe", "See you.", "05001FJ2"),
        ("ape", "Hello.", "050001P1"), ("ape", "Because", "050006P1"), ("ape", "my blue one is dirty.", "050006P2"),
        ("joe", "Hi there.", "05SSSSJ1"), ("ape", "You again.", "05XXXXP1"), ("joe", "Me again.", "05XXXXJ1"),
    ]  # fmt: skip


def test_a_line_without_a_sound_and_a_sound_without_words(tmp_path: Path) -> None:
    spoken = dialogue(key=41, levels=1, joe={2: "*03Nobody recorded me."}, somebody={3: "*AO"}, again=("0", "0"))
    assert lines(game(tmp_path, {"A.DOG": spoken, "410002J1.SB": b"-", "410003P1.SB": b"-"})) == []


@pytest.mark.parametrize("ruin", ["other", "empty", "uncompressed", "cut"])
def test_what_is_no_such_file(tmp_path: Path, ruin: str) -> None:
    held = {"A.DOG": SPOKEN[:-9] if ruin == "cut" else SPOKEN}
    path = game(tmp_path, held, compression=0 if ruin == "uncompressed" else 1)
    if ruin in ("other", "empty"):
        path.write_bytes(b"" if ruin == "empty" else b"RIFF" + path.read_bytes()[4:])
    with pytest.raises(NotTheGame, match=r"queen\.1c"):
        lines(path)
    assert installed(tmp_path) == []


def test_roles_of_some_length_are_speakers(tmp_path: Path) -> None:
    sound = mp3((np.sin(np.arange(8000) / 8) * 9000).astype(np.int16))
    of_ape = {number: f"Line {number}." for number in range(1, 31)}
    ape = dialogue(key=3, levels=1, joe={1: "Woof?"}, somebody=of_ape, again=("0", "0"))
    dog = dialogue(key=4, levels=1, joe={1: "Woof?"}, somebody={1: "Woof."}, again=("0", "0"))
    held = {"APE.DOG": ape, "DOG.DOG": dog, "030001J1.SB": sound, "040001P1.SB": sound}
    path = game(tmp_path, held | {f"03{number:04X}P1.SB": sound for number in of_ape})
    found = installed(tmp_path)
    assert {r.speaker.name for r in found} == {"queen-ape"} and len(found) == 30
    assert "not to be sold by itself" in found[0].speaker.licence
    assert abs(len(read(path, found[7].start, found[7].size)) - 8000) < 4000
    with pytest.raises(ValueError, match="queen"):
        read(path, 0, 100)
