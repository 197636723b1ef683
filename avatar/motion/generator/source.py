"""``LearnedMotionSource``: motion drawn by the distilled diffusion transformer, a hop at a time.

A hop of speech is five frames (200 ms) and two more that the next hop draws again with what is known by then; the first hop of an
answer is two and two, so its first frame needs 160 ms of sound. Between answers the same network draws hops of ten. Every draw goes on
from what was *played*: frames that were drawn and turn out to be wrong (speech begins, the mode changes, a sentence goes
on otherwise than planned) are thrown away and drawn anew, and nothing that is shown jumps. The noise of a frame depends on its number
and the seed alone, so a frame drawn again is drawn alike.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from avatar.motion.behaviour.head import PITCH_LIMIT_DEG, ROLL_LIMIT_DEG, YAW_LIMIT_DEG
from avatar.motion.behaviour.scene import PATIENCE_FRAMES, Activity, activity_of
from avatar.motion.generator import condition
from avatar.motion.generator.ahead import Ahead, SpeechAhead
from avatar.motion.generator.gaze import Gaze
from avatar.motion.generator.lids import Lids
from avatar.motion.generator.nods import ListeningNods
from avatar.motion.generator.overlay import GestureOverlay, Overlay
from avatar.motion.generator.sampler import PLAYED_FRAMES, PREFIX_FRAMES
from avatar.motion.generator.state import AT, D, from_motion, to_motion_values
from avatar.motion.generator.weights import MotionModel
from avatar.motion.motion import Motion
from avatar.motion.source import Gesture, Manner, Mode
from avatar.motion.speech.easing import EasedMouth
from avatar.motion.speech.mouth import COUNT
from avatar.speech import SpeechChunk

SPEAKING_HOP, FIRST_HOP, SILENT_HOP = 5, 2, 10
"""Frames played of a draw."""
AHEAD_FRAMES = 2
"""Frames drawn beyond a speaking hop and drawn again by the next: what is coming shapes what is played."""

_IDLE_LIDS = 1.025
"""The noise of an idle avatar's lids is wider than the rest by so much: without, it blinks 15 times a minute, and people at rest 17."""

_BLINK, _GAZE_YAW, _GAZE_PITCH = AT["blink"], AT["gaze_yaw"], AT["gaze_pitch"]
_HEAD_LIMITS = ((AT["head_yaw"], YAW_LIMIT_DEG), (AT["head_pitch"], PITCH_LIMIT_DEG), (AT["head_roll"], ROLL_LIMIT_DEG))


@dataclass(frozen=True, slots=True, eq=False)
class _Step:
    """A frame before it is drawn: what is demanded of the mouth, on its way, its contacts, and what the avatar is doing."""

    mouth: EasedMouth
    sealed: bool
    touching: bool
    activity: Activity


@dataclass(frozen=True, slots=True, eq=False)
class _Frame:
    """A frame drawn and not yet played; ``state`` is float32 [D], ``condition`` [C]. A speaking one consumes sound."""

    step: _Step
    lids: Lids
    gaze: Gaze
    state: NDArray[np.float32]
    condition: NDArray[np.float32]
    speaking: bool


