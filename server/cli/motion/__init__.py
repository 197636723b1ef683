"""``parley motion synthesize | train | distill | export | recipe | capture | evaluate``: one module a command."""

from __future__ import annotations

import typer

from server.cli.motion.capture import capture
from server.cli.motion.evaluate import evaluate
from server.cli.motion.synthesize import synthesize

app = typer.Typer(no_args_is_help=True)
app.command()(synthesize)
app.command()(capture)
app.command()(evaluate)
