"""``/v1/realtime/calls`` with a scripted peer behind the real endpoints and sessions."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from server.realtime.session import INBOX_EVENTS
from server.routes.calls import MAX_SDP_BYTES
from streaming.errors import Busy, WorkerLost
from tests.server.conftest import KEY, Site
from tests.server.fakes import SDP_ANSWER, SDP_OFFER, FakePeer, types_of
from tests.server.official import check_event

Serve = Callable[..., Site]
SDP = {"Content-Type": "application/sdp"}
SDP_WITH_VIDEO = SDP_OFFER + "m=video 9 UDP/TLS/RTP/SAVPF 96\r\n"


def call(site: Site, sdp: str = SDP_OFFER, query: str = "", **headers: str) -> Any:
    return site.client.post(f"/v1/realtime/calls{query}", content=sdp, headers=SDP | headers)


def told(peer: FakePeer) -> list[dict[str, Any]]:
    return [check_event(json.loads(text)) for text in peer.sent]


def run(site: Site, function: Callable[..., Any], *args: Any) -> None:
    """Call something in the server's event loop, as the peer would, and let the session act on it."""
    import asyncio

    async def there() -> None:
        function(*args)
        for _ in range(50):
            await asyncio.sleep(0)

    assert site.client.portal is not None
    site.client.portal.call(there)


def test_an_offer_is_answered_as_whip_does_it(serve: Serve) -> None:
    site = serve()
    answer = call(site)
    assert answer.status_code == 201
    assert answer.text == SDP_ANSWER
    assert answer.headers["content-type"].startswith("application/sdp")
    assert answer.headers["cache-control"] == "no-store"
    location = answer.headers["location"]
    assert location.startswith("/v1/realtime/calls/rtc_")
    assert len(site.state.registry) == 1


@pytest.mark.parametrize("end", ["delete", "hangup"])
def test_a_call_is_ended(serve: Serve, end: str) -> None:
    site = serve()
    location = call(site).headers["location"]
    ended = site.client.delete(location) if end == "delete" else site.client.post(f"{location}/hangup")
    assert ended.status_code == (204 if end == "delete" else 200)
    assert ended.content == b""
    assert len(site.state.registry) == 0, "the answer comes when nothing is left"
    assert site.conversations.peers[0].closed == 1
    assert site.conversations.made[0].closed == 1
    again = site.client.delete(location)
    assert (again.status_code, again.json()["error"]["code"]) == (404, "call_not_found")


def test_events_over_the_data_channel(serve: Serve) -> None:
    site = serve()
    call(site, SDP_WITH_VIDEO)
    (peer,), (conversation,) = site.conversations.peers, site.conversations.made
    run(site, peer.on_open)
    assert types_of(told(peer)) == ["session.created", "avatar.persona"]
    assert told(peer)[1]["name"] == "helen"
    run(site, peer.on_message, '{"type":"avatar.say","text":"Hi."}')
    kinds = types_of(told(peer))
    assert "response.output_audio.delta" not in kinds
    assert kinds[-2:] == ["output_audio_buffer.stopped", "avatar.state"]
    run(site, peer.on_pcm, np.zeros(320, np.int16))
    assert len(conversation.heard) == 1
    run(site, peer.on_message, '{"type":"input_audio_buffer.append","audio":"AAAA"}')
    assert told(peer)[-1]["error"]["code"] == "invalid_event"
    run(site, peer.on_closed, "the connection failed")
    site.wait_until_quiet()
    assert conversation.closed == 1 and peer.closed == 1


def test_no_persona_without_a_picture(serve: Serve) -> None:
    site = serve()
    call(site)
    run(site, site.conversations.peers[0].on_open)
    assert types_of(told(site.conversations.peers[0])) == ["session.created"]


def test_multipart_as_the_openai_client_sends_it(serve: Serve) -> None:
    site = serve()
    session = json.dumps({"type": "realtime", "instructions": "rhyme", "avatar": {"persona": "mei"}})
    files = {"sdp": (None, SDP_OFFER, "application/sdp"), "session": (None, session, "application/json")}
    answer = site.client.post("/v1/realtime/calls", files=files)
    assert answer.status_code == 201, answer.text
    assert site.conversations.made[0].settings.instructions == "rhyme"


