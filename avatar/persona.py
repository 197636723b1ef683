"""Personas: a folder each, holding a picture, its rig and a manifest. A folder copied by hand works.

NAME/manifest.json    avatar/manifest.py
NAME/portrait.png     8-bit RGB
NAME/rig.npz          what the ``portrait`` renderer prepared from the picture (arrays only, never pickle)
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from avatar.errors import PersonaError
from avatar.manifest import Manifest, check_name, parse_manifest

BUILT_IN_DIR = Path(__file__).parent / "personas"
BUILT_IN_ORDER = ("helen", "mei", "arjun")
"""As shown to newcomers; Helen leads. Others follow by name."""

MANIFEST_FILE = "manifest.json"
PORTRAIT_FILE = "portrait.png"
RIG_FILE = "rig.npz"

MAX_PORTRAIT_SIDE = 4096
_MAX_BYTES = {MANIFEST_FILE: 64 << 10, PORTRAIT_FILE: 32 << 20, RIG_FILE: 64 << 20}
"""A folder may come from a stranger: what is larger was not made by ``create`` (its largest: 8 MB)."""


@dataclass(frozen=True, slots=True)
class Persona:
    """A persona whose folder was found whole.

    Attributes:
        path: the folder.
        manifest: what it says about itself.
        built_in: shipped with Parley; cannot be removed.
    """

    path: Path
    manifest: Manifest
    built_in: bool

    @property
    def name(self) -> str:
        return self.manifest.name

    @property
    def portrait_path(self) -> Path:
        return self.path / PORTRAIT_FILE

    @property
    def rig_path(self) -> Path:
        return self.path / RIG_FILE

    def voice_among(self, known: Sequence[str]) -> str | None:
        """The first of the voices that suit this face which is ``known``."""
        return next((voice for voice in self.manifest.voices if voice in known), None)

    @staticmethod
    def load(path: Path) -> Persona:
        """Read and check a folder: manifest strictly, picture by hash and header, rig by presence and size.

        The rig's arrays are checked by whoever opens them (``open_renderer``, ``parley avatar check``).

        Raises:
            PersonaError: names the file and what is wrong with it.
        """
        if not path.is_dir():
            raise PersonaError(f"There is no persona folder at {path}.", code="persona_missing")
        for name, limit in _MAX_BYTES.items():
            _check_file(path / name, limit)
        try:
            text = (path / MANIFEST_FILE).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise _damaged(f"{path / MANIFEST_FILE} cannot be read: {error}") from None
        manifest = parse_manifest(text, str(path / MANIFEST_FILE))
        _check_portrait(path / PORTRAIT_FILE, manifest.picture_sha256)
        return Persona(path, manifest, path.resolve().parent == BUILT_IN_DIR.resolve())

    def picture(self) -> NDArray[np.uint8]:
        """The portrait, BGR uint8 [height, width, 3].

        Raises:
            PersonaError: it cannot be decoded.
        """
        import cv2  # not needed to list personas

        picture = cv2.imread(str(self.portrait_path), cv2.IMREAD_COLOR)
        if picture is None:
            raise _damaged(f"{self.portrait_path} cannot be decoded as a picture.")
        return np.ascontiguousarray(picture, np.uint8)


@dataclass(frozen=True, slots=True)
class DamagedPersona:
    """A folder among the personas that cannot be used, and why."""

    path: Path
    error: PersonaError


def scan_personas(data_dir: Path | None = None) -> tuple[list[Persona], list[DamagedPersona]]:
    """Built-in personas and those in the user's folder.

    A user's persona hides a built-in one of the same name: that is how one is replaced on one's own machine.

    Args:
        data_dir: the user's folder of personas (a folder each); need not exist.

    Returns:
        Usable personas, built-ins first in their order, then by name; and what could not be read.
    """
    found: dict[str, Persona] = {}
    damaged: list[DamagedPersona] = []
    for folder in (BUILT_IN_DIR, data_dir):
        if folder is None or not folder.is_dir():
            continue
        for path in sorted(folder.iterdir()):
            if not path.is_dir() or path.name.startswith((".", "_")):
                continue  # half-made by `create`, or Python's own
            try:
                persona = Persona.load(path)
                if persona.name != path.name:
                    raise _damaged(f"{path} holds the persona {persona.name!r}: give the folder that name.")
            except PersonaError as error:
                damaged.append(DamagedPersona(path, error))
            else:
                found[persona.name] = persona
    rank = {name: number for number, name in enumerate(BUILT_IN_ORDER)}
    usable = sorted(found.values(), key=lambda persona: (rank.get(persona.name, len(rank)), persona.name))
    return usable, damaged


def list_personas(data_dir: Path | None = None) -> list[Persona]:
    """The usable personas of ``scan_personas``."""
    return scan_personas(data_dir)[0]


def find_persona(name: str, data_dir: Path | None = None) -> Persona:
    """One persona by name; the user's folder goes before the built-ins.

    Raises:
        PersonaError: code ``bad_name``, ``persona_missing`` (names those there are) or ``persona_damaged``.
    """
    check_name(name)
    for folder in (data_dir, BUILT_IN_DIR):
        if folder is not None and (folder / name).is_dir():
            return Persona.load(folder / name)
    known = ", ".join(persona.name for persona in list_personas(data_dir)) or "none"
    raise PersonaError(f"There is no persona {name!r}. Known: {known}.", code="persona_missing")


def picture_sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _damaged(message: str) -> PersonaError:
    return PersonaError(message, code="persona_damaged")


def _check_file(path: Path, limit: int) -> None:
    if not path.is_file():
        raise _damaged(f"{path.parent} is not a whole persona: {path.name} is missing.")
    size = path.stat().st_size
    if not 0 < size <= limit:
        raise _damaged(f"{path} has {size} bytes; 1 to {limit} are expected.")


def _check_portrait(path: Path, digest: str) -> None:
    if picture_sha256(path) != digest:
        raise _damaged(
            f"{path} is not the picture that the rig was made from. Make the persona again from the new "
            "picture with `parley avatar create`."
        )
    with path.open("rb") as file:
        header = file.read(24)
    if len(header) < 24 or header[:8] != b"\x89PNG\r\n\x1a\n" or header[12:16] != b"IHDR":
        raise _damaged(f"{path} is not a PNG picture.")
    width, height = struct.unpack(">II", header[16:24])
    if not 0 < min(width, height) <= max(width, height) <= MAX_PORTRAIT_SIDE:
        raise _damaged(f"{path} is {width}x{height} pixels; 1 to {MAX_PORTRAIT_SIDE} a side are read.")
