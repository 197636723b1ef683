"""From a visitor's last sound to the avatar's first: heard and seen in Chromium, on the machine that serves.

Utterances of 1-5 s are played into Chromium's microphone, far enough apart for an answer each. A turn's time runs from
the last sound of the voice on the microphone's track to the first frame that the page shows at or after the first
sound of the answer. A second run hears a fixed text at once, so that the pipeline's own share shows.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.chromium import open_chromium
from benchmarks.recordings import RATE_HZ, Utterance, utterances, words_found, write_wav
from benchmarks.report import Report, percentiles, shown
from benchmarks.served import serve
from benchmarks.visitor import Visitor

LEAD_S = 8.0
"""Silence before the first utterance, in which the page connects."""

ANSWER_S = 13.0
"""Silence after an utterance; the offline answerer's longest answers last ten seconds."""

SILENT = 0.004
"""RMS below which a track is silent (-48 dBFS)."""

NEAR_MS = 2000.0
"""A voice is the utterance that was due then, if it comes this close; they are ten and more seconds apart."""

FIXED_TEXT = "what is parley"
STAGES = ("endpointing", "transcription", "thinking", "synthesis", "rendering")


@dataclass(frozen=True, slots=True)
class Run:
    """One conversation as the page kept it.

    Attributes:
        said, heard: [time_ms, RMS] rows of the microphone's track and of the received one.
        frames: times at which frames were shown, ms.
        events: the server's, with "at" in ms.
        before, after: the page's inbound statistics around it.
        seconds: between the two.
    """

    said: NDArray[np.float64]
    heard: NDArray[np.float64]
    frames: NDArray[np.float64]
    events: list[dict[str, Any]]
    before: dict[str, dict[str, Any]]
    after: dict[str, dict[str, Any]]
    seconds: float


async def measure(recordings: Path, *, most: int, progress: Callable[[str], None] = lambda line: None) -> Report:
    """Raises NoRecordings, ChromiumMissing, ServerFailed, NothingCame."""
    said = utterances(recordings)[:most]
    report = Report("turn", f"parley bench turn --most {most}")
    minutes = sum(utterance.seconds + ANSWER_S for utterance in said) / 60
    progress(f"{len(said)} utterances with the embedded engines, {minutes:.1f} min")
    run = await _run(said, fixed_text=None)
    whole, missed = turns_of(run, said)
    progress(f"{len(said)} utterances with a scripted transcriber, {minutes:.1f} min")
    scripted = await _run(said, fixed_text=FIXED_TEXT)
    fixed, missed_fixed = turns_of(scripted, said)
    report.add(
        f"end of speech to first lip-synced frame, embedded engines, {len(whole)} of {len(said)} utterances",
        shown(percentiles([turn["seconds"] for turn in whole]), "s"),
        "p50 <= 0.8, p95 <= 1.4 s; goal 0.5 / 0.9",
    )
    report.add(
        f"end of turn to first frame, scripted transcriber, {len(fixed)} of {len(said)} utterances",
        shown(percentiles([turn["after_turn_s"] for turn in fixed]), "s"),
        "<= 0.35 s",
    )
    for name, turns in (("embedded", whole), ("scripted", fixed)):
        for stage in (*STAGES, "transport and display"):
            report.add(f"{name}: {stage}", shown(percentiles([turn["stages_ms"][stage] for turn in turns]), "ms"))
    ended = len([event for event in run.events if event["type"] == "input_audio_buffer.committed"])
    report.add("turns that the utterances became", f"{ended} from {len(said)}")
    known = [turn for turn in whole if turn["words"]]
    if words := sum(turn["words"] for turn in known):
        found = sum(turn["words_found"] for turn in known)
        report.add(f"words understood, in order, of {words} in {len(known)} utterances", f"{found / words:.0%}")
    for name, each in (("embedded", run), ("scripted", scripted)):
        report.add(f"{name}: received", shown_received(each))
    report.notes.append(
        "Stages as the server counts them; work done before the turn was over counts 0. Transport and display is what "
        "remains: microphone to server, and server through jitter buffer and decoder to the screen. Chromium decodes "
        "and composes in software, on the same cores."
    )
    for name, gone in (("embedded", missed), ("scripted", missed_fixed)):
        report.notes += [f"No answer ({name}): {each['clip']}: {each['why']}." for each in gone]
    report.data = {"embedded": whole, "scripted": fixed, "missed": missed, "missed_scripted": missed_fixed}
    return report


async def _run(said: list[Utterance], *, fixed_text: str | None) -> Run:
    """One conversation with all utterances."""
    gap = np.zeros(round(ANSWER_S * RATE_HZ), np.int16)
    parts = [np.zeros(round(LEAD_S * RATE_HZ), np.int16)]
    for utterance in said:
        parts += [utterance.pcm48k, gap]
    seconds = sum(len(part) for part in parts) / RATE_HZ
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
            await visitor.page.evaluate(
                "probe.watch(), probe.listen('said', probe.microphone), probe.listen('heard', probe.remote('audio'))"
            )
            before = await visitor.inbound()
            await asyncio.sleep(seconds)
            after = await visitor.inbound()
            levels = await visitor.page.evaluate("probe.levels")
            frames = await visitor.page.evaluate("probe.shown")
            events = await visitor.all_events()
    return Run(
        np.array(levels["said"]), np.array(levels["heard"]), np.array(frames), events, before, after, seconds
    )  # fmt: skip


