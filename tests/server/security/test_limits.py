from __future__ import annotations

import asyncio
from typing import Any

import pytest

from server.errors import RequestTimeout, TooManyRequests
from server.security.limits import MAX_ADDRESSES, AddressLimiter, BodyLimit, TokenBucket


def test_bucket_lets_the_burst_through_then_the_rate() -> None:
    bucket = TokenBucket(rate=2, burst=4)
    assert [bucket.take(10.0) for _ in range(4)] == [0.0] * 4
    assert bucket.take(10.0) == pytest.approx(0.5)
    assert bucket.take(10.5) == 0.0
    assert bucket.take(1000.0, 4) == 0.0
    assert bucket.take(1000.0, 1) == pytest.approx(0.5)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def allowed(limiter: AddressLimiter, address: str) -> bool:
    try:
        limiter.check(address)
    except TooManyRequests as error:
        assert error.retry_after_s is not None and error.retry_after_s > 0
        return False
    return True


def test_each_address_has_its_own_rate() -> None:
    clock = Clock()
    limiter = AddressLimiter(2, clock)
    assert [allowed(limiter, "192.0.2.1") for _ in range(3)] == [True, True, False]
    assert allowed(limiter, "192.0.2.2")
    clock.now += 30
    assert [allowed(limiter, "192.0.2.1") for _ in range(2)] == [True, False]


def test_an_ipv6_network_is_one_address() -> None:
    limiter = AddressLimiter(1, Clock())
    assert allowed(limiter, "2001:db8:0:1::1")
    assert not allowed(limiter, "2001:db8:0:1:ffff::2")
    assert allowed(limiter, "2001:db8:0:2::1")
    assert allowed(limiter, "::ffff:192.0.2.1") and allowed(limiter, "::ffff:192.0.2.2")
    assert allowed(limiter, "fe80::1%eth0") and allowed(limiter, "unknown")


def test_the_table_does_not_grow_without_bound() -> None:
    limiter = AddressLimiter(1, Clock())
    for number in range(MAX_ADDRESSES + 100):
        limiter.check(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert len(limiter._buckets) == MAX_ADDRESSES


async def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()

    async def never() -> Any:
        await asyncio.Event().wait()

    limit = BodyLimit(app, timeout_s=0.01)
    with pytest.raises(RequestTimeout):
        await limit({"type": "http", "headers": []}, never, never)


async def test_other_protocols_pass() -> None:
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    await BodyLimit(app)({"type": "websocket"}, app, app)  # type: ignore[arg-type]
    assert seen == ["websocket"]


@pytest.mark.parametrize("length", [b"999999999", b"-1", b"abc", b""])
async def test_a_false_length_is_refused_unread(length: bytes) -> None:
    sent: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("read")

    async def send(message: Any) -> None:
        sent.append(message)

    await BodyLimit(app)({"type": "http", "headers": [(b"content-length", length)]}, app, send)  # type: ignore[arg-type]
    assert sent[0]["status"] == 413
