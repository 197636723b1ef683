"""From what an engine spoke to what is learned from: another speaker's size, a level, silence around it.

Raising pitch and formants together is playing the sound faster, which is what a shorter vocal tract and smaller vocal folds amount to.
It is done before anything is labelled (times shrink with it, and the engine is asked to speak slower in return), so
that everything made of a take afterwards shares its clock.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import soxr
from numpy.typing import NDArray

from avatar.motion.training.synthesis.voices import RECORDED, Manner, Spoken, Voice
from avatar.speech import Phoneme

RATE_HZ = 16_000
FRAME_SAMPLES = 640
"""A take is whole frames long (40 ms), so hops are four times the frames."""

LONGEST_S = 20.0
SHORTEST_S = 0.3

_LEVEL_DB, _LEVEL_SPREAD_DB = -23.0, 3.5
"""Of speech while it is heard, of full scale: speech on the web is near -20, recordings by hand vary."""
_PEAK = 0.97


@dataclass(frozen=True, slots=True, eq=False)
class Take:
    """Attributes:
    pcm16k: mono int16 [samples], a multiple of ``FRAME_SAMPLES``.
    phonemes: on its clock.
    """

    pcm16k: NDArray[np.int16]
    phonemes: tuple[Phoneme, ...]

    @property
    def seconds(self) -> float:
        return len(self.pcm16k) / RATE_HZ


@dataclass(frozen=True, slots=True)
class Direction:
    """How a take is to be spoken.

    Attributes:
        manner: what the engine is told.
        size: pitch and formants are multiplied by it.
        level_db: of the speech.
        before_ms, after_ms: silence around it.
    """

    manner: Manner
    size: float
    level_db: float
    before_ms: float
    after_ms: float


def direct(voice: Voice, rng: np.random.Generator) -> Direction:
    """Draw how ``voice`` speaks a sentence."""
    speed = float(np.clip(np.exp(rng.normal(0.0, 0.16)), 0.7, 1.45))
    if voice.engine in RECORDED:  # few speakers: most sentences are given to somebody smaller or bigger
        size = float(np.exp(rng.uniform(-0.15, 0.17))) if rng.random() < 0.65 else 1.0
    else:
        size = float(np.exp(rng.normal(0.0, 0.04)))
    manner = Manner(
        speed=float(np.clip(speed / size, 0.6, 1.6)),
        pitch=int(np.clip(rng.normal(50, 13), 20, 85)),
        pitch_range=int(np.clip(rng.normal(50, 18), 10, 95)),
        word_gap_ms=int(rng.choice([0, 0, 0, 20, 60])),
    )
    level = float(np.clip(rng.normal(_LEVEL_DB, _LEVEL_SPREAD_DB), -33.0, -14.0))
    return Direction(manner, size, level, float(rng.uniform(60, 500)), float(rng.uniform(120, 700)))


def take(spoken: Spoken, direction: Direction) -> Take:
    """The sound at 16 kHz with its phonemes' times.

    Raises:
        ValueError: it is too short or long to be what was asked for, or silent.
    """
    heard = soxr.resample(spoken.pcm, spoken.rate_hz * direction.size, RATE_HZ)
    if not SHORTEST_S <= len(heard) / RATE_HZ <= LONGEST_S:
        raise ValueError(f"{len(heard) / RATE_HZ:.1f} s of sound")
    level = level_db(heard)
    if level < -70.0:
        raise ValueError("silence")
    gain = 10 ** ((direction.level_db - level) / 20)
    heard = heard * min(gain, _PEAK / float(np.abs(heard).max()))
    before, after = (round(ms * RATE_HZ / 1000) for ms in (direction.before_ms, direction.after_ms))
    total = -(-(before + len(heard) + after) // FRAME_SAMPLES) * FRAME_SAMPLES
    pcm = np.zeros(total, np.int16)
    pcm[before : before + len(heard)] = np.round(heard * 32767)
    shift_ms = before * 1000 / RATE_HZ
    phonemes = tuple(
        replace(p, start_ms=p.start_ms / direction.size + shift_ms, end_ms=p.end_ms / direction.size + shift_ms)
        for p in spoken.phonemes
    )
    return Take(pcm, phonemes)


def level_db(pcm: NDArray[np.float32]) -> float:
    """Level of what is heard in ``pcm``, dB of full scale: the mean power of the 10 ms pieces within 30 dB of the loudest."""
    pieces = pcm[: len(pcm) // 160 * 160].reshape(-1, 160)
    if not len(pieces):
        return -100.0
    power = np.square(pieces).mean(axis=1) + 1e-12
    return float(10 * np.log10(power[power > power.max() / 1000].mean()))