def turns_of(run: Run, said: list[Utterance]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Pairs utterances with answers: the answered ones with their times, and the others with the reason."""
    turns: list[dict[str, Any]] = []
    missed: list[dict[str, Any]] = []
    found = voices(run.said)
    lengths_ms = [(utterance.seconds + ANSWER_S) * 1000 for utterance in said]
    due_ms = [sum(lengths_ms[:number]) for number in range(len(said))]
    matched = matches([voice[0] for voice in found], due_ms)
    for utterance, at in zip(said, matched, strict=True):
        voice = None if at is None else found[at]
        turn = "the microphone's track is silent" if voice is None else _turn(run, voice)
        if isinstance(turn, str):
            missed.append({"clip": utterance.clip, "why": turn})
            continue
        heard = turn.pop("transcript")
        turn |= {"clip": utterance.clip, "heard": heard, "words": len(utterance.words)}
        turn["words_found"] = words_found(utterance.words, heard)
        turns.append(turn)
    return turns, missed


def matches(found_ms: list[float], due_ms: list[float]) -> list[int | None]:
    """For each time that was due, by a clock that began anywhere, which of those found it is; most of them must fit."""
    best: tuple[int, float, list[int | None]] = (0, 0.0, [None] * len(due_ms))
    for zero_ms in (found - due for found in found_ms for due in due_ms):
        fit: list[int | None] = []
        off_ms = 0.0
        for due in due_ms:
            nearest = min(range(len(found_ms)), key=lambda n: abs(found_ms[n] - zero_ms - due))
            error = abs(found_ms[nearest] - zero_ms - due)
            fit.append(nearest if error < NEAR_MS else None)
            off_ms += error if error < NEAR_MS else 0.0
        score = sum(n is not None for n in fit)
        if (score, -off_ms) > best[:2]:
            best = (score, -off_ms, fit)
    return best[2]


def _turn(run: Run, voice: tuple[float, float]) -> dict[str, Any] | str:
    """The answer to one voice, or why there is none."""
    start_ms, end_ms = voice
    until_ms = end_ms + ANSWER_S * 1000
    events = [event for event in run.events if start_ms - 500 < event["at"] < until_ms]
    latency = next((e for e in events if e["type"] == "avatar.latency" and e["at"] > end_ms), None)
    texts = [e["transcript"] for e in events if e["type"].endswith("input_audio_transcription.completed")]
    if latency is None:
        return _why(events, texts)
    sounding = run.heard[(run.heard[:, 0] > max(end_ms, latency["at"] - 200)) & (run.heard[:, 1] > SILENT), 0]
    if not len(sounding):
        return "an answer was sent, but not heard"
    after = run.frames[run.frames >= sounding[0]]
    if not len(after):
        return "an answer was heard, but no frame was shown"
    total_ms = float(after[0] - end_ms)
    stages = {stage: float(latency["stages"].get(stage, 0.0)) for stage in STAGES}
    stages["transport and display"] = total_ms - sum(stages.values())
    return {
        "voice_s": (end_ms - start_ms) / 1000,
        "seconds": total_ms / 1000,
        "after_turn_s": (total_ms - stages["endpointing"]) / 1000,
        "stages_ms": stages,
        "transcript": " ".join(texts),
    }


def _why(events: list[dict[str, Any]], texts: list[str]) -> str:
    kinds = {event["type"] for event in events}
    if errors := [e["error"]["message"] for e in events if e["type"] == "error"]:
        return f"an error: {errors[0]}"
    if "input_audio_buffer.speech_started" not in kinds:
        return "the voice was not noticed"
    if "input_audio_buffer.committed" not in kinds:
        return "the voice was taken for noise" if "input_audio_buffer.cleared" in kinds else "the turn did not end"
    if not texts:
        return f"no transcript within {ANSWER_S:g} s"
    return "no words were understood" if not any(texts) else f"no answer to {texts[-1]!r}"


def voices(said: NDArray[np.float64], *, pause_ms: float = ANSWER_S * 500) -> list[tuple[float, float]]:
    """First and last sound of each voice on the microphone's track."""
    loud = said[said[:, 1] > SILENT, 0]
    if not len(loud):
        return []
    breaks = np.flatnonzero(np.diff(loud) > pause_ms)
    return list(zip(loud[np.r_[0, breaks + 1]].tolist(), loud[np.r_[breaks, len(loud) - 1]].tolist(), strict=True))


def answers_of(events: list[dict[str, Any]]) -> list[tuple[float, float]]:
    """When answers were heard: from "started" to "stopped" or "cleared"."""
    found, at = [], None
    for event in events:
        if event["type"] == "output_audio_buffer.started":
            at = event["at"]
        elif event["type"] in ("output_audio_buffer.stopped", "output_audio_buffer.cleared") and at is not None:
            found.append((at, event["at"]))
            at = None
    return found


def shown_received(run: Run) -> str:
    """Frames received, decoded, and shown during answers, a second; freezes; sound made up for want of packets."""

    def counted(kind: str, key: str) -> float:
        return float(run.after[kind].get(key, 0)) - float(run.before.get(kind, {}).get(key, 0))

    answers = answers_of(run.events)
    during = sum(int(np.count_nonzero((run.frames > a) & (run.frames < b))) for a, b in answers)
    seconds = sum(b - a for a, b in answers) / 1000
    concealed = counted("audio", "concealedSamples") - counted("audio", "silentConcealedSamples")
    return (
        f"{counted('video', 'framesReceived') / run.seconds:.1f} frames/s, "
        f"{counted('video', 'framesDecoded') / run.seconds:.1f} decoded, "
        f"{during / max(seconds, 0.001):.1f} shown during answers; {counted('video', 'freezeCount'):.0f} freezes; "
        f"{concealed / max(1.0, counted('audio', 'totalSamplesReceived')):.2%} of the sound concealed, "
        f"{counted('audio', 'packetsDiscarded'):.0f} packets discarded"
    )
