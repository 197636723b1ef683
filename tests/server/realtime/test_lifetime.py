from __future__ import annotations

from server.realtime.lifetime import PING_SILENCE_S, TRANSPORT_LOST, Lifetime


def code(lifetime: Lifetime, now: float) -> str | None:
    ending = lifetime.verdict(now)
    return ending.code if ending is not None else None


def test_greatest_length() -> None:
    lifetime = Lifetime(max_s=60, idle_s=1000, began=100)
    assert code(lifetime, 160) is None
    ending = lifetime.verdict(161)
    assert ending is not None and ending.code == "session_expired" and "1 minutes" in ending.message


def test_idle_counts_from_the_last_word() -> None:
    lifetime = Lifetime(max_s=10_000, idle_s=60, began=0)
    lifetime.touch(50)
    assert code(lifetime, 110) is None
    assert code(lifetime, 111) == "idle_timeout"


def test_only_who_has_pinged_must_go_on() -> None:
    lifetime = Lifetime(max_s=10_000, idle_s=10_000, began=0)
    assert code(lifetime, 500) is None
    lifetime.ping(500)
    assert code(lifetime, 500 + PING_SILENCE_S) is None
    assert lifetime.verdict(500.1 + PING_SILENCE_S) is TRANSPORT_LOST
    lifetime.ping(510)
    assert code(lifetime, 511) is None
