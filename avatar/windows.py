"""Beats with a renderer that draws several frames at a time, in the background, and listens to the sound."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from avatar.beats import RenderedBeat, SoundQueue
from avatar.motion.motion import Motion
from avatar.motion.source import Gesture, Manner, Mode, MotionSource
from avatar.renderer import Drawing, Stretch, WindowRenderer
from avatar.speech import BEAT_SAMPLES, SpeechChunk


@dataclass(slots=True)
class _Planned:
    """A beat whose frame has been ordered; ``samples`` of ``pcm48k`` are speech."""

    pcm48k: NDArray[np.int16]
    samples: int
    drawing: Drawing
    index: int


class WindowBeatMaker:
    """Does what ``avatar.beats.BeatMaker`` does, a window ahead of what is handed out.

    Speech is ordered as soon as there is a window of it (or all of it). It takes the place of idle frames that were
    ordered and not handed out, all but the first few: those play while the speech is being drawn, and the drawing
    goes on from them. Where a voice is slower than it speaks, what there is of it is drawn in a shorter stretch.

    Args:
        renderer: draws the frames; closed with this.
        motion: moves them.
        on_frame: changes each frame in place before it is handed out (the mark).
    """

    def __init__(
        self,
        renderer: WindowRenderer,
        motion: MotionSource,
        on_frame: Callable[[NDArray[np.uint8]], None] = lambda frame: None,
    ) -> None:
        self._renderer = renderer
        self._motion = motion
        self._on_frame = on_frame
        self._sound = SoundQueue()
        self._planned: deque[_Planned] = deque()
        self._planned_samples = 0
        self._number = 0
        self._spoke = False
        self._finished = True

    @property
    def queued_samples(self) -> int:
        """Speech pushed and not yet handed out in beats, in samples."""
        return self._sound.samples + self._planned_samples

    def push(self, chunk: SpeechChunk) -> None:
        """Speech to be spoken after what was pushed before it."""
        if len(chunk.pcm48k) == 0:
            return
        self._finished = False
        self._sound.push(chunk.pcm48k)
        self._motion.push(chunk)
        self._plan()

    def finish(self) -> None:
        """The utterance is complete."""
        self._finished = True
        self._motion.finish()
        self._plan()

    def clear(self) -> None:
        """Drop the speech (interruption). The pictures of its next moment play on without sound, so that the mouth
        does not jump while it is drawn at rest."""
        self._sound.clear()
        self._finished = True
        self._spoke = False
        self._motion.clear()
        self._keep(self._renderer.lead)
        for planned in self._planned:
            planned.pcm48k, planned.samples = np.zeros(BEAT_SAMPLES, np.int16), 0
        self._planned_samples = 0

    def set_mode(self, mode: Mode) -> None:
        self._motion.set_mode(mode)

    def set_manner(self, manner: Manner) -> None:
        self._motion.set_manner(manner)

    def gesture(self, gesture: Gesture, strength: float = 1.0) -> None:
        self._motion.gesture(gesture, strength)

    def speech_ready(self) -> bool:
        """Whether the next beat will be a speaking one."""
        if self._planned:
            return self._planned[0].samples > 0
        ready = self._frames_ready()
        return ready > 0 and (self._finished or ready >= self._renderer.window or self._spoke)

    def next(self) -> RenderedBeat:
        """One beat; waits for its frame.

        Raises:
            AvatarError: it could not be drawn.
        """
        self._plan(needed=True)
        planned = self._planned.popleft()
        self._number += 1
        self._planned_samples -= planned.samples
        self._spoke = planned.samples > 0 or (self._spoke and not self._finished)
        frame = planned.drawing.frames()[planned.index]
        self._on_frame(frame)
        last = planned.samples > 0 and self._finished and self.queued_samples == 0
        return RenderedBeat(planned.pcm48k, frame, planned.samples, last)

    def close(self) -> None:
        self._renderer.close()

    def _frames_ready(self) -> int:
        """Speaking frames that can be ordered: their sound, what the pictures hear ahead, and their motion are there."""
        if self._finished:
            whole = -(-self._sound.samples // BEAT_SAMPLES)
        else:
            whole = max(0, self._sound.samples - self._renderer.lookahead_samples) // BEAT_SAMPLES
        return min(whole, self._motion.ready())

    def _plan(self, *, needed: bool = False) -> None:
        """Order whatever should be ordered by now; with ``needed`` there is a beat afterwards."""
        window, lead = self._renderer.window, self._renderer.lead
        while True:
            ready = self._frames_ready()
            idle = self._idle_at_the_end()
            if ready >= window or (self._finished and ready):
                if idle:
                    self._keep(max(lead, len(self._planned) - idle))
                elif len(self._planned) > window:
                    return
                self._order(min(ready, window), rest=self._finished)
            elif len(self._planned) > lead or not (needed or self._planned):
                return
            elif ready and self._spoke:
                self._order(ready, rest=False)
            else:
                self._order(0, rest=True)

    def _idle_at_the_end(self) -> int:
        count = 0
        for planned in reversed(self._planned):
            if planned.samples:
                break
            count += 1
        return count

    def _keep(self, frames: int) -> None:
        """Forget what was ordered beyond the next ``frames``."""
        while len(self._planned) > frames:
            self._planned_samples -= self._planned.pop().samples

    def _order(self, speaking: int, *, rest: bool) -> None:
        """Order ``speaking`` frames of speech; with ``rest`` the window is filled up with idle ones."""
        count = self._renderer.window if rest else speaking
        flags = np.arange(count) < speaking
        rows = self._motion.take(speaking, speaking=True).values
        if count > speaking:
            rows = np.concatenate([rows, self._motion.take(count - speaking, speaking=False).values])
        sounds = [self._sound.take() if flag else (np.zeros(BEAT_SAMPLES, np.int16), 0) for flag in flags]
        stretch = Stretch(
            first=self._number + len(self._planned),
            motion=Motion(rows),
            pcm48k=np.concatenate([pcm for pcm, _ in sounds]),
            ahead48k=self._sound.peek(self._renderer.lookahead_samples) if speaking == count else _NOTHING,
            speaking=flags,
            slack_frames=len(self._planned),
        )
        drawing = self._renderer.draw(stretch)
        for index, (pcm, samples) in enumerate(sounds):
            self._planned.append(_Planned(pcm, samples, drawing, index))
            self._planned_samples += samples


_NOTHING = np.zeros(0, np.int16)
