"""A model hub on a local port: describes repositories, serves files with ranges, and breaks where told to."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

COMMIT = "5a1d9c0ffee5a1d9c0ffee5a1d9c0ffee5a1d9c0"


@dataclass
class FakeHub:
    """Attributes:
    files: path -> content, of the one repository.
    cut_after: bytes after which the connection breaks, for each coming answer with a file.
    corrupt: how many coming answers have one byte changed.
    statuses: HTTP statuses to answer coming file requests with, before any are served.
    ranges: the Range header of each request for model.bin.
    """

    repository: str = "Systran/faster-whisper-tiny"
    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    cut_after: list[int] = field(default_factory=list)
    corrupt: int = 0
    statuses: list[int] = field(default_factory=list)
    ignores_ranges: bool = False
    ranges: list[str | None] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def describe(self) -> dict[str, Any]:
        siblings = []
        for path, content in self.files.items():
            git = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
            item: dict[str, Any] = {"rfilename": path, "size": len(content), "blobId": git}
            if path == "model.bin":
                item["lfs"] = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 134}
            siblings.append(item)
        return {"id": self.repository, "sha": COMMIT, "siblings": siblings, "cardData": {"license": "mit"}}


def whisper_files(size: int = 300_000) -> dict[str, bytes]:
    return {
        ".gitattributes": b"*.bin filter=lfs",
        "README.md": b"# read me",
        "config.json": b"{}",
        "model.bin": bytes(number % 251 for number in range(size)),
        "tokenizer.json": b'{"version": "1.0"}',
        "vocabulary.txt": b"a\nb\n",
    }


@contextmanager
def fake_hub() -> Iterator[FakeHub]:
    hub = FakeHub(files=whisper_files())

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            path = self.path.split("?")[0]
            hub.requests.append(path)
            if path == f"/api/models/{hub.repository}/revision/main":
                self._send(200, json.dumps(hub.describe()).encode())
            elif path.startswith(f"/{hub.repository}/resolve/{COMMIT}/"):
                self._file(path.rsplit("/", 1)[1])
            else:
                self._send(404, b'{"error": "Repository not found"}')

        def _file(self, name: str) -> None:
            if hub.statuses:
                self._send(hub.statuses.pop(0), b"")
                return
            wanted = self.headers.get("Range")
            if name == "model.bin":
                hub.ranges.append(wanted)
            content = hub.files[name]
            if name == "model.bin" and hub.corrupt:
                hub.corrupt -= 1
                content = content[:1000] + bytes([content[1000] ^ 1]) + content[1001:]
            if wanted and not hub.ignores_ranges:
                start = int(wanted.removeprefix("bytes=").removesuffix("-"))
                self._send(206, content[start:], {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"})
            else:
                self._send(200, content)

        def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if status in (200, 206) and len(body) > 10_000 and hub.cut_after:
                self.wfile.write(body[: hub.cut_after.pop(0)])
                self.close_connection = True
                return
            self.wfile.write(body)

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """A client that hangs up is part of the tests."""

    server = Server(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
