"""A script acted out: the condition that the generator is told, and the state that it is to make of it."""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from avatar.motion.behaviour.blinks import Blinks
from avatar.motion.behaviour.breathing import Breathing
from avatar.motion.behaviour.curves import Glide
from avatar.motion.behaviour.expression import Expression
from avatar.motion.behaviour.gaze import Gaze
from avatar.motion.behaviour.head import PITCH_LIMIT_DEG, ROLL_LIMIT_DEG, YAW_LIMIT_DEG, Head, soft_limit
from avatar.motion.behaviour.scene import Activity, Scene
from avatar.motion.generator import condition
from avatar.motion.generator.state import HandBasis, from_parts
from avatar.motion.speech.easing import EasedMouth
from avatar.motion.speech.mouth import COUNT
from avatar.motion.speech.prosody import Accent
from avatar.motion.training.scenes.gesturing import Gesturing, HandScene, Talk
from avatar.motion.training.scenes.script import Part, Person, Script
from avatar.motion.training.scenes.wander import wander

_SHOULDER_LIFT = 0.22
"""Of a full breath (as behaviour.body)."""
_SHOULDER_RAISED = 0.22
"""Of an arm lifted to the chest."""
_MOOD_S = 0.7


@dataclass(frozen=True, slots=True, eq=False)
class Performance:
    """Attributes:
    condition: float32 [frames, C].
    state: float32 [frames, D].
    hands: where the hands are, before the basis.
    """

    condition: NDArray[np.float32]
    state: NDArray[np.float32]
    hands: HandScene


_FACE = (
    "smile", "press", "brow_inner", "brow_outer", "brow_down", "blink", "gaze_yaw", "gaze_pitch",
    "head_pitch", "head_yaw", "head_roll", "head_x", "head_y", "head_z", "breath",
)  # fmt: skip


class _Face:
    """Everything above the shoulders but the speaking mouth, frame by frame, as one person does it."""

    def __init__(self, person: Person, strength: float, rng: np.random.Generator) -> None:
        def stream() -> random.Random:
            return random.Random(int(rng.integers(1 << 62)))

        self._blinks, self._gaze, self._breathing = Blinks(stream()), Gaze(stream()), Breathing(stream())
        self._head = Head(stream(), np.random.default_rng(rng.integers(1 << 62)))
        self._expression = Expression(stream(), np.random.default_rng(rng.integers(1 << 62)))
        self._mood = Glide(_MOOD_S)
        self._person = person
        self._head_gain = person.head * (0.85 + 0.3 * strength)
        self._brow_gain = person.brows * (0.75 + 0.5 * strength)

    def step(self, scene: Scene, mood: float) -> tuple[float, ...]:
        """The next frame, as ``_FACE``."""
        mood = self._mood.step(mood)
        bright, grave = max(mood, 0.0), max(-mood, 0.0)
        gaze, expression = self._gaze, self._expression
        gaze.step(scene)
        expression.step(scene)
        pose = self._head.step(scene, gaze.head_yaw, gaze.head_pitch)
        gain = self._head_gain * (1.0 + 0.2 * mood)
        blink = self._blinks.step(scene, gaze_shift=gaze.shifted)
        smile = (expression.smile + self._person.smile) * (1.0 - 0.8 * grave) + 0.24 * bright
        raised = self._brow_gain * expression.brow_outer
        return (
            max(smile, 0.0),
            expression.press,
            expression.brow_inner + (self._brow_gain - 1.0) * 1.25 * expression.brow_outer + 0.1 * grave,
            raised + 0.07 * bright,
            expression.brow_down + 0.16 * grave,
            blink,
            gaze.yaw,
            gaze.pitch - 1.5 * grave,
            soft_limit(gain * pose.pitch + 0.8 * bright - 2.0 * grave, PITCH_LIMIT_DEG),
            soft_limit(gain * pose.yaw, YAW_LIMIT_DEG),
            soft_limit(gain * pose.roll, ROLL_LIMIT_DEG),
            gain * pose.x,
            gain * pose.y,
            gain * pose.z,
            self._breathing.step(scene),
        )


