"""What a frame of a persona costs on this machine."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from avatar.motion.rules import RuleMotionSource
from avatar.renderers import open_renderer
from avatar.speech import SPEECH_RATE_HZ, Phoneme, SpeechChunk

_SYLLABLES = ("p", "a", "m", "i", "f", "o", "t", "u", "w", "e")
_PHONEME_MS = 90.0


def frame_cost_ms(persona_path: Path, *, size: int = 512, framing: str = "portrait", frames: int = 50) -> float:
    """CPU milliseconds of one core a frame, while speaking: the dear case. Encoding comes on top.

    Raises:
        PersonaError: the folder is damaged.
    """
    renderer = open_renderer(persona_path, size=size, framing=framing)
    motion = RuleMotionSource(seed=0)
    motion.push(_speech(frames + 5))
    motion.finish()
    renderer.render(motion.take(5, speaking=True))  # caches are filled by the first frames
    begun = time.thread_time()
    for _ in range(frames):
        renderer.render(motion.take(1, speaking=True))
    return (time.thread_time() - begun) * 1000 / frames


def _speech(frames: int) -> SpeechChunk:
    duration_ms = frames * 40.0
    count = int(duration_ms / _PHONEME_MS)
    phonemes = tuple(
        Phoneme(_SYLLABLES[i % len(_SYLLABLES)], i * _PHONEME_MS, (i + 1) * _PHONEME_MS) for i in range(count)
    )
    return SpeechChunk(np.zeros(int(duration_ms * SPEECH_RATE_HZ / 1000), np.int16), "en", phonemes)
