"""What is heard frame by frame, ahead of need and in hops of any size, is what is heard of the whole."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from avatar.motion.generator.ear import Ear
from avatar.motion.generator.features import HOPS_PER_FRAME, LOOK_AHEAD_FRAMES, analyse
from avatar.motion.generator.hindsight import Hindsight
from avatar.motion.generator.mean import CausalMean
from avatar.speech import BEAT_SAMPLES, SPEECH_RATE_HZ
from tests.avatar.motion.generator.fakes import fake_model

FRAMES = 20
PCM = np.concatenate(
    [np.random.default_rng(i).integers(-lv, lv, BEAT_SAMPLES) for i, lv in enumerate([50, 9000, 400, 4000] * 5)]
).astype(np.int16)


def of_the_whole() -> NDArray[np.float32]:
    padded = np.concatenate((PCM, np.zeros(LOOK_AHEAD_FRAMES * BEAT_SAMPLES, np.int16)))
    mel = CausalMean().push(analyse(padded.astype(np.float32) / 32768.0, SPEECH_RATE_HZ).mel)
    assert len(mel) == (FRAMES + LOOK_AHEAD_FRAMES) * HOPS_PER_FRAME
    return fake_model().encoder().push(mel).mouth


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 7), min_size=1, max_size=12), st.lists(st.integers(300, 9000), min_size=1, max_size=12))
def test_hops_and_pieces_change_nothing(hops: list[int], pieces: list[int]) -> None:
    ear, pushed, turn = Ear(fake_model().encoder(), Hindsight.none()), 0, 0
    mouths: list[NDArray[np.float32]] = []
    while len(mouths) < FRAMES:
        piece = PCM[pushed : pushed + pieces[turn % len(pieces)]]
        ear.push(piece)
        pushed += len(piece)
        wanted = min(hops[turn % len(hops)], FRAMES - len(mouths))
        turn += 1
        heard = ear.hear(wanted + LOOK_AHEAD_FRAMES, complete=pushed == len(PCM)) - LOOK_AHEAD_FRAMES
        looked = [ear.mouth(ahead).planned.mouth for ahead in range(heard)]
        for mouth in looked[: max(heard - turn % 2, 0)] if pushed < len(PCM) else looked:  # some are looked at twice
            mouths.append(mouth)
            ear.advance()
    assert np.allclose(np.array(mouths), of_the_whole(), atol=1e-4)


def test_sound_that_goes_on_after_its_end_has_no_gap() -> None:
    """What was made up beyond the end is taken back, and the frame that was cut is heard whole."""
    ear, half = Ear(fake_model().encoder(), Hindsight.none()), BEAT_SAMPLES * 7 // 2
    ear.push(PCM[:half])
    assert ear.hear(6, complete=True) == 6
    ear.push(PCM[half:])
    assert ear.hear(FRAMES + LOOK_AHEAD_FRAMES, complete=True) == FRAMES + LOOK_AHEAD_FRAMES
    energy = ear.sound(FRAMES).energy
    straight = Ear(fake_model().encoder(), Hindsight.none())
    straight.push(PCM)
    straight.hear(FRAMES, complete=True)
    assert np.allclose(energy[4:], straight.sound(FRAMES).energy[4:], atol=0.2)
