"""From a visitor's last sound to the avatar's first: heard and seen in Chromium, on the machine that serves.

Utterances of 1-5 s are played into Chromium's microphone, far enough apart for an answer each. A turn's time runs from
the last sound of the voice on the microphone's track to the first frame that the page shows at or after the first
sound of the answer. A second run hears a fixed text at once, so that the pipeline's own share shows.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.chromium import open_chromium
from benchmarks.recordings import RATE_HZ, Utterance, utterances, write_wav
from benchmarks.report import Report, percentiles, shown
from benchmarks.served import serve
from benchmarks.visitor import Visitor

LEAD_S = 4.0
"""Silence before the first utterance, in which the page connects."""

ANSWER_S = 13.0
"""Silence after an utterance; the offline answerer's longest answers last ten seconds."""

SILENT = 0.004
"""RMS below which a track is silent (-48 dBFS)."""

FIXED_TEXT = "what is parley"
STAGES = ("endpointing", "transcription", "thinking", "synthesis", "rendering")


async def measure(recordings: Path, *, most: int) -> Report:
    """Raises NoRecordings, ChromiumMissing, ServerFailed."""
    said = utterances(recordings)[:most]
    report = Report("turn", "parley bench turn")
    whole = await _run(said, fixed_text=None)
    fixed = await _run(said, fixed_text=FIXED_TEXT)
    seconds = [turn["seconds"] for turn in whole]
    report.add(
        f"end of speech to first lip-synced frame, embedded engines, {len(seconds)} of {len(said)} utterances",
        shown(percentiles(seconds), "s"),
        "p50 <= 0.8, p95 <= 1.4 s; goal 0.5 / 0.9",
    )
    share = [turn["after_turn_s"] for turn in fixed]
    report.add("end of turn to first frame, scripted transcriber", shown(percentiles(share), "s"), "<= 0.35 s")
    for name, turns in (("embedded", whole), ("scripted", fixed)):
        for stage in (*STAGES, "transport and display"):
            values = [turn["stages_ms"][stage] for turn in turns]
            report.add(f"{name}: {stage}", shown(percentiles(values), "ms"))
    report.notes.append(
        "Stages as the server counts them; work done before the turn was over counts 0. Transport and display is what "
        "remains: microphone to server, and server through jitter buffer and decoder to the screen."
    )
    report.data = {"embedded": whole, "scripted": fixed}
    return report


async def _run(said: list[Utterance], *, fixed_text: str | None) -> list[dict[str, Any]]:
    """One conversation with all utterances; one entry for each that was answered."""
    gap = np.zeros(round(ANSWER_S * RATE_HZ), np.int16)
    parts = [np.zeros(round(LEAD_S * RATE_HZ), np.int16)]
    for utterance in said:
        parts += [utterance.pcm48k, gap]
    with tempfile.TemporaryDirectory() as scratch:
        wav = write_wav(Path(scratch) / "microphone.wav", np.concatenate(parts))
        module = "server" if fixed_text is None else "benchmarks.scripted_server"
        variables = {} if fixed_text is None else {"PARLEY_BENCH_TEXT": fixed_text}
        async with (
            serve(Path(scratch) / "data", module=module, **variables) as served,
            open_chromium(Path(scratch) / "profile", fake_microphone=wav) as context,
        ):
            visitor = Visitor(context.pages[0])
            await visitor.open(served.url)
            await visitor.connect()
            await visitor.page.evaluate("void probe.record(0.42, 0.53, 0.16, 0.12)")
            await visitor.page.evaluate("probe.listen('said', probe.microphone)")
            await visitor.page.evaluate("probe.listen('heard', probe.remote('audio'))")
            await asyncio.sleep(sum(len(part) for part in parts) / RATE_HZ)
            levels = await visitor.page.evaluate("probe.levels")
            frames = await visitor.page.evaluate("probe.frames.map((frame) => frame.at)")
            events = await visitor.all_events()
    return turns_of(np.array(levels["said"]), np.array(levels["heard"]), np.array(frames), events, said)


def turns_of(
    said: NDArray[np.float64],
    heard: NDArray[np.float64],
    frames: NDArray[np.float64],
    events: list[dict[str, Any]],
    utterances_said: list[Utterance],
) -> list[dict[str, Any]]:
    """Pairs voices with answers.

    Args:
        said, heard: [time_ms, RMS] rows of the microphone's track and of the received one.
        frames: times at which frames were shown, ms.
    """
    turns: list[dict[str, Any]] = []
    latencies = [event for event in events if event["type"] == "avatar.latency"]
    for number, (start_ms, end_ms) in enumerate(voices(said)):
        latency = next((event for event in latencies if end_ms < event["at"] < end_ms + ANSWER_S * 1000), None)
        sounding = heard[(heard[:, 0] > end_ms) & (heard[:, 1] > SILENT)]
        if latency is None or not len(sounding):
            continue
        onset_ms = sounding[sounding[:, 0] > latency["at"] - 200][0, 0]
        shown_ms = frames[frames >= onset_ms][0]
        stages = {stage: float(latency["stages"].get(stage, 0.0)) for stage in STAGES}
        total_ms = float(shown_ms - end_ms)
        stages["transport and display"] = total_ms - sum(stages.values())
        turns.append(
            {
                "clip": utterances_said[number].clip if number < len(utterances_said) else "",
                "voice_s": (end_ms - start_ms) / 1000,
                "seconds": total_ms / 1000,
                "after_turn_s": (total_ms - stages["endpointing"]) / 1000,
                "stages_ms": stages,
            }
        )
    return turns


def voices(said: NDArray[np.float64], *, pause_ms: float = ANSWER_S * 500) -> list[tuple[float, float]]:
    """First and last sound of each voice on the microphone's track."""
    loud = said[said[:, 1] > SILENT, 0]
    if not len(loud):
        return []
    breaks = np.flatnonzero(np.diff(loud) > pause_ms)
    return list(zip(loud[np.r_[0, breaks + 1]], loud[np.r_[breaks, len(loud) - 1]], strict=True))
