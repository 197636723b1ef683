"""Hands through time, as EchoMimicV2's pose maps show them: sequences, loops, and what ``Motion`` says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from avatar.errors import MediaFileError
from avatar.motion.motion import HAND_POINTS, INDEX, Motion

CANVAS = (768, 768, 0, 768, 0, 768)
"""Height, width, and the rows and columns that the drawn square fills: what every released pose file says."""

BLEND_FRAMES = 8
"""From one loop (or gesture) into another: 320 ms, about what a hand needs to change its course."""

_LEFT = INDEX["handLeft0X"]
_SCORES = (INDEX["handLeftScore"], INDEX["handRightScore"])


@dataclass(frozen=True, slots=True)
class PoseSequence:
    """Hands of successive frames.

    Attributes:
        hands: float32 [frames, 2, 21, 2], left hand first, x to the right and y down as fractions of the canvas.
        scores: float32 [frames, 2, 21], how visible each point is; 0 is not drawn.
        canvas: int32 [frames, 6], see ``CANVAS``.
    """

    hands: NDArray[np.float32]
    scores: NDArray[np.float32]
    canvas: NDArray[np.int32]

    def __post_init__(self) -> None:
        frames = len(self.hands)
        for name, shape in (("hands", (2, HAND_POINTS, 2)), ("scores", (2, HAND_POINTS)), ("canvas", (6,))):
            found = getattr(self, name).shape
            if found != (frames, *shape):
                raise ValueError(f"{name} needs the shape {[frames, *shape]}, got {list(found)}")

    def __len__(self) -> int:
        return len(self.hands)

    @staticmethod
    def load(path: Path) -> PoseSequence:
        """What ``save`` wrote.

        Raises:
            MediaFileError: codes ``file_missing``, ``pose_file_damaged``.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                sequence = PoseSequence(
                    file["hands"].astype(np.float32), file["scores"].astype(np.float32), file["canvas"].astype(np.int32)
                )
        except FileNotFoundError:
            raise MediaFileError(f"There is no file {path}.", code="file_missing") from None
        except (OSError, ValueError, KeyError, EOFError) as error:
            raise _unreadable(path, str(error)) from None
        if not len(sequence):
            raise _unreadable(path, "it holds no frame")
        if not (np.isfinite(sequence.hands).all() and np.isfinite(sequence.scores).all()):
            raise _unreadable(path, "it holds impossible numbers")
        return sequence

    def save(self, path: Path) -> None:
        """An ``.npz`` of 170 kB for 336 frames.

        Raises:
            OSError: it cannot be written.
        """
        with path.open("wb") as file:  # numpy would add .npz to the name
            np.savez_compressed(file, hands=self.hands, scores=self.scores, canvas=self.canvas)

    @staticmethod
    def of_motion(motion: Motion) -> PoseSequence:
        """The hands of ``Motion``; a hand whose score is 0 is not there."""
        frames = len(motion)
        hands = motion.values[:, _LEFT : _LEFT + 4 * HAND_POINTS].reshape(frames, 2, HAND_POINTS, 2)
        scores = np.clip(motion.values[:, _SCORES], 0.0, 1.0)
        return PoseSequence(
            np.ascontiguousarray(hands, np.float32),
            np.repeat(scores[:, :, None], HAND_POINTS, 2).astype(np.float32),
            np.tile(np.array(CANVAS, np.int32), (frames, 1)),
        )


def there_and_back(position: int, frames: int) -> int:
    """The frame shown at ``position`` of an endless loop that turns round at both ends: 0 1 2 3 2 1 0 1 ..."""
    if frames == 1:
        return 0
    position %= 2 * (frames - 1)
    return min(position, 2 * (frames - 1) - position)


class PoseLoops:
    """The hands of a conversation: one loop while it speaks, one while it does not, and ``Motion``'s gestures over both.

    From one course to another the points move along straight lines for ``BLEND_FRAMES``; a hand that is in only one
    of the two fades.

    Args:
        speaking: played while the avatar speaks; None leaves the hands to ``Motion``.
        idle: played otherwise; None goes on with ``speaking``.
    """

    def __init__(self, speaking: PoseSequence | None, idle: PoseSequence | None = None) -> None:
        self._loops = {True: speaking, False: idle if idle is not None else speaking}
        self._position = 0
        self._shown: PoseSequence | None = None
        self._course: tuple[bool, bool] | None = None
        self._since = BLEND_FRAMES
        self._from: PoseSequence | None = None

    def take(self, motion: Motion, speaking: NDArray[np.bool_]) -> PoseSequence:
        """The hands of the next frames.

        Args:
            motion: of the frames.
            speaking: bool [frames].
        """
        own = PoseSequence.of_motion(motion)
        frames = [self._next(_at(own, i), bool(speaking[i])) for i in range(len(own))]
        if not frames:
            return own
        return PoseSequence(
            np.concatenate([frame.hands for frame in frames]),
            np.concatenate([frame.scores for frame in frames]),
            np.concatenate([frame.canvas for frame in frames]),
        )

    def _next(self, own: PoseSequence, speaking: bool) -> PoseSequence:
        loop = self._loops[speaking]
        if loop is None:
            return own
        gesturing = bool(own.scores.any())
        course = (gesturing, speaking and self._loops[True] is not self._loops[False])
        if course != self._course:
            self._from, self._since = self._shown, 0
            if self._course is not None and course[1] != self._course[1]:
                self._position = 0
            self._course = course
        target = own if gesturing else _at(loop, there_and_back(self._position, len(loop)))
        self._position += 1
        self._since += 1
        if self._from is not None and self._since <= BLEND_FRAMES:
            target = _between(self._from, target, self._since / (BLEND_FRAMES + 1))
        self._shown = target
        return target


def _at(sequence: PoseSequence, i: int) -> PoseSequence:
    return PoseSequence(sequence.hands[i : i + 1], sequence.scores[i : i + 1], sequence.canvas[i : i + 1])


def _between(a: PoseSequence, b: PoseSequence, x: float) -> PoseSequence:
    """``x`` of the way from ``a`` to ``b``; a point seen in one of them stays where it is seen, and fades."""
    there = np.where(a.scores[..., None] > 0, a.hands, b.hands)
    then = np.where(b.scores[..., None] > 0, b.hands, there)
    hands = there + np.float32(x) * (then - there)
    return PoseSequence(hands.astype(np.float32), ((1 - x) * a.scores + x * b.scores).astype(np.float32), b.canvas)


def _unreadable(path: Path, why: str) -> MediaFileError:
    return MediaFileError(
        f"{path} is not a pose sequence ({why}). `parley echomimic poses FOLDER -o poses.npz` makes one.",
        code="pose_file_damaged",
    )
