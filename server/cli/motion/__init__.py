"""``parley motion synthesize | train | distill | export | recipe | capture | evaluate``: one module a command."""

from __future__ import annotations

import typer

from server.cli.motion.capture import capture
from server.cli.motion.distill import distill
from server.cli.motion.evaluate import evaluate
from server.cli.motion.export import export
from server.cli.motion.recipe import recipe
from server.cli.motion.synthesize import synthesize
from server.cli.motion.train import train

app = typer.Typer(no_args_is_help=True)
for command in (synthesize, train, distill, export, recipe, capture, evaluate):
    app.command()(command)
