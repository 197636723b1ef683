"""Lateness, scripted minutes and memory: the arithmetic, and one short real run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import processes
from benchmarks.caller import Arrivals
from benchmarks.callers import LISTENING_S, heard_s, speaking, voice_of
from benchmarks.capacity import holds, measure, memory_of_one, summary
from benchmarks.recordings import RATE_HZ


def pictures(*frames: tuple[float, int], packets: int = 2) -> Arrivals:
    """(seconds, RTP time) of frames, each in a few packets a millisecond apart."""
    arrivals = Arrivals()
    for at, rtp in frames:
        for packet in range(packets):
            arrivals.at.append(at + packet / 1000)
            arrivals.rtp.append(rtp % 2**32)
    return arrivals


def test_frames_on_time() -> None:
    arrivals = pictures(*((100 + n * 0.04, 2**32 - 7200 + n * 3600) for n in range(10)))  # across the wrap
    assert arrivals.lateness_ms(90_000, 40).round(3).tolist() == [0.0] * 10


def test_a_late_packet_and_a_standing_picture() -> None:
    rtp = [0, 3600, 7200, 7200 + 3600 + 1800]  # the last one's slot came 20 ms after its time
    arrivals = pictures((0.0, rtp[0]), (0.04, rtp[1]), (0.105, rtp[2]), (0.14, rtp[3]))
    assert arrivals.lateness_ms(90_000, 40).round(1).tolist() == [0.0, 0.0, 25.0, 20.0]


def test_only_the_measured_time_counts() -> None:
    arrivals = pictures((0.5, 0), (0.54, 3600), (1.0, 45_000), (1.05, 48_600))
    assert len(arrivals.lateness_ms(90_000, 40, since=0.9, until=2.0)) == 2
    assert len(arrivals.lateness_ms(90_000, 40, since=3.0)) == 0
    assert len(Arrivals().lateness_ms(90_000, 40)) == 0


def test_how_long_something_was_heard() -> None:
    events = [
        {"type": kind, "at": at} for kind, at in [("on", 1.0), ("off", 3.0), ("on", 5.0), ("gone", 6.0), ("on", 9.0)]
    ]
    assert heard_s(events, "on", ("off", "gone"), 2.0, 10.0) == pytest.approx(1 + 1 + 1)
    assert heard_s([], "on", ("off",), 0.0, 1.0) == 0.0


def test_speaking() -> None:
    assert not speaking([])
    assert speaking([{"type": "output_audio_buffer.started"}, {"type": "avatar.caption"}])
    assert not speaking([{"type": "output_audio_buffer.started"}, {"type": "output_audio_buffer.cleared"}])


def caller(late_ms: list[float], answers: int = 3) -> dict[str, Any]:
    return {
        "sound_late_ms": [0.0] * 100, "picture_late_ms": late_ms, "speaking_s": 4.0, "listening_s": 3.0,
        "answers": answers, "errors": [],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("callers", "fits"),
    [
        ([caller([1.0] * 250)], True),
        ([caller([1.0] * 250), caller([50.0] * 250)], False),  # it is the worst one that counts
        ([caller([1.0] * 250), caller([1.0] * 250, answers=0)], False),
        ([caller([])], False),  # no picture at all
    ],
)
def test_what_fits(callers: list[dict[str, Any]], fits: bool) -> None:
    told = summary({"callers": callers, "clients_cpu_s_a_second": 0.1}, len(callers), 10.0)
    assert holds(told) == fits
    assert (told["speaking"], told["listening"]) == (0.4, 0.3)


def test_memory_of_one() -> None:
    rounds = [{"count": n, "pss_mb": {"gateway": 200.0, "workers": 60.0 * n}} for n in (1, 2, 3)]
    assert memory_of_one(rounds, 190.0) == pytest.approx(60)
    assert memory_of_one(rounds[:1], 190.0) == pytest.approx(70)


def test_cpu_share_by_part() -> None:
    before = processes.Usage({processes.GATEWAY: 1.0}, {})
    after = processes.Usage({processes.GATEWAY: 2.0, processes.WORKER: 3.0, processes.VOICE: 0.0}, {})
    assert processes.cpu_share(before, after, 10.0) == {processes.GATEWAY: 0.1, processes.WORKER: 0.3}


def test_a_voice_of_six_seconds(shared: Path) -> None:
    assert len(voice_of(shared / "samples" / "speech")) == LISTENING_S * RATE_HZ


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_a_short_run(shared: Path) -> None:
    """A real server, one caller for twelve seconds, and a killed worker: every part is found and counted."""
    report = await measure(shared / "samples" / "speech", minutes=0.2, most=1, kills=1)
    (one,) = report.data["rounds"]
    assert {processes.GATEWAY, processes.WORKER, processes.HEARING} <= set(one["cpu_s_a_second"])
    assert 0.02 < sum(one["cpu_s_a_second"].values()) < 2
    assert one["pictures_a_second"] > 15 and one["speaking"] > 0.1 and not one["errors"]
    assert len(report.data["recoveries_ms"]) == 1 and np.isfinite(report.data["recoveries_ms"]).all()
