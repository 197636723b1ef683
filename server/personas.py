"""The personas on disk, as the endpoints need them: looked up off the event loop, remembered for a few seconds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import cv2

from avatar.errors import PersonaError
from avatar.persona import Persona, find_persona, list_personas
from server.errors import NotFound

REMEMBER_S = 5.0
"""Listing reads and hashes every picture (1 MB each); a new persona shows after this long at most."""

THUMBNAIL_SIDE = 512
"""Pixels: as the video, for which it stands in until a conversation begins; 20 kB as WebP."""


class PersonaShelf:
    """Args:
    folder: the user's personas; need not exist.
    default: name of the persona shown first.
    """

    def __init__(self, folder: Path, default: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder
        self._default = default
        self._clock = clock
        self._personas: list[Persona] = []
        self._read_at = float("-inf")

    async def all(self) -> list[Persona]:
        """Every usable persona, the default first."""
        if self._clock() - self._read_at > REMEMBER_S:
            found = await asyncio.to_thread(list_personas, self._folder)
            self._personas = sorted(found, key=lambda persona: persona.name != self._default)
            self._read_at = self._clock()
        return self._personas

    async def find(self, name: str) -> Persona:
        """Raises:
        NotFound: there is none of that name, or its folder is damaged.
        """
        try:
            return await asyncio.to_thread(find_persona, name, self._folder)
        except PersonaError as error:
            raise NotFound(str(error), code=error.code) from None

    async def thumbnail(self, name: str) -> bytes:
        """WebP, square, ``THUMBNAIL_SIDE`` pixels.

        Raises:
            NotFound
        """
        persona = await self.find(name)
        try:
            return await asyncio.to_thread(_thumbnail, persona, persona.manifest.picture_sha256)
        except PersonaError as error:
            raise NotFound(str(error), code=error.code) from None


@lru_cache(maxsize=64)
def _thumbnail(persona: Persona, picture_sha256: str) -> bytes:
    picture = persona.picture()
    height, width = picture.shape[:2]
    side = min(height, width)
    left = (width - side) // 2
    square = picture[:side, left : left + side]  # faces are in the upper part of a portrait
    small = cv2.resize(square, (THUMBNAIL_SIDE, THUMBNAIL_SIDE), interpolation=cv2.INTER_AREA)
    _, encoded = cv2.imencode(".webp", small, [cv2.IMWRITE_WEBP_QUALITY, 82])
    return bytes(encoded)
