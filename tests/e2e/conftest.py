"""A real server, a real browser, and what a visitor would see and hear."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from benchmarks import served
from benchmarks.visitor import Visitor
from tests.browser import chromium  # noqa: F401  (a fixture)

Serve = Callable[..., Awaitable[served.Served]]
Visit = Callable[..., Awaitable[Visitor]]


@pytest_asyncio.fixture
async def serve(tmp_path: Path) -> AsyncIterator[Serve]:
    """Starts servers (see ``benchmarks.served.serve``)."""
    async with AsyncExitStack() as stack:

        async def start(*arguments: str, **variables: str) -> served.Served:
            return await stack.enter_async_context(served.serve(tmp_path / "data", *arguments, **variables))

        yield start


@pytest.fixture
def visit(chromium: Any) -> Visit:  # noqa: F811
    """Opens the demo page in a browser of its own."""

    async def open_page(url: str, *, microphone: Path | None = None, **options: Any) -> Visitor:
        context = await chromium(fake_microphone=microphone, **options)
        visitor = Visitor(context.pages[0] if context.pages else await context.new_page())
        await visitor.open(url)
        return visitor

    return open_page
