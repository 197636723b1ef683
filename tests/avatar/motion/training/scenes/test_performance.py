"""Acted scenes: rates and shares as people have them, and one person who differs from the next."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from avatar.motion.behaviour.head import PITCH_LIMIT_DEG, ROLL_LIMIT_DEG, YAW_LIMIT_DEG
from avatar.motion.generator.condition import AT as TOLD
from avatar.motion.generator.condition import DEMAND
from avatar.motion.generator.state import AT, MOUTH
from avatar.motion.training.scenes import basis
from avatar.motion.training.scenes.answer import read_shard
from avatar.motion.training.scenes.performance import Performance, perform
from avatar.motion.training.scenes.script import write
from tests.avatar.motion.training.scenes.speech_shard import write_speech_shard

SCENES = 16


@lru_cache(maxsize=1)
def _acted(path: Path) -> list[Performance]:
    write_speech_shard(path, voices=2, utterances=8)
    voices, hands = read_shard(path), basis.fit(*basis.sample_gestures(0, 4))
    return [perform(write(rng, voices), rng, hands) for rng in map(np.random.default_rng, range(SCENES))]


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> list[Performance]:
    return _acted(tmp_path_factory.mktemp("speech") / "0000.npz")


def _joined(scenes: list[Performance], activity: str) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """Where an activity is on, and the states, of all scenes."""
    on = np.concatenate([scene.condition[:, TOLD[f"is_{activity}"]] > 0.5 for scene in scenes])
    return on, np.concatenate([scene.state for scene in scenes])


@pytest.mark.parametrize(("activity", "low", "high"), [("speaking", 20.0, 34.0), ("listening", 10.0, 25.0)])
def test_blinks_are_as_frequent_as_peoples(scenes: list[Performance], activity: str, low: float, high: float) -> None:
    on, state = _joined(scenes, activity)
    shut = state[:, AT["blink"]] > 0.4
    begins = shut[1:] & ~shut[:-1] & on[1:]
    assert low < begins.sum() / (on.sum() / 1500) < high


def test_listeners_look_at_the_person_more_than_speakers(scenes: list[Performance]) -> None:
    shares = {}
    for activity in ("speaking", "listening"):
        on, state = _joined(scenes, activity)
        shares[activity] = (np.hypot(state[on, AT["gaze_yaw"]], state[on, AT["gaze_pitch"]] + 1.0) < 5.0).mean()
    assert 0.25 < shares["speaking"] < 0.6 < shares["listening"]


def test_heads_move_within_what_a_portrait_can_show(scenes: list[Performance]) -> None:
    on, state = _joined(scenes, "speaking")
    for name, limit, least in (
        ("head_yaw", YAW_LIMIT_DEG, 1.0), ("head_pitch", PITCH_LIMIT_DEG, 0.8), ("head_roll", ROLL_LIMIT_DEG, 0.4),
    ):  # fmt: skip
        assert np.abs(state[:, AT[name]]).max() <= limit
        assert state[on, AT[name]].std() > least


def test_two_people_say_the_same_with_the_same_lips(scenes: list[Performance]) -> None:
    for scene in scenes:
        demand = scene.condition[:, DEMAND]
        if demand[:, 0].std() < 0.01:
            continue
        for parameter in (0, 2, 4):
            shown = demand[:, parameter] + scene.state[:, MOUTH][:, parameter]
            assert np.corrcoef(demand[:, parameter], shown)[0, 1] > 0.99


def test_people_differ(scenes: list[Performance]) -> None:
    heads = [scene.state[:, AT["head_yaw"]].std() for scene in scenes]
    assert np.std(heads) > 0.15 * np.mean(heads)


def test_the_mouth_does_not_jump_where_speech_begins_or_is_cut(scenes: list[Performance]) -> None:
    for scene in scenes:
        speaking = scene.condition[:, TOLD["is_speaking"]] > 0.5
        edges = np.flatnonzero(np.diff(speaking.astype(int)))
        step = np.abs(np.diff(scene.condition[:, DEMAND][:, 0]))
        assert not len(edges) or step[edges].max() < 0.2


def test_shoulders_rise_with_breath_and_arms(scenes: list[Performance]) -> None:
    raised = np.concatenate([scene.hands.raised[:, 0] * (scene.hands.scores[:, 0] > 0.5) for scene in scenes])
    _, state = _joined(scenes, "speaking")
    shoulder = state[:, AT["shoulder_left"]]
    assert shoulder[raised > 0.8].mean() > shoulder[raised < 0.1].mean() + 0.1
    assert np.corrcoef(shoulder[raised < 0.1], state[raised < 0.1, AT["breath"]])[0, 1] > 0.6


def test_equal_seeds_give_equal_scenes(tmp_path: Path) -> None:
    write_speech_shard(tmp_path / "0000.npz")
    voices, hands = read_shard(tmp_path / "0000.npz"), basis.fit(*basis.sample_gestures(0, 2))

    def act(seed: int) -> Performance:
        rng = np.random.default_rng(seed)
        return perform(write(rng, voices), rng, hands)

    assert np.array_equal(act(5).state, act(5).state)
    assert not np.array_equal(act(5).state[:100], act(6).state[:100])
