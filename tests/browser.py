"""Chromium for tests (see ``benchmarks.chromium``).

Import ``chromium`` into a conftest to use it::

    async def test_page(chromium):
        context = await chromium(fake_microphone=wav)
        page = await context.new_page()
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
import pytest_asyncio

from benchmarks.chromium import STEP_SECONDS, ChromiumMissing, chromium_path, microphone_wav, open_chromium

__all__ = ["STEP_SECONDS", "ChromiumFactory", "chromium", "chromium_path", "microphone_wav", "open_chromium"]

ChromiumFactory = Callable[..., Awaitable[Any]]
"""Called with the keywords of ``open_chromium``; gives a playwright BrowserContext."""


@pytest_asyncio.fixture
async def chromium(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ChromiumFactory]:
    """Opens browsers that are closed after the test; skips where there is none."""
    async with AsyncExitStack() as stack:

        async def factory(**options: Any) -> Any:
            profile = tmp_path_factory.mktemp("chromium") / "profile"
            try:
                return await stack.enter_async_context(open_chromium(profile, **options))
            except ChromiumMissing as missing:
                pytest.skip(str(missing))

        yield factory
