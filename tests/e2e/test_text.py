"""Typed questions, other origins, other visitors."""

from __future__ import annotations

import asyncio
import functools
import http.server
import ssl
import threading
from pathlib import Path

import httpx2
import pytest

from server.security.certificate import self_signed
from tests.e2e.conftest import Serve, Visit

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(180)]


async def test_a_typed_mandarin_question(serve: Serve, visit: Visit) -> None:
    served = await serve()
    visitor = await visit(served.url)
    await visitor.connect(microphone=False)
    await visitor.element("chat('你是谁？')")
    await visitor.wait_for("output_audio_buffer.stopped", seconds=40)
    (done, *_) = await visitor.events("response.output_audio_transcript.done")
    captions = "".join(event["text"] for event in await visitor.events("avatar.caption"))
    assert sum("一" <= char <= "鿿" for char in done["transcript"]) >= 5
    assert captions.strip() == done["transcript"].strip()
    sound = (await visitor.inbound())["audio"]
    assert sound["totalAudioEnergy"] > 1e-4


async def test_neither_of_two_visitors_hears_the_other(serve: Serve, visit: Visit) -> None:
    served = await serve()
    first, second = await visit(served.url), await visit(served.url)
    await asyncio.gather(first.connect(microphone=False), second.connect(microphone=False))
    await asyncio.sleep(1.0)
    quiet = (await second.inbound())["audio"]["totalAudioEnergy"]
    await first.element("speak('This is only for the first visitor, and nobody else may hear it.')")
    await first.wait_for("output_audio_buffer.stopped", seconds=30)
    heard = (await first.inbound())["audio"]["totalAudioEnergy"]
    assert heard > 1e-3
    assert (await second.inbound())["audio"]["totalAudioEnergy"] - quiet < heard / 1000
    assert not await second.events("avatar.caption") and not await second.events("response.created")


async def test_embedded_on_another_origin_over_https(tmp_path: Path, serve: Serve, visit: Visit) -> None:
    """The element on a shop's page: HTTPS, another origin, a token from the shop's server."""
    pair = self_signed(["localhost", "127.0.0.1"], days=7)
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    cert.write_bytes(pair.cert_pem)
    key.write_bytes(pair.key_pem)

    shop = tmp_path / "shop"
    shop.mkdir()
    handler = functools.partial(_Quiet, directory=str(shop))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        origin = f"https://localhost:{server.server_port}"
        api_key = "k" * 40
        served = await serve(
            "--tls-cert", str(cert), "--tls-key", str(key),
            PARLEY_SERVER_API_KEY=api_key, PARLEY_SERVER_ALLOWED_ORIGINS=f'["{origin}"]',
        )  # fmt: skip
        async with httpx2.AsyncClient(verify=False) as shop_backend:
            minted = await shop_backend.post(
                served.url + "/v1/realtime/client_secrets", headers={"Authorization": f"Bearer {api_key}"}, json={}
            )
        token = minted.json()["value"]
        (shop / "index.html").write_text(
            f'<!doctype html><script type="module" src="{served.url}/digital-human.js"></script>'
            f'<digital-human endpoint="{served.url}"></digital-human>'
        )
        visitor = await visit(origin, ignore_https_errors=True)
        await visitor.page.evaluate(
            "token => { document.querySelector('digital-human').tokenProvider = async () => token; }", token
        )
        await visitor.connect(microphone=False)
        await visitor.element("speak('Welcome to the shop.')")
        await visitor.wait_for("output_audio_buffer.stopped", seconds=30)
        frames = (await visitor.inbound())["video"]["framesDecoded"]
        assert frames > 25
    finally:
        await asyncio.to_thread(server.shutdown)
        server.server_close()
        thread.join()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None: ...
