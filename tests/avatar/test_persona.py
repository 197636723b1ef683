from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest

from avatar.errors import PersonaError
from avatar.manifest import check_name
from avatar.persona import (
    BUILT_IN_DIR,
    BUILT_IN_ORDER,
    Persona,
    find_persona,
    list_personas,
    picture_sha256,
    scan_personas,
)


@pytest.fixture
def copied(tmp_path: Path, helen: Persona) -> Path:
    """A persona copied by hand into a user's folder."""
    shutil.copytree(helen.path, tmp_path / "personas" / "helen")
    return tmp_path / "personas" / "helen"


def change(folder: Path, **fields: Any) -> None:
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text("utf-8"))
    manifest.update(fields)
    path.write_text(json.dumps({key: value for key, value in manifest.items() if value is not ...}), "utf-8")


def test_built_in_personas_are_whole_and_helen_leads() -> None:
    personas = list_personas()
    assert [persona.name for persona in personas] == list(BUILT_IN_ORDER) == ["helen", "mei", "arjun"]
    for persona in personas:
        assert persona.built_in
        assert persona.picture().shape == (1024, 1024, 3)
        assert persona.portrait_path.stat().st_size < 1_300_000
        assert persona.manifest.consent and persona.manifest.licence and persona.manifest.source


def test_a_face_has_a_voice_that_suits_it(copied: Path) -> None:
    assert find_persona("arjun").voice_among(["annie", "adam"]) == "adam"
    assert find_persona("arjun").voice_among(["annie"]) is None
    change(copied, voices=...)
    assert Persona.load(copied).voice_among(["annie"]) is None, "folders without the field are good"


def test_a_folder_copied_by_hand_works(copied: Path) -> None:
    persona = Persona.load(copied)
    assert persona.name == "helen" and not persona.built_in
    assert find_persona("helen", copied.parent).path == copied, "the user's own goes first"
    assert list_personas(copied.parent)[0].path == copied


@pytest.mark.parametrize("name", ["", "Helen", "../helen", "a/b", "a\\b", ".", "-a", "a-", "a" * 41, "é", "a.b", "a\n"])
def test_names_that_could_leave_the_folder_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(PersonaError) as caught:
        find_persona(name, tmp_path)
    assert caught.value.code == "bad_name"


def test_a_refused_name_comes_with_one_that_works() -> None:
    with pytest.raises(PersonaError, match='"anna-m-ller"'):
        check_name("Anna Müller")


def test_an_unknown_name_lists_the_known(tmp_path: Path) -> None:
    with pytest.raises(PersonaError, match=r"helen, mei, arjun") as caught:
        find_persona("nobody", tmp_path / "absent")
    assert caught.value.code == "persona_missing"


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"version": 2}, "version 2"),
        ({"version": ...}, "version None"),
        ({"name": "../x"}, "name"),
        ({"name": 3}, "name must be text"),
        ({"display_name": " "}, "display_name"),
        ({"display_name": "a\x00b"}, "display_name"),
        ({"locales": []}, "locales"),
        ({"locales": ["english please"]}, "locales"),
        ({"locales": "en"}, "locales must be a list"),
        ({"created": "yesterday"}, "created"),
        ({"consent": ...}, "consent"),
        ({"warnings": [1]}, "warnings"),
        ({"picture_sha256": "abc"}, "picture_sha256"),
        ({"voices": "annie"}, "voices must be a list"),
        ({"surprise": 1}, "surprise"),
        ({"source": "x" * 2001}, "source"),
    ],
)
def test_a_wrong_manifest_names_the_field(copied: Path, fields: dict[str, Any], says: str) -> None:
    change(copied, **fields)
    with pytest.raises(PersonaError, match=says):
        Persona.load(copied)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"x"', "\ud800".encode("utf-8", "surrogatepass")])
def test_a_manifest_that_is_no_object_is_refused(copied: Path, text: str | bytes) -> None:
    (copied / "manifest.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(PersonaError, match=r"manifest\.json"):
        Persona.load(copied)


@pytest.mark.parametrize("name", ["manifest.json", "portrait.png", "rig.npz"])
def test_a_missing_or_huge_file_is_named(copied: Path, name: str) -> None:
    with (copied / name).open("ab") as file:
        file.truncate(100 << 20)
    with pytest.raises(PersonaError, match=name):
        Persona.load(copied)
    (copied / name).unlink()
    with pytest.raises(PersonaError, match=f"{name} is missing"):
        Persona.load(copied)


def test_another_picture_than_the_rig_s_is_refused(copied: Path) -> None:
    shutil.copy(BUILT_IN_DIR / "mei" / "portrait.png", copied / "portrait.png")
    with pytest.raises(PersonaError, match="not the picture that the rig was made from"):
        Persona.load(copied)


@pytest.mark.parametrize(
    "content", [b"\xff\xd8\xff\xe0 a JPEG", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\1\0\0\0\1\0\0", b"x"]
)
def test_a_portrait_that_is_no_bearable_png_is_refused(copied: Path, content: bytes) -> None:
    (copied / "portrait.png").write_bytes(content)
    change(copied, picture_sha256=picture_sha256(copied / "portrait.png"))
    with pytest.raises(PersonaError, match=r"portrait\.png is"):
        Persona.load(copied)


def test_a_truncated_portrait_is_found_when_it_is_decoded(copied: Path) -> None:
    data = (copied / "portrait.png").read_bytes()
    (copied / "portrait.png").write_bytes(data[:33])
    change(copied, picture_sha256=picture_sha256(copied / "portrait.png"))
    with pytest.raises(PersonaError, match="cannot be decoded"):
        Persona.load(copied).picture()


def test_damaged_folders_are_listed_apart_and_half_made_ones_ignored(copied: Path) -> None:
    folder = copied.parent
    (folder / "broken").mkdir()
    (folder / ".half-made").mkdir()
    (folder / "a-file").write_text("x")
    shutil.copytree(copied, folder / "renamed")
    usable, damaged = scan_personas(folder)
    assert {persona.name for persona in usable} == {"helen", "mei", "arjun"}
    assert sorted(item.path.name for item in damaged) == ["broken", "renamed"]
    assert "give the folder that name" in str(damaged[1].error)


def test_nothing_in_a_shipped_rig_is_a_pickle(helen: Persona) -> None:
    with zipfile.ZipFile(helen.rig_path) as archive:
        for name in archive.namelist():
            assert b"O" not in archive.read(name)[:128].split(b"'descr': ")[1][:6]
