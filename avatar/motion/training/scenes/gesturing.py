"""Hands through a scene: rests, shifts of rest, and beat gestures whose strokes land on accented syllables.

A gesture is a preparation, a stroke whose end (apex) meets an accent, a hold, and a retraction (Kendon 1980; McNeill, "Hand and
Mind", 1992); beats follow one another without retraction where accents follow one another. Speakers who talk with their hands make
0.3-0.5 strokes a second, apexes scatter about accents by 0.2 s, and hands come to rest when speech stops. Every
movement is a minimum-jerk displacement (Flash & Hogan 1985); overlapping ones add up (Flash & Henis 1991), so nothing jerks.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from avatar.motion.behaviour.scene import FRAME_S
from avatar.motion.speech.prosody import Accent
from avatar.motion.training.scenes.anatomy import AT, COUNT, PLACE, Array, keypoints, visibility
from avatar.motion.training.scenes.handshapes import (
    COUNTED,
    LEFT,
    ONE_HANDED,
    RIGHT,
    SHAPES,
    Rest,
    Shape,
    Stroke,
    draw_stroke,
    resting,
)
from avatar.motion.training.scenes.wander import wander

STILL_BELOW = 0.06
"""A smaller gesture strength keeps the hands at rest."""

_OFFSET_S = {True: (-0.02, 0.11), False: (0.08, 0.11)}
"""Mean and deviation of an apex from its accent; later where the accent is only heard, not known beforehand."""
_STRAY_SHARE, _STRAY_S = 0.2, 0.36
"""Some strokes belong to a word, not to its accent: over all, the deviation is 0.2 s."""

_SHIFT_S = (10.0, 30.0)
_STROKE_S, _PREPARE_S, _RETRACT_S = (0.22, 0.34), (0.40, 0.72), (0.60, 1.00)
_STROKE_LEAST_S, _STROKE_S_PER_M = 0.16, 1.5
_LEAST_S, _PREPARE_S_PER_M, _RETRACT_S_PER_M = 0.25, 1.05, 1.2
"""A longer way takes longer: the wrist stays below about 1.4 m/s."""
_FADE = np.hanning(9)[1:-1] / np.hanning(9).sum()
"""A hand that enters the picture appears over about 160 ms."""
_TREMBLE = np.array([0.004, 0.004, 0.004, 1.0, 1.6, 1.4, 0.9, 0.012, 0.014, 0.014, 0.014, 0.014, 0.01])
"""Standard deviation of what is never quite still: millimetres, degrees, curls."""


@dataclass(frozen=True, slots=True)
class Talk:
    """A stretch of speech that hands may accompany, seconds from the scene's start.

    Attributes:
        start_s, end_s: what was to be said.
        stop_s: where it really ended; earlier than ``end_s`` if it was interrupted.
        accents: with ``at_ms`` from the scene's start, in order.
        timed: accents are known ahead.
    """

    start_s: float
    end_s: float
    stop_s: float
    accents: tuple[Accent, ...]
    timed: bool


@dataclass(frozen=True, slots=True)
class HandManner:
    """How one person uses the hands.

    Attributes:
        dominant: LEFT or RIGHT.
        two_handed: share of gestures that both hands make.
        amplitude: of strokes, 1 ordinary.
        height, width: of the place of gestures, metres about the ordinary one.
        shapes: probability of each of ``SHAPES``.
        rests: with their probabilities.
        certainty: score of a hand fully in the picture.
    """

    dominant: int
    two_handed: float
    amplitude: float
    height: float
    width: float
    shapes: tuple[float, ...]
    rests: dict[Rest, float]
    certainty: float

    @staticmethod
    def draw(rng: np.random.Generator) -> HandManner:
        shares = np.array([shape.share for shape in SHAPES.values()])
        rests = list(Rest)
        kinds = rng.choice(len(rests), size=2, replace=False, p=(0.26, 0.24, 0.14, 0.14, 0.08, 0.14))
        first = float(rng.uniform(0.55, 0.95))
        return HandManner(
            dominant=RIGHT if rng.random() < 0.8 else LEFT,
            two_handed=float(rng.beta(2.0, 2.0)),
            amplitude=float(rng.lognormal(0.0, 0.22)),
            height=float(rng.normal(0.0, 0.03)),
            width=float(rng.normal(0.0, 0.025)),
            shapes=tuple(rng.dirichlet(1.5 * shares).tolist()),
            rests={rests[kinds[0]]: first, rests[kinds[1]]: 1.0 - first},
            certainty=float(rng.uniform(0.9, 1.0)),
        )


@dataclass(slots=True)
class _Track:
    """Movements of one hand: (start, duration, target)."""

    first: Array
    moves: list[tuple[float, float, Array]] = field(default_factory=list)

    def move(self, start_s: float, duration_s: float, target: Array) -> None:
        self.moves.append((start_s, duration_s, target))

    def away(self, pose: Array) -> float:
        """Metres from where the hand was last sent."""
        last = self.moves[-1][2] if self.moves else self.first
        return float(np.linalg.norm(pose[PLACE] - last[PLACE]))

    def poses(self, frames: int) -> Array:
        times = FRAME_S * (np.arange(frames) + 0.5)
        out = np.tile(self.first, (frames, 1))
        before = self.first
        for start, duration, target in sorted(self.moves, key=lambda move: move[0]):
            x = np.clip((times - start) / duration, 0.0, 1.0)
            out += (x**3 * (10.0 - 15.0 * x + 6.0 * x**2))[:, None] * (target - before)
            before = target
        return out


@dataclass(frozen=True, slots=True, eq=False)
class HandScene:
    """Attributes:
    points: both hands, left first, canvas fractions, float32 [frames, 2, 21, 2].
    scores: visibility, float32 [frames, 2].
    raised: how far each arm is lifted above its rest by a gesture, 0..1, float32 [frames, 2].
    apexes: (apex_s, accent_s) of every stroke.
    """

    points: NDArray[np.float32]
    scores: NDArray[np.float32]
    raised: NDArray[np.float32]
    apexes: list[tuple[float, float]]


class Gesturing:
    """Plans the hands of one scene.

    Args:
        rng: what is left to chance.
        manner: of the person.
        strength: 0..1, how lively.
    """

    def __init__(self, rng: np.random.Generator, manner: HandManner, strength: float) -> None:
        self._rng = rng
        self._manner = manner
        self._strength = strength
        self._rest = self._draw_rest()
        self._tracks = [_Track(pose) for pose in resting(self._rest, manner.dominant, rng)]
        self._busy: list[tuple[float, float]] = []
        self._apexes: list[tuple[float, float]] = []

    def _draw_rest(self) -> Rest:
        rests = self._manner.rests
        return list(rests)[int(self._rng.choice(len(rests), p=list(rests.values())))]

    def act(self, frames: int, talks: list[Talk]) -> HandScene:
        """The hands through a scene of ``frames`` frames."""
        for talk in talks:
            if self._strength >= STILL_BELOW:
                self._accompany(talk)
        self._shift(frames * FRAME_S)
        points, scores, raised = [], [], []
        for hand, track in enumerate(self._tracks):
            poses = track.poses(frames) + _TREMBLE * wander(frames, COUNT, 0.7, self._rng)
            seen = keypoints(poses, left=hand == LEFT)
            points.append(seen)
            scores.append(self._manner.certainty * np.convolve(np.pad(visibility(seen), 3, "edge"), _FADE, "valid"))
            raised.append(np.clip((poses[:, AT["up"]] + 0.36) / 0.25, 0.0, 1.0))
        return HandScene(
            np.stack(points, axis=1).astype(np.float32),
            np.stack(scores, axis=1).astype(np.float32),
            np.stack(raised, axis=1).astype(np.float32),
            self._apexes,
        )

    def _accompany(self, talk: Talk) -> None:
        """Gestures of one stretch of speech."""
        rng = self._rng
        every_s = 1.0 / (0.16 + 0.36 * self._strength)
        want = talk.start_s + 0.55 + 0.6 * every_s * rng.random()
        phrase: _Phrase | None = None
        accents = [a for a in talk.accents if a.at_ms / 1000.0 < talk.end_s - 0.15]
        while accents and want < talk.end_s:
            near = [a for a in accents if 0.0 <= a.at_ms / 1000.0 - want < 0.9]
            if not near:
                want += 0.4
                continue
            accent = max(near, key=lambda a: a.prominence * rng.uniform(0.7, 1.3))
            at = accent.at_ms / 1000.0
            mean, deviation = _OFFSET_S[talk.timed]
            stray = rng.random() < _STRAY_SHARE
            apex = at + float(rng.normal(mean, _STRAY_S if stray else deviation))
            floor = (phrase.apex_s + 0.48) if phrase else talk.start_s + 0.95
            apex = min(max(apex, floor), max(talk.end_s, floor))
            if apex > talk.stop_s - 0.05:
                break
            phrase = self._stroke(phrase, apex, talk)
            self._apexes.append((apex, at))
            want = max(apex + 0.35, at + every_s * float(rng.lognormal(-0.08, 0.4)) - 0.35)
        if phrase is not None:
            end = talk.stop_s + float(rng.uniform(-0.15, 0.2))
            self._retract(phrase, max(min(phrase.apex_s + phrase.hold_s, end), phrase.apex_s + 0.08))

    def _stroke(self, phrase: _Phrase | None, apex_s: float, talk: Talk) -> _Phrase:
        """One stroke, within ``phrase`` if that is still up, else with a preparation of its own."""
        rng = self._rng
        takes = float(rng.uniform(*_STROKE_S))
        prepare = float(rng.uniform(*_PREPARE_S))
        if phrase is not None and apex_s - takes - prepare - (phrase.apex_s + phrase.hold_s) > rng.uniform(0.5, 1.1):
            self._retract(phrase, phrase.apex_s + phrase.hold_s)
            phrase = None
        goes_on = phrase is not None
        if phrase is None:
            phrase = self._begin()
        elif rng.random() < 0.35:  # the same hands, somewhere else, otherwise where they are
            self._change(phrase)
        strokes = {hand: self._draw(phrase, hand) for hand in phrase.hands}
        takes = max(takes, _STROKE_LEAST_S + _STROKE_S_PER_M * max(stroke.length for stroke in strokes.values()))
        if goes_on:
            prepare = min(prepare, 0.7 * (apex_s - phrase.apex_s - 0.1))
            takes = min(takes, apex_s - phrase.apex_s - prepare)
        else:
            far = max(self._tracks[hand].away(stroke.ready) for hand, stroke in strokes.items())
            prepare = max(prepare, _LEAST_S + _PREPARE_S_PER_M * far)
            prepare = max(min(prepare, apex_s - takes - talk.start_s + 0.05), 0.3)
            phrase.start_s = apex_s - takes - prepare
        for hand, stroke in strokes.items():
            lag = float(rng.uniform(0.0, 0.05)) if hand != self._manner.dominant else 0.0
            track = self._tracks[hand]
            track.move(apex_s - takes - prepare + lag, prepare, stroke.ready)
            track.move(apex_s - takes + lag, takes, stroke.apex)
            recoil = stroke.apex + float(rng.uniform(0.1, 0.35)) * (stroke.ready - stroke.apex)
            track.move(apex_s + lag, 0.34, recoil)
            phrase.places[hand] = stroke.apex
        phrase.apex_s = apex_s
        phrase.hold_s = float(min(max(rng.lognormal(np.log(0.35), 0.5), 0.1), 1.2))
        return phrase

    def _draw(self, phrase: _Phrase, hand: int) -> Stroke:
        manner = self._manner
        return draw_stroke(
            phrase.shape,
            self._rng,
            amplitude=manner.amplitude * (0.75 + 0.45 * self._strength),
            height=manner.height,
            width=manner.width,
            near=phrase.places.get(hand),
        )

    def _begin(self) -> _Phrase:
        rng, manner = self._rng, self._manner
        name = list(SHAPES)[int(rng.choice(len(SHAPES), p=manner.shapes))]
        both = rng.random() < manner.two_handed and name not in ONE_HANDED
        hands = (LEFT, RIGHT) if both else (manner.dominant if rng.random() < 0.85 else 1 - manner.dominant,)
        return _Phrase(name, SHAPES[name], hands)

    def _change(self, phrase: _Phrase) -> None:
        """Another place, or what is counted next."""
        if phrase.name == "count":
            phrase.counted = min(phrase.counted + 1, 3)
            phrase.shape = replace(phrase.shape, curls=COUNTED[phrase.counted])
        else:
            phrase.places.clear()

    def _retract(self, phrase: _Phrase, at_s: float) -> None:
        takes = float(self._rng.uniform(*_RETRACT_S))
        poses = resting(self._rest, self._manner.dominant, self._rng)
        for hand in phrase.hands:
            track = self._tracks[hand]
            takes = max(takes, _LEAST_S + _RETRACT_S_PER_M * track.away(poses[hand]))
            track.move(at_s, takes, poses[hand])
        self._busy.append((phrase.start_s, at_s + takes))

    def _shift(self, seconds: float) -> None:
        """Changes of rest, while the hands have nothing to do."""
        rng = self._rng
        at = float(rng.uniform(2.0, _SHIFT_S[1]))
        while at < seconds - 1.5:
            if any(begin - 1.6 < at < end + 0.5 for begin, end in self._busy):
                at += 1.0
                continue
            self._rest = self._draw_rest()
            takes = float(rng.uniform(0.9, 1.5))
            poses = resting(self._rest, self._manner.dominant, rng)
            for hand in (LEFT, RIGHT):
                self._tracks[hand].move(at + float(rng.uniform(0.0, 0.12)), takes, poses[hand])
            at += float(rng.uniform(*_SHIFT_S))


@dataclass(slots=True)
class _Phrase:
    """Strokes without a rest between them."""

    name: str
    shape: Shape
    hands: tuple[int, ...]
    start_s: float = 0.0
    apex_s: float = 0.0
    hold_s: float = 0.0
    counted: int = 1
    places: dict[int, Array] = field(default_factory=dict)
