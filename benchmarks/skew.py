"""Sound against picture in the browser, over minutes: drift and distance.

The workers make flashes and clicks in place of a face and its voice (``benchmarks.flash``). In Chromium two things are
measured. The browser's own account: ``estimatedPlayoutTimestamp`` of both streams, which is each stream's capture time
(by the sender reports) of what is being played now. And what a visitor gets: the time at which a flash is on the screen
(``requestVideoFrameCallback``) against that at which its click is handed to the sound device (an AudioWorklet).
Positive is a picture later than its sound.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.callers import FILLING
from benchmarks.chromium import open_chromium
from benchmarks.report import Report, percentiles, shown
from benchmarks.served import serve
from benchmarks.visitor import Visitor

SETTLE_S = 10.0
"""A receiver needs sender reports (one in a few seconds) and some sound to line its streams up; reported apart."""
PAIR_MS = 400.0
"""A flash and a click farther apart than this do not belong together: they come once a second."""
LONGEST_TEXT = 4000


async def measure(*, minutes: float, progress: Callable[[str], None] = lambda line: None) -> Report:
    """Raises ChromiumMissing, ServerFailed."""
    report = Report("skew", f"parley bench skew --minutes {minutes:g}")
    with tempfile.TemporaryDirectory() as scratch:
        async with (
            serve(
                Path(scratch) / "data",
                module="benchmarks.scripted_server",
                PARLEY_BENCH_BEATS="benchmarks.flash:make_flash",
                PARLEY_SERVER_MAX_MINUTES=str(minutes + 5),
            ) as served,
            open_chromium(Path(scratch) / "profile", bypass_csp=True) as context,
        ):
            visitor = Visitor(context.pages[0])
            await visitor.open(served.url)
            await visitor.connect(microphone=False)
            await visitor.page.evaluate("probe.flashes(); probe.clicks()")
            seen = await _watch(visitor, minutes * 60, progress)
    _tell(report, seen)
    return report


async def _watch(visitor: Visitor, seconds: float, progress: Callable[[str], None]) -> dict[str, Any]:
    """Once a second: the statistics; and there is always something left to say."""
    text = " ".join([FILLING] * (LONGEST_TEXT // (len(FILLING) + 1)))
    loop = asyncio.get_running_loop()
    began, asked, stats = loop.time(), 0, []
    before = await visitor.inbound()
    while loop.time() - began < seconds + SETTLE_S:
        if asked <= len(await visitor.events("output_audio_buffer.stopped")):
            await visitor.element(f"speak({text!r})")
            asked += 1
        await asyncio.sleep(1)
        stats.append(await visitor.inbound() | {"at_s": loop.time() - began})
        if len(stats) % 60 == 0:
            progress(f"{len(stats) // 60} of {seconds / 60:g} min")
    return {
        "playout": [(each["at_s"], skew) for each in stats if (skew := playout_skew(each)) is not None],
        "flashes": await visitor.page.evaluate("probe.flashed"),
        "clicks": await visitor.page.evaluate("probe.clicked"),
        "before": before,
        "after": {kind: stats[-1][kind] for kind in ("audio", "video")},
        "seconds": loop.time() - began,
    }


def playout_skew(inbound: dict[str, Any]) -> float | None:
    """Milliseconds by which what is seen was made earlier than what is heard at the same moment: the picture is late.
    None before both streams have had a sender report."""
    sound = inbound.get("audio", {}).get("estimatedPlayoutTimestamp")
    picture = inbound.get("video", {}).get("estimatedPlayoutTimestamp")
    return float(sound - picture) if sound and picture else None


def pairs(flashes_ms: NDArray[np.float64], clicks_ms: NDArray[np.float64]) -> NDArray[np.float64]:
    """[time in seconds since the first click, flash minus click in ms] of every click that has a flash near it."""
    if not len(flashes_ms) or not len(clicks_ms):
        return np.zeros((0, 2))
    found = []
    for click in clicks_ms:
        flash = flashes_ms[np.argmin(np.abs(flashes_ms - click))]
        if abs(flash - click) <= PAIR_MS:
            found.append(((click - clicks_ms[0]) / 1000, flash - click))
    return np.array(found).reshape(-1, 2)


def slope_a_minute(points: NDArray[np.float64]) -> float:
    """Theil-Sen: the median of the slopes between all points (seconds, ms), in ms a minute; outliers do not move it."""
    if len(points) < 2:
        return float("nan")
    first, second = np.triu_indices(len(points), 1)
    dt = points[second, 0] - points[first, 0]
    dy = points[second, 1] - points[first, 1]
    return float(np.median(dy[dt > 0] / dt[dt > 0]) * 60)


def _tell(report: Report, seen: dict[str, Any]) -> None:
    displayed = pairs(np.array(seen["flashes"], float), np.array(seen["clicks"], float))
    playout = np.array(seen["playout"], float).reshape(-1, 2)
    for name, points in (
        ("estimatedPlayoutTimestamp of both streams", playout),
        ("flash displayed against click heard", displayed),
    ):
        settled = points[points[:, 0] >= SETTLE_S]
        beginning = points[points[:, 0] < SETTLE_S]
        size = shown(percentiles(np.abs(settled[:, 1]).tolist()), "ms")
        middle = f", median {np.median(settled[:, 1]):+.1f} ms" if len(settled) else ""
        report.add(f"|skew|, {name}, {len(settled)} measured", size + middle, "p95 <= 40 ms")
        report.add(f"slope, {name}", f"{slope_a_minute(settled):+.2f} ms a minute", "<= 1 ms a minute over ten minutes")
        report.add(
            f"|skew| in the first {SETTLE_S:g} s, {name}", shown(percentiles(np.abs(beginning[:, 1]).tolist()), "ms")
        )
    sound, picture = seen["after"]["audio"], seen["after"]["video"]
    started = seen["before"]

    def counted(kind: str, key: str) -> float:
        return float(seen["after"][kind].get(key, 0)) - float(started.get(kind, {}).get(key, 0))

    samples = max(1.0, counted("audio", "totalSamplesReceived"))
    report.add(
        "concealedSamples (of them silent)",
        f"{counted('audio', 'concealedSamples') / samples:.3%} ({counted('audio', 'silentConcealedSamples') / samples:.3%})",
        "near zero",
    )
    report.add("packetsDiscarded, sound", f"{counted('audio', 'packetsDiscarded'):.0f}", "near zero")
    report.add(
        "freezes, frames decoded, dropped",
        f"{counted('video', 'freezeCount'):.0f}, {counted('video', 'framesDecoded'):.0f} "
        f"({counted('video', 'framesDecoded') / seen['seconds']:.1f} a second), {counted('video', 'framesDropped'):.0f}",
    )
    report.notes.append(
        "Positive is a picture later than its sound. A click is timed where it is handed to the sound device, whose own "
        "delay is not in it; a flash by the display time that the browser expects. Each is good to about 10 ms."
    )
    report.data = seen | {"sound": sound, "picture": picture, "displayed": displayed.tolist()}
