"""Calls over a network that loses, delays and reorders."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
import pytest

from tests.streaming.webrtc.client import Client, Host, until
from tests.streaming.webrtc.relay import Relay, open_relay
from tests.streaming.webrtc.test_peer import Sender, Tone


@asynccontextmanager
async def bad_call(relay: Relay) -> AsyncIterator[tuple[Host, Client]]:
    client, host = Client(microphone=Tone()), Host()
    try:
        offer = relay.between(await client.offer(), 0)
        answer = relay.between(await host.peer.answer(offer), 1)
        await client.accept(answer)
        await until(lambda: host.opened)
        yield host, client
    finally:
        await host.peer.close()
        await client.close()


async def test_through_the_relay_a_call_is_a_call() -> None:
    async with open_relay() as relay, bad_call(relay) as (host, client):
        await Sender(host).run(20)
        await until(lambda: client.frames["audio"] and client.frames["video"] and host.pcm)
        assert relay.carried > 60 and not relay.lost


@pytest.mark.parametrize(("loss", "delay_s", "jitter_s"), [(0.03, 0.04, 0.03), (0.1, 0.0, 0.0), (0.0, 0.1, 0.06)])
async def test_a_bad_network_costs_no_more_than_what_it_loses(loss: float, delay_s: float, jitter_s: float) -> None:
    async with open_relay() as relay, bad_call(relay) as (host, client):
        relay.loss, relay.delay_s, relay.jitter_s = loss, delay_s, jitter_s
        begun = sum(map(len, host.pcm))
        loop = asyncio.get_running_loop()
        since = loop.time()
        for number in range(20):
            host.peer.send(f"event {number}")
        sender = Sender(host)
        while loop.time() - since < 3:
            await sender.run(10)
        heard = (sum(map(len, host.pcm)) - begun) / 16_000
        assert heard > 0.85 * (loop.time() - since) - delay_s - 0.1, "holes are filled, and nothing is held back"
        await until(lambda: client.messages == [f"event {number}" for number in range(20)])
        seen = len(client.frames["video"])
        await sender.run(50)
        await until(lambda: len(client.frames["video"]) > seen)
        received = {packet.timestamp for packet in client.packets["audio"]}
        assert len(received) > (1 - 2 * loss) * sender.slot * 0.9
        assert bool(relay.lost) == bool(loss)


async def test_a_blackout_is_survived() -> None:
    async with open_relay() as relay, bad_call(relay) as (host, client):
        sender = Sender(host)
        await sender.run(20)
        relay.loss = 1.0
        await sender.run(100)
        before = len(client.frames["video"]), len(host.pcm)
        relay.loss = 0.0
        async with asyncio.timeout(5):
            while len(client.frames["video"]) < before[0] + 10:
                await sender.run(10)
        assert len(host.pcm) > before[1]
        assert np.concatenate(host.pcm[before[1] + 2 :]).any(), "the voice is back"
        assert not host.closed
