"""Drives a ``MotionSource`` as a conversation does: sound pushed in hops, frames taken as soon as they are ready."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from avatar.motion.evaluation.lips import Mouth, mouth_of
from avatar.motion.generator.ahead import SpeechAhead
from avatar.motion.generator.encoder import SoundEncoder
from avatar.motion.generator.hindsight import Hindsight
from avatar.motion.motion import Motion
from avatar.motion.source import MotionSource
from avatar.motion.speech import coarticulation
from avatar.motion.speech.easing import EasedMouth
from avatar.motion.speech.mouth import to_channels
from avatar.speech import SPEECH_RATE_HZ, SpeechChunk

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


def encoder_lips(encoder: SoundEncoder, hindsight: Hindsight, speech: SpeechChunk) -> Mouth:
    """The mouth that the sound encoder alone demands, contacts enforced: what the generator is told, hop by hop."""
    encoder.restart()
    ahead, eased = SpeechAhead(encoder, hindsight), EasedMouth()
    mouths: list[NDArray[np.float32]] = []
    contacts: list[tuple[bool, bool]] = []

    def take() -> None:
        nonlocal eased
        if not ahead.ready():
            return
        told = ahead.look(ahead.ready())
        eased = eased.replanned(told.revised)
        for planned in told.mouths:
            eased = eased.next(planned.mouth)
            mouths.append(eased.mouth)
            contacts.append((planned.sealed, planned.touching))
            ahead.advance()

    hop = SPEECH_RATE_HZ * HOP_MS // 1000
    for start in range(0, len(speech.pcm48k), hop):
        ahead.push(SpeechChunk(speech.pcm48k[start : start + hop], speech.language, None))
        take()
    ahead.finish()
    take()
    mouth, enforced = np.array(mouths, np.float32), np.array(contacts, bool)
    coarticulation.enforce(mouth, enforced[:, 0], enforced[:, 1])
    return mouth_of(to_channels(mouth))
