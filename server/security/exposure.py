"""What must be settled before the server listens: who can reach it, and under which protection."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from ipaddress import ip_network

from server.config import Settings
from server.security.origins import is_loopback, normal_origin

MIN_KEY_LENGTH = 20
"""A key of 20 random letters and digits has over 100 bits; shorter ones are usually words."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why the server must not start as configured.

    Attributes:
        code: stable identifier.
        message: what is wrong.
        cure: what to do.
    """

    code: str
    message: str
    cure: str

    def __str__(self) -> str:
        return f"{self.message} {self.cure}"


def check_exposure(settings: Settings) -> list[Problem]:
    """Every reason not to start, empty where there is none. Reads the TLS files; opens no socket."""
    server = settings.server
    problems: list[Problem] = []
    loopback = is_loopback(server.host)
    if not loopback:
        problems += _beyond_loopback(settings)
    if server.trusted_proxies and server.api_key is None and loopback:
        problems.append(
            Problem(
                "proxy_without_key",
                "server.trusted_proxies is set, so visitors come from elsewhere, but there is no API key.",
                "Set PARLEY_SERVER_API_KEY.",
            )
        )
    for network in server.trusted_proxies:
        if ip_network(network, strict=False).prefixlen == 0:
            problems.append(
                Problem(
                    "proxy_everyone",
                    f"server.trusted_proxies contains {network}: anyone could forge the client's address.",
                    "Name only your proxy's address.",
                )
            )
    for origin in server.allowed_origins:
        if normal_origin(origin) is None:
            problems.append(
                Problem(
                    "bad_origin",
                    f"server.allowed_origins contains {origin!r}, which is not an origin.",
                    'Write scheme and host, without path, slash or wildcard: "https://shop.example".',
                )
            )
    if server.tls_cert is not None and server.tls_key is not None:
        problems += _check_tls(str(server.tls_cert), str(server.tls_key))
    return problems


def _beyond_loopback(settings: Settings) -> list[Problem]:
    server = settings.server
    problems = []
    if server.api_key is None:
        problems.append(
            Problem(
                "no_key",
                f"server.host is {server.host}, which others can reach, but there is no API key.",
                "Set PARLEY_SERVER_API_KEY (for example to the output of `openssl rand -hex 32`), "
                "or listen on 127.0.0.1.",
            )
        )
    elif len(server.api_key.get_secret_value()) < MIN_KEY_LENGTH:
        problems.append(
            Problem(
                "weak_key",
                f"server.api_key has fewer than {MIN_KEY_LENGTH} characters and can be guessed.",
                "Use the output of `openssl rand -hex 32`.",
            )
        )
    if server.tls_cert is None and not server.trusted_proxies:
        problems.append(
            Problem(
                "no_tls",
                f"server.host is {server.host}, which others can reach, but there is neither TLS nor a declared "
                "proxy: keys would travel in the clear, and browsers give no microphone to a page without HTTPS.",
                "Set server.tls_cert and server.tls_key (`parley cert` makes a pair for a LAN), or put a TLS proxy "
                "in front and name its address in server.trusted_proxies.",
            )
        )
    return problems


def _check_tls(cert: str, key: str) -> list[Problem]:
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key, password=_no_password)
    except FileNotFoundError as error:
        missing = error.filename or f"{cert} or {key}"
        return [
            Problem("tls_missing", f"The TLS file {missing} is not there.", "Check the path, or run `parley cert`.")
        ]
    except (ssl.SSLError, OSError, ValueError) as error:
        return [
            Problem(
                "tls_unusable",
                f"The TLS pair {cert} and {key} cannot be used: {error}.",
                "Both must be PEM, belong together, and the key must not be encrypted.",
            )
        ]
    return []


def _no_password() -> str:
    raise ValueError("the private key is encrypted")
