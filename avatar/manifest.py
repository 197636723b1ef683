"""``manifest.json`` of a persona folder: its name, where its picture came from, what was checked."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from avatar.errors import PersonaError

MANIFEST_VERSION = 1
NAME_PATTERN = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")
"""A persona's name is also a folder's name and a part of URLs: no dots, no separators, no upper case."""

_LOCALE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MAX_TEXT = 2000
"""Longest free text; a manifest is shown in lists and sent to browsers."""


def check_name(name: str) -> str:
    """The name itself when it may be one.

    Raises:
        PersonaError: code ``bad_name``; the text suggests a name where one can be made.
    """
    if NAME_PATTERN.fullmatch(name):
        return name
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40].strip("-")
    hint = f' For example "{slug}".' if slug else ""
    raise PersonaError(
        f"{name!r} cannot be a persona's name: use 1 to 40 of a-z, 0-9 and hyphens, beginning and ending "
        f"with a letter or digit.{hint}",
        code="bad_name",
    )


@dataclass(frozen=True, slots=True)
class Manifest:
    """What ``manifest.json`` holds.

    Attributes:
        name: the folder's name, ``NAME_PATTERN``.
        display_name: what people read.
        locales: BCP 47 tags of the languages the persona is meant to speak, the first by default.
        voices: names of voices that suit the face, of whatever engine; the first that is known is used.
        created: ISO 8601 with offset.
        source: where the picture came from.
        consent: that the person shown agreed, and where that is written down; empty where it is not known.
        licence: of the picture, SPDX expression or words.
        warnings: what the picture check found short of refusing.
        picture_sha256: of ``portrait.png``; the rig belongs to exactly this picture.
        version: of this format.
    """

    name: str
    display_name: str
    locales: tuple[str, ...]
    created: str
    source: str
    consent: str
    licence: str
    warnings: tuple[str, ...]
    picture_sha256: str
    voices: tuple[str, ...] = ()
    version: int = MANIFEST_VERSION

    def to_json(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False, indent=2) + "\n"


def parse_manifest(text: str, where: str) -> Manifest:
    """A manifest from its JSON, strictly.

    Args:
        text: the file's content.
        where: path, for the error's text.

    Raises:
        PersonaError: not JSON, another version, or a field (named) is missing, unknown or of a wrong kind.
    """
    try:
        data = json.loads(text)
    except ValueError as error:
        raise PersonaError(f"{where} is not JSON: {error}", code="persona_damaged") from None
    if not isinstance(data, dict):
        raise PersonaError(f"{where} must hold a JSON object.", code="persona_damaged")
    version = data.get("version")
    if version != MANIFEST_VERSION:
        raise PersonaError(
            f"{where} has version {version!r}; this Parley reads version {MANIFEST_VERSION}. "
            "Make the persona again with `parley avatar create`.",
            code="persona_version",
        )
    return _Reader(data, where).manifest()


class _Reader:
    """Takes each field once and says which one is wrong."""

    def __init__(self, data: Mapping[str, Any], where: str) -> None:
        self._data = data
        self._where = where

    def manifest(self) -> Manifest:
        unknown = sorted(set(self._data) - set(Manifest.__dataclass_fields__))
        if unknown:
            raise self._wrong(unknown[0], "is not a field of this version")
        name = self._text("name")
        try:
            check_name(name)
        except PersonaError as error:
            raise self._wrong("name", str(error)) from None
        display_name = self._text("display_name")
        if not display_name.strip() or len(display_name) > 80 or not display_name.isprintable():
            raise self._wrong("display_name", "must be 1 to 80 printable characters")
        locales = self._texts("locales")
        if not locales or not all(_LOCALE.fullmatch(locale) for locale in locales):
            raise self._wrong("locales", 'must list at least one language tag such as "en" or "zh-Hans"')
        created = self._text("created")
        try:
            datetime.fromisoformat(created)
        except ValueError:
            raise self._wrong("created", "must be a date and time in ISO 8601") from None
        digest = self._text("picture_sha256")
        if not _SHA256.fullmatch(digest):
            raise self._wrong("picture_sha256", "must be 64 hexadecimal digits")
        return Manifest(
            name=name,
            display_name=display_name,
            locales=locales,
            created=created,
            source=self._text("source"),
            consent=self._text("consent"),
            licence=self._text("licence"),
            warnings=self._texts("warnings"),
            picture_sha256=digest,
            voices=self._texts("voices") if "voices" in self._data else (),
        )

    def _text(self, field: str) -> str:
        value = self._data.get(field)
        if not isinstance(value, str) or len(value) > _MAX_TEXT:
            raise self._wrong(field, f"must be text of at most {_MAX_TEXT} characters")
        return value

    def _texts(self, field: str) -> tuple[str, ...]:
        value = self._data.get(field)
        if (
            not isinstance(value, list)
            or len(value) > 50
            or not all(isinstance(item, str) and len(item) <= _MAX_TEXT for item in value)
        ):
            raise self._wrong(field, "must be a list of at most 50 texts")
        return tuple(value)

    def _wrong(self, field: str, why: str) -> PersonaError:
        return PersonaError(f"{self._where}: {field} {why}.", code="persona_damaged")