class LearnedMotionSource:
    """A ``MotionSource`` whose motion is learned.

    Args:
        model: shared with the other sources of this process.
        seed: of everything that is left to chance; the same seed and calls give the same frames.
    """

    def __init__(self, model: MotionModel, seed: int = 0) -> None:
        self._model = model
        self._seed = abs(seed)
        self._speech = SpeechAhead(model.encoder(), model.hindsight)
        self._overlay = GestureOverlay()
        self._nods = ListeningNods(self._seed)
        self._mode = Mode.IDLE
        self._manner = Manner()
        self._last = _Step(EasedMouth(), False, False, activity_of(self._mode, speaking=False))
        self._lids, self._gaze = Lids(), Gaze()
        self._speaking = False
        self._silent_frames = 0
        self._number = 0  # of the next frame
        self._drawn: deque[_Frame] = deque()
        rest = from_motion(Motion.zeros(1).values, np.zeros((1, COUNT), np.float32), model.hands)
        self._past = np.repeat(rest, PLAYED_FRAMES, axis=0)
        self._past_conditions = self._conditions([self._last] * PREFIX_FRAMES)

    def push(self, chunk: SpeechChunk) -> None:
        settled = self._speech.settled(len(self._drawn))
        self._replanned(self._speech.push(chunk))
        if self._drawn and self._drawn[0].speaking and not settled:
            self._drawn.clear()

    def finish(self) -> None:
        settled = self._speech.settled(len(self._drawn))
        self._replanned(self._speech.finish())
        if self._drawn and not (self._drawn[0].speaking and settled):
            self._drawn.clear()

    def _replanned(self, by: NDArray[np.float32]) -> None:
        step = self._last
        self._last = _Step(step.mouth.replanned(by), step.sealed, step.touching, step.activity)

    def clear(self) -> None:
        self._speech.clear()
        self._drawn.clear()

    def ready(self) -> int:
        return self._speech.ready()

    def set_mode(self, mode: Mode) -> None:
        if mode is not self._mode:
            self._mode = mode
            self._forget_silence()

    def set_manner(self, manner: Manner) -> None:
        if manner != self._manner:
            self._manner = manner
            self._forget_silence()

    def _forget_silence(self) -> None:
        if self._drawn and not self._drawn[0].speaking:
            self._drawn.clear()

    def gesture(self, gesture: Gesture, strength: float = 1.0) -> None:
        self._overlay.start(gesture, strength)

    def take(self, frames: int, *, speaking: bool) -> Motion:
        if frames < 0:
            raise ValueError(f"cannot take {frames} frames")
        if speaking and frames > self.ready():
            raise ValueError(f"{frames} speaking frames asked for, {self.ready()} are ready")
        played = [self._play(speaking) for _ in range(frames)]
        overlays = [self._overlaid(speaking) for _ in range(frames)]
        states = np.array([frame.state for frame in played], np.float32).reshape(frames, D)
        for state, overlay in zip(states, overlays, strict=True):
            overlay.add(state)
        values = to_motion_values(
            states,
            np.array([frame.step.mouth.mouth for frame in played], np.float32).reshape(frames, COUNT),
            np.array([frame.step.sealed for frame in played], bool),
            np.array([frame.step.touching for frame in played], bool),
            self._model.hands,
        )
        for row, overlay in zip(values, overlays, strict=True):
            overlay.place(row)
        return Motion(values)

    def _overlaid(self, speaking: bool) -> Overlay:
        if self._mode is Mode.LISTENING and not speaking and (strength := self._nods.step()) is not None:
            self._overlay.start(Gesture.NOD, strength)
        return self._overlay.step()

    def _play(self, speaking: bool) -> _Frame:
        """The next frame, drawn if it is not yet."""
        if self._drawn and self._drawn[0].speaking != speaking:
            self._drawn.clear()
        if not self._drawn:
            if speaking:
                self._draw_speech()
            else:
                self._draw_silence()
        frame = self._drawn.popleft()
        if speaking:
            self._speech.advance()
        self._past = np.concatenate((self._past[1:], frame.state[None]))
        self._past_conditions = np.concatenate((self._past_conditions[1:], frame.condition[None]))
        self._last, self._lids, self._gaze, self._speaking = frame.step, frame.lids, frame.gaze, speaking
        self._silent_frames = 0 if speaking else self._silent_frames + 1
        self._number += 1
        return frame

    def _draw_speech(self) -> None:
        frames = min(self.ready(), SPEAKING_HOP if self._speaking else FIRST_HOP)
        ahead = self._speech.look(frames + AHEAD_FRAMES)
        steps, mouth = [], self._last.mouth.replanned(ahead.revised)
        for planned, timed in zip(ahead.mouths, ahead.timed, strict=True):
            mouth = mouth.next(planned.mouth, timed=timed)
            steps.append(_Step(mouth, planned.sealed, planned.touching, Activity.SPEAKING))
        conditions = self._conditions(steps, ahead)
        missing = frames + AHEAD_FRAMES - len(ahead)
        if missing and self._speech.complete:
            conditions = np.concatenate((conditions, self._conditions(self._silent_steps(missing, mouth))))
        elif missing:  # what comes is not known yet: most likely more of the same
            conditions = np.concatenate((conditions, np.repeat(conditions[-1:], missing, axis=0)))
        self._draw(steps[:frames], conditions, speaking=True)

    def _draw_silence(self) -> None:
        steps = self._silent_steps(SILENT_HOP, self._last.mouth)
        self._draw(steps, self._conditions(steps), speaking=False)

    def _silent_steps(self, frames: int, mouth: EasedMouth) -> list[_Step]:
        """Frames without sound: of the mode, or of a speaker whose voice is late."""
        steps = []
        waits = self._speech.expects_more and self._last.activity is Activity.SPEAKING
        for silent in range(self._silent_frames + 1, self._silent_frames + 1 + frames):
            mouth = mouth.next(None)
            steps.append(_Step(mouth, False, False, activity_of(self._mode, waits and silent <= PATIENCE_FRAMES)))
        return steps

    def _conditions(self, steps: Sequence[_Step], ahead: Ahead | None = None) -> NDArray[np.float32]:
        return condition.build(
            np.array([step.mouth.mouth for step in steps], np.float32),
            np.array([step.sealed for step in steps], bool),
            np.array([step.touching for step in steps], bool),
            [step.activity for step in steps],
            phones_told=ahead.phones if ahead else None,
            sound=ahead.sound if ahead else None,
            prosody=ahead.prosody if ahead else None,
            mood=self._manner.mood,
            gesture_strength=self._manner.gestures,
        )

    def _draw(self, steps: Sequence[_Step], conditions: NDArray[np.float32], *, speaking: bool) -> None:
        """Draw a frame for each condition, and keep the first ones: those that are to be played."""
        noise = np.stack([self._noise(self._number + i) for i in range(len(conditions))])
        if steps[0].activity is Activity.IDLE:
            noise[:, _BLINK] *= _IDLE_LIDS
        states = self._model.sampler.draw(self._past, np.concatenate((self._past_conditions, conditions)), noise)
        for channel, limit in _HEAD_LIMITS:
            np.clip(states[:, channel], -limit, limit, out=states[:, channel])
        lids, gaze = self._lids, self._gaze
        for i, step in enumerate(steps):
            closure = float(states[i, _BLINK])
            lids = lids.next(closure) if speaking else Lids(closure)  # silent, it blinks no oftener than people do
            gaze = gaze.next(float(states[i, _GAZE_YAW]), float(states[i, _GAZE_PITCH]))
            states[i, _BLINK], states[i, _GAZE_YAW], states[i, _GAZE_PITCH] = lids.closure, gaze.yaw, gaze.pitch
            self._drawn.append(_Frame(step, lids, gaze, states[i], conditions[i], speaking))

    def _noise(self, number: int) -> NDArray[np.float32]:
        return np.random.default_rng((self._seed, number)).standard_normal(D, np.float32)
