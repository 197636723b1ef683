"""Reading and driving ``<digital-human>`` from tests.

Pages forbid evaluation of strings (their Content-Security-Policy), so waiting is done on the test's side: every event
of the element is sent to it through a binding.
"""

from __future__ import annotations

import asyncio
from typing import Any

from tests.web_client.fake_server import FakeServer

EVENTS = (
    "connectionstate", "agentstate", "microphonestate", "caption", "ready", "interrupted", "metrics", "error",
)  # fmt: skip

RECORDER = """
document.addEventListener('DOMContentLoaded', () => {
  const element = document.querySelector('digital-human');
  for (const name of EVENTS) {
    element.addEventListener(name, (event) => window.recordEvent(name, event.detail));
  }
});
"""


class ElementPage:
    """A page with one element.

    Attributes:
        events: (name, detail) of everything it told.
        complaints: errors on the console, uncaught exceptions, violations of the policy.
    """

    def __init__(self, page: Any) -> None:
        self.page = page
        self.events: list[tuple[str, Any]] = []
        self.complaints: list[str] = []
        self._news = asyncio.Event()
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda message: message.type == "error" and self.complaints.append(message.text))

    @classmethod
    async def open(cls, context: Any, url: str, *, script: str = "") -> ElementPage:
        self = cls(await context.new_page())
        await self.page.expose_binding("recordEvent", lambda _source, name, detail: self._record(name, detail))
        await self.page.add_init_script(f"{{ const EVENTS = {list(EVENTS)};{RECORDER}}}\n{script}")
        await self.page.goto(url)
        await self.page.locator("digital-human:defined").wait_for()
        return self

    def _record(self, name: str, detail: Any) -> None:
        self.events.append((name, detail))
        self._news.set()

    async def event(self, name: str, seconds: float = 20, **fields: Any) -> Any:
        """Detail of the first event of this name with these fields, waited for."""
        async with asyncio.timeout(seconds):
            while True:
                for told, detail in self.events:
                    if told == name and fields.items() <= detail.items():
                        return detail
                self._news.clear()
                await self._news.wait()

    async def run(self, script: str) -> Any:
        """Evaluate with ``element`` bound to the element; the page takes it for a gesture, as for a click."""
        return await self.page.evaluate(
            f"() => {{ const element = document.querySelector('digital-human'); return {script}; }}"
        )

    def button(self, name: str) -> Any:
        return self.page.locator("digital-human").get_by_role("button", name=name, exact=True)

    def part(self, name: str) -> Any:
        return self.page.locator(f"digital-human [part='{name}']")


def element_page(fake: FakeServer, attributes: str = "", *, module: str = "/digital-human.js") -> str:
    """Serve a page with one element; returns its URL."""
    fake.pages["element.html"] = (
        f'<!doctype html><html lang="en"><title>Test</title><link rel="icon" href="/favicon.svg"><main>'
        f'<digital-human {attributes}></digital-human></main><script type="module" src="{module}"></script></html>'
    )
    return f"{fake.url}/element.html"
