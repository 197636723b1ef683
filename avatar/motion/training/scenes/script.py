"""What happens in a scene: who the person is, and in which order they wait, listen, think and speak."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from avatar.motion.behaviour.scene import Activity
from avatar.motion.training.scenes.answer import Answer, Utterance, Voice
from avatar.motion.training.scenes.gesturing import HandManner

SCENE_S = (30.0, 60.0)
_LONGEST_ANSWER_S = 24.0
_WAITING_SHARE = 0.08
"""Scenes in which nothing is ever said: idling must not drift."""
_INTERRUPTED = 0.08
_STILL_HANDS = 0.12

_ARTICULATION = np.array([0.07, 0.0, 0.07, 0.07, 0.07, 0.08, 0.08, 0.04, 0.04, 0.05, 0.0])
"""Standard deviation of a person's gain on every mouth parameter (jaw .. tongue): people open and round their mouths
differently, but not so differently that two of them would not be read alike."""


@dataclass(frozen=True, slots=True, eq=False)
class Person:
    """Attributes:
    head: gain of the head's movement.
    smile: added to every smile.
    articulation: gain of the mouth less one, float64 [11].
    brows: gain of raised brows.
    hands: how the hands are used.
    voice_gain: of the sound.
    """

    head: float
    smile: float
    articulation: np.ndarray[tuple[int], np.dtype[np.float64]]
    brows: float
    hands: HandManner
    voice_gain: float

    @staticmethod
    def draw(rng: np.random.Generator) -> Person:
        return Person(
            head=float(np.clip(rng.lognormal(0.0, 0.22), 0.6, 1.6)),
            smile=float(rng.normal(0.0, 0.03)),
            articulation=np.clip(rng.normal(0.0, 1.0, len(_ARTICULATION)), -2.0, 2.0) * _ARTICULATION,
            brows=float(np.clip(rng.lognormal(0.0, 0.3), 0.5, 1.8)),
            hands=HandManner.draw(rng),
            voice_gain=float(10.0 ** (rng.uniform(-12.0, 2.0) / 20.0)),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One stretch of a scene.

    Attributes:
        activity: throughout.
        frames: how long.
        answer: what is said, for speaking; its frames beyond ``frames`` are not heard any more (interrupted).
    """

    activity: Activity
    frames: int
    answer: Answer | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Script:
    """Attributes:
    person: who acts.
    parts: in order.
    moods: of the first and of the rest of the scene, -1..1.
    mood_changes: frame at which the mood changes.
    gesture_strength: 0..1.
    """

    person: Person
    parts: list[Part]
    moods: tuple[float, float]
    mood_changes: int
    gesture_strength: float

    @property
    def frames(self) -> int:
        return sum(part.frames for part in self.parts)


def _mood(rng: np.random.Generator) -> float:
    return float(np.clip(rng.normal(0.0, 0.15), -1.0, 1.0) if rng.random() < 0.45 else rng.uniform(-1.0, 1.0))


def write(rng: np.random.Generator, voices: dict[str, list[Utterance]]) -> Script:
    """A scene of half a minute to a minute, in which one of ``voices`` speaks."""
    person = Person.draw(rng)
    frames = round(float(rng.uniform(*SCENE_S)) * 25)
    parts = _wait(rng, frames) if rng.random() < _WAITING_SHARE else _converse(rng, frames, voices, person)
    first = _mood(rng)
    changes = rng.random() < 0.2
    return Script(
        person,
        parts,
        (first, _mood(rng) if changes else first),
        int(rng.integers(0, frames)),
        0.0 if rng.random() < _STILL_HANDS else float(rng.uniform(0.15, 1.0)),
    )


def _lasting(rng: np.random.Generator, median_s: float, sigma: float, most_s: float) -> int:
    return max(round(25 * min(float(rng.lognormal(np.log(median_s), sigma)), most_s)), 5)


def _wait(rng: np.random.Generator, frames: int) -> list[Part]:
    parts, done = [], 0
    while done < frames:
        activity = Activity.IDLE if rng.random() < 0.7 else Activity.LISTENING
        length = min(_lasting(rng, 15.0, 0.5, 60.0), frames - done)
        parts.append(Part(activity, length))
        done += length
    return parts


def _converse(rng: np.random.Generator, frames: int, voices: dict[str, list[Utterance]], person: Person) -> list[Part]:
    voice = Voice(person.voice_gain)
    timed = bool(rng.random() < 0.5)  # a voice gives phoneme times or does not
    unsaid: dict[str, list[Utterance]] = {}
    parts: list[Part] = []
    done = 0
    now = Activity(str(rng.choice(["idle", "listening", "speaking"], p=(0.35, 0.25, 0.4))))
    while done < frames:
        if now is Activity.SPEAKING:
            part = _speak(rng, voice, _some_voice(rng, voices, unsaid), timed)
            after = Activity.LISTENING if rng.random() < 0.55 else Activity.IDLE
        elif now is Activity.LISTENING:
            part = Part(now, _lasting(rng, 3.5, 0.5, 10.0))
            after = Activity.THINKING if rng.random() < 0.7 else Activity.SPEAKING
        elif now is Activity.THINKING:
            part = Part(now, _lasting(rng, 0.8, 0.6, 4.0))
            after = Activity.SPEAKING
        else:
            part = Part(now, _lasting(rng, 3.0, 0.6, 12.0))
            after = Activity.LISTENING if rng.random() < 0.6 else Activity.SPEAKING
        parts.append(part)
        done += part.frames
        now = after
    return parts


def _some_voice(
    rng: np.random.Generator, voices: dict[str, list[Utterance]], unsaid: dict[str, list[Utterance]]
) -> list[Utterance]:
    """What one voice has not said in this scene; voices with much to say are preferred, so that answers get long."""
    if not any(unsaid.values()):
        unsaid |= {name: [voices[name][i] for i in rng.permutation(len(voices[name]))] for name in sorted(voices)}
    names = [name for name, utterances in unsaid.items() if utterances]
    shares = np.array([len(unsaid[name]) ** 2 for name in names], float)
    return unsaid[names[int(rng.choice(len(names), p=shares / shares.sum()))]]


def _speak(rng: np.random.Generator, voice: Voice, unsaid: list[Utterance], timed: bool) -> Part:
    said: list[Utterance] = []
    seconds = 0.0
    wanted = min(float(rng.lognormal(np.log(9.0), 0.5)), _LONGEST_ANSWER_S)
    while unsaid and (not said or (seconds < wanted and seconds + unsaid[-1].seconds < _LONGEST_ANSWER_S)):
        said.append(unsaid.pop())
        seconds += said[-1].seconds
    gaps = [float(g) for g in rng.uniform(40.0, 450.0, len(said))]
    gaps[-1] = 0.0
    answer = voice.say(
        said, gaps, timed=timed, phones=timed or bool(rng.random() < 0.4), streamed=bool(rng.random() < 0.35)
    )
    cut = bool(rng.random() < _INTERRUPTED) and len(answer) > 50
    return Part(Activity.SPEAKING, int(rng.integers(25, len(answer))) if cut else len(answer), answer)
