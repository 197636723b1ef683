"""Progress on standard error: a bar on a terminal, plain lines elsewhere, nothing with ``--json``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

LINE_EVERY_SHARE = 0.1
"""Without a terminal: one line for each tenth that is done."""
LINE_EVERY_SECONDS = 60.0
"""Without a terminal and without a known length: one line for each minute of video."""


@contextmanager
def steps(total: int, *, quiet: bool = False) -> Iterator[Callable[[str], None]]:
    """For work in named steps: call with the name as each begins."""
    if quiet:
        yield lambda name: None
        return
    if not sys.stderr.isatty():
        yield lambda name: print(f"{name} ...", file=sys.stderr, flush=True)
        return
    with _bar(TextColumn("{task.description}"), BarColumn()) as bar:
        task = bar.add_task("", total=total)
        begun = 0

        def begin(name: str) -> None:
            nonlocal begun
            bar.update(task, description=name, completed=begun)
            begun += 1

        yield begin
        bar.update(task, completed=total)


@contextmanager
def seconds_done(what: str, total_s: float | None, *, quiet: bool = False) -> Iterator[Callable[[float], None]]:
    """For work along a stretch of time: call with the seconds that are done.

    Args:
        what: "Rendering".
        total_s: None where it is not known before the end.
    """
    if quiet:
        yield lambda done_s: None
        return
    if not sys.stderr.isatty():
        yield _lines(what, total_s)
        return
    clock = TextColumn("{task.completed:.0f} s" if total_s is None else "{task.completed:.0f} of {task.total:.0f} s")
    remaining = TimeElapsedColumn() if total_s is None else TimeRemainingColumn()
    with _bar(TextColumn("{task.description}"), BarColumn(), clock, remaining) as bar:
        task = bar.add_task(what, total=total_s)
        yield lambda done_s: bar.update(task, completed=done_s if total_s is None else min(done_s, total_s))


def _bar(*columns: ProgressColumn) -> Progress:
    return Progress(*columns, console=Console(stderr=True), transient=True)


def _lines(what: str, total_s: float | None) -> Callable[[float], None]:
    step = LINE_EVERY_SECONDS if total_s is None else total_s * LINE_EVERY_SHARE
    due = step

    def tell(done_s: float) -> None:
        nonlocal due
        if done_s < due:
            return
        due += step
        of = "" if total_s is None else f" of {total_s:.0f}"
        print(f"{what}: {done_s:.0f}{of} s", file=sys.stderr, flush=True)

    return tell
