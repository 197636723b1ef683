"""A browser, and a scripted server for it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.browser import chromium
from tests.web_client.fake_server import FakeServer, serving

__all__ = ["chromium"]


@pytest_asyncio.fixture
async def fake() -> AsyncIterator[FakeServer]:
    async with serving(FakeServer()) as server:
        yield server
