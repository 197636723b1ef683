"""What head, brows, lids and lungs follow in speech: accents and pauses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from avatar.motion.speech.loudness import HOP_MS, VoiceLevel, envelope_db

PAUSE_MS = 120.0
"""A shorter silence is a stop's gap, not the end of a phrase."""

_SYLLABLE_HOPS = 12
"""Loudness is smoothed over, and its peaks kept apart by, about a syllable (120 ms)."""
_PEAK_BELOW_DB = 5.0
"""A peak further than this below the voice's level is an unstressed syllable."""
_ONSET_MS = 60.0
"""A syllable's loudness peaks about this long after its vowel begins."""
_QUIET_BELOW_DB = 25.0
_SILENT_DB = -60.0


@dataclass(frozen=True, slots=True)
class Accent:
    """A stressed vowel: heads nod and brows rise with it.

    Attributes:
        at_ms: start of the vowel.
        prominence: loudness and length against the voice's average, about 0.5..2.
    """

    at_ms: float
    prominence: float


@dataclass(frozen=True, slots=True)
class Prosody:
    """Attributes:
    accents: in order of time.
    pauses: (start_ms, end_ms) of silences that end a phrase, in order of time.
    """

    accents: list[Accent]
    pauses: list[tuple[float, float]]


def listen(pcm48k: NDArray[np.int16], start_ms: float, level: VoiceLevel) -> Prosody:
    """Accents and pauses of sound without timings: peaks of loudness, and quiet between them.

    Args:
        pcm48k: mono int16 [samples].
        start_ms: when the sound starts, on the clock of the utterance.
        level: of the voice; learns from the peaks.
    """
    energy = np.maximum(envelope_db(pcm48k), _SILENT_DB)
    kernel = np.hanning(_SYLLABLE_HOPS + 3)[1:-1]
    padded = np.pad(energy, len(kernel) // 2, mode="edge")
    smooth = np.convolve(padded, kernel / kernel.sum(), "valid")
    voice_db = level.level_db if level.level_db is not None else float(smooth.max())
    near = np.pad(smooth, _SYLLABLE_HOPS, mode="edge")
    highest = np.lib.stride_tricks.sliding_window_view(near, 2 * _SYLLABLE_HOPS + 1).max(axis=1)
    peaks = np.flatnonzero((smooth >= highest) & (smooth > max(voice_db - _PEAK_BELOW_DB, _SILENT_DB)))
    accents: list[Accent] = []
    for hop in peaks.tolist():
        at_ms = start_ms + max(hop * HOP_MS - _ONSET_MS, 0.0)
        if not accents or at_ms - accents[-1].at_ms > _SYLLABLE_HOPS * HOP_MS:  # not every hop of a plateau
            accents.append(Accent(at_ms, level.gain(float(smooth[hop]))))
    quiet = energy <= max(voice_db - _QUIET_BELOW_DB, _SILENT_DB)
    edges = np.flatnonzero(np.diff(np.concatenate(([False], quiet, [False]))))
    pauses = [
        (start_ms + float(a) * HOP_MS, start_ms + float(b) * HOP_MS)
        for a, b in zip(edges[::2], edges[1::2], strict=True)
        if (b - a) * HOP_MS >= PAUSE_MS
    ]
    return Prosody(accents, pauses)
