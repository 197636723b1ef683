"""What learned motion costs: ``python -m benchmarks.motion_cost [--weights FOLDER] [--student FILE ...]``.

CPU time of one thread (not wall time), beat by beat, as a worker takes them: what a beat costs on which a hop is drawn, what a second of
motion costs, and how soon motion follows the sound that it needs. The same student may be measured in several files (int8, float32)
and the teacher beside it; the encoder stays the shipped one.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from avatar.motion.generator import sampler
from avatar.motion.generator.network import OnnxNetwork
from avatar.motion.generator.sampler import Sampler
from avatar.motion.generator.source import FIRST_HOP, LearnedMotionSource
from avatar.motion.generator.state import Normalisation
from avatar.motion.generator.weights import SHIPPED_DIR, MotionModel, load
from avatar.motion.rules import RuleMotionSource
from avatar.motion.source import Mode, MotionSource
from avatar.speech import BEAT_SAMPLES, FRAME_RATE_HZ, SPEECH_RATE_HZ, Phoneme, SpeechChunk

GOAL_CORE_PERCENT, GOAL_FIRST_MS = 10.0, 60.0
RULES = "rules"
_DRAWS_OVER = 3.0
"""A beat that costs this many times the cheapest quarter's mean drew a hop."""
_PHONEMES = "h ə l oʊ p iː p əl m aɪ f eɪ v ɹ ɪ t b ʊ k ʃ oʊ z θ ɪ ŋ k w iː n uː b ɔː d ɑː m".split()
_PHONEME_MS = 95.0


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU figures of one source of motion.

    Attributes:
        source: what was measured.
        heard_percent, timed_percent: of one core, while it speaks, reading mouths from sound, or given phoneme times.
        listening_percent, idle_percent: of one core, between answers.
        hop_p50_ms, hop_p99_ms: of the beats on which a hop is drawn, speaking from sound; None where there are no hops.
        first_ms: from the sound that the first frame needs (160 ms) to that frame.
        load_ms: from disk to ready.
    """

    source: str
    heard_percent: float
    timed_percent: float
    listening_percent: float
    idle_percent: float
    hop_p50_ms: float | None
    hop_p99_ms: float | None
    first_ms: float
    load_ms: float


def cost_report(weights: Path = SHIPPED_DIR, students: tuple[Path, ...] = (), *, seconds: float = 20.0) -> list[Cost]:
    """Of the rules, of the shipped student, and of each of ``students`` in its place.

    Raises:
        MotionWeightsError: the weights are missing, damaged, or a student is another network.
    """
    begun = time.process_time()
    model = load(weights)
    load_ms = (time.process_time() - begun) * 1000
    normalisation = Normalisation.load(weights / "normalisation.npz")
    out = [_measure(RULES, lambda: RuleMotionSource(0), seconds, 0.0)]
    out.append(_measure("shipped", lambda: LearnedMotionSource(model), seconds, load_ms))
    for path in students:
        begun = time.process_time()
        network = OnnxNetwork(path, sampler.INPUTS, sampler.OUTPUTS)
        load_ms = (time.process_time() - begun) * 1000
        other = replace(model, sampler=Sampler(network, normalisation))
        other.warm_up()
        out.append(_measure(path.stem, _maker(other), seconds, load_ms))
    return out


def _maker(model: MotionModel) -> Callable[[], MotionSource]:
    return lambda: LearnedMotionSource(model)


def _measure(name: str, make: Callable[[], MotionSource], seconds: float, load_ms: float) -> Cost:
    chunk = _speech(seconds)
    heard = _speaking(make(), SpeechChunk(chunk.pcm48k))
    timed = _speaking(make(), chunk)
    silent = {mode: _silent(make(), mode, seconds) for mode in (Mode.LISTENING, Mode.IDLE)}
    base = float(np.sort(heard)[: len(heard) // 4].mean())
    hops = heard[heard > _DRAWS_OVER * base] if name != RULES else heard[:0]
    p50, p99 = (float(np.percentile(hops, q)) if len(hops) else None for q in (50, 99))
    return Cost(
        name, _percent(heard), _percent(timed), _percent(silent[Mode.LISTENING]), _percent(silent[Mode.IDLE]),
        p50, p99, _first_ms(make), load_ms,
    )  # fmt: skip


def _percent(beat_ms: NDArray[np.float64]) -> float:
    return float(beat_ms.mean()) * FRAME_RATE_HZ / 10.0


def _speaking(source: MotionSource, chunk: SpeechChunk) -> NDArray[np.float64]:
    """CPU ms of each beat; what pushing costs is shared among them."""
    begun = time.thread_time()
    source.push(chunk)
    source.finish()
    pushed_ms = (time.thread_time() - begun) * 1000
    beats = []
    while source.ready():
        begun = time.thread_time()
        source.take(1, speaking=True)
        beats.append((time.thread_time() - begun) * 1000)
    return np.array(beats) + pushed_ms / len(beats)


def _silent(source: MotionSource, mode: Mode, seconds: float) -> NDArray[np.float64]:
    source.set_mode(mode)
    beats = []
    for _ in range(round(seconds * FRAME_RATE_HZ)):
        begun = time.thread_time()
        source.take(1, speaking=False)
        beats.append((time.thread_time() - begun) * 1000)
    return np.array(beats)


def _first_ms(make: Callable[[], MotionSource], times: int = 20) -> float:
    """Median CPU time from the sound of the first hop and its look-ahead to the first frame, out of idling."""
    sound = SpeechChunk(_speech(1.0).pcm48k[: (FIRST_HOP + 2) * BEAT_SAMPLES])
    taken = []
    for _ in range(times):
        source = make()
        source.take(7, speaking=False)
        begun = time.thread_time()
        source.push(sound)
        source.take(1, speaking=True)
        taken.append((time.thread_time() - begun) * 1000)
    return float(np.median(taken))


def _speech(seconds: float) -> SpeechChunk:
    """A buzz that comes and goes at syllables' pace, with phoneme times; what it says costs the same as any words."""
    samples = round(seconds * SPEECH_RATE_HZ)
    time_s = np.arange(samples) / SPEECH_RATE_HZ
    swell = 0.5 - 0.5 * np.cos(2 * np.pi * 4.0 * time_s)
    voice = sum(np.sin(2 * np.pi * 130.0 * h * time_s) / h for h in range(1, 25))
    noise = np.random.default_rng(0).standard_normal(samples)
    pcm = (4000.0 * swell * voice + 60.0 * noise).clip(-32768, 32767).astype(np.int16)
    count = int(seconds * 1000 / _PHONEME_MS)
    phonemes = tuple(
        Phoneme(_PHONEMES[i % len(_PHONEMES)], i * _PHONEME_MS, (i + 1) * _PHONEME_MS, i % 4 == 1) for i in range(count)
    )
    return SpeechChunk(pcm, "en", phonemes)


