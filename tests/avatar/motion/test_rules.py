"""The rules as a source of motion, beyond what every source promises."""

from __future__ import annotations

import time

import numpy as np

from avatar.motion.motion import INDEX
from avatar.motion.rules import RuleMotionSource
from avatar.motion.source import Manner, Mode
from avatar.speech import SpeechChunk
from tests.avatar.motion.speech_material import spoken
from tests.avatar.motion.test_source import SENTENCE, conversation


def test_seeds_differ_in_behaviour_only() -> None:
    first, other = conversation(RuleMotionSource, 7), conversation(RuleMotionSource, 8)
    for name in ("jawOpen", "mouthClose", "mouthPucker", "mouthFunnel", "tongueUp"):
        assert np.array_equal(first[:, INDEX[name]], other[:, INDEX[name]]), name


def test_idle_head_stays_within_what_a_portrait_shows_well() -> None:
    source = RuleMotionSource(11)
    values = source.take(25 * 120, speaking=False).values
    assert np.abs(values[:, INDEX["headYaw"]]).max() <= 7
    assert np.abs(values[:, INDEX["headRoll"]]).max() <= 3
    assert np.abs(values[:, INDEX["headX"] : INDEX["headZ"] + 1]).max() <= 0.03
    assert 1.0 < values[:, INDEX["headYaw"]].std() < 3.0, "and it does live"


def test_the_mood_shows() -> None:
    def face(mood: float) -> tuple[float, float]:
        source = RuleMotionSource(2)
        source.set_manner(Manner(mood))
        motion = source.take(150, speaking=False)
        return float(motion["mouthSmileLeft"][50:].mean()), float(motion["browInnerUp"][50:].mean())

    grave, plain, cheerful = face(-1.0), face(0.0), face(1.0)
    assert grave[0] < plain[0] - 0.05 < plain[0] < cheerful[0] - 0.1
    assert grave[1] > plain[1] + 0.1


def test_a_late_voice_does_not_make_the_avatar_look_idle() -> None:
    """Between pieces of one utterance the body stays with it; once it is complete, or very late, it does not."""

    def frown_after_pause(finish: bool, frames: int) -> float:
        source = RuleMotionSource(5)
        source.set_mode(Mode.THINKING)
        source.push(spoken([("a", 3000.0)]))
        source.take(source.ready(), speaking=True)
        if finish:
            source.finish()
        return float(source.take(frames, speaking=False)["browDownLeft"][-1])

    assert frown_after_pause(finish=False, frames=10) < 0.01 < frown_after_pause(finish=True, frames=10)
    assert frown_after_pause(finish=False, frames=60) > 0.05


def test_memory_does_not_grow_with_the_conversation() -> None:
    source = RuleMotionSource(0)
    sizes = []
    for _ in range(40):
        source.push(spoken(SENTENCE * 2))  # never finished: one endless utterance
        while source.ready():
            source.take(1, speaking=True)
        sizes.append(source._track.plan.size)
    assert max(sizes[20:]) <= max(sizes[:20])


def test_frames_are_cheap() -> None:
    """Well under a millisecond of CPU a frame, also for the sound rule; the bound leaves room for a slow machine."""
    sentence = spoken(SENTENCE * 10, noise=True)
    source = RuleMotionSource(0)
    begin = time.process_time()
    frames = 0
    for timed in (True, False):
        source.push(sentence if timed else SpeechChunk(sentence.pcm48k, "en", None))
        source.finish()
        while source.ready():
            source.take(1, speaking=True)
            frames += 1
    assert (time.process_time() - begin) / frames < 0.002
