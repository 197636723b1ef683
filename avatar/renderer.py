"""The seam behind which ``Motion`` becomes pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from avatar.motion.motion import Motion


class Renderer(Protocol):
    """Draws one persona.

    Attributes:
        width, height: of the frames, pixels, both even (4:2:0 video needs that).
    """

    width: int
    height: int

    def render(self, motion: Motion) -> list[NDArray[np.uint8]]:
        """One BGR picture, uint8 [height, width, 3], for each frame of ``motion``, in order.

        The arrays belong to the caller until the next call. Stateful only for speed: the picture
        depends on nothing but the motion's row. Not thread-safe.
        """


@dataclass(frozen=True, slots=True)
class Stretch:
    """Consecutive frames for a ``WindowRenderer``.

    Attributes:
        first: number of the first frame. Frames are counted from 0 since the renderer was opened; where frames from
            ``first`` on were drawn before, they are forgotten, as if they had never been.
        motion: one row a frame.
        pcm48k: int16 [frames * 1920], the sound of the frames; zeros where nobody speaks.
        ahead48k: int16, the sound that follows, as far as it is known and not longer than ``lookahead_samples``.
        speaking: bool [frames].
        slack_frames: how many frames play before the first of these.
    """

    first: int
    motion: Motion
    pcm48k: NDArray[np.int16]
    ahead48k: NDArray[np.int16]
    speaking: NDArray[np.bool_]
    slack_frames: int = 0


class Drawing(Protocol):
    """Frames that are being drawn."""

    def frames(self) -> list[NDArray[np.uint8]]:
        """Wait for them: one BGR picture a frame, the caller's to keep and to change.

        Raises:
            AvatarError: they could not be drawn; the renderer is of no more use.
        """


class WindowRenderer(Protocol):
    """Draws one persona from its motion and its sound, several frames at a time, in the background.

    Attributes:
        width, height: of the frames, pixels, both even.
        window: the most frames that a stretch may have.
        lead: how many frames play while a stretch is being drawn.
        lookahead_samples: of sound at 48 kHz beyond a frame's end that its picture depends on.
    """

    width: int
    height: int
    window: int
    lookahead_samples: int

    @property
    def lead(self) -> int: ...

    def draw(self, stretch: Stretch) -> Drawing:
        """Begin to draw; stretches are drawn in the order in which they were given. Returns at once.

        Raises:
            ValueError: the stretch is empty, longer than ``window``, or begins beyond what was drawn.
        """

    def close(self) -> None:
        """The conversation is over; unfinished drawings are never waited for again."""
