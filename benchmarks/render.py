"""What a frame of the portrait renderer costs: ``python -m benchmarks.render [PERSONA ...]``.

CPU time of one thread (not wall time), frame by frame, while the persona speaks and while it idles; encoding comes on
top. ``remap`` is one plain OpenCV resampling of a frame of that size on the same machine in the same minute: what
no renderer of this kind can go below, and a measure of how fast, and how busy, the machine was.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np

from avatar.motion.rules import RuleMotionSource
from avatar.motion.source import MotionSource
from avatar.persona import Persona, find_persona, list_personas
from avatar.portrait.arrays import fixed, resample_fixed
from avatar.renderer import Renderer
from avatar.renderers import FRAMINGS, SIZES, open_renderer
from avatar.speech import SPEECH_RATE_HZ, Phoneme, SpeechChunk

# Every articulation the viseme rules know, in words with p, b, m, f, v, th, sh, w and the round vowels.
PHONEMES = "h ə l oʊ p iː p əl m aɪ f eɪ v ɹ ɪ t b ʊ k ʃ oʊ z θ ɪ ŋ k w iː n uː b ɔː d ɑː m".split()
PHONEME_MS = 95.0


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU milliseconds a frame of one persona.

    Attributes:
        persona, size, framing: what was drawn.
        load_ms: reading the folder and preparing the renderer.
        speaking_ms, speaking_p95_ms: mean and 95th percentile while speaking.
        idle_ms: mean between utterances.
        remap_ms: one plain resampling of such a frame, median.
        frames: measured, of each kind.
    """

    persona: str
    size: int
    framing: str
    load_ms: float
    speaking_ms: float
    speaking_p95_ms: float
    idle_ms: float
    remap_ms: float
    frames: int


def speech(frames: int) -> SpeechChunk:
    """Phonemes for at least ``frames`` beats; the sound is silence, which timings make irrelevant."""
    count = int(frames * 40 / PHONEME_MS) + 1
    phonemes = tuple(Phoneme(PHONEMES[i % len(PHONEMES)], i * PHONEME_MS, (i + 1) * PHONEME_MS) for i in range(count))
    samples = int(count * PHONEME_MS * SPEECH_RATE_HZ / 1000)
    return SpeechChunk(np.zeros(samples, np.int16), "en", phonemes)


def measure(persona: Persona, *, size: int = 512, framing: str = "portrait", frames: int = 250) -> Cost:
    """Draw ``frames`` speaking and as many idle frames.

    Raises:
        PersonaError: the folder is damaged.
        ValueError: no such size or framing.
    """
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        begun = time.thread_time()
        renderer = open_renderer(persona.path, size=size, framing=framing)
        load_ms = (time.thread_time() - begun) * 1000
        motion = RuleMotionSource(seed=0)
        motion.push(speech(frames + 10))
        motion.finish()
        renderer.render(motion.take(5, speaking=True))
        speaking, remap = _timed(renderer, motion, frames, speaking=True)
        motion.clear()
        motion.take(25, speaking=False)
        idle, _ = _timed(renderer, motion, frames, speaking=False)
    finally:
        cv2.setNumThreads(threads)
    return Cost(
        persona.name, size, framing, round(load_ms, 1), round(float(speaking.mean()), 2),
        round(float(np.percentile(speaking, 95)), 2), round(float(idle.mean()), 2),
        round(float(np.median(remap)), 2), frames,
    )  # fmt: skip


def _timed(renderer: Renderer, motion: MotionSource, frames: int, *, speaking: bool) -> tuple[np.ndarray, np.ndarray]:
    """Milliseconds of each frame, and of a plain resampling after each tenth."""
    y, x = np.mgrid[: renderer.height, : renderer.width].astype(np.float32)
    maps = fixed(np.stack([x, y], -1) + 0.4)
    cost, remap = [], []
    for i in range(frames):
        rows = motion.take(1, speaking=speaking)
        begun = time.thread_time()
        (frame,) = renderer.render(rows)
        cost.append(time.thread_time() - begun)
        if i % 10 == 0:
            begun = time.thread_time()
            resample_fixed(frame, maps)
            remap.append(time.thread_time() - begun)
    return np.array(cost) * 1000, np.array(remap) * 1000


def table(costs: list[Cost]) -> str:
    """The figures as text, a line a persona."""
    lines = [
        f"{'persona':16}{'size':>5} {'framing':10}{'load':>8}{'speaking':>10}{'p95':>7}{'idle':>7}{'remap':>7}  (CPU ms)"
    ]
    lines += [
        f"{c.persona[:15]:16}{c.size:5} {c.framing:10}{c.load_ms:8.0f}{c.speaking_ms:10.2f}"
        f"{c.speaking_p95_ms:7.2f}{c.idle_ms:7.2f}{c.remap_ms:7.2f}"
        for c in costs
    ]
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("personas", nargs="*", help="names, or folders; all personas where none is given")
    parser.add_argument("--size", type=int, choices=SIZES, default=512)
    parser.add_argument("--framing", choices=FRAMINGS, default="portrait")
    parser.add_argument("--frames", type=int, default=250)
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args(arguments)
    if options.frames < 1:
        parser.error("--frames must be at least 1")
    personas = [_persona(name) for name in options.personas] or list_personas()
    costs = [
        measure(persona, size=options.size, framing=options.framing, frames=options.frames) for persona in personas
    ]
    print(table(costs))
    if options.json:
        options.json.write_text(json.dumps([asdict(cost) for cost in costs], indent=1) + "\n")
    return 0


def _persona(name: str) -> Persona:
    path = Path(name)
    return Persona.load(path) if path.is_dir() else find_persona(name)


if __name__ == "__main__":
    sys.exit(main())
