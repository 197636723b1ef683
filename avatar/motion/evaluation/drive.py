"""Drives a ``MotionSource`` as a conversation does: sound pushed in hops, frames taken as soon as they are ready."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from avatar.motion.evaluation.lips import Mouth, mouth_of
from avatar.motion.generator.encoder import SoundEncoder
from avatar.motion.generator.features import LOOK_AHEAD_FRAMES, FeatureStream
from avatar.motion.generator.mean import CausalMean
from avatar.motion.motion import Motion
from avatar.motion.source import MotionSource
from avatar.motion.speech import coarticulation
from avatar.motion.speech.mouth import to_channels
from avatar.speech import BEAT_SAMPLES, SPEECH_RATE_HZ, SpeechChunk

HOP_MS = 200

MakeSource = Callable[[int], MotionSource]
"""A source of motion by its seed."""


def speak(source: MotionSource, speech: SpeechChunk, *, hop_ms: int = HOP_MS) -> Motion:
    """The motion of one utterance pushed hop by hop; speech with phonemes is pushed whole, as a voice gives it."""
    taken: list[NDArray[np.float32]] = []

    def take() -> None:
        ready = source.ready()
        if ready:
            taken.append(source.take(ready, speaking=True).values)

    if speech.phonemes is not None:
        source.push(speech)
        take()
    else:
        hop = SPEECH_RATE_HZ * hop_ms // 1000
        for start in range(0, len(speech.pcm48k), hop):
            source.push(SpeechChunk(speech.pcm48k[start : start + hop], speech.language, None))
            take()
    source.finish()
    take()
    return Motion(np.concatenate(taken)) if taken else Motion.zeros(0)


def lips_of(make: MakeSource, speech: SpeechChunk, *, seed: int = 0) -> Mouth:
    """The mouth that a fresh source makes of an utterance."""
    return mouth_of(speak(make(seed), speech).values)


def encoder_lips(encoder: SoundEncoder, speech: SpeechChunk) -> Mouth:
    """The mouth that the sound encoder alone demands, contacts enforced: what the generator is told, hop by hop."""
    frames = -(-len(speech.pcm48k) // BEAT_SAMPLES)
    pcm = np.zeros((frames + LOOK_AHEAD_FRAMES) * BEAT_SAMPLES, np.float32)
    pcm[: len(speech.pcm48k)] = speech.pcm48k / 32768.0
    encoder.restart()
    features, mean = FeatureStream(SPEECH_RATE_HZ, pitch=False), CausalMean()
    hop = 5 * BEAT_SAMPLES
    heard = [encoder.push(mean.push(features.push(pcm[start : start + hop]).mel)) for start in range(0, len(pcm), hop)]
    mouth = np.concatenate([each.mouth for each in heard])
    sealed, touching = (np.concatenate([getattr(each, name) for each in heard]) for name in ("sealed", "touching"))
    coarticulation.enforce(mouth, sealed, touching)
    return mouth_of(to_channels(mouth))
