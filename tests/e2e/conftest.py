"""A real server, a real browser, and what a visitor would see and hear."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
import pytest_asyncio

from tests.browser import chromium  # noqa: F401  (a fixture)

PROBE = Path(__file__).with_name("probe.js")
START_S = 60
STOP_S = 20


@dataclass(frozen=True, slots=True)
class Served:
    """A running ``parley serve``."""

    url: str
    process: asyncio.subprocess.Process
    log: list[str]

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)


Serve = Callable[..., Awaitable[Served]]


@pytest_asyncio.fixture
async def serve(tmp_path: Path) -> AsyncIterator[Serve]:
    """Starts servers on free ports; at the end each must go within seconds and leave no process behind."""
    running: list[tuple[Served, asyncio.Task[None]]] = []

    async def start(*arguments: str, **variables: str) -> Served:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PARLEY_")}
        environment |= {"PARLEY_DATA_DIR": str(tmp_path / "data"), "PYTHONUNBUFFERED": "1"} | variables
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "server", "serve", "--port", "0", *arguments,
            env=environment, stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        log: list[str] = []
        url = await asyncio.wait_for(_listening(process, log), START_S)
        served = Served(url, process, log)
        running.append((served, asyncio.create_task(_drain(process, log))))
        return served

    yield start
    for served, reader in running:
        children = served.children() if served.process.returncode is None else []
        if served.process.returncode is None:
            served.process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(served.process.wait(), STOP_S)
        except TimeoutError:
            served.process.kill()
            pytest.fail(f"the server did not leave within {STOP_S} s of SIGTERM:\n" + "".join(served.log))
        await reader
        _, alive = await asyncio.to_thread(psutil.wait_procs, children, 5)
        for process in alive:
            process.kill()
        assert not alive, f"processes outlived the server: {alive}"


async def _listening(process: asyncio.subprocess.Process, log: list[str]) -> str:
    assert process.stdout is not None
    async for line in process.stdout:
        log.append(line.decode())
        if found := re.search(r"listening: (\S+)", log[-1]):
            return found[1]
    raise AssertionError("the server left:\n" + "".join(log))


async def _drain(process: asyncio.subprocess.Process, log: list[str]) -> None:
    assert process.stdout is not None
    async for line in process.stdout:
        log.append(line.decode())


class Visitor:
    """A page with the avatar on it, and the probe in the page."""

    def __init__(self, page: Any) -> None:
        self.page = page

    async def open(self, url: str) -> None:
        await self.page.add_init_script(path=str(PROBE))
        await self.page.goto(url)
        await self.page.wait_for_function("customElements.get('digital-human') !== undefined")

    async def connect(self, *, microphone: bool = True) -> None:
        """Presses nothing: calls the element as its page does after the gesture."""
        await self.page.evaluate(
            "microphone => document.querySelector('digital-human').connect({ microphone })", microphone
        )

    async def element(self, expression: str) -> Any:
        return await self.page.evaluate(f"document.querySelector('digital-human').{expression}")

    async def events(self, kind: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = await self.page.evaluate(
            "kind => probe.events.filter((event) => event.type === kind)", kind
        )
        return found

    async def wait_for(self, kind: str, *, count: int = 1, seconds: float = 30) -> list[dict[str, Any]]:
        """Until ``count`` events of a type have come."""
        try:
            await self.page.wait_for_function(
                "([kind, count]) => probe.events.filter((event) => event.type === kind).length >= count",
                arg=[kind, count],
                timeout=seconds * 1000,
            )
        except Exception as error:
            seen = await self.page.evaluate("[...new Set(probe.events.map((event) => event.type))]")
            raise AssertionError(f"no {kind} x{count} within {seconds} s; seen: {seen}") from error
        return await self.events(kind)

    async def inbound(self) -> dict[str, dict[str, Any]]:
        stats: dict[str, dict[str, Any]] = await self.page.evaluate("probe.inbound()")
        return stats


@pytest.fixture
def visit(chromium: Any) -> Callable[..., Awaitable[Visitor]]:  # noqa: F811
    """Opens the demo page in a browser of its own."""

    async def open_page(url: str, *, microphone: Path | None = None, **options: Any) -> Visitor:
        context = await chromium(fake_microphone=microphone, **options)
        visitor = Visitor(context.pages[0] if context.pages else await context.new_page())
        await visitor.open(url)
        return visitor

    return open_page
