"""A ``parley serve`` of its own on a free port, for measurements and end-to-end tests."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

START_S = 60
STOP_S = 20


class ServerFailed(Exception):
    """The server did not start, did not leave, or left processes behind; the text holds its log."""


@dataclass(frozen=True, slots=True)
class Served:
    """A running server.

    Attributes:
        log: its lines so far.
        idle: the processes that it has without any conversation.
    """

    url: str
    process: asyncio.subprocess.Process
    log: list[str]
    idle: list[psutil.Process]

    def processes(self) -> list[psutil.Process]:
        """The server's process and all that it started."""
        parent = psutil.Process(self.process.pid)
        return [parent, *parent.children(recursive=True)]


@asynccontextmanager
async def serve(data_dir: Path, *arguments: str, module: str = "server", **variables: str) -> AsyncIterator[Served]:
    """Start a server; at the end it must go within seconds of SIGTERM and leave no process behind.

    Args:
        arguments: of ``parley serve``.
        module: what is run in place of ``parley`` (``benchmarks.scripted_server``).
        variables: of its environment; other ``PARLEY_*`` variables are kept from it.

    Raises:
        ServerFailed
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PARLEY_")}
    environment |= {"PARLEY_DATA_DIR": str(data_dir), "PYTHONUNBUFFERED": "1"} | variables
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, "serve", "--port", "0", *arguments,
        env=environment, stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    log: list[str] = []
    try:
        url = await asyncio.wait_for(_listening(process, log), START_S)
    except BaseException:
        if process.returncode is None:
            process.kill()
        await process.wait()
        raise
    parent = psutil.Process(process.pid)
    served = Served(url, process, log, [parent, *parent.children(recursive=True)])
    reader = asyncio.create_task(_drain(process, log))
    try:
        yield served
    finally:
        await _stop(served)
        await reader


async def _stop(served: Served) -> None:
    process = served.process
    started = served.processes()[1:] if process.returncode is None else []
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
    try:
        await asyncio.wait_for(process.wait(), STOP_S)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise ServerFailed(f"the server did not leave within {STOP_S} s of SIGTERM:\n" + "".join(served.log)) from None
    _, alive = await asyncio.to_thread(psutil.wait_procs, started, 5)
    for left in alive:
        left.kill()
    if alive:
        raise ServerFailed(f"processes outlived the server: {alive}")


async def _listening(process: asyncio.subprocess.Process, log: list[str]) -> str:
    assert process.stdout is not None
    async for line in process.stdout:
        log.append(line.decode())
        if found := re.search(r"listening: (\S+)", log[-1]):
            return found[1]
    raise ServerFailed("the server left:\n" + "".join(log))


async def _drain(process: asyncio.subprocess.Process, log: list[str]) -> None:
    assert process.stdout is not None
    async for line in process.stdout:
        log.append(line.decode())
