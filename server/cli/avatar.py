"""``parley avatar create | list | check | remove``"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Column, Table

from avatar.errors import AvatarError, PersonaError
from avatar.persona import DamagedPersona, Persona, find_persona, scan_personas
from server.cli.failure import ExitCode, fail
from server.cli.progress import steps
from server.config import load_settings

app = typer.Typer(no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def personas_dir() -> Path:
    """Where this user's personas live."""
    return load_settings().data_dir / "personas"


@app.command()
def create(
    photo: Annotated[Path, typer.Argument(help="A picture in which one person looks into the camera.")],
    name: Annotated[str, typer.Option(help="Name of the persona: a-z, 0-9 and hyphens.")],
    display_name: Annotated[
        str | None, typer.Option(help="What people read.", show_default="the name, capitalised")
    ] = None,
    locale: Annotated[
        list[str] | None,
        typer.Option(help="Language it is meant to speak; may be repeated.", show_default="en"),
    ] = None,
    voice: Annotated[
        list[str] | None,
        typer.Option(help="Voice that suits the face; may be repeated, the first that the engine knows is used."),
    ] = None,
    consent: Annotated[str, typer.Option(help="That the person shown agreed, and where that is written down.")] = "",
    source: Annotated[str, typer.Option(help="Where the picture came from.", show_default="its file name")] = "",
    licence: Annotated[str, typer.Option(help="Licence of the picture.")] = "",
    force: Annotated[bool, typer.Option("--force", help="Replace a persona of that name.")] = False,
    as_json: Json = False,
) -> None:
    """Make a persona from a picture.

    Exit codes: 0 made, 1 could not be written, 3 the picture cannot be used (the reason is told), 4 MediaPipe,
    which finds the face, is missing on this machine.
    """
    from avatar.create import About, Step, create_persona

    about = About(
        display_name=display_name or name.replace("-", " ").title(),
        locales=tuple(locale or ["en"]),
        source=source or photo.name,
        consent=consent,
        licence=licence,
        voices=tuple(voice or ()),
    )
    try:
        with steps(len(Step), quiet=as_json) as begin:
            persona = create_persona(
                photo, name, personas_dir(), about, overwrite=force, on_step=lambda step: begin(step.value)
            )
    except AvatarError as error:
        raise fail(error, as_json=as_json) from None
    if as_json:
        typer.echo(json.dumps(_describe(persona), ensure_ascii=False, indent=2))
        return
    for warning in persona.manifest.warnings:
        typer.echo(f"note: {warning}", err=True)
    if not consent:
        typer.echo("note: no --consent was given. To show a real person you need their agreement.", err=True)
    typer.echo(f"{persona.name} is ready in {persona.path}")
    typer.echo(f'Try it: parley render --avatar {persona.name} --text "Hello." -o hello.mp4')


@app.command("list")
def list_(as_json: Json = False) -> None:
    """Show the personas there are, built in and your own."""
    usable, damaged = scan_personas(personas_dir())
    if as_json:
        found = {
            "personas": [_describe(persona) for persona in usable],
            "damaged": [_describe_damage(item) for item in damaged],
        }
        typer.echo(json.dumps(found, ensure_ascii=False, indent=2))
        return
    if sys.stdout.isatty():
        table = Table("Name", "Shown as", "Languages", "From", Column("Folder", overflow="fold"))
        for persona in usable:
            table.add_row(*_row(persona))
        Console().print(table)
    else:
        for persona in usable:
            typer.echo("\t".join(_row(persona)))
    for item in damaged:
        typer.echo(f"damaged: {item.error}", err=True)


@app.command()
def check(
    names: Annotated[list[str] | None, typer.Argument(help="Names or folders.", show_default="every persona")] = None,
    as_json: Json = False,
) -> None:
    """Check persona folders, draw each, and say what a frame costs on this machine.

    Exit code 1 where one cannot be used.
    """
    from avatar.frame_cost import frame_cost_ms

    personas, damaged = _chosen(names or [])
    results: list[dict[str, Any]] = []
    with steps(len(personas), quiet=as_json) as begin:
        for persona in personas:
            begin(f"Drawing {persona.name}")
            try:
                cost = frame_cost_ms(persona.path)
            except PersonaError as error:
                damaged.append(DamagedPersona(persona.path, error))
            else:
                results.append({**_describe(persona), "frame_cost_ms": round(cost, 2)})
    if as_json:
        report = {"personas": results, "damaged": [_describe_damage(item) for item in damaged]}
        typer.echo(json.dumps(report, ensure_ascii=False, indent=2))
    else:
        for result in results:
            cost = result["frame_cost_ms"]
            typer.echo(f"{result['name']}: good; {cost:.1f} ms of one core a frame at 512, {cost / 0.4:.0f} % of it")
            for warning in result["warnings"]:
                typer.echo(f"  note: {warning}")
        for item in damaged:
            typer.echo(f"{item.path.name}: {item.error}", err=True)
    if damaged:
        raise typer.Exit(ExitCode.FAILED)


@app.command()
def remove(
    name: Annotated[str, typer.Argument(help="One of your own personas.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete one of your personas. Built-in ones stay."""
    from avatar.create import remove_persona

    try:
        persona = _own(name)
        if not yes:
            if not sys.stdin.isatty():
                typer.echo("parley: add --yes to remove without being asked", err=True)
                raise typer.Exit(2)
            typer.confirm(f"Remove {persona.path} for good?", abort=True)
        remove_persona(persona)
    except PersonaError as error:
        raise fail(error) from None
    typer.echo(f"{name} was removed")


def _own(name: str) -> Persona:
    """The persona to be removed; a damaged folder of one's own counts, since removing is its cure."""
    from avatar.manifest import MANIFEST_VERSION, Manifest

    try:
        return find_persona(name, personas_dir())
    except PersonaError as error:
        folder = personas_dir() / name
        if error.code in ("bad_name", "persona_missing") or not folder.is_dir():
            raise
        blank = Manifest(name, name, ("en",), "", "", "", "", (), "", (), MANIFEST_VERSION)
        return Persona(folder, blank, built_in=False)


def _chosen(names: list[str]) -> tuple[list[Persona], list[DamagedPersona]]:
    if not names:
        return scan_personas(personas_dir())
    personas, damaged = [], []
    for name in names:
        is_folder = "/" in name or "\\" in name or name in (".", "..")
        try:
            personas.append(Persona.load(Path(name)) if is_folder else find_persona(name, personas_dir()))
        except PersonaError as error:
            damaged.append(DamagedPersona(Path(name), error))
    return personas, damaged


def _row(persona: Persona) -> tuple[str, ...]:
    manifest = persona.manifest
    origin = "built in" if persona.built_in else manifest.source
    return (manifest.name, manifest.display_name, ", ".join(manifest.locales), origin, str(persona.path))


def _describe(persona: Persona) -> dict[str, Any]:
    return {**asdict(persona.manifest), "built_in": persona.built_in, "path": str(persona.path)}


def _describe_damage(item: DamagedPersona) -> dict[str, str]:
    return {"path": str(item.path), "code": item.error.code, "message": str(item.error)}
