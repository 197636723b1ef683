from __future__ import annotations

import asyncio
import ipaddress
import socket

from aioice import Connection

from streaming.webrtc import udp_ports
from streaming.webrtc.udp_ports import UdpPorts, listen_on


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])


async def gather(ports: UdpPorts, **servers: object) -> Connection:
    connection = Connection(ice_controlling=False, **servers)  # type: ignore[arg-type]
    listen_on(connection, ports)
    await connection.gather_candidates()
    return connection


async def test_any_port_by_default() -> None:
    connection = await gather(UdpPorts())
    assert connection.local_candidates
    assert all(candidate.type == "host" and candidate.port for candidate in connection.local_candidates)
    await connection.close()


async def test_a_port_of_the_range_and_none_when_all_are_taken() -> None:
    port = free_port()
    ports = UdpPorts(port, port)
    first = await gather(ports)
    assert {candidate.port for candidate in first.local_candidates} == {port}
    second = await gather(ports)
    assert not second.local_candidates
    await first.close()
    third = await gather(ports)
    assert third.local_candidates
    await second.close()
    await third.close()


async def test_the_advertised_address_comes_first_at_the_same_ports() -> None:
    connection = await gather(UdpPorts(advertised_ip="192.0.2.9"))
    candidates = connection.local_candidates
    inside = [c.port for c in candidates if c.host != "192.0.2.9" and ipaddress.ip_address(c.host).version == 4]
    assert [c.port for c in candidates if c.host == "192.0.2.9"] == inside
    assert not inside or candidates[0].host == "192.0.2.9"
    await connection.close()


async def test_a_machine_without_a_network_serves_itself(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr("aioice.ice.get_host_addresses", lambda use_ipv4, use_ipv6: [])
    connection = await gather(UdpPorts())
    assert [candidate.host for candidate in connection.local_candidates] == ["127.0.0.1"]
    await connection.close()


class Silent(asyncio.DatagramProtocol):
    """A server that never answers."""


async def test_servers_that_do_not_answer_are_not_waited_for(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(udp_ports, "GATHER_TIMEOUT_S", 0.05)
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Silent, local_addr=("127.0.0.1", 0))
    address = transport.get_extra_info("sockname")
    async with asyncio.timeout(3):
        connection = await gather(
            UdpPorts(), stun_server=address, turn_server=address, turn_username="u", turn_password="p"
        )
    assert {candidate.type for candidate in connection.local_candidates} == {"host"}
    await connection.close()
    transport.close()
