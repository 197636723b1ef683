"""Short sounds that ask for nothing, and whether they would stop an avatar that is speaking.

No browser here: the ears of a conversation (voice activity, transcriber, turn-taking) are given synthesized coughs,
knocks and "mm-hm"s, and single human words. The recognizer is the embedded one.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.recordings import single_words


async def outcomes(
    recordings: Path, *, each: int = 20, progress: Callable[[str], None] = lambda line: None
) -> list[tuple[str, bool]]:
    """Which short sounds would stop an avatar that is speaking: (kind, stopped), in real time.

    Raises:
        NoRecordings
    """
    words = single_words(recordings)[:each]
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
        *(("single words (human)", word.pcm48k[::3]) for word in words),
    ]
    progress(f"{len(sounds)} short sounds, {sum(len(pcm) / 16_000 + 3 for _, pcm in sounds) / 60:.1f} min")
    found: list[tuple[str, bool]] = []
    try:
        for kind, pcm16k in sounds:
            ears = _Ears()
            listener = Listener(
                transcriber,
                VoiceDetector(),
                detection=TurnDetection(),
                language="en",
                new_item_id=partial(_next_id, itertools.count()),
                observer=ears,
            )
            ears.listener = listener
            listener.output(True)
            quiet = np.random.default_rng(0).normal(0, 8, 16_000).astype(np.int16)
            for part in np.array_split(np.concatenate([quiet, pcm16k, quiet, quiet]), 200):
                listener.hear(part.astype(np.int16))
                await asyncio.sleep(len(part) / 16_000)
            await listener.close()
            found.append((kind, ears.stopped))
    finally:
        await transcriber.close()
    return found


def _next_id(numbers: itertools.count[int]) -> str:
    return f"item_{next(numbers)}"


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
    return np.asarray(out / np.abs(out).max())


def knock(seed: int) -> NDArray[np.int16]:
    """A cup put on a table: two to four decaying thuds."""
    rng = np.random.default_rng(1000 + seed)
    thuds = []
    for _ in range(rng.integers(2, 5)):
        t = np.arange(int(0.12 * 16_000)) / 16_000
        body = np.sin(2 * np.pi * rng.uniform(120, 400) * t) + 0.5 * rng.normal(0, 1, len(t))
        thuds.append(body * np.exp(-t / rng.uniform(0.01, 0.03)))
    return (np.concatenate(thuds) * rng.uniform(3000, 9000)).astype(np.int16)


async def _backchannels(count: int) -> AsyncIterator[NDArray[np.int16]]:
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