def perform(script: Script, rng: np.random.Generator, basis: HandBasis) -> Performance:
    """Act ``script`` out; chance comes from ``rng``."""
    person, strength, frames = script.person, script.gesture_strength, script.frames
    moods = np.full(frames, script.moods[0])
    moods[script.mood_changes :] = script.moods[1]
    face = _Face(person, strength, rng)
    mouth = EasedMouth()
    acted = np.empty((frames, len(_FACE)), np.float32)
    told, talks = [], []
    at, before = 0, Activity.IDLE
    for part in script.parts:
        demand = np.empty((part.frames, COUNT), np.float32)
        moments = part.answer.moments() if part.answer else [None] * part.frames
        for i in range(part.frames):
            mouth = mouth.next(part.answer.mouth[i], timed=part.answer.timed) if part.answer else mouth.next(None)
            demand[i] = mouth.mouth
            changed = i == 0 and part.activity is not before
            acted[at + i] = face.step(Scene(part.activity, changed, moments[i]), float(moods[at + i]))
        told.append(_told(part, demand, strength))
        if part.answer:
            talks.append(_talk(part, at))
        at, before = at + part.frames, part.activity
    conditions = np.concatenate(told)
    conditions[:, condition.AT["mood"]] = moods
    hands = Gesturing(rng, person.hands, strength).act(frames, talks)
    demand = conditions[:, condition.DEMAND]
    parts: dict[str, NDArray[np.float32]] = {name: acted[:, i] for i, name in enumerate(_FACE)}
    parts["mouth"] = _manner(demand, person, rng)
    parts |= _shoulders(acted[:, _FACE.index("breath")], hands, rng)
    parts["hands"] = basis.encode(hands.points)
    parts["hand_left_score"], parts["hand_right_score"] = hands.scores.T
    return Performance(conditions, from_parts(frames, parts), hands)


def _told(part: Part, demand: NDArray[np.float32], strength: float) -> NDArray[np.float32]:
    n, answer = part.frames, part.answer
    none = np.zeros(n, bool)
    if answer is None:
        return condition.build(demand, none, none, part.activity, gesture_strength=strength)
    sound, cues = answer.sound, answer.cues()
    return condition.build(
        demand,
        answer.sealed[:n],
        answer.touching[:n],
        part.activity,
        phones_told=None if answer.phones is None else answer.phones[:n],
        sound=condition.Sound(sound.f0[:n], sound.voicing[:n], sound.energy[:n]),
        prosody=condition.Cues(cues.accent[:n], cues.accent_ahead[:n], cues.pause[:n], cues.remaining[:n]),
        gesture_strength=strength,
    )


def _talk(part: Part, at: int) -> Talk:
    answer = part.answer
    assert answer is not None
    start_s = at * 0.04
    accents = tuple(Accent(a.at_ms + 1000.0 * start_s, a.prominence) for a in answer.accents)
    return Talk(start_s, start_s + answer.end_ms / 1000.0, start_s + part.frames * 0.04, accents, answer.timed)


def _manner(demand: NDArray[np.float32], person: Person, rng: np.random.Generator) -> NDArray[np.float32]:
    """The mouth's residual: this person's articulation, which also varies a little as time goes by."""
    drift = 0.25 * wander(len(demand), COUNT, 4.0, rng) * np.abs(person.articulation)
    return (demand * (person.articulation + drift)).astype(np.float32)


def _shoulders(
    breath: NDArray[np.float32], hands: HandScene, rng: np.random.Generator
) -> dict[str, NDArray[np.float32]]:
    shown = np.minimum(hands.scores * 2.0, 1.0)
    sway = 0.035 * wander(len(breath), 2, 2.5, rng)
    both = _SHOULDER_LIFT * breath[:, None] + _SHOULDER_RAISED * hands.raised * shown + sway
    return {"shoulder_left": both[:, 0].astype(np.float32), "shoulder_right": both[:, 1].astype(np.float32)}
