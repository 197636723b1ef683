"""Hands over many scenes: when they move, how, and when they rest."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from avatar.motion.speech.prosody import Accent
from avatar.motion.training.scenes.anatomy import over_face
from avatar.motion.training.scenes.gesturing import Gesturing, HandManner, HandScene, Talk

START_S, END_S, SECONDS = 5.0, 35.0, 45.0


def scene(seed: int, strength: float = 0.8, *, stop_s: float = END_S, timed: bool = True) -> HandScene:
    rng = np.random.default_rng(seed)
    times = START_S + 0.2 + np.cumsum(np.random.default_rng([seed, 1]).uniform(0.25, 0.7, 100))
    accents = tuple(Accent(1000.0 * float(t), 1.0) for t in times if t < END_S)
    talk = Talk(START_S, END_S, stop_s, accents, timed)
    return Gesturing(rng, HandManner.draw(rng), strength).act(round(25 * SECONDS), [talk])


@lru_cache(maxsize=1)
def scenes() -> list[HandScene]:
    return [scene(seed) for seed in range(40)]


def speed(hands: HandScene) -> NDArray[np.float32]:
    """Canvas widths a second of both wrists, [frames - 1, 2]."""
    speeds: NDArray[np.float32] = 25.0 * np.linalg.norm(np.diff(hands.points[:, :, 0], axis=0), axis=-1)
    return speeds


def test_strokes_come_as_often_as_people_make_them() -> None:
    rates = [len(hands.apexes) / (END_S - START_S) for hands in scenes()]
    assert 0.3 < np.mean(rates) < 0.5


def test_strength_makes_them_rarer_or_none() -> None:
    lively, shy = (sum(len(scene(seed, s).apexes) for seed in range(10)) for s in (1.0, 0.2))
    assert shy < 0.75 * lively
    assert not scene(1, 0.0).apexes


def test_apexes_fall_on_accents() -> None:
    offsets = np.array([apex - accent for hands in scenes() for apex, accent in hands.apexes])
    assert abs(offsets.mean()) < 0.05 and 0.1 < offsets.std() < 0.25
    assert np.median(np.abs(offsets)) < 0.12


def test_accents_that_are_only_heard_are_met_later() -> None:
    offsets = [apex - accent for seed in range(20) for apex, accent in scene(seed, timed=False).apexes]
    assert 0.03 < np.mean(offsets) < 0.15


def test_hands_rest_when_nothing_is_said() -> None:
    for hands in scenes():
        resting = np.r_[speed(hands)[: round(25 * (START_S - 0.2))], speed(hands)[round(25 * (END_S + 2)) :]]
        assert np.median(resting) < 0.03


def test_an_interrupted_speaker_lets_the_hands_sink() -> None:
    for seed in range(10):
        hands = scene(seed, stop_s=20.0)
        assert all(apex < 20.0 for apex, _ in hands.apexes)
        assert np.median(speed(hands)[round(25 * 22.0) : round(25 * 30.0)]) < 0.03


def test_movement_is_smooth() -> None:
    for hands in scenes():
        step = np.diff(hands.points[:, :, 0], axis=0)
        assert np.linalg.norm(step, axis=-1).max() < 0.09  # a frame; 1.7 m/s
        assert np.abs(np.diff(step, axis=0)).max() < 0.035  # a frame squared; 20 m/s2


def test_no_hand_passes_through_the_face() -> None:
    touched = [over_face(hands.points[hands.scores > 0.2].astype(np.float64), 0.95).mean() for hands in scenes()]
    assert max(touched) < 0.002


def test_scores_follow_the_picture() -> None:
    for hands in scenes():
        below = hands.points[..., 1].min(axis=-1) > 1.06
        assert hands.scores[below].mean() < 0.02 if below.any() else True
        assert hands.scores.min() >= 0.0 and hands.scores.max() <= 1.0
        assert np.abs(np.diff(hands.scores, axis=0)).max() < 0.35


def test_equal_seeds_give_equal_hands() -> None:
    assert np.array_equal(scene(3).points, scene(3).points)
    assert not np.array_equal(scene(3).points, scene(4).points)
