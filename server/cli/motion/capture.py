"""``parley motion capture``"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from server.cli.failure import fail
from server.cli.progress import seconds_done


def capture(
    video: Annotated[Path, typer.Argument(help="A video in which one person speaks to the camera.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The file to write, *.npz.")],
    hands: Annotated[
        bool, typer.Option(help="Follow the hands too; without them it takes a third of the time.")
    ] = True,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Read the motion of a speaking person from a video, to be played with `parley render --motion`.

    Exit codes: 0 written, 1 the video cannot be used (the reason is told), 4 MediaPipe, which finds the face, is
    missing on this machine.
    """
    from avatar.errors import AvatarError
    from avatar.motion.capture.capture import capture_motion
    from avatar.motion.capture.video import VideoFile
    from avatar.motion.motion_file import check_motion_output, save_motion

    try:
        check_motion_output(out, overwrite=force, not_over=video)
        with VideoFile.open(video) as file, seconds_done("Reading", file.duration_s, quiet=as_json) as tell:
            captured = capture_motion(file, hands=hands, on_progress=tell)
        save_motion(out, captured.motion, captured.about)
    except AvatarError as error:
        raise fail(error, as_json=as_json) from None
    if as_json:
        typer.echo(json.dumps({"path": str(out), **captured.report()}, ensure_ascii=False, indent=2))
        return
    for warning in captured.warnings:
        typer.echo(f"note: {warning}", err=True)
    report = captured.report()
    typer.echo(
        f"wrote {out}: {report['duration_s']:.1f} s, face in {report['face_share']:.0%} of it, "
        f"hands in {report['hands_share']:.0%}"
    )
