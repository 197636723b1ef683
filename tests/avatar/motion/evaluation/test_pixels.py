from __future__ import annotations

import numpy as np
import pytest

from avatar.motion.evaluation.drive import encoder_lips, speak
from avatar.motion.evaluation.lips import correlation, mouth_of
from avatar.motion.evaluation.pixels import rendered_mouth
from avatar.motion.generator.contacts import Threshold
from avatar.motion.generator.encoder import ContactThresholds, SoundEncoder
from avatar.motion.generator.hindsight import Hindsight
from avatar.motion.motion import Motion
from avatar.motion.rules import RuleMotionSource
from avatar.persona import Persona
from avatar.speech import SpeechChunk
from tests.avatar.motion.evaluation.test_material import syllables
from tests.avatar.motion.generator.fakes import FakeEncoderNetwork


@pytest.mark.slow
@pytest.mark.usefixtures("mediapipe")
def test_a_viewer_sees_the_lips_that_were_moved(helen: Persona) -> None:
    motion = speak(RuleMotionSource(0), syllables(12))
    truth, seen = mouth_of(motion.values), rendered_mouth(motion, helen)
    assert len(seen) == len(motion)
    assert correlation(truth.opening, seen.opening) > 0.85
    assert seen.closed[truth.opening < 0.01].mean() > 0.8
    assert seen.closed[truth.opening > 0.2].mean() < 0.1


@pytest.mark.slow
@pytest.mark.usefixtures("mediapipe")
def test_what_is_no_mouth_is_not_seen(helen: Persona) -> None:
    """Turned heads and blinks do not move lips: only the mouth is drawn."""
    motion = Motion.zeros(30)
    motion["headYaw"][:] = np.linspace(-15, 15, 30)
    motion["eyeBlinkLeft"][:] = 1
    seen = rendered_mouth(motion, helen)
    assert seen.opening.std() < 0.003 and seen.width.std() < 0.003


def encoder() -> SoundEncoder:
    return SoundEncoder(FakeEncoderNetwork(), ContactThresholds(Threshold(0.5, 0.3), Threshold(0.5, 0.3)))


def test_the_encoders_own_mouth_has_every_frame_in_its_place() -> None:
    pcm = np.zeros(48_000, np.int16)
    pcm[24_000:28_800] = (9000 * np.sin(np.arange(4800) / 5)).astype(np.int16)
    mouth = encoder_lips(encoder(), Hindsight.none(), SpeechChunk(pcm[:47_000], "en", None))
    assert len(mouth) == 25
    loud = mouth.opening > (mouth.opening.min() + mouth.opening.max()) / 2
    assert np.flatnonzero(loud).min() in (12, 13) and np.flatnonzero(loud).max() in (14, 15)


def test_an_encoder_can_be_used_again() -> None:
    used = encoder()
    speech = syllables(5)
    first = encoder_lips(used, Hindsight.none(), speech)
    np.testing.assert_array_equal(encoder_lips(used, Hindsight.none(), speech).opening, first.opening)