def test_the_query_chooses_model_and_persona(serve: Serve) -> None:
    site = serve()
    assert call(site, SDP_WITH_VIDEO, "?model=gpt-realtime&persona=mei").status_code == 201
    peer = site.conversations.peers[0]
    run(site, peer.on_open)
    created, persona = told(peer)
    assert created["session"]["avatar"]["persona"] == "mei" and persona["name"] == "mei"


def error(answer: Any) -> tuple[int, str, str | None]:
    detail = answer.json()["error"]
    assert set(detail) == {"message", "type", "param", "code"}
    return answer.status_code, detail["code"], detail["param"]


def test_garbage_offers(serve: Serve) -> None:
    site = serve()
    assert error(call(site, "garbage")) == (400, "invalid_sdp", "sdp")
    assert error(call(site, "")) == (400, "invalid_sdp", "sdp")
    assert error(site.client.post("/v1/realtime/calls", content=b"v=0\xff\xfe", headers=SDP)) == (
        400,
        "invalid_sdp",
        "sdp",
    )
    assert error(call(site, "v=0" + "x" * MAX_SDP_BYTES)) == (413, "sdp_too_large", None)
    assert [peer.closed for peer in site.conversations.peers] == [1]
    assert len(site.state.registry) == 0
    json_body = site.client.post("/v1/realtime/calls", json={"sdp": SDP_OFFER})
    assert error(json_body) == (400, "unsupported_content_type", None)


def test_garbage_forms(serve: Serve) -> None:
    site = serve()

    def post(**parts: str) -> Any:
        return site.client.post("/v1/realtime/calls", files={name: (None, value) for name, value in parts.items()})

    assert error(post(session="{}")) == (400, "missing_required_parameter", "sdp")
    assert error(post(sdp=SDP_OFFER, offer="x")) == (400, "unknown_parameter", None)
    assert error(post(sdp=SDP_OFFER, session="{")) == (400, "invalid_json", None)
    assert error(post(sdp=SDP_OFFER, session='{"type":"realtime","colour":1}')) == (
        400,
        "unknown_parameter",
        "session.colour",
    )
    truncated = {"Content-Type": "multipart/form-data; boundary=xyz"}
    assert error(site.client.post("/v1/realtime/calls", content=b"--xyz\r\nbad", headers=truncated))[0] == 400
    missing = {"Content-Type": "multipart/form-data"}
    assert error(site.client.post("/v1/realtime/calls", content=b"", headers=missing))[0] == 400


def test_bodies_are_bounded_before_they_are_read(serve: Serve) -> None:
    site = serve()
    assert error(call(site, "v=0" + "x" * 300_000)) == (413, "request_too_large", None)

    def pieces() -> Any:
        for _ in range(100):
            yield b"x" * 10_000

    assert error(site.client.post("/v1/realtime/calls", content=pieces(), headers=SDP)) == (
        413,
        "request_too_large",
        None,
    )


def test_full_and_failing_servers_say_when_to_come_back(serve: Serve) -> None:
    site = serve(max_conversations=1)
    site.conversations.start_error = WorkerLost("The avatar worker died while starting.")
    failed = call(site)
    assert error(failed) == (503, "worker_lost", None)
    assert int(failed.headers["retry-after"]) > 0
    assert site.conversations.peers[0].closed == 1 and site.conversations.made[0].closed == 1
    site.conversations.start_error = Busy("All avatars are busy.")
    assert error(call(site)) == (503, "busy", None)
    site.conversations.start_error = None
    assert call(site).status_code == 201
    full = call(site)
    assert error(full) == (503, "busy", None)
    assert int(full.headers["retry-after"]) > 0


def test_a_persona_that_vanished(serve: Serve) -> None:
    site = serve()
    assert error(call(site, SDP_WITH_VIDEO, "?persona=nobody")) == (400, "persona_missing", "session.avatar.persona")


def test_a_flood_over_the_data_channel_ends_the_call(serve: Serve) -> None:
    site = serve()
    call(site)
    peer = site.conversations.peers[0]

    def flood() -> None:
        for _ in range(INBOX_EVENTS + 1):
            peer.on_message('{"type":"avatar.ping"}')

    run(site, flood)
    site.wait_until_quiet()
    assert told(peer)[-1]["error"]["code"] == "rate_limit_exceeded"
    assert peer.closed == 1


