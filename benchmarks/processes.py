"""What a server's processes cost: CPU time, also of those that have ended, and memory, each by the part they play."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import psutil

GATEWAY, STARTER, WORKER, HEARING, VOICE, OTHER = "gateway", "worker starter", "workers", "hearing", "voice", "other"


@dataclass(frozen=True, slots=True)
class Usage:
    """Attributes:
    cpu_s: seconds of CPU by part since their start, ended children included.
    pss_mb: proportional set size by part (shared pages split among those who share them), 10^6 bytes.
    """

    cpu_s: dict[str, float]
    pss_mb: dict[str, float]


def usage(processes: Iterable[psutil.Process]) -> Usage:
    """Now; processes that vanish meanwhile are left out (their parent's account has them)."""
    cpu: dict[str, float] = {}
    memory: dict[str, float] = {}
    for process in processes:
        try:
            part = part_of(process)
            times = process.cpu_times()
            spent = times.user + times.system
            ended = times.children_user + times.children_system
            pss = process.memory_full_info().pss
        except psutil.NoSuchProcess:
            continue
        cpu[part] = cpu.get(part, 0.0) + spent
        ended_part = WORKER if part == STARTER else part
        cpu[ended_part] = cpu.get(ended_part, 0.0) + ended
        memory[part] = memory.get(part, 0.0) + pss / 1e6
    return Usage(cpu, memory)


def part_of(process: psutil.Process) -> str:
    """By its command line; workers are forked, so theirs is their starter's."""
    if _is_starter(process):
        parent = process.parent()
        return WORKER if parent is not None and _is_starter(parent) else STARTER
    line = " ".join(process.cmdline())
    if " serve " in line:
        return GATEWAY
    if "streaming.hearing" in line:
        return HEARING
    return VOICE if "espeak" in line else OTHER


def workers(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    return [process for process in processes if part_of(process) == WORKER]


def _is_starter(process: psutil.Process) -> bool:
    return "zygote" in " ".join(process.cmdline())


def cpu_share(before: Usage, after: Usage, seconds: float) -> dict[str, float]:
    """Seconds of CPU a second by part, those that cost something."""
    shares = {part: (spent - before.cpu_s.get(part, 0.0)) / seconds for part, spent in after.cpu_s.items()}
    return {part: round(share, 4) for part, share in shares.items() if share > 0.00005}
