from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterator

import pytest

from server.config import Settings
from server.security.redaction import QUIET, SecretFilter, configured_secrets, install_redaction
from tests.server.conftest import KEY, Site
from tests.server.fakes import SDP_OFFER

SECRETS = [
    "ek_abcDEF123-_xyz", "Bearer abc.def-ghi", "bearer sk-123456", "openai-insecure-api-key.ek_zzz999",
    "sk-proj-abcdefgh", "GET /v1/realtime?api_key=hunter22", "the operator's own: opensesame",
]  # fmt: skip


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Everything that is logged, at DEBUG, through the filter."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(name)s %(message)s"))
    root = logging.getLogger()
    names = (*QUIET, "uvicorn.error")
    levels = {name: logging.getLogger(name).level for name in names}
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)


@pytest.mark.parametrize("secret", SECRETS)
def test_keys_are_masked(secret: str) -> None:
    cleaned = SecretFilter(("opensesame",)).clean(f"before {secret} after")
    assert "[secret]" in cleaned and cleaned.startswith("before ") and cleaned.endswith(" after")
    for part in ("abcDEF123", "abc.def", "123456", "zzz999", "abcdefgh", "hunter22", "opensesame"):
        assert part not in cleaned


def test_arguments_and_tracebacks_are_masked(log: io.StringIO) -> None:
    install_redaction()
    logger = logging.getLogger("parley.test")
    logger.info("token %s", "ek_abcdefghijkl")
    logger.info("a mapping %(token)s", {"token": "ek_abcdefghijkl"})
    try:
        raise ValueError("ek_abcdefghijkl")
    except ValueError:
        logger.exception("failed")
    assert "abcdefghijkl" not in log.getvalue()
    assert log.getvalue().count("ek_[secret]") >= 3 and "ValueError" in log.getvalue()


def test_every_configured_secret_is_known() -> None:
    settings = Settings(
        server={"api_key": "one-secret"}, chat={"api_key": "two-secret"}, hearing={"api_key": "three-secret"},
        speaking={"api_key": "four-secret"}, webrtc={"turn_credential": "five-secret"},
    )  # type: ignore[arg-type]  # fmt: skip
    assert set(configured_secrets(settings)) == {f"{n}-secret" for n in ("one", "two", "three", "four", "five")}


def test_a_whole_conversation_leaves_no_key_and_no_word_in_the_log(
    serve: Callable[..., Site], log: io.StringIO
) -> None:
    install_redaction(Settings(server={"api_key": KEY}))  # type: ignore[arg-type]
    site = serve(api_key=KEY)
    bearer = {"Authorization": f"Bearer {KEY}"}
    value = site.client.post("/v1/realtime/client_secrets", headers=bearer).json()["value"]
    token = {"Authorization": f"Bearer {value}", "Content-Type": "application/sdp"}
    call = site.client.post("/v1/realtime/calls", content=SDP_OFFER, headers=token)
    site.client.delete(call.headers["location"], headers=token)
    site.client.get("/v1/models", headers={"Authorization": "Bearer ek_mistyped0123456789"})
    with site.connect(subprotocols=["realtime", f"openai-insecure-api-key.{KEY}"]) as socket:
        content = [{"type": "input_text", "text": "my pin is forty-two"}]
        socket.send_json(
            {"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": content}}
        )
        socket.send_json({"type": "response.create"})
        socket.send_json({"type": "avatar.say", "text": "zanzibar"})
        socket.send_json(
            {"type": "session.update", "session": {"type": "realtime", "instructions": "xylophone", "bad": 1}}
        )
        while socket.receive_json()["type"] != "error":
            pass
    site.wait_until_quiet()
    text = log.getvalue()
    assert "call ws_" in text, "the log is being read"
    for secret in (
        KEY,
        value,
        "mistyped0123456789",
        "forty-two",
        "Hello there",
        "zanzibar",
        "xylophone",
        "what time is it",
    ):
        assert secret not in text
