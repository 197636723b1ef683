"""Writes the OpenAPI description of the HTTP part: ``python -m server.openapi > docs/openapi.json``."""

from __future__ import annotations

import json
import sys
from typing import Any

from fastapi import FastAPI

from server.app import DESCRIPTION
from server.routes import calls, catalog, client_secrets


def describe() -> dict[str, Any]:
    """The description; the same whatever is configured."""
    app = FastAPI(
        title="Parley", version="1", description=DESCRIPTION, generate_unique_id_function=lambda route: route.name
    )
    for module in (client_secrets, calls, catalog):
        app.include_router(module.router)
    description = app.openapi()
    description["components"]["securitySchemes"] = {
        "key": {"type": "http", "scheme": "bearer", "description": "The API key, or a client secret (`ek_...`)"}
    }
    description["security"] = [{"key": []}]
    description["paths"]["/health"]["get"]["security"] = []
    # Written by FastAPI for every parameter; refusals have the one form that ErrorBody describes.
    for path in description["paths"].values():
        for operation in path.values():
            operation["responses"].pop("422", None)
    for name in ("HTTPValidationError", "ValidationError"):
        description["components"]["schemas"].pop(name, None)
    return description


def render() -> str:
    return json.dumps(describe(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(render())
