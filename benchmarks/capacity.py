"""What conversations cost a machine: CPU, memory, and how many it holds before beats come late.

One, two, three ... callers (``benchmarks.callers``) live through scripted minutes against a real server with its
embedded engines. The callers decode nothing and run in a process of their own, whose CPU is listed apart, though it
takes from the same cores.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks import processes
from benchmarks.caller import Caller
from benchmarks.callers import SETTLE_S, UNDER_WAY
from benchmarks.recordings import utterances
from benchmarks.report import Report, percentiles, shown
from benchmarks.served import Served, serve

LATE_MS = 40.0
"""A beat. Where the 99th percentile is later than this the machine is full."""
KILLS = 3
BETWEEN_KILLS_S = 16.0
"""Three deaths within half a minute end a conversation, so they are spread."""
RECOVERY_S = 4.0


class CallersFailed(Exception):
    """The callers' process ended before its time; the text holds its last words."""


async def measure(
    recordings: Path,
    *,
    minutes: float,
    most: int,
    kills: int = KILLS,
    progress: Callable[[str], None] = lambda line: None,
) -> Report:
    """One caller more each time, until beats come late or there are ``most``.

    Raises:
        NoRecordings, ServerFailed, CallersFailed.
    """
    utterances(recordings)  # fails early
    report = Report("capacity", f"parley bench capacity --minutes {minutes:g} --most {most}")
    rounds: list[dict[str, Any]] = []
    places = {"PARLEY_SERVER_MAX_CONVERSATIONS": str(most + 1), "PARLEY_SERVER_CALLS_PER_MINUTE": "1000"}
    with tempfile.TemporaryDirectory() as scratch:
        async with serve(Path(scratch) / "data", **places) as served:
            alone = processes.usage(served.processes())
            for count in range(1, most + 1):
                progress(f"{count} at once, {minutes:g} min")
                rounds.append(await _round(served, recordings, count, minutes * 60))
                if not holds(rounds[-1]):
                    break
            progress("a worker is killed")
            recoveries = await _recoveries(served, kills)
    _tell(report, rounds, alone, recoveries)
    return report


async def _round(served: Served, recordings: Path, count: int, seconds: float) -> dict[str, Any]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.callers", served.url, str(recordings), str(count), str(seconds),
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        limit=2**26,
    )  # fmt: skip
    assert process.stdout is not None and process.stderr is not None
    errors = asyncio.create_task(process.stderr.read())
    try:
        began = await process.stdout.readline()
        if began.decode().strip() != UNDER_WAY:
            raise CallersFailed(f"{count} callers could not call:\n{(await errors).decode()[-2000:]}")
        before, at = processes.usage(served.processes()), time.monotonic()
        await asyncio.sleep(seconds)
        after, took_s = processes.usage(served.processes()), time.monotonic() - at
        line = await process.stdout.readline()
        if not line:
            raise CallersFailed(f"{count} callers ended early:\n{(await errors).decode()[-2000:]}")
        result: dict[str, Any] = json.loads(line)
        await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        await errors
    return summary(result, count, seconds) | {
        "cpu_s_a_second": processes.cpu_share(before, after, took_s),
        "pss_mb": {part: round(mb, 1) for part, mb in after.pss_mb.items()},
    }


def summary(result: dict[str, Any], count: int, seconds: float) -> dict[str, Any]:
    """Of what the callers' process tells: lateness over all of their beats, the worst caller's, and what was lived."""
    callers = result["callers"]
    late: dict[str, dict[str, float]] = {}
    for stream in ("sound", "picture"):
        every = [ms for caller in callers for ms in caller[f"{stream}_late_ms"]]
        worst = max((percentiles(c[f"{stream}_late_ms"], (99,)).get("p99", np.inf) for c in callers), default=np.inf)
        late[stream] = percentiles(every, (50, 99, 100)) | {"worst p99": worst}
    return {
        "count": count,
        "late_ms": late,
        "pictures_a_second": round(sum(len(c["picture_late_ms"]) for c in callers) / count / seconds, 2),
        "speaking": round(sum(c["speaking_s"] for c in callers) / count / seconds, 3),
        "listening": round(sum(c["listening_s"] for c in callers) / count / seconds, 3),
        "answers": [c["answers"] for c in callers],
        "errors": [error for c in callers for error in c["errors"]],
        "clients_cpu_s_a_second": round(result["clients_cpu_s_a_second"], 3),
    }


