"""Recordings are found with their words; remarks, tones and files without sound are not taken for speech."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from avatar.motion.training.people.recordings import installed, read
from avatar.motion.training.synthesis.corpus import Split
from tests.avatar.motion.training.people.share import prompts, write

SOUND = (np.sin(np.arange(16_000) / 8) * 9000).astype(np.int16)


def test_prompts(tmp_path: Path) -> None:
    lines = {
        "; Core sounds": "in English", "hello": "Hello: world.", "digits/7": "seven", "beep": "a simple tone", "missing": "Not here.",
        "letters/at": "at [@]", "lost": "il tempo sar?esatto", "ask": "Who is it?",
    }  # fmt: skip
    there = ("hello", "digits/7", "beep", "letters/at", "lost", "ask")
    prompts(tmp_path, "en_US_f_Allison", "en", lines, dict.fromkeys(there, SOUND))
    found = installed(tmp_path)
    assert [(r.path.name, r.text) for r in found] == [
        ("hello.g722", "Hello: world."), ("7.g722", "seven"), ("ask.g722", "Who is it?"),
    ]  # fmt: skip
    assert {r.speaker.name for r in found} == {"allison-en"} and "CC-BY-SA-3.0" in found[0].speaker.licence


def test_dialogues(tmp_path: Path) -> None:
    game = tmp_path / "games" / "fillets-ng"
    script = game / "script" / "city" / "dialogs_cs.lua"
    script.parent.mkdir(parents=True)
    script.write_text(
        'dialogId("vit-m-a", "font_small", "English (here).")\ndialogStr("Řekl \\"ano\\".")\n\n'
        'dialogId("vit-v-b", "font_big", "x")\ndialogStr("Občané.")\n'
        'dialogId("vit-hs-c", "font_statue", "x")\ndialogStr("Socha.")\n'
        'dialogId("vit-m-d", "font_small", "x")\ndialogStr("Chybí.")\n',
        "utf-8",
    )
    for name in ("vit-m-a", "vit-v-b", "vit-hs-c"):
        write(game / "sound" / "city" / "cs" / f"{name}.ogg", SOUND)
    found = installed(tmp_path)
    assert [(r.speaker.name, r.text) for r in found] == [
        ("fish-cs-small", 'Řekl "ano".'), ("fish-cs-big", "Občané."),
    ]  # fmt: skip


def test_names_of_pictures(tmp_path: Path) -> None:
    animals = tmp_path / "tuxpaint" / "stamps" / "animals"
    animals.mkdir(parents=True)
    (animals / "frog.txt").write_text(
        "A frog.\nbg.utf8=Жаба. \nro.utf8=O broască.\npl.utf8=Żaba.\nfr.utf8=(?)\n", "utf-8"
    )
    (animals / "owl.txt").write_text("An owl.\nro.utf8=O bufniță.\n", "utf-8")
    for name in ("frog_desc_bg", "frog_desc_ro", "frog_desc_pl", "frog_desc_fr", "owl_desc_bg", "owl_desc_ro", "owl"):
        write(animals / f"{name}.ogg", SOUND)
    assert [(r.speaker.name, r.speaker.language, r.speaker.split, r.text) for r in installed(tmp_path)] == [
        ("stamps-bg", "bg", Split.TRAIN, "Жаба."),
        ("stamps-ro", "ro", Split.PEOPLE, "O broască."),
        ("stamps-ro", "ro", Split.PEOPLE, "O bufniță."),
    ]


def test_nobody_is_in_two_splits(tmp_path: Path) -> None:
    for folder, language in (("it_IT_m_Carlo", "it"), ("ru_RU_f_IvrvoiceRU", "ru"), ("fr_CA_f_June", "fr")):
        prompts(tmp_path, folder, language, {"a": "a b c"}, {"a": SOUND})
    split = {r.speaker.name: r.speaker.split for r in installed(tmp_path)}
    assert split == {"carlo": Split.VALID, "ivrvoice": Split.PEOPLE, "june": Split.TRAIN}


def test_nothing_is_installed(tmp_path: Path) -> None:
    assert installed(tmp_path) == []


@pytest.mark.parametrize("name", ["a.g722", "a.ogg"])
def test_sound_is_read_at_16_khz(tmp_path: Path, name: str) -> None:
    write(tmp_path / name, SOUND)
    pcm = read(tmp_path / name)
    assert abs(len(pcm) - len(SOUND)) < 700
    spectrum = np.abs(np.fft.rfft(pcm[2000:14_000].astype(float)))
    assert abs(int(spectrum.argmax()) * 16_000 / 12_000 - 16_000 / (8 * 2 * np.pi)) < 3


def test_what_is_no_sound(tmp_path: Path) -> None:
    (tmp_path / "a.ogg").write_bytes(b"nothing of the kind")
    with pytest.raises(ValueError, match=r"a\.ogg"):
        read(tmp_path / "a.ogg")
