"""Which addresses and UDP ports a peer listens on, and which it tells the client.

aioice binds every address of the machine to any free port and knows no other choice; its way of gathering is
replaced, for one connection at a time. tests/streaming/webrtc/test_udp_ports.py holds the private names that
this leans on.
"""

from __future__ import annotations

import asyncio
import ipaddress
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aioice.candidate import Candidate, candidate_foundation, candidate_priority
from aioice.ice import Connection, StunProtocol, server_reflexive_candidate

GATHER_TIMEOUT_S = 1.5
"""For STUN and TURN servers to answer: an unreachable one would hold every answer up by aioice's 5 s."""


@dataclass(frozen=True, slots=True)
class UdpPorts:
    """
    Attributes:
        low, high: ports to use, both ends included; None leaves the choice to the system.
        advertised_ip: the address that clients reach this machine by, where it has none of its own that they
            could use (behind one-to-one NAT, in a container).
    """

    low: int | None = None
    high: int | None = None
    advertised_ip: str | None = None


def listen_on(connection: Connection, ports: UdpPorts) -> None:
    """Make ``connection``, which must not have gathered candidates, use ``ports``."""

    async def gather(component: int, addresses: list[str], timeout: float = 5) -> list[Candidate]:  # noqa: ASYNC109
        protocols = [
            protocol
            for address in addresses or ["127.0.0.1"]  # a machine without a network still serves itself
            if (protocol := await _bind(connection, component, address, ports)) is not None
        ]
        connection._protocols += protocols
        candidates = [protocol.local_candidate for protocol in protocols]
        if ports.advertised_ip:
            candidates = _advertise(candidates, ports.advertised_ip)
        return candidates + await _ask_servers(connection, component, protocols, original)

    original = connection.get_component_candidates
    connection.get_component_candidates = gather  # type: ignore[method-assign]


async def _bind(connection: Connection, component: int, address: str, ports: UdpPorts) -> StunProtocol | None:
    loop = asyncio.get_running_loop()
    for port in _choices(ports):
        try:
            _, protocol = await loop.create_datagram_endpoint(
                lambda: StunProtocol(connection), local_addr=(address, port)
            )
        except OSError:
            continue
        host, bound = protocol.transport.get_extra_info("sockname")[:2]
        protocol.local_candidate = Candidate(
            foundation=candidate_foundation("host", "udp", host),
            component=component,
            transport="udp",
            priority=candidate_priority(component, "host"),
            host=host,
            port=bound,
            type="host",
        )
        return protocol
    return None


def _choices(ports: UdpPorts) -> list[int]:
    """Ports to try, in random order, so that the port just freed (whose old client may still send) comes last
    rather than first."""
    if ports.low is None or ports.high is None:
        return [0]
    choices = list(range(ports.low, ports.high + 1))
    random.shuffle(choices)
    return choices


def _advertise(candidates: list[Candidate], address: str) -> list[Candidate]:
    """The same ports at the advertised address, which is what is to be tried first."""
    version = ipaddress.ip_address(address).version
    outside = [
        Candidate(
            foundation=candidate_foundation("host", "udp", address),
            component=inside.component,
            transport="udp",
            priority=inside.priority,
            host=address,
            port=inside.port,
            type="host",
        )
        for inside in candidates
        if ipaddress.ip_address(inside.host).version == version
    ]
    return outside + candidates


async def _ask_servers(
    connection: Connection,
    component: int,
    protocols: list[StunProtocol],
    gather: Callable[..., Awaitable[list[Candidate]]],
) -> list[Candidate]:
    """What STUN sees us as (IPv4), and what TURN relays for us; less whatever does not answer in time."""
    asked: list[Awaitable[list[Candidate]]] = []
    if connection.stun_server is not None:
        asked += [
            asyncio.wait_for(_reflexive(protocol, connection.stun_server), GATHER_TIMEOUT_S)
            for protocol in protocols
            if ipaddress.ip_address(protocol.local_candidate.host).version == 4
        ]
    if connection.turn_server is not None:
        asked.append(gather(component, [], GATHER_TIMEOUT_S))
    answers = await asyncio.gather(*asked, return_exceptions=True)
    return [c for answer in answers if not isinstance(answer, BaseException) for c in answer]


async def _reflexive(protocol: StunProtocol, server: tuple[str, int]) -> list[Candidate]:
    candidate, _ = await server_reflexive_candidate(protocol, server)
    return [candidate]
