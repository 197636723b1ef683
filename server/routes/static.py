"""The page: files of the ``web_client`` package, nothing else."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

import web_client

SERVED_SUFFIXES = frozenset(
    {".html", ".js", ".mjs", ".css", ".svg", ".png", ".webp", ".jpg", ".ico", ".woff2", ".json", ".webmanifest"}
)

_TYPES = {".js": "text/javascript", ".mjs": "text/javascript", ".webmanifest": "application/manifest+json"}
"""Modules are refused by browsers under another type, and mimetypes asks the machine (a registry may say text/plain)."""


class WebClientFiles(StaticFiles):
    """Serves by suffix, so that no Python file or note of the package gets out; ``/`` is ``index.html``."""

    def __init__(self, folder: Path | None = None) -> None:
        super().__init__(directory=folder or Path(web_client.__file__).parent, html=True, check_dir=True)

    async def get_response(self, path: str, scope: Scope) -> Response:
        name = PurePosixPath(path)
        if path not in (".", "") and (
            name.suffix not in SERVED_SUFFIXES or any(part.startswith(".") for part in name.parts)
        ):
            raise HTTPException(404)
        response = await super().get_response(path, scope)
        if name.suffix in _TYPES and response.status_code in (200, 304):
            response.headers["Content-Type"] = f"{_TYPES[name.suffix]}; charset=utf-8"
        # File names carry no version (there is no build step): browsers ask each time and get 304 for what they have.
        response.headers["Cache-Control"] = "no-cache"
        # The element is loaded by other sites' pages: module scripts need CORS. These files are public.
        response.headers["Access-Control-Allow-Origin"] = "*"
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        return response