def test_events_after_the_end_are_ignored(serve: Serve) -> None:
    site = serve()
    location = call(site).headers["location"]
    peer = site.conversations.peers[0]
    site.client.delete(location)
    for late in (peer.on_open, lambda: peer.on_message("{}"), lambda: peer.on_pcm(np.zeros(9, np.int16))):
        run(site, late)
    assert peer.sent == []


def test_fifty_calls_leave_nothing(serve: Serve) -> None:
    site = serve(max_conversations=1)
    for _ in range(50):
        site.client.delete(call(site).headers["location"])
    assert len(site.state.registry) == 0
    assert [peer.closed for peer in site.conversations.peers] == [1] * 50
    metrics = site.client.get("/metrics").text
    assert 'parley_conversations_active{transport="webrtc"} 0.0' in metrics
    assert 'parley_conversations_ended_total{reason="hung_up",transport="webrtc"} 50.0' in metrics


def mint(site: Site, **body: Any) -> Any:
    return site.client.post("/v1/realtime/client_secrets", json=body, headers={"Authorization": f"Bearer {KEY}"})


def test_a_secret_opens_one_conversation_with_its_session(serve: Serve) -> None:
    site = serve(api_key=KEY)
    minted = mint(site, session={"type": "realtime", "instructions": "rhyme", "avatar": {"persona": "mei"}})
    body = minted.json()
    assert minted.status_code == 200
    assert body["value"].startswith("ek_") and len(body["value"]) >= 46
    assert body["session"]["instructions"] == "rhyme" and body["session"]["object"] == "realtime.session"
    token = {"Authorization": f"Bearer {body['value']}"}
    first = call(site, **token)
    assert first.status_code == 201
    assert site.conversations.made[0].settings.instructions == "rhyme"
    assert error(call(site, **token)) == (401, "client_secret_used", None)
    other = call(site, Authorization=f"Bearer {KEY}")
    assert error(site.client.delete(other.headers["location"], headers=token)) == (404, "call_not_found", None)
    assert site.client.delete(first.headers["location"], headers=token).status_code == 204
    assert error(call(site, **token))[0] == 401, "its conversation is over, and so is it"


def test_a_failed_call_does_not_use_the_secret_up(serve: Serve) -> None:
    site = serve(api_key=KEY)
    token = {"Authorization": f"Bearer {mint(site).json()['value']}"}
    assert error(call(site, "garbage", **token))[0] == 400
    assert call(site, **token).status_code == 201


def test_a_secret_opens_a_websocket_too(serve: Serve) -> None:
    site = serve(api_key=KEY)
    value = mint(site, session={"type": "realtime", "output_modalities": ["text"]}).json()["value"]
    with site.connect(subprotocols=["realtime", f"openai-insecure-api-key.{value}"]) as socket:
        assert socket.receive_json()["session"]["output_modalities"] == ["text"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"expires_after": {"anchor": "created_at", "seconds": 5}}, "expires_after.seconds"),
        ({"expires_after": {"seconds": 7201}}, "expires_after.seconds"),
        ({"expires_after": {"seconds": "60"}}, "expires_after.seconds"),
        ({"expires_after": {"seconds": True}}, "expires_after.seconds"),
        ({"expires_after": {"anchor": "never"}}, "expires_after.anchor"),
        ({"expires_after": {"minutes": 1}}, "expires_after.minutes"),
        ({"expires_after": 60}, "expires_after"),
        ({"session": {"type": "transcription"}}, "session.type"),
        ({"colour": 1}, "colour"),
    ],
)
def test_minting_names_what_is_wrong(serve: Serve, body: dict[str, Any], param: str) -> None:
    answer = mint(serve(api_key=KEY), **body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


def test_expiry(serve: Serve) -> None:
    now = [1000.0]
    site = serve(api_key=KEY, app_options={"clock": lambda: now[0]})
    value = mint(site, expires_after={"seconds": 10}).json()["value"]
    now[0] += 11
    assert error(call(site, Authorization=f"Bearer {value}"))[:2] == (401, "invalid_api_key")