def table(costs: list[Cost]) -> str:
    """The figures as Markdown."""
    lines = [
        "| source | speaking from sound | with phoneme times | listening | idle | hop p50 | hop p99 | first motion | load |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {c.source} | {c.heard_percent:.1f} % | {c.timed_percent:.1f} % | {c.listening_percent:.1f} % | {c.idle_percent:.1f} %"
        f" | {_ms(c.hop_p50_ms)} | {_ms(c.hop_p99_ms)} | {c.first_ms:.1f} ms | {c.load_ms:.0f} ms |"
        for c in costs
    ]
    return "\n".join(lines)


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} ms"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--weights", type=Path, default=SHIPPED_DIR, help="folder of weights; the shipped one by default"
    )
    parser.add_argument(
        "--student", type=Path, action="append", default=[], help="another sampler's graph (repeatable)"
    )
    parser.add_argument("--seconds", type=float, default=20.0, help="of each kind of motion")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args(arguments)
    if options.seconds < 2:
        parser.error("--seconds must be at least 2")
    costs = cost_report(options.weights, tuple(options.student), seconds=options.seconds)
    print(table(costs))
    print(
        f"\nCPU of one thread; goals: speaking <= {GOAL_CORE_PERCENT:.0f} % of a core, first motion <= {GOAL_FIRST_MS:.0f} ms"
    )
    if options.json:
        options.json.write_text(json.dumps([asdict(cost) for cost in costs], indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
