"""Interrupting the avatar: how soon it is lowered and silent in the browser, and what does not interrupt it.

In Chromium: while the avatar speaks, a human voice is played into the microphone. Ducked is the first moment from which
the received sound stays at least 12 dB below its level before the voice; silent the first from which it stays silent.
Without a browser, the same ears (voice activity, transcriber, turn-taking) are given short sounds that ask for
nothing: synthesized coughs, knocks and "mm-hm"s.
"""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.chromium import open_chromium
from benchmarks.recordings import RATE_HZ, Utterance, utterances, write_wav
from benchmarks.report import Report, percentiles, shown
from benchmarks.served import serve
from benchmarks.turn import SILENT, voices
from benchmarks.visitor import Visitor

LEAD_S = 5.0
SPEAKING_S = 4.0
"""The avatar has spoken this long, at least, when the voice begins."""

AFTER_S = 4.0
MONOLOGUE = " ".join(
    f"This is sentence number {number}, and it goes on so that there is something to interrupt."
    for number in range(1, 9)
)
DUCKED_DB = -12.0
SILENT_EARS = {"turn_detection": {"type": "semantic_vad", "create_response": False, "interrupt_response": True}}


async def measure(recordings: Path, *, most: int) -> Report:
    """Raises NoRecordings, ChromiumMissing, ServerFailed."""
    said = utterances(recordings)[:most]
    report = Report("bargein", "parley bench bargein")
    trials = await _interrupt(said)
    report.add(
        f"voice to ducked (12 dB down, in the browser), {len(trials)} of {len(said)} interruptions",
        shown(percentiles([trial["ducked_ms"] for trial in trials]), "ms"),
        "p95 <= 300 ms",
    )
    report.add("voice to silence", shown(percentiles([trial["silent_ms"] for trial in trials]), "ms"), "p95 <= 800 ms")
    off_by = [abs(trial["heard_words"] - trial["kept_words"]) for trial in trials]
    report.add("words heard against words kept in memory", shown(percentiles(off_by), "words apart"), "+-1")
    outcomes = await false_stops()
    for kind in sorted({kind for kind, _ in outcomes}):
        stopped = [stop for other, stop in outcomes if other == kind]
        report.add(f"{kind} that stop the avatar", f"{sum(stopped)} of {len(stopped)}", "<= 5 %")
    report.notes.append("Coughs, knocks and backchannels are synthesized: no recordings of them were at hand.")
    report.data = {"interruptions": trials, "false_stops": outcomes}
    return report


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
            serve(Path(scratch) / "data") as served,
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
            await visitor.page.evaluate("probe.listen('heard', probe.remote('audio'))")
            began = asyncio.get_running_loop().time()
            at_s = LEAD_S
            for utterance in said:
                await asyncio.sleep(max(0.0, began + at_s - 0.5 - asyncio.get_running_loop().time()))
                await visitor.element(f"speak({MONOLOGUE!r})")
                at_s += SPEAKING_S + utterance.seconds + AFTER_S
            await asyncio.sleep(max(0.0, began + at_s - asyncio.get_running_loop().time()))
            levels = await visitor.page.evaluate("probe.levels")
            events = await visitor.all_events()
    return interruptions(np.array(levels["said"]), np.array(levels["heard"]), events)


