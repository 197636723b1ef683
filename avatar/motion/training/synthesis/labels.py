"""What the sound encoder shall say of a take: the viseme rules' mouth and contacts, and the phone classes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import soxr
from numpy.typing import NDArray

from avatar.motion.generator import phones
from avatar.motion.speech import coarticulation
from avatar.motion.speech.loudness import VoiceLevel
from avatar.motion.speech.prosody import listen
from avatar.motion.speech.segments import plan_chunk, silence
from avatar.motion.training.synthesis.symbols import is_vowel
from avatar.motion.training.synthesis.take import FRAME_SAMPLES, RATE_HZ, Take
from avatar.speech import FRAME_RATE_HZ, SPEECH_RATE_HZ, Phoneme, SpeechChunk

HOP_SAMPLES = 160
FRAME_MS = 1000.0 / FRAME_RATE_HZ
_AFTER_MS = 440.0
"""Silence that the rules may expect after the end: as far as a segment's dominance reaches."""


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """Attributes:
    mouth: what the rules ask for at 25 Hz, before contacts are enforced, float32 [frames, COUNT].
    sealed, touching: frames on which lips meet, or lip and teeth, bool [frames].
    phone: class at 100 Hz (``phones.NAMES``), uint8 [4 * frames].
    phonemes: the take's, with stress.
    """

    mouth: NDArray[np.float32]
    sealed: NDArray[np.bool_]
    touching: NDArray[np.bool_]
    phone: NDArray[np.uint8]
    phonemes: tuple[Phoneme, ...]


def label(take: Take) -> Labels:
    """The same rules, by the same calls, that move the mouth when a voice tells its phonemes."""
    pcm48k = soxr.resample(take.pcm16k, RATE_HZ, SPEECH_RATE_HZ)
    phonemes = take.phonemes if any(p.stressed for p in take.phonemes) else heard_stress(take.phonemes, pcm48k)
    end_ms = 1000.0 * len(take.pcm16k) / RATE_HZ
    segments = plan_chunk(SpeechChunk(pcm48k, phonemes=phonemes), 0.0, VoiceLevel()).segments
    segments.append(silence(end_ms, end_ms + _AFTER_MS))
    frames = len(take.pcm16k) // FRAME_SAMPLES
    mouth = coarticulation.blend(segments, FRAME_MS / 2, frames)
    sealed = coarticulation.contact_frames(segments, FRAME_MS / 2, frames, seals=True)
    touching = coarticulation.contact_frames(segments, FRAME_MS / 2, frames, seals=False)
    return Labels(mouth, sealed, touching, phones.timeline(phonemes, len(take.pcm16k) // HOP_SAMPLES), phonemes)


def heard_stress(phonemes: tuple[Phoneme, ...], pcm48k: NDArray[np.int16]) -> tuple[Phoneme, ...]:
    """Stress where the voice tells none (flite): the vowels at the peaks of loudness."""
    accents = [accent.at_ms for accent in listen(pcm48k, 0.0, VoiceLevel()).accents]
    vowels = [i for i, p in enumerate(phonemes) if is_vowel(p.symbol)]
    if not vowels:
        return phonemes
    starts = np.array([phonemes[i].start_ms for i in vowels])
    stressed = {vowels[int(np.abs(starts - at).argmin())] for at in accents}
    return tuple(replace(p, stressed=True) if i in stressed else p for i, p in enumerate(phonemes))
