"""Hands through time: loops, blends, gestures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from avatar.echomimic.poses import BLEND_FRAMES, CANVAS, PoseLoops, PoseSequence, there_and_back
from avatar.errors import MediaFileError
from avatar.motion.motion import INDEX, Motion

SPEAKING, IDLE = np.ones(1, bool), np.zeros(1, bool)


def still(x: float, frames: int = 1) -> PoseSequence:
    """Hands whose every point is at ``x``."""
    return PoseSequence(
        np.full((frames, 2, 21, 2), x, np.float32),
        np.ones((frames, 2, 21), np.float32),
        np.tile(np.array(CANVAS, np.int32), (frames, 1)),
    )


def moving(frames: int) -> PoseSequence:
    sequence = still(0, frames)
    sequence.hands[:] = np.arange(frames, dtype=np.float32)[:, None, None, None]
    return sequence


def test_a_loop_turns_round_at_both_ends() -> None:
    assert [there_and_back(n, 4) for n in range(10)] == [0, 1, 2, 3, 2, 1, 0, 1, 2, 3]
    assert [there_and_back(n, 1) for n in range(3)] == [0, 0, 0]


def test_a_sequence_is_played_there_and_back() -> None:
    loops = PoseLoops(moving(4))
    shown = loops.take(Motion.zeros(8), np.ones(8, bool))
    assert shown.hands[:, 0, 0, 0].tolist() == [0, 1, 2, 3, 2, 1, 0, 1]


def test_without_a_sequence_the_hands_are_motions_own() -> None:
    motion = Motion.zeros(2)
    motion.values[1, INDEX["handRight3X"]] = 0.25
    motion["handRightScore"][1] = 1.0
    shown = PoseLoops(None).take(motion, np.ones(2, bool))
    assert shown.hands[1, 1, 3, 0] == 0.25 and shown.scores[1, 1].tolist() == [1.0] * 21
    assert not shown.scores[0].any() and not shown.scores[1, 0].any()


def test_between_loops_hands_move_without_a_jump() -> None:
    loops = PoseLoops(still(1.0), still(0.0))
    before = loops.take(Motion.zeros(1), IDLE).hands[0, 0, 0, 0]
    course = [float(loops.take(Motion.zeros(1), SPEAKING).hands[0, 0, 0, 0]) for _ in range(BLEND_FRAMES + 2)]
    steps = np.diff([before, *course])
    assert course[-1] == 1.0 and (steps >= 0).all() and steps.max() < 0.12


def test_a_gesture_takes_over_and_gives_back() -> None:
    loops = PoseLoops(still(0.0))
    gesture = Motion.zeros(1)
    gesture["handRightScore"][:] = 1.0
    gesture.values[:, INDEX["handRight0X"]] = 1.0
    rest = Motion.zeros(1)
    loops.take(rest, SPEAKING)
    during = [loops.take(gesture, SPEAKING) for _ in range(BLEND_FRAMES + 2)]
    assert during[-1].hands[0, 1, 0, 0] == 1.0 and not during[-1].scores[0, 0].any()
    assert 0 < during[0].scores[0, 0, 0] < 1, "the other hand fades"
    after = [loops.take(rest, SPEAKING) for _ in range(BLEND_FRAMES + 2)]
    assert after[-1].hands[0, 1, 0, 0] == 0.0 and after[-1].scores.all()


def test_saved_and_loaded(tmp_path: Path) -> None:
    sequence = moving(5)
    sequence.save(tmp_path / "poses.npz")
    again = PoseSequence.load(tmp_path / "poses.npz")
    assert np.array_equal(again.hands, sequence.hands) and np.array_equal(again.canvas, sequence.canvas)


@pytest.mark.parametrize("content", [b"", b"PK", b"not an archive"])
def test_another_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "poses.npz").write_bytes(content)
    with pytest.raises(MediaFileError) as refusal:
        PoseSequence.load(tmp_path / "poses.npz")
    assert refusal.value.code == "pose_file_damaged"


def test_wrong_shapes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="scores"):
        PoseSequence(np.zeros((2, 2, 21, 2), np.float32), np.zeros((1, 2, 21), np.float32), np.zeros((2, 6), np.int32))
    np.savez(tmp_path / "p.npz", hands=np.zeros((0, 2, 21, 2)), scores=np.zeros((0, 2, 21)), canvas=np.zeros((0, 6)))
    with pytest.raises(MediaFileError, match="no frame"):
        PoseSequence.load(tmp_path / "p.npz")
