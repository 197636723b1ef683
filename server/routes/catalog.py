"""What there is to choose from (models, avatars), and how the server is (health, metrics)."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Literal

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel

from server.errors import NotFound
from server.realtime.session_config import MODEL, VOICE
from server.routes.describe import ERRORS
from server.state import state_of

router = APIRouter()


class Health(BaseModel):
    """`draining` is answered with status 503, so that a load balancer sends no more visitors."""

    status: Literal["ok", "draining"]
    version: str


class ModelEntry(BaseModel):
    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str = "parley"


class ModelList(BaseModel):
    object: Literal["list"] = "list"
    data: list[ModelEntry]


class AvatarEntry(BaseModel):
    """`thumbnail` is a path on this server: WebP, 512 pixels square, good until the server restarts."""

    name: str
    display_name: str
    locales: list[str]
    thumbnail: str
    default: bool


class AvatarList(BaseModel):
    """Personas for `session.avatar.persona`, and voices for `session.audio.output.voice`."""

    data: list[AvatarEntry]
    voices: list[str]


def _version() -> str:
    try:
        return version("parley")
    except PackageNotFoundError:  # run from a source tree that was never installed
        return "0"


@router.get(
    "/health", tags=["operation"], summary="Whether the server takes conversations", responses={503: {"model": Health}}
)
async def health(request: Request) -> Response:
    """Needs no key and tells nothing else."""
    draining = state_of(request).registry.draining
    body = Health(status="draining" if draining else "ok", version=_version())
    return JSONResponse(body.model_dump(), 503 if draining else 200, {"Cache-Control": "no-store"})


@router.get("/metrics", tags=["operation"], summary="Metrics for Prometheus", response_class=Response, responses=ERRORS)
async def metrics(request: Request) -> Response:
    """Needs the API key, but not from the server's own machine."""
    state = state_of(request)
    state.access.check_page(request)
    if not state.access.is_this_machine(request):
        state.access.authorise(request, tokens=False)
    return Response(state.metrics.render(), headers={"Content-Type": CONTENT_TYPE_LATEST, "Cache-Control": "no-store"})


@router.get("/v1/models", tags=["catalog"], summary="The models that `session.model` may name", responses=ERRORS)
async def models(request: Request) -> ModelList:
    """There is one; what answers behind it is the operator's choice."""
    state_of(request).access.authorise(request)
    return ModelList(data=[ModelEntry(id=MODEL)])


@router.get("/v1/avatars", tags=["catalog"], summary="The personas there are", responses=ERRORS)
async def avatars(request: Request) -> AvatarList:
    """The default comes first."""
    state = state_of(request)
    state.access.authorise(request)
    entries = [
        AvatarEntry(
            name=persona.name,
            display_name=persona.manifest.display_name,
            locales=list(persona.manifest.locales),
            thumbnail=f"/v1/avatars/{persona.name}/thumbnail.webp?key={state.sign_thumbnail(persona.name)}",
            default=persona.name == state.settings.avatar.persona,
        )
        for persona in await state.personas.all()
    ]
    return AvatarList(data=entries, voices=[VOICE, *state.defaults.voices])


@router.get(
    "/v1/avatars/{name}/thumbnail.webp",
    tags=["catalog"],
    summary="A persona's picture",
    responses=ERRORS,
    response_class=Response,
)
async def thumbnail(name: str, request: Request, key: str = "") -> Response:
    """The address comes from `/v1/avatars`; its `key` stands for the right to see it."""
    state = state_of(request)
    if not state.check_thumbnail(name, key):
        raise NotFound("There is no such picture; take its address from /v1/avatars.", code="thumbnail_not_found")
    picture = await state.personas.thumbnail(name)
    return Response(picture, media_type="image/webp", headers={"Cache-Control": "private, max-age=3600"})
