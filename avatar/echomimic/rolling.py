"""Windows that roll: the front of a window is nearly clean and its rear just noise, and every pass moves all of it on.

The windows of ``avatar.echomimic.streaming`` have one noise level; here each frame has its own, as StreamDiffusion (arXiv
2312.12491) and rolling diffusion (arXiv 2402.09470) have. With S steps a window of 12 is S blocks of 12 // S frames. A pass
denoises all of them by one step each; the front block is then finished and leaves, and noise for a new one joins at the rear.
No frame is computed twice, and there are no seams between windows. The price: a frame needs the sound of those behind it in
its window, 400 ms more at 6 steps; a stretch that does not follow straight on is begun with S passes for its first block; and
EchoMimic's weights have never seen frames of different levels together.

Places before the first block, until there are S of them, are filled with finished frames, at the level of the last step.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import torch
from torch import Tensor

from avatar.echomimic.config import NOISE_LIMIT, WINDOW_FRAMES
from avatar.echomimic.streaming import KEPT_FRAMES, NEW_FRAMES, frame_noise
from avatar.echomimic.transfer import to_device
from avatar.echomimic.window_sampler import WindowSampler


def block_frames(steps: int) -> int:
    """Frames that join, and leave, at every pass. A single step leaves room for context, as all windows do."""
    return min(NEW_FRAMES, WINDOW_FRAMES // steps)


def stretch_frames(steps: int) -> int:
    """Most new frames of a stretch: two blocks, so that a stretch ends where a block does."""
    return min(NEW_FRAMES, 2 * block_frames(steps))


def frames_ahead(steps: int) -> int:
    """How many frames behind a stretch are in the window when its last one is finished: their sound has to be known."""
    return (steps - 1) * block_frames(steps)


@dataclass(frozen=True, slots=True)
class RollingStretch:
    """Frames to be drawn, and what is known of those after them.

    Attributes:
        first: number of the first.
        count: of the frames to be drawn.
        audio: tokens [count + frames ahead, N, C].
        heard: how many of these tokens are of sound that is known; what comes after is taken for silence.
        speaking: bool, of the ``count`` frames.
        pose: features [count, C, h, w]; None without hands. Those of frames ahead are taken to be the last one's.
    """

    first: int
    count: int
    audio: Tensor
    heard: int
    speaking: list[bool]
    pose: Tensor | None


@dataclass(slots=True)
class _Frame:
    """On its way.

    Attributes:
        number: of the frame.
        sample: float32 [4, h, w], after ``level`` steps.
        near: what it was at the beginning of the last step, once it got there.
        audio, pose: as in ``RollingStretch``.
        heard: whether the tokens are of known sound.
    """

    number: int
    sample: Tensor
    audio: Tensor
    pose: Tensor | None
    heard: bool
    level: int = 0
    near: Tensor | None = None


@dataclass(frozen=True, slots=True)
class RollingPass:
    """One call of the denoiser for one conversation.

    Attributes:
        sample: float32 [4, F, h, w].
        times: int64 [F], on the device.
        audio: [F, N, C].
        pose: [C, F, h, w].
    """

    sample: Tensor
    times: Tensor
    audio: Tensor
    pose: Tensor


@dataclass(slots=True)
class RollingStream:
    """One conversation; see ``ConversationStream`` for what the arguments are. Memory is constant.

    Args:
        sampler: whose steps are taken.
    """

    height: int
    width: int
    device: torch.device
    blank: Tensor
    seed: int
    sampler: WindowSampler
    noise_limit: float | None = NOISE_LIMIT
    _past: deque[_Frame] = field(default_factory=lambda: deque(maxlen=KEPT_FRAMES))
    _rolling: list[_Frame] = field(default_factory=list)
    _stretch: RollingStretch | None = None
    _next: int = 0

    def begin(self, stretch: RollingStretch) -> None:
        """What is to be drawn next. Frames from ``stretch.first`` on that were drawn are forgotten, unless it goes straight
        on: then those that are on their way go on, but for those that were taken for silent and turn out to speak.

        Raises:
            ValueError: no frames, too many, or none drawn right before them.
        """
        if not 1 <= stretch.count <= NEW_FRAMES:
            raise ValueError(f"a stretch has 1 to {NEW_FRAMES} frames, not {stretch.count}")
        if stretch.first > self._next:
            raise ValueError(f"frame {stretch.first} does not follow frame {self._next - 1}")
        if stretch.first < self._next:
            self._forget(stretch.first)
        speaking = [stretch.first + n for n, speaks in enumerate(stretch.speaking) if speaks]
        guessed = [frame.number for frame in (*self._past, *self._rolling) if not frame.heard]
        if wrong := set(speaking) & set(guessed):
            self._forget(min(wrong))
        for frame in self._rolling:
            if frame.number >= stretch.first:
                self._tell(frame, stretch)
        self._stretch, self._next = stretch, stretch.first + stretch.count

    @property
    def waiting(self) -> bool:
        """Whether a frame of the stretch is not finished."""
        return self._stretch is not None and (not self._past or self._past[-1].number < self._next - 1)

    def window(self) -> RollingPass:
        """The next pass."""
        assert self._stretch is not None
        self._join(self._stretch)
        frames = self._frames()
        last = self.sampler.steps - 1
        samples = [frame.sample if frame.level <= last else frame.near for frame in frames]
        times = torch.tensor([self.sampler.timesteps[min(frame.level, last)] for frame in frames])
        return RollingPass(
            sample=torch.stack([sample for sample in samples if sample is not None], dim=1),
            times=to_device(times, self.device),
            audio=torch.stack([frame.audio for frame in frames]),
            pose=torch.stack([self.blank if frame.pose is None else frame.pose for frame in frames], dim=1),
        )

    def move(self, velocity: Tensor) -> None:
        """Every frame on its way goes one step, by what the denoiser said: float32 [4, F, h, w]."""
        frames = self._frames()
        last = self.sampler.steps - 1
        for place, frame in enumerate(frames):
            if frame.level > last:
                continue
            if frame.level == last:
                frame.near = frame.sample
            frame.sample = self.sampler.step(frame.level, frame.sample, velocity[:, place])
            frame.level += 1
        while self._rolling and self._rolling[0].level > last:
            self._past.append(self._rolling.pop(0))

    def drawn(self) -> Tensor:
        """The stretch's latents, float32 [count, 4, h, w]."""
        assert self._stretch is not None
        wanted = range(self._stretch.first, self._next)
        return torch.stack([frame.sample for frame in self._past if frame.number in wanted])

    def _frames(self) -> list[_Frame]:
        """Of the window: those on their way, and before them as many finished ones as there is room for."""
        room = WINDOW_FRAMES - len(self._rolling)
        return [*list(self._past)[len(self._past) - min(room, len(self._past)) :], *self._rolling]

    def _join(self, stretch: RollingStretch) -> None:
        """A new block at the rear. Where a conversation begins, frames before its first one fill the window; they are drawn
        as it is, and never shown."""
        block = block_frames(self.sampler.steps)
        if not self._past and not self._rolling:
            before = WINDOW_FRAMES - block
            self._rolling += [self._new(stretch, stretch.first - before + n) for n in range(before)]
        known = self._rolling or self._past
        first = known[-1].number + 1 if known else stretch.first
        self._rolling += [self._new(stretch, first + n) for n in range(block)]
        while len(self._rolling) > WINDOW_FRAMES and self._rolling[0].number < stretch.first:
            self._rolling.pop(0)

    def _new(self, stretch: RollingStretch, number: int) -> _Frame:
        noise = frame_noise(self.seed, number, self.height, self.width, self.noise_limit, self.device)
        frame = _Frame(number, noise, stretch.audio[0], None, heard=True)
        self._tell(frame, stretch)
        return frame

    def _tell(self, frame: _Frame, stretch: RollingStretch) -> None:
        """What is known of the frame by now."""
        place = min(max(frame.number - stretch.first, 0), len(stretch.audio) - 1)
        frame.audio = stretch.audio[place].clone()
        frame.heard = place < stretch.heard
        frame.pose = None if stretch.pose is None else stretch.pose[min(place, stretch.count - 1)].clone()

    def _forget(self, first: int) -> None:
        self._rolling = [frame for frame in self._rolling if frame.number < first]
        while self._past and self._past[-1].number >= first:
            self._past.pop()
