from __future__ import annotations

from streaming.encoding.bitrate import RAISE_AFTER_S, STEPS, BitrateControl

FIRST = 800_000
RATES = [int(step * FIRST) for step in STEPS]


class Link:
    """Sends at a rate, and reports an estimate, once a second."""

    def __init__(self) -> None:
        self.control = BitrateControl(FIRST)
        self.now_s = 50.0
        self.sent = 0
        self.control.report(self.now_s, 10**9, 0)

    def report(self, estimate_bps: int, sending_bps: int, seconds: float = 1.0) -> int:
        self.now_s += seconds
        self.sent += int(sending_bps * seconds / 8)
        return self.control.report(self.now_s, estimate_bps, self.sent)


def test_a_small_estimate_of_a_small_stream_is_no_congestion() -> None:
    link = Link()
    assert [link.report(150_000, 100_000) for _ in range(30)] == [FIRST] * 30


def test_congestion_goes_to_the_step_that_fits() -> None:
    assert Link().report(int(0.85 * FIRST), FIRST) == RATES[1]
    assert Link().report(350_000, FIRST) == RATES[2]
    assert Link().report(1_000, FIRST) == RATES[-1]


def test_below_the_last_step_there_is_none() -> None:
    link = Link()
    assert [link.report(1_000, FIRST) for _ in range(3)] == [RATES[-1]] * 3


def test_one_congestion_is_answered_once() -> None:
    link = Link()
    assert link.report(600_000, FIRST) == RATES[1]
    assert [link.report(550_000, FIRST, 0.1) for _ in range(5)] == [RATES[1]] * 5, "what is under way is the old rate's"
    assert link.report(500_000, RATES[1] + 100_000) == RATES[2]


def test_the_rate_comes_back_step_by_step() -> None:
    link = Link()
    link.report(1_000, FIRST)
    rates = [link.report(10**7, 100_000) for _ in range(int(4 * RAISE_AFTER_S))]
    assert sorted(set(rates)) == sorted(RATES)
    assert rates == sorted(rates)
    assert rates.count(RATES[-1]) == RAISE_AFTER_S - 1


def test_a_burst_is_not_a_rate() -> None:
    link = Link()
    link.sent += 100_000
    assert link.report(500_000, 100_000, 0.1) == FIRST
