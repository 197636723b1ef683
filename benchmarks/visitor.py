"""A visitor: a page with the avatar on it, and a probe in the page that keeps what it receives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

PROBE = Path(__file__).with_name("probe.js")


class NothingCame(Exception):
    """An event that was waited for did not come; the text says which did."""


class Visitor:
    """Drives the ``<digital-human>`` of a page.

    Args:
        page: of playwright.
    """

    def __init__(self, page: Any) -> None:
        self.page = page

    async def open(self, url: str) -> None:
        await self.page.add_init_script(path=str(PROBE))
        await self.page.goto(url, wait_until="networkidle")
        await self.page.wait_for_function("customElements.get('digital-human') !== undefined")

    async def connect(self, *, microphone: bool = True) -> None:
        """Call the element as its page does after the gesture; returns at the first displayed frame."""
        await self.page.evaluate(
            "microphone => document.querySelector('digital-human').connect({ microphone })", microphone
        )

    async def element(self, expression: str) -> Any:
        return await self.page.evaluate(f"document.querySelector('digital-human').{expression}")

    async def send(self, event: dict[str, Any]) -> None:
        """A client event, past the element."""
        await self.page.evaluate("event => probe.channel.send(JSON.stringify(event))", event)

    async def all_events(self) -> list[dict[str, Any]]:
        """Every event of the server, with ``at``: milliseconds on the page's clock."""
        found: list[dict[str, Any]] = await self.page.evaluate("probe.events")
        return found

    async def events(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in await self.all_events() if event["type"] == kind]

    async def wait_for(self, kind: str, *, count: int = 1, seconds: float = 30) -> list[dict[str, Any]]:
        """Until ``count`` events of a type have come.

        Raises:
            NothingCame
        """
        try:
            await self.page.wait_for_function(
                "([kind, count]) => probe.events.filter((event) => event.type === kind).length >= count",
                arg=[kind, count],
                timeout=seconds * 1000,
            )
        except Exception as error:
            seen = sorted({event["type"] for event in await self.all_events()})
            raise NothingCame(f"no {kind} x{count} within {seconds} s; seen: {seen}") from error
        return await self.events(kind)

    async def inbound(self) -> dict[str, dict[str, Any]]:
        """The page's ``inbound-rtp`` statistics by kind ("audio", "video")."""
        stats: dict[str, dict[str, Any]] = await self.page.evaluate("probe.inbound()")
        return stats
