"""Interrupting the avatar: how soon it is lowered and silent in the browser, and how much it remembers having said.

In Chromium: while the avatar speaks, a human voice is played into the microphone. The avatar's own voice is a steady
tone here (``benchmarks.flash``), so that its loudness shows the gain and nothing else: the pauses of speech would look
like an avatar that yields. Ducked is the first moment from which the received sound stays at least 12 dB below its
level before the voice (as received, times the volume at which the page plays it); silent the first from which it stays silent. A voice begins with its first phoneme. What must
not interrupt is in ``benchmarks.false_stops``.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.chromium import open_chromium
from benchmarks.false_stops import outcomes
from benchmarks.recordings import RATE_HZ, Utterance, utterances, write_wav
from benchmarks.report import Report, percentiles, shown
from benchmarks.served import serve
from benchmarks.turn import SILENT, matches, voices
from benchmarks.visitor import Visitor

LEAD_S = 8.0
SPEAKING_S = 4.0
"""The avatar has spoken this long, about, when the voice begins."""

AFTER_S = 4.0
WITHIN_MS = 3000.0
"""An avatar that still speaks this long after the voice began was not interrupted by it."""

MONOLOGUE = " ".join(
    f"This is sentence number {number}, and it goes on so that there is something to interrupt."
    for number in range(1, 9)
)
DUCKED_DB = -12.0
SILENT_EARS = {"turn_detection": {"type": "semantic_vad", "create_response": False, "interrupt_response": True}}
STOP_WORDS = ("stop", "wait", "be quiet")
SYNTHESIZED = "synthesized"


async def measure(recordings: Path, *, most: int, progress: Callable[[str], None] = lambda line: None) -> Report:
    """Raises NoRecordings, ChromiumMissing, ServerFailed, NothingCame."""
    said = [*utterances(recordings)[:most], *await _stop_words()]
    report = Report("bargein", f"parley bench bargein --most {most}")
    seconds = sum(SPEAKING_S + utterance.seconds + AFTER_S for utterance in said)
    progress(f"{len(said)} interruptions, {seconds / 60:.1f} min")
    trials = await _interrupt(said)
    for name, chosen in (
        ("voice", [trial for trial in trials if trial["clip"] != SYNTHESIZED]),
        ("stop words (synthesized)", [trial for trial in trials if trial["clip"] == SYNTHESIZED]),
    ):
        stopped = [trial for trial in chosen if "why" not in trial]
        count = f"{len(stopped)} of {len(chosen)}"
        ducked = shown(percentiles([trial["ducked_ms"] for trial in stopped]), "ms")
        silent = shown(percentiles([trial["silent_ms"] for trial in stopped]), "ms")
        report.add(f"{name} to ducked (12 dB down, in the browser), {count} interruptions", ducked, "p95 <= 300 ms")
        report.add(f"{name} to silence", silent, "p95 <= 800 ms" if name == "voice" else "at once")
    off_by = [trial["kept_words"] - trial["heard_words"] for trial in trials if "why" not in trial]
    report.add(
        "words kept in memory against words heard",
        f"{shown(percentiles(np.abs(off_by).tolist()), 'apart')}; from {min(off_by)} to {max(off_by):+d}"
        if off_by
        else "-",
        "+-1",
    )
    found = await outcomes(recordings, progress=progress)
    for kind in sorted({kind for kind, _ in found}):
        stops = [stop for other, stop in found if other == kind]
        report.add(f"{kind} that stop the avatar", f"{sum(stops)} of {len(stops)}", "" if "words" in kind else "<= 5 %")
    report.notes.append(
        "Coughs, knocks, backchannels and stop words are synthesized: no recordings of them were at hand. Single words "
        "are human, cut out of sentences; they ask for nothing, but are no backchannels either, so they have no goal."
    )
    report.notes.append(
        "The browser's own echo canceller stands between the voice and the server, as it does for visitors. While it "
        "learns, in the first quarter of a minute in which the avatar is heard, it may cut a voice to pieces."
    )
    report.notes += [f"Not counted: {trial['clip']}: {trial['why']}." for trial in trials if "why" in trial]
    report.data = {"interruptions": trials, "false_stops": found}
    return report


async def _stop_words() -> list[Utterance]:
    from streaming.speaking.espeak import EspeakSynthesizer

    voice = EspeakSynthesizer()
    found = []
    try:
        await voice.warm_up()
        for text in STOP_WORDS:
            chunks = [spoken.speech.pcm48k async for spoken in voice.speak(text, language="en", voice=None)]
            pcm = np.concatenate(chunks)
            loud = np.flatnonzero(np.abs(pcm.astype(int)) > 500)
            found.append(Utterance(SYNTHESIZED, pcm[loud[0] : loud[-1] + 1], tuple(text.split())))
    finally:
        await voice.close()
    return found


async def _interrupt(said: list[Utterance]) -> list[dict[str, Any]]:
    """One conversation; the voice comes over the avatar again and again."""
    before = np.zeros(round(SPEAKING_S * RATE_HZ), np.int16)
    after = np.zeros(round(AFTER_S * RATE_HZ), np.int16)
    parts = [np.zeros(round(LEAD_S * RATE_HZ), np.int16)]
    for utterance in said:
        parts += [before, utterance.pcm48k, after]
    with tempfile.TemporaryDirectory() as scratch:
        wav = write_wav(Path(scratch) / "microphone.wav", np.concatenate(parts))
        async with (
            serve(
                Path(scratch) / "data",
                module="benchmarks.scripted_server",
                PARLEY_BENCH_BEATS="benchmarks.flash:make_tone",
            ) as served,
            open_chromium(Path(scratch) / "profile", fake_microphone=wav) as context,
        ):
            visitor = Visitor(context.pages[0])
            await visitor.open(served.url)
            await visitor.connect()
            # The user's turns are not answered here: what is to be heard is the monologue alone.
            await visitor.send(
                {"type": "session.update", "session": {"type": "realtime", "audio": {"input": SILENT_EARS}}}
            )
            await visitor.page.evaluate("probe.listen('said', probe.microphone)")
            await visitor.page.evaluate("probe.listen('heard', probe.remote('audio'), probe.volume)")
            loop = asyncio.get_running_loop()
            began, at_s = loop.time(), LEAD_S
            for utterance in said:
                await asyncio.sleep(max(0.0, began + at_s - 0.5 - loop.time()))
                # What was not interrupted last time must not go on: each voice meets a monologue of its own.
                await visitor.send({"type": "output_audio_buffer.clear"})
                await visitor.element(f"speak({MONOLOGUE!r})")
                at_s += SPEAKING_S + utterance.seconds + AFTER_S
            await asyncio.sleep(max(0.0, began + at_s - loop.time()))
            levels = await visitor.page.evaluate("probe.levels")
            cut = await visitor.events("conversation.item.truncated")
            for event in cut:
                await visitor.send({"type": "conversation.item.retrieve", "item_id": event["item_id"]})
            if cut:
                await visitor.wait_for("conversation.item.retrieved", count=len(cut))
            events = await visitor.all_events()
    return interruptions(np.array(levels["said"]), np.array(levels["heard"]), events, said)


def interruptions(
    track: NDArray[np.float64],
    heard: NDArray[np.float64],
    events: list[dict[str, Any]],
    said: list[Utterance],
) -> list[dict[str, Any]]:
    """One entry for every utterance: what it did to the avatar, or "why" it cannot tell.

    Args:
        track, heard: [time_ms, RMS] rows of the microphone's track and of the received one.
    """
    trials: list[dict[str, Any]] = []
    found = voices(track, pause_ms=(SPEAKING_S + AFTER_S) * 500)
    # Ends are sharp (silence is digital), beginnings are not (noise goes before the voice): count from the end.
    lengths_ms = [(SPEAKING_S + utterance.seconds + AFTER_S) * 1000 for utterance in said]
    due_ms = [sum(lengths_ms[: number + 1]) for number in range(len(said))]
    for utterance, at in zip(said, matches([voice[1] for voice in found], due_ms), strict=True):
        voice = None if at is None else found[at]
        trial: dict[str, Any] | str = "the microphone's track is silent"
        if voice is not None:
            trial = _trial(heard, events, voice[1] - (utterance.seconds - utterance.lead_s) * 1000)
        trials.append({"clip": utterance.clip} | ({"why": trial} if isinstance(trial, str) else trial))
    return trials


def _trial(heard: NDArray[np.float64], events: list[dict[str, Any]], onset_ms: float) -> dict[str, Any] | str:
    before = heard[(heard[:, 0] > onset_ms - 500) & (heard[:, 0] < onset_ms), 1]
    if not len(before) or np.median(before) < SILENT:
        return "the avatar was not speaking"
    level = float(np.median(before))
    after = heard[(heard[:, 0] >= onset_ms) & (heard[:, 0] < onset_ms + WITHIN_MS)]
    ducked_ms = _stays_below(after, level * 10 ** (DUCKED_DB / 20))
    silent_ms = _stays_below(after, SILENT)
    cut = next(
        (
            event
            for event in events
            if event["type"] == "conversation.item.truncated" and onset_ms < event["at"] < onset_ms + WITHIN_MS
        ),
        None,
    )
    if cut is None or ducked_ms is None or silent_ms is None:
        noticed = any(
            event["type"] == "input_audio_buffer.speech_started" and onset_ms - 200 < event["at"] < onset_ms + WITHIN_MS
            for event in events
        )
        return "the voice was noticed, but the avatar spoke on" if noticed else "the voice was not noticed"
    loud = heard[(heard[:, 1] > SILENT) & (heard[:, 0] <= silent_ms), 0]
    began_ms = loud[np.r_[0, np.flatnonzero(np.diff(loud) > 300) + 1]][-1]
    captions = [e for e in events if e["type"] == "avatar.caption" and e["item_id"] == cut["item_id"]]
    return {
        "ducked_ms": ducked_ms - onset_ms,
        "silent_ms": silent_ms - onset_ms,
        "heard_words": words_until(captions, silent_ms - began_ms),
        "kept_words": len(_memory(events, cut["item_id"]).split()),
    }


def words_until(captions: list[dict[str, Any]], heard_ms: float) -> int:
    """Words whose middle was heard when ``heard_ms`` of the answer were."""
    return sum(len(e["text"].split()) for e in captions if (e["start_ms"] + e["end_ms"]) / 2 <= heard_ms)


def _memory(events: list[dict[str, Any]], item_id: str) -> str:
    """An item as the conversation holds it at the end."""
    for event in events:
        if event["type"] == "conversation.item.retrieved" and event["item"]["id"] == item_id:
            return " ".join(part.get("transcript") or part.get("text") or "" for part in event["item"]["content"])
    return ""


def _stays_below(levels: NDArray[np.float64], threshold: float) -> float | None:
    """The first moment from which the level stays below ``threshold``; None if it never does."""
    loud = np.flatnonzero(levels[:, 1] >= threshold)
    if not len(loud):
        return float(levels[0, 0])
    return float(levels[loud[-1] + 1, 0]) if loud[-1] + 1 < len(levels) else None