def holds(measured: dict[str, Any]) -> bool:
    """Whether so many conversations fit: no caller's p99 is late, and each was answered."""
    late: float = max(measured["late_ms"][stream]["worst p99"] for stream in ("sound", "picture"))
    return late <= LATE_MS and all(answers > 0 for answers in measured["answers"])


def memory_of_one(rounds: list[dict[str, Any]], alone_mb: float) -> float:
    """Megabytes that a conversation adds: the slope over 1, 2, ... of them; with one only, what it adds to none."""
    totals = [sum(measured["pss_mb"].values()) for measured in rounds]
    if len(totals) == 1:
        return float(totals[0] - alone_mb)
    return float(np.polyfit([measured["count"] for measured in rounds], totals, 1)[0])


async def _recoveries(served: Served, kills: int) -> list[float]:
    """Milliseconds from a worker's death to the first picture of the next one, while it idles and speaks in turn."""
    found: list[float] = []
    async with Caller(served.url) as caller:
        await asyncio.sleep(SETTLE_S)
        for number in range(kills):
            if number % 2:
                caller.send("avatar.say", text="Let us see what happens when the one who draws me is gone, shall we?")
                await asyncio.sleep(2)
            worker = max(processes.workers(served.processes()), key=lambda each: each.create_time())
            killed_at = time.monotonic()
            worker.kill()
            await asyncio.sleep(RECOVERY_S)
            # The next worker's first picture stands alone, and is the first to do so: nobody else asked for one.
            found.append(next((at - killed_at) * 1000 for at in [*caller.video.keyframes_at, np.inf] if at > killed_at))
            if number + 1 < kills:
                await asyncio.sleep(BETWEEN_KILLS_S - RECOVERY_S)
        await caller.hang_up()
    return found


def _tell(report: Report, rounds: list[dict[str, Any]], alone: processes.Usage, recoveries: list[float]) -> None:
    one = rounds[0]
    split = ", ".join(
        f"{part} {share:.3f}" for part, share in sorted(one["cpu_s_a_second"].items(), key=lambda x: -x[1])
    )
    report.add(
        "one conversation, 512x512 at 25 fps: CPU seconds of the server's processes a second",
        f"{sum(one['cpu_s_a_second'].values()):.3f} ({split})",
        "<= 0.35; goal 0.30",
    )
    report.add(
        "what was lived meanwhile (goal 40 % speaking, 30 % listening)",
        f"{one['speaking']:.0%} speaking, {one['listening']:.0%} listening, {one['pictures_a_second']:g} pictures/s",
    )
    held = max((measured["count"] for measured in rounds if holds(measured)), default=0)
    more = "" if not holds(rounds[-1]) else " (more were not tried)"
    report.add(
        f"conversations on {psutil.cpu_count()} cores with p99 beat lateness <= 40 ms", f"{held}{more}", ">= 4; goal 6"
    )
    for measured in rounds:
        late = {stream: shown(values, "ms") for stream, values in measured["late_ms"].items()}
        report.add(
            f"{measured['count']} at once: beats late",
            f"sound {late['sound']}; picture {late['picture']}; {measured['pictures_a_second']:g} pictures/s; "
            f"CPU {sum(measured['cpu_s_a_second'].values()):.2f} s/s, clients {measured['clients_cpu_s_a_second']:.2f} s/s",
        )
    alone_mb = sum(alone.pss_mb.values())
    report.add("memory a conversation adds (PSS)", f"{memory_of_one(rounds, alone_mb):.0f} MB", "< 150 MB")
    report.add("memory of the server without a conversation (PSS)", f"{alone_mb:.0f} MB")
    report.add(
        "worker killed to first picture of the next",
        ", ".join(f"{ms:.0f} ms" for ms in recoveries),
        "<= 1000 ms",
    )
    report.notes.append(
        "A beat's lateness is how much later its last packet came than the promptest beat of that call, plus how long "
        "the stream stood before it for want of a beat. 'worst p99' is of the caller who fared worst; it decides. "
        "After an interruption the queue is empty and the next beat has to be made: that counts as late, too."
    )
    report.data = {"rounds": rounds, "alone_pss_mb": alone.pss_mb, "recoveries_ms": recoveries}
