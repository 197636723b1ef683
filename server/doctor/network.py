"""Who can reach the server, and whether a browser will give it a microphone."""

from __future__ import annotations

import datetime
import socket
from collections.abc import Iterator
from pathlib import Path

from server.config import Settings
from server.doctor.finding import Finding, Verdict
from server.security.exposure import check_exposure
from server.security.origins import is_loopback

LAN_CURE = (
    "For other machines: `parley cert`, then `parley serve --host 0.0.0.0 --tls-cert cert.pem --tls-key key.pem`."
)
SOON = datetime.timedelta(days=14)


def examine(settings: Settings) -> Iterator[Finding]:
    problems = check_exposure(settings)
    for problem in problems:
        yield Finding("access", Verdict.PROBLEM, problem.message, problem.cure)
    if not any(problem.code in ("no_tls", "tls_missing", "tls_unusable") for problem in problems):
        yield _microphone(settings)
    yield _tcp_port(settings)
    yield _udp_ports(settings)


def _microphone(settings: Settings) -> Finding:
    server = settings.server
    if server.tls_cert is not None:
        return _certificate(server.tls_cert, datetime.datetime.now(datetime.UTC))
    if server.trusted_proxies:
        return Finding(
            "microphone",
            Verdict.NOTE,
            "pages come through a proxy; browsers offer the microphone only where it speaks HTTPS",
            "Open the page by its https:// address.",
        )
    return Finding(
        "microphone",
        Verdict.OK,
        "browsers offer it on http://localhost, on this machine, and nowhere else without HTTPS",
        LAN_CURE,
    )


def _certificate(path: Path, now: datetime.datetime) -> Finding:
    from cryptography import x509

    ends = x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc
    left = ends - now
    if left < SOON:
        gone = left < datetime.timedelta(0)
        return Finding(
            "microphone",
            Verdict.PROBLEM if gone else Verdict.NOTE,
            f"the certificate {path} {'ended' if gone else 'ends'} on {ends:%Y-%m-%d}",
            "Renew it. On a LAN: parley cert --force",
        )
    return Finding(
        "microphone", Verdict.OK, f"pages come over HTTPS, so browsers offer it (certificate until {ends:%Y-%m-%d})"
    )


def _tcp_port(settings: Settings) -> Finding:
    host, port = settings.server.host, settings.server.port
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except socket.gaierror as error:
        cure = "Set PARLEY_SERVER_HOST to a name or address of this machine; 127.0.0.1 serves this machine alone."
        return Finding("port", Verdict.PROBLEM, f"there is no address for {host!r}: {error.strerror}", cure)
    except PermissionError:
        cure = "Ports below 1024 are the system's: set PARLEY_SERVER_PORT to 8443, or put a proxy in front."
        return Finding("port", Verdict.PROBLEM, f"this user may not listen on {host}:{port}", cure)
    except OSError as error:
        cure = "If Parley is running already, this is it. Otherwise set PARLEY_SERVER_PORT, or serve with --port 0."
        return Finding("port", Verdict.PROBLEM, f"cannot listen on {host}:{port}: {error.strerror or error}", cure)
    return Finding("port", Verdict.OK, f"{host}:{port} is free")


def _udp_ports(settings: Settings) -> Finding:
    low, high = settings.webrtc.udp_port_min, settings.webrtc.udp_port_max
    named = low is not None and high is not None
    free = sum(_is_free(port) for port in (range(low, high + 1) if low is not None and high is not None else (0,)))
    if not named and free:
        cure = "" if is_loopback(settings.server.host) else "A firewall must let UDP through to every port above 1024."
        return Finding("media", Verdict.OK, "UDP ports are chosen by the system", cure)
    if not free:
        where = f"of {low}-{high} " if named else ""
        return Finding("media", Verdict.PROBLEM, f"no UDP port {where}is free", "Widen webrtc.udp_port_min..max.")
    if free < settings.server.max_conversations:
        return Finding(
            "media",
            Verdict.NOTE,
            f"{free} free UDP ports in {low}-{high}, but up to {settings.server.max_conversations} conversations",
            "A conversation takes one port per local address: widen webrtc.udp_port_min..max.",
        )
    return Finding("media", Verdict.OK, f"{free} UDP ports are free in {low}-{high}")


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True
