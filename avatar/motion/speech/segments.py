"""A chunk's timed phonemes to viseme segments, with closures placed by ear and accents picked out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from avatar.motion.speech.coarticulation import Segment
from avatar.motion.speech.ipa import Sound, Vowel, parse
from avatar.motion.speech.loudness import HOP_MS, VoiceLevel, envelope_db
from avatar.motion.speech.prosody import PAUSE_MS, Accent, Prosody
from avatar.motion.speech.visemes import viseme
from avatar.speech import SpeechChunk

RELEASE_MS = 55.0
"""Synthesisers that report events (espeak-ng) mark a voiceless stop where it is heard, at its release; the
lips have been closed for about this long. Forced aligners mark where the closure begins."""

_SILENT_DB_PER_MS = 0.05
"""Price of placing a closure away from where it is expected, against the depth of the gap found there."""

_SILENCE = Sound(None)


@dataclass(frozen=True, slots=True)
class ChunkPlan:
    """What one chunk asks of the mouth and tells the body, on the clock of the utterance.

    Attributes:
        segments: in order of time.
        prosody: accents and pauses.
    """

    segments: list[Segment]
    prosody: Prosody


def plan_chunk(chunk: SpeechChunk, start_ms: float, level: VoiceLevel) -> ChunkPlan:
    """Segments of a chunk that starts at ``start_ms``.

    Timings that overlap, run backwards or exceed the chunk are put in order rather than refused: a voice's rounding
    must not silence the avatar.
    """
    energy = envelope_db(chunk.pcm48k)
    segments: list[Segment] = []
    accents: list[Accent] = []
    pauses: list[tuple[float, float]] = []
    duration = chunk.duration_ms
    cursor = 0.0
    for phoneme in chunk.phonemes or ():
        # Comparisons in this order also put a NaN where the previous phoneme ended.
        begin = min(max(cursor, phoneme.start_ms), duration)
        end = min(max(begin, phoneme.end_ms), duration)
        if begin - cursor > 1.0:
            _add_silence(segments, pauses, start_ms + cursor, start_ms + begin)
        cursor = end
        sounds = parse(phoneme.symbol)
        if sounds[0].articulation is None:
            _add_silence(segments, pauses, start_ms + begin, start_ms + end)
            continue
        at = begin
        accented = False
        for sound in sounds:
            until = at + (end - begin) * sound.share
            shape = viseme(sound)
            vowel = isinstance(sound.articulation, Vowel)
            gain = level.gain(_mean_db(energy, at, until)) if vowel else 1.0
            closure = _closure_ms(energy, at, until) if shape.seals and shape.voiceless_stop else (at + until) / 2
            segments.append(Segment(shape, start_ms + at, start_ms + until, start_ms + closure, gain))
            if vowel and phoneme.stressed and not accented:
                accented = True
                length = min((until - at) / 120.0, 1.5)  # 120 ms: an ordinary stressed vowel
                accents.append(Accent(start_ms + at, gain * (0.6 + 0.4 * length)))
            at = until
    if duration - cursor > 1.0:
        _add_silence(segments, pauses, start_ms + cursor, start_ms + duration)
    return ChunkPlan(segments, Prosody(accents, pauses))


def silence(start_ms: float, end_ms: float) -> Segment:
    """Nothing is said, and the mouth closes."""
    return Segment(viseme(_SILENCE), start_ms, end_ms, (start_ms + end_ms) / 2)


def _add_silence(segments: list[Segment], pauses: list[tuple[float, float]], start: float, end: float) -> None:
    if end <= start:
        return
    segments.append(silence(start, end))
    if end - start >= PAUSE_MS:
        pauses.append((start, end))


def _mean_db(energy: NDArray[np.float32], start_ms: float, end_ms: float) -> float:
    first = min(int(start_ms / HOP_MS), len(energy) - 1)
    last = max(int(end_ms / HOP_MS), first + 1)
    return float(energy[first:last].mean())


def _closure_ms(energy: NDArray[np.float32], start_ms: float, end_ms: float) -> float:
    """Middle of a voiceless stop's closure: the quietest 30 ms from a release's length before its label on.

    Both conventions (label at the closure, label at the release) are served by listening for the gap.
    """
    first = max(int((start_ms - RELEASE_MS) / HOP_MS), 0)
    last = int(min(start_ms + 0.6 * (end_ms - start_ms), start_ms + 60.0) / HOP_MS) + 1
    expected = start_ms - RELEASE_MS / 4
    best, best_cost = expected, np.inf
    for hop in range(first, min(last, len(energy))):
        middle = (hop + 0.5) * HOP_MS
        around = energy[max(hop - 1, 0) : hop + 2]
        cost = float(around.mean()) + _SILENT_DB_PER_MS * abs(middle - expected)
        if cost < best_cost:
            best, best_cost = middle, cost
    return max(best, 0.0)