def interruptions(
    said: NDArray[np.float64], heard: NDArray[np.float64], events: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """One entry for every voice that stopped the avatar.

    Args:
        said, heard: [time_ms, RMS] rows.
    """
    trials = []
    for start_ms, end_ms in voices(said, pause_ms=2000):
        cut = next(
            (e for e in events if e["type"] == "conversation.item.truncated" and start_ms < e["at"] < end_ms + 2000),
            None,
        )
        before = heard[(heard[:, 0] > start_ms - 1500) & (heard[:, 0] < start_ms), 1]
        if cut is None or not len(before) or before.max() < SILENT:
            continue
        level = float(np.sqrt(np.mean(before[before > SILENT] ** 2)))
        after = heard[heard[:, 0] >= start_ms]
        ducked_ms = _stays_below(after, level * 10 ** (DUCKED_DB / 20), until_ms=start_ms + 3000)
        silent_ms = _stays_below(after, SILENT, until_ms=start_ms + 3000)
        if ducked_ms is None or silent_ms is None:
            continue
        captions = [
            event for event in events if event["type"] == "avatar.caption" and event["item_id"] == cut["item_id"]
        ]
        shown_words = sum(len(e["text"].split()) for e in captions if e["at"] <= silent_ms)
        trials.append(
            {
                "ducked_ms": ducked_ms - start_ms,
                "silent_ms": silent_ms - start_ms,
                "heard_words": shown_words,
                "kept_words": _kept_words(cut, captions),
            }
        )
    return trials


def _kept_words(cut: dict[str, Any], captions: list[dict[str, Any]]) -> int:
    """Words whose middle lies before the end of what the server says was heard."""
    kept = [c for c in captions if (c["start_ms"] + c["end_ms"]) / 2 <= cut["audio_end_ms"]]
    return sum(len(caption["text"].split()) for caption in kept)


def _stays_below(levels: NDArray[np.float64], threshold: float, *, until_ms: float) -> float | None:
    """The first moment after which a smoothed level stays below ``threshold``."""
    kernel = np.ones(6) / 6
    smooth = np.sqrt(np.convolve(levels[:, 1] ** 2, kernel, "same"))
    window = levels[:, 0] < until_ms
    loud = np.flatnonzero((smooth >= threshold) & window)
    if not len(loud):
        return float(levels[0, 0])
    if loud[-1] + 1 >= np.count_nonzero(window):
        return None
    return float(levels[loud[-1] + 1, 0])


async def false_stops(*, each: int = 20) -> list[tuple[str, bool]]:
    """Which short sounds would stop an avatar that is speaking, with real ears: (kind, stopped)."""
    from streaming.hearing.sphinx import SphinxTranscriber
    from streaming.hearing.voice import VoiceDetector
    from streaming.listening import Listener
    from streaming.settings import TurnDetection

    transcriber = SphinxTranscriber()
    await transcriber.warm_up()
    sounds = [
        *(("coughs", cough(seed)) for seed in range(each)),
        *(("knocks", knock(seed)) for seed in range(each)),
        *[("backchannels", pcm) async for pcm in _backchannels(each)],
    ]
    outcomes = []
    try:
        for kind, pcm16k in sounds:
            ears = _Ears()
            ids = itertools.count()
            listener = Listener(
                transcriber,
                VoiceDetector(),
                detection=TurnDetection(),
                language="en",
                new_item_id=lambda ids=ids: f"item_{next(ids)}",
                observer=ears,
            )
            ears.listener = listener
            listener.output(True)
            quiet = np.random.default_rng(0).normal(0, 8, 16_000).astype(np.int16)
            for part in np.array_split(np.concatenate([quiet, pcm16k, quiet, quiet]), 200):
                listener.hear(part.astype(np.int16))
                await asyncio.sleep(len(part) / 16_000)
            await listener.close()
            outcomes.append((kind, ears.stopped))
    finally:
        await transcriber.close()
    return outcomes


class _Ears:
    """Watches a listener for the moment at which the avatar would be stopped."""

    def __init__(self) -> None:
        self.stopped = False
        self.listener: Any = None

    def segment_began(self, segment: object) -> None: ...

    def segment_partial(self, segment: object, text: str) -> None: ...

    def segment_heard(self, segment: object, text: str) -> None: ...

    def segment_resumed(self, segment: object) -> None: ...

    def segment_ended(self, segment: Any, end_ms: float) -> None:
        self.listener.discard(segment)

    def segment_dropped(self, segment: Any, end_ms: float) -> None:
        self.listener.discard(segment)

    def floor_changed(self, effect: object) -> None:
        self.stopped = self.stopped or type(effect).__name__ == "StopSpeaking"


def cough(seed: int) -> NDArray[np.int16]:
    """A synthesized cough at 16 kHz: one or two bursts of noise through a throat's resonances, 200-450 ms."""
    rng = np.random.default_rng(seed)
    bursts = []
    for _ in range(rng.integers(1, 3)):
        n = int(rng.uniform(0.12, 0.22) * 16_000)
        t = np.arange(n) / 16_000
        noise = rng.normal(0, 1, n)
        for hz, width_hz in (
            (rng.uniform(450, 750), 180),
            (rng.uniform(1200, 1800), 300),
            (rng.uniform(2400, 3200), 500),
        ):
            r = np.exp(-np.pi * width_hz / 16_000)
            noise = noise + 0.6 * _resonate(noise, 2 * r * np.cos(2 * np.pi * hz / 16_000), -r * r)
        envelope = np.minimum(1, t / 0.008) * np.exp(-t / rng.uniform(0.04, 0.09))
        bursts += [noise / np.abs(noise).max() * envelope, np.zeros(int(rng.uniform(0.03, 0.09) * 16_000))]
    return (np.concatenate(bursts) * rng.uniform(4000, 14_000)).astype(np.int16)


def _resonate(x: NDArray[np.float64], a: float, b: float) -> NDArray[np.float64]:
    out = np.zeros_like(x)
    y1 = y2 = 0.0
    for at, value in enumerate(x):
        y1, y2 = value + a * y1 + b * y2, y1
        out[at] = y1
    return out / np.abs(out).max()


def knock(seed: int) -> NDArray[np.int16]:
    """A cup put on a table: two to four decaying thuds."""
    rng = np.random.default_rng(1000 + seed)
    thuds = []
    for _ in range(rng.integers(2, 5)):
        t = np.arange(int(0.12 * 16_000)) / 16_000
        body = np.sin(2 * np.pi * rng.uniform(120, 400) * t) + 0.5 * rng.normal(0, 1, len(t))
        thuds.append(body * np.exp(-t / rng.uniform(0.01, 0.03)))
    return (np.concatenate(thuds) * rng.uniform(3000, 9000)).astype(np.int16)


async def _backchannels(count: int) -> Any:
    """ "Uh-huh", "yeah", "okay" and "right" by espeak-ng's voices, at 16 kHz."""
    from streaming.speaking.espeak import EspeakSynthesizer

    voice = EspeakSynthesizer()
    try:
        await voice.warm_up()
        words = itertools.cycle(("uh-huh", "yeah", "okay", "right"))
        for word, name in itertools.islice(zip(words, itertools.cycle(voice.voices)), count):
            chunks = [spoken.speech.pcm48k async for spoken in voice.speak(word, language="en", voice=name)]
            yield np.concatenate(chunks)[::3]
    finally:
        await voice.close()
