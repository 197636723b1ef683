from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from avatar.create import PORTRAIT_SIDE, About, Step, create_persona, remove_persona
from avatar.errors import PersonaError, PhotoRefused
from avatar.motion.motion import Motion
from avatar.persona import Persona, list_personas
from avatar.renderers import open_renderer

pytestmark = pytest.mark.usefixtures("mediapipe")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data" / "personas"


def test_a_picture_becomes_a_persona(folder: Path, portrait_file: Path) -> None:
    about = About("Anna", ("de", "en"), "studio", "signed 2025-01-02", "CC0-1.0")
    steps: list[Step] = []
    persona = create_persona(portrait_file, "anna", folder, about, on_step=steps.append)
    assert steps == list(Step)
    assert persona.path == folder / "anna" and not persona.built_in
    manifest = persona.manifest
    assert (manifest.display_name, manifest.locales, manifest.consent) == ("Anna", ("de", "en"), "signed 2025-01-02")
    assert (manifest.source, manifest.licence, manifest.warnings) == ("studio", "CC0-1.0", ())
    assert sorted(path.name for path in persona.path.iterdir()) == ["manifest.json", "portrait.png", "rig.npz"]
    assert list(folder.iterdir()) == [persona.path], "nothing half-made is left"
    assert persona in list_personas(folder)
    (frame,) = open_renderer(persona.path, size=256).render(Motion.zeros(1))
    assert frame.std() > 20


def test_a_phone_s_picture(folder: Path, portrait_file: Path, tmp_path: Path) -> None:
    """48 megapixels, lying on its side by EXIF, the person in the middle of a wide scene."""
    scene = Image.new("RGB", (2400, 1800), (150, 160, 165))
    scene.paste(Image.open(portrait_file).convert("RGB").resize((1300, 1300)), (500, 500))
    exif = Image.Exif()
    exif[0x0112] = 6
    photo = tmp_path / "phone.jpg"
    scene.resize((8000, 6000)).transpose(Image.Transpose.ROTATE_90).save(photo, quality=80, exif=exif.tobytes())
    persona = create_persona(photo, "phone", folder, About("Phone"))
    height, width = persona.picture().shape[:2]
    assert max(height, width) <= PORTRAIT_SIDE
    (frame,) = open_renderer(persona.path, size=256, framing="half-body").render(Motion.zeros(1))
    assert frame.shape == (256, 256, 3)


def test_an_existing_name_is_kept_unless_forced(folder: Path, portrait_file: Path) -> None:
    first = create_persona(portrait_file, "anna", folder, About("First"))
    with pytest.raises(PersonaError) as caught:
        create_persona(portrait_file, "anna", folder, About("Second"))
    assert caught.value.code == "persona_exists"
    assert Persona.load(first.path).manifest.display_name == "First"
    create_persona(portrait_file, "anna", folder, About("Second"), overwrite=True)
    assert Persona.load(first.path).manifest.display_name == "Second"
    assert list(folder.iterdir()) == [first.path]


def refusal(photo: Path, folder: Path) -> str:
    with pytest.raises(PhotoRefused) as caught:
        create_persona(photo, "x", folder, About("X"))
    assert not folder.exists() or not list(folder.iterdir())
    return caught.value.code


def test_pictures_that_show_no_one_person(folder: Path, portrait_file: Path, tmp_path: Path) -> None:
    photo = tmp_path / "p.png"
    face = cv2.imread(str(portrait_file))
    cv2.imwrite(str(photo), np.full((600, 600, 3), 128, np.uint8))
    assert refusal(photo, folder) == "no_face"
    cv2.imwrite(str(photo), np.hstack([face, face[:, ::-1]]))
    assert refusal(photo, folder) == "several_faces"
    small = cv2.resize(face, (150, 150), interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(photo), small)
    assert refusal(photo, folder) == "too_small"
    cv2.imwrite(str(photo), face[:, :470])
    assert refusal(photo, folder) in ("face_cut", "no_face", "not_a_person", "turned_away")
    photo.write_bytes(b"")
    assert refusal(photo, folder) == "file_empty"


def test_a_failure_midway_leaves_the_old_persona_and_no_rubbish(
    folder: Path, portrait_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_persona(portrait_file, "anna", folder, About("First"))

    def broken(path: Path) -> None:
        raise PersonaError("cannot be drawn")

    monkeypatch.setattr("avatar.create.try_out", broken)
    with pytest.raises(PersonaError, match="cannot be drawn"):
        create_persona(portrait_file, "anna", folder, About("Second"), overwrite=True)
    assert Persona.load(folder / "anna").manifest.display_name == "First"
    assert [path.name for path in folder.iterdir()] == ["anna"]


def test_a_folder_that_cannot_be_made(portrait_file: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(PersonaError) as caught:
        create_persona(portrait_file, "anna", tmp_path / "file" / "personas", About("Anna"))
    assert caught.value.code == "persona_unwritable"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(portrait_file: Path, folder: Path) -> None:
    folder.mkdir(parents=True, mode=0o500)
    with pytest.raises(PersonaError) as caught:
        create_persona(portrait_file, "anna", folder, About("Anna"))
    assert caught.value.code == "persona_unwritable"


def test_removing(folder: Path, portrait_file: Path, helen: Persona) -> None:
    persona = create_persona(portrait_file, "anna", folder, About("Anna"))
    remove_persona(persona)
    assert list(folder.iterdir()) == []
    with pytest.raises(PersonaError) as caught:
        remove_persona(helen)
    assert caught.value.code == "persona_built_in" and helen.path.is_dir()


@pytest.mark.slow
def test_sample_portraits_are_accepted(shared: Path, folder: Path) -> None:
    samples = sorted((shared / "samples" / "portraits").iterdir())
    assert samples
    for sample in samples:
        persona = create_persona(sample, sample.stem, folder, About(sample.stem))
        assert persona.manifest.warnings == (), sample.name
