"""A bad network between two peers: loses, delays and reorders UDP packets, the same ones each time."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

from aioice.ice import get_host_addresses

Address = tuple[str, int]


class _Side(asyncio.DatagramProtocol):
    """The socket that one peer takes for the other."""

    def __init__(self, relay: Relay) -> None:
        self.relay = relay
        self.partner: _Side | None = None
        self.peer: Address | None = None
        self.transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        self.peer = addr
        if self.partner is not None:
            self.relay.carry(data, self.partner)


class Relay:
    """Args:
        seed: of every decision.

    Attributes:
        loss: share of packets lost, 0..1.
        delay_s: of every packet.
        jitter_s: more delay, evenly distributed; packets overtake one another.
        carried, lost: packets so far.
    """

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._sides: list[_Side] = []
        self.loss = 0.0
        self.delay_s = 0.0
        self.jitter_s = 0.0
        self.carried = 0
        self.lost = 0

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        (host, *_) = [*get_host_addresses(use_ipv4=True, use_ipv6=False), "127.0.0.1"]
        for _ in range(2):
            _, side = await loop.create_datagram_endpoint(lambda: _Side(self), local_addr=(host, 0))
            self._sides.append(side)
        self._sides[0].partner, self._sides[1].partner = self._sides[1], self._sides[0]

    async def close(self) -> None:
        for side in self._sides:
            if side.transport is not None:
                side.transport.abort()
        await asyncio.sleep(0)  # the sockets close in the loop's next step

    def between(self, sdp: str, side: int) -> str:
        """The description with the relay in the place of its sender's addresses: what side 0 sends to side 1
        goes through ``between(sdp, 0)``, and the other way round."""
        own, seen = self._sides[side], self._sides[1 - side]
        candidates = re.findall(r"a=candidate:\S+ 1 udp \d+ (\d+\.\d+\.\d+\.\d+) (\d+) typ host", sdp)
        own.peer = (candidates[0][0], int(candidates[0][1]))
        assert seen.transport is not None
        host, port = seen.transport.get_extra_info("sockname")
        sdp = re.sub(r"a=(candidate|end-of-candidates).*\r\n", "", sdp)
        line = f"a=candidate:1 1 udp 2130706431 {host} {port} typ host\r\n"
        return re.sub(r"(a=ice-ufrag)", line + r"\1", sdp)

    def carry(self, data: bytes, to: _Side) -> None:
        self.carried += 1
        if self._chance.random() < self.loss:
            self.lost += 1
            return
        delay_s = self.delay_s + self.jitter_s * self._chance.random()
        asyncio.get_running_loop().call_later(delay_s, self._deliver, data, to)

    @staticmethod
    def _deliver(data: bytes, to: _Side) -> None:
        if to.peer is not None and to.transport is not None and not to.transport.is_closing():
            to.transport.sendto(data, to.peer)


@asynccontextmanager
async def open_relay(seed: int = 1) -> AsyncIterator[Relay]:
    relay = Relay(seed)
    await relay.open()
    try:
        yield relay
    finally:
        await relay.close()
