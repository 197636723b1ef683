"""A server with scripted conversations, for ASGI tests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient, WebSocketTestSession

from server.app import create_app
from server.config import Settings
from tests.server.fakes import FakeConversations, fake_engines

KEY = "test-key-0123456789abcdef"


class Site:
    """A running application and what it made.

    Attributes:
        client: as a browser or program on the server's own machine.
        conversations: what the application made.
    """

    def __init__(self, app: Any, client: TestClient, conversations: FakeConversations) -> None:
        self.app = app
        self.client = client
        self.conversations = conversations

    def connect(self, path: str = "/v1/realtime?model=gpt-realtime", **options: Any) -> WebSocketTestSession:
        """A WebSocket to this server, under the client's own base address."""
        base = str(self.client.base_url).replace("http", "ws", 1).rstrip("/")
        return self.client.websocket_connect(base + path, **options)

    def wait_until_quiet(self) -> None:
        """Return when no conversation is left."""
        assert self.client.portal is not None
        self.client.portal.call(self._quiet)

    async def _quiet(self) -> None:
        async with asyncio.timeout(5):
            while len(self.state.registry):  # noqa: ASYNC110
                await asyncio.sleep(0.002)

    @property
    def state(self) -> Any:
        return self.app.state.parley


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """Start an application: ``serve(api_key=..., client=("203.0.113.9", 1), ...)``; stopped after the test."""
    web_folder = tmp_path / "web"
    web_folder.mkdir()
    (web_folder / "index.html").write_text("<!doctype html><title>Parley</title>")
    (web_folder / "app.js").write_text("export {};")
    (web_folder / "__init__.py").write_text("secret = 1")
    with ExitStack() as stack:

        def start(
            *, client: tuple[str, int] = ("127.0.0.1", 50000), base_url: str = "http://localhost:8765",
            app_options: dict[str, Any] | None = None, **section: Any,
        ) -> Site:  # fmt: skip
            settings = Settings(server={"calls_per_minute": 1000, **section}, data_dir=tmp_path / "data")  # type: ignore[arg-type]
            conversations = FakeConversations()
            options: dict[str, Any] = {"conversations": conversations, "web_folder": web_folder} | (app_options or {})
            app = create_app(settings, fake_engines(), **options)
            test_client = TestClient(app, base_url=base_url, client=client, raise_server_exceptions=True)
            stack.enter_context(test_client)
            return Site(app, test_client, conversations)

        yield start
