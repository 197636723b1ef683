"""Who may do what: every endpoint against every kind of visitor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import WebSocketDenialResponse

from server.config import Settings
from server.security.exposure import check_exposure
from tests.server.conftest import KEY, Site
from tests.server.fakes import SDP_OFFER

Serve = Callable[..., Site]
VISITOR = ("203.0.113.9", 50000)
SDP = {"Content-Type": "application/sdp"}

GUARDED = [
    ("POST", "/v1/realtime/calls"),
    ("POST", "/v1/realtime/client_secrets"),
    ("DELETE", "/v1/realtime/calls/rtc_1"),
    ("POST", "/v1/realtime/calls/rtc_1/hangup"),
    ("GET", "/v1/models"),
    ("GET", "/v1/avatars"),
    ("GET", "/metrics"),
]
OPEN = ["/health", "/", "/index.html", "/app.js"]


def send(site: Site, method: str, path: str, **headers: str) -> Any:
    return site.client.request(method, path, content=SDP_OFFER if method == "POST" else None, headers=SDP | headers)


def code(answer: Any) -> str:
    return str(answer.json()["error"]["code"])


def test_every_endpoint_is_in_the_matrix(serve: Serve) -> None:
    listed = {path.replace("/rtc_1", "/{call_id}") for _, path in GUARDED} | {"/health"}
    signed = {"/v1/avatars/{name}/thumbnail.webp"}
    assert set(serve().app.openapi()["paths"]) - signed == listed


@pytest.mark.parametrize(("method", "path"), GUARDED)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Bearer "},
        {"Authorization": f"Basic {KEY}"},
        {"Authorization": "Bearer ek_" + "A" * 43},
        {"Authorization": f"Bearer {KEY}x"},
        {"Authorization": f"Bearer {KEY[:-1]}"},
        {"X-Api-Key": KEY},
    ],
)
def test_nothing_answers_without_the_key(serve: Serve, method: str, path: str, headers: dict[str, str]) -> None:
    answer = send(serve(api_key=KEY, client=VISITOR), method, path, **headers)
    assert (answer.status_code, code(answer)) == (401, "invalid_api_key")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert KEY not in answer.text


@pytest.mark.parametrize("path", OPEN)
def test_health_and_files_answer_everybody(serve: Serve, path: str) -> None:
    assert serve(api_key=KEY, client=VISITOR).client.get(path).status_code == 200


def test_the_key_opens_everything(serve: Serve) -> None:
    site = serve(api_key=KEY, client=VISITOR)
    for method, path in GUARDED:
        answer = send(site, method, path, Authorization=f"Bearer {KEY}")
        if path.endswith("client_secrets"):
            assert code(answer) == "invalid_json"  # an SDP offer is no session
        else:
            assert answer.status_code in (200, 201) or code(answer) == "call_not_found", path


def test_a_secret_is_enough_to_talk_and_for_nothing_else(serve: Serve) -> None:
    site = serve(api_key=KEY, client=VISITOR)
    minted = site.client.post("/v1/realtime/client_secrets", headers={"Authorization": f"Bearer {KEY}"})
    token = {"Authorization": f"Bearer {minted.json()['value']}"}
    assert send(site, "GET", "/v1/avatars", **token).status_code == 200
    for path in ("/v1/realtime/client_secrets", "/metrics"):
        answer = send(site, "POST" if "secrets" in path else "GET", path, **token)
        assert (answer.status_code, code(answer)) == (401, "invalid_api_key")
    assert send(site, "POST", "/v1/realtime/calls", **token).status_code == 201


@pytest.mark.parametrize("client", [VISITOR, ("2001:db8::1", 1), ("192.168.1.7", 1)])
def test_without_a_key_only_this_machine_is_served(serve: Serve, client: tuple[str, int]) -> None:
    site = serve(client=client)
    for method, path in GUARDED:
        answer = send(site, method, path)
        assert (answer.status_code, code(answer)) == (403, "loopback_only"), path


@pytest.mark.parametrize("client", [("127.0.0.1", 1), ("::1", 1), ("127.8.8.8", 1), ("::ffff:127.0.0.1", 1)])
def test_without_a_key_this_machine_needs_none(serve: Serve, client: tuple[str, int]) -> None:
    assert send(serve(client=client), "POST", "/v1/realtime/calls").status_code == 201


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP"])
def test_an_undeclared_proxy_on_this_machine_opens_nothing(serve: Serve, header: str) -> None:
    answer = send(serve(), "POST", "/v1/realtime/calls", **{header: "203.0.113.9"})
    assert (answer.status_code, code(answer)) == (403, "loopback_only")


@pytest.mark.parametrize("host", ["attacker.example", "attacker.example:8765", "localhost.attacker.example", ""])
def test_rebound_names_are_refused(serve: Serve, host: str) -> None:
    site = serve()
    for method, path in GUARDED:
        answer = send(site, method, path, Host=host)
        assert (answer.status_code, code(answer)) == (403, "host_not_allowed"), path


@pytest.mark.parametrize("host", ["localhost:8765", "127.0.0.1:8765", "[::1]:8765", "LOCALHOST", "kiosk.local"])
def test_own_names_are_answered(serve: Serve, host: str) -> None:
    answer = send(serve(allowed_hosts=["kiosk.local"]), "POST", "/v1/realtime/calls", Host=host)
    assert answer.status_code == 201


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "http://localhost:9999", "https://localhost:8765", "null", "http://localhost:8765.evil.example",
     "https://shop.example.evil.example", "http://shop.example"],
)  # fmt: skip
def test_foreign_pages_are_refused(serve: Serve, origin: str) -> None:
    for section in ({}, {"api_key": KEY}):
        site = serve(allowed_origins=["https://shop.example"], **section)
        for method, path in GUARDED:
            answer = send(site, method, path, Origin=origin, Authorization=f"Bearer {KEY}")
            assert (answer.status_code, code(answer)) == (403, "origin_not_allowed"), path
            assert "access-control-allow-origin" not in answer.headers
        with pytest.raises(WebSocketDenialResponse) as caught, site.connect(headers={"Origin": origin}):
            pass
        assert caught.value.status_code == 403


@pytest.mark.parametrize("origin", ["https://shop.example", "https://shop.example:443", "http://localhost:8765"])
def test_own_and_allowed_pages_are_served(serve: Serve, origin: str) -> None:
    site = serve(allowed_origins=["https://shop.example"])
    assert send(site, "POST", "/v1/realtime/calls", Origin=origin).status_code == 201
    with site.connect(headers={"Origin": origin}) as socket:
        assert socket.receive_json()["type"] == "session.created"


def test_cors_as_the_sdks_need_it(serve: Serve) -> None:
    site = serve(allowed_origins=["https://shop.example"], api_key=KEY, client=VISITOR)
    preflight = site.client.options(
        "/v1/realtime/calls",
        headers={
            "Origin": "https://shop.example",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type,x-openai-agents-sdk",
        },
    )
    assert preflight.status_code == 200
    allowed = preflight.headers["access-control-allow-headers"].lower()
    assert {"authorization", "content-type", "x-openai-agents-sdk"} <= {name.strip() for name in allowed.split(",")}
    assert "DELETE" in preflight.headers["access-control-allow-methods"]
    answer = send(site, "POST", "/v1/realtime/calls", Origin="https://shop.example", Authorization=f"Bearer {KEY}")
    assert answer.headers["access-control-allow-origin"] == "https://shop.example"
    assert "Location" in answer.headers["access-control-expose-headers"]
    assert "access-control-allow-credentials" not in answer.headers
    refused = send(site, "POST", "/v1/realtime/calls", Origin="https://shop.example")
    assert refused.headers["access-control-allow-origin"] == "https://shop.example", "or the page could not read why"
    strange = site.client.options(
        "/v1/realtime/calls", headers={"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    )
    assert strange.status_code == 400


def test_forwarded_addresses_count_only_from_declared_proxies(serve: Serve) -> None:
    proxied = {"X-Forwarded-For": "198.51.100.7", "X-Forwarded-Proto": "https", "Origin": "https://face.example",
               "Host": "face.example", "Authorization": f"Bearer {KEY}"}  # fmt: skip
    site = serve(api_key=KEY, trusted_proxies=["10.0.0.0/8"], client=("10.1.2.3", 1), calls_per_minute=1)
    assert send(site, "POST", "/v1/realtime/calls", **proxied).status_code == 201
    assert send(site, "POST", "/v1/realtime/calls", **proxied).status_code == 429
    other = proxied | {"X-Forwarded-For": "198.51.100.8"}
    assert send(site, "POST", "/v1/realtime/calls", **other).status_code == 201
    forger = serve(api_key=KEY, trusted_proxies=["10.0.0.0/8"], client=VISITOR, calls_per_minute=1)
    same_page = {"Origin": "http://face.example"}
    assert send(forger, "POST", "/v1/realtime/calls", **(proxied | same_page)).status_code == 201
    assert send(forger, "POST", "/v1/realtime/calls", **(other | same_page)).status_code == 429
    local = {"X-Forwarded-For": "127.0.0.1"}
    assert send(site, "GET", "/metrics", **local).status_code == 401, "a proxy's word is not this machine"


def test_rates(serve: Serve) -> None:
    site = serve(calls_per_minute=3)
    codes = [send(site, "POST", "/v1/realtime/calls").status_code for _ in range(4)]
    assert codes == [201, 201, 201, 429]
    refused = send(site, "POST", "/v1/realtime/calls")
    assert int(refused.headers["retry-after"]) >= 1
    assert site.client.get("/health").status_code == 200


def test_guessing_keys_is_slowed(serve: Serve) -> None:
    site = serve(api_key=KEY, calls_per_minute=3, client=VISITOR)
    codes = [send(site, "GET", "/v1/models", Authorization=f"Bearer guess{n}").status_code for n in range(5)]
    assert codes == [401, 401, 401, 429, 429]
    assert send(site, "GET", "/v1/models", Authorization=f"Bearer {KEY}").status_code == 200


def test_metrics_need_no_key_from_this_machine(serve: Serve) -> None:
    site = serve(api_key=KEY)
    answer = site.client.get("/metrics")
    assert answer.status_code == 200 and "parley_conversations_active" in answer.text
    assert send(site, "GET", "/metrics", **{"X-Forwarded-For": "203.0.113.9"}).status_code == 401


def test_every_answer_carries_the_security_headers(serve: Serve) -> None:
    site = serve(allowed_origins=["https://shop.example"])
    for path in ("/", "/app.js", "/health", "/v1/models", "/nothing"):
        headers = site.client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy
        assert "frame-ancestors 'self' https://shop.example" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "microphone=(self)" in headers["permissions-policy"]


def codes(**server: Any) -> list[str]:
    return [problem.code for problem in check_exposure(Settings(server=server))]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        ({}, []),
        ({"host": "localhost"}, []),
        ({"host": "::1"}, []),
        ({"host": "0.0.0.0"}, ["no_key", "no_tls"]),
        ({"host": "::"}, ["no_key", "no_tls"]),
        ({"host": "192.168.1.5", "api_key": KEY}, ["no_tls"]),
        ({"host": "0.0.0.0", "api_key": "short", "trusted_proxies": ["10.0.0.1"]}, ["weak_key"]),
        ({"host": "0.0.0.0", "api_key": KEY, "trusted_proxies": ["10.0.0.1"]}, []),
        ({"trusted_proxies": ["10.0.0.1"]}, ["proxy_without_key"]),
        ({"api_key": KEY, "trusted_proxies": ["0.0.0.0/0"]}, ["proxy_everyone"]),
        ({"api_key": KEY, "trusted_proxies": ["::/0"]}, ["proxy_everyone"]),
        ({"allowed_origins": ["*"]}, ["bad_origin"]),
        ({"allowed_origins": ["https://shop.example/"]}, ["bad_origin"]),
        ({"allowed_origins": ["shop.example"]}, ["bad_origin"]),
        ({"allowed_origins": ["https://shop.example", "http://localhost:3000"]}, []),
        ({"tls_cert": "/nowhere/cert.pem", "tls_key": "/nowhere/key.pem"}, ["tls_missing"]),
    ],
)
def test_exposure(server: dict[str, Any], expected: list[str]) -> None:
    assert codes(**server) == expected


def test_exposure_with_tls(tmp_path: Any) -> None:
    from server.security.certificate import self_signed

    pair, other = self_signed(["localhost"], days=2), self_signed(["localhost"], days=2)
    cert, key, wrong = tmp_path / "cert.pem", tmp_path / "key.pem", tmp_path / "wrong.pem"
    cert.write_bytes(pair.cert_pem)
    key.write_bytes(pair.key_pem)
    wrong.write_bytes(other.key_pem)
    assert codes(host="0.0.0.0", api_key=KEY, tls_cert=cert, tls_key=key) == []
    assert codes(host="0.0.0.0", api_key=KEY, tls_cert=cert, tls_key=wrong) == ["tls_unusable"]
    wrong.write_text("nonsense")
    assert codes(tls_cert=wrong, tls_key=key) == ["tls_unusable"]


def test_problems_say_what_to_do() -> None:
    for problem in check_exposure(Settings(server={"host": "0.0.0.0"})):  # type: ignore[arg-type]
        assert "0.0.0.0" in problem.message and len(problem.cure) > 20
