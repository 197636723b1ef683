"""One conversation as the denoiser sees it: windows of 12 frames, each going on from the frames before.

The original denoises a whole clip: windows of 12 that overlap by 3, wrapped around the clip's end, moved at every step,
predictions averaged where they overlap. None of that can be done while a conversation runs. Here a window has up to 9
new frames, and the rest of its 12 are frames that were drawn already. They are *held*: at every step of the sampler they
are put back to what they should be at that noise level, so that the new frames are denoised beside them. How they are
known at that level is the choice (``Continuity``):

- ``STORED``: as they were when they were drawn: the sampler's own path, kept step by step. An earlier window's
  prediction for a shared frame stands, where the original averages it with the later one's. Nothing else differs.
- ``RENOISED``: from the finished frame and its own noise, by the forward process. Needs no path; with few steps the
  forward process and the sampler's path part.
- ``CARRIED``: only the 9 new frames are computed, a third less work; the motion modules see the 3 before through their
  own kept inputs (``TemporalMemory``), which do not see the new ones in turn. The weights were trained with both.
  Where a stretch does not follow straight on from the last one (an answer begins, or is interrupted), the window is a
  whole one with ``RENOISED`` context.

The fourth way, windows whose frames have different noise levels, is in ``avatar.echomimic.rolling``.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import torch
from torch import Tensor

from avatar.echomimic.config import LATENT_CHANNELS, NOISE_LIMIT, WINDOW_FRAMES, WINDOW_OVERLAP
from avatar.echomimic.ddim import initial_noise
from avatar.echomimic.motion_module import TemporalMemory
from avatar.echomimic.options import Continuity
from avatar.echomimic.transfer import to_device
from avatar.echomimic.window_sampler import WindowSampler

NEW_FRAMES = WINDOW_FRAMES - WINDOW_OVERLAP
"""Most new frames of a window; the original's windows share three with the one before as well."""

KEPT_FRAMES = 48
"""A stretch may begin up to 27 frames back (two windows ordered ahead, and one being ordered), and needs 11 before that."""

PRIME = 1_000_003


@dataclass(slots=True)
class DrawnFrame:
    """What a later window can need of a frame.

    Attributes:
        number: of the frame.
        noise: float32 [4, h, w].
        latent: float32 [4, h, w], finished.
        audio: tokens [N, C].
        pose: features [C, h, w]; None where no hand is drawn.
        path: float32 [S, 4, h, w], at the beginning of each step; None where it is not kept.
    """

    number: int
    noise: Tensor
    latent: Tensor
    audio: Tensor
    pose: Tensor | None
    path: Tensor | None


@dataclass(frozen=True, slots=True)
class NewFrames:
    """Frames to be drawn.

    Attributes:
        first: number of the first.
        audio: tokens [n, N, C].
        pose: features [n, C, h, w]; None without hands.
    """

    first: int
    audio: Tensor
    pose: Tensor | None


@dataclass(frozen=True, slots=True)
class WindowRow:
    """One conversation's row of a batch.

    Attributes:
        numbers: of its frames; below ``first`` they are held, or drawn only to begin with.
        first: number of the first new frame.
        noise: [4, F, h, w].
        audio: [F, N, C].
        pose: [C, F, h, w]; None where no frame shows a hand.
        posed: whether the new frames show one.
        held: bool, a frame each.
        context: the drawn frames that are held, in order.
        memories: of the motion modules, a step each; None without them. Empty ones are to be filled.
    """

    numbers: range
    first: int
    noise: Tensor
    audio: Tensor
    pose: Tensor | None
    posed: bool
    held: list[bool]
    context: list[DrawnFrame]
    memories: list[TemporalMemory] | None


@dataclass(slots=True)
class ConversationStream:
    """The past of one conversation, and the next window made from it. Memory is constant.

    Args:
        height, width: of latents.
        device: of tensors.
        blank: [C, h, w], features of the guide where no hand is drawn; what the encoder makes of black is not zero.
        seed: of the noise; a frame's noise depends on it and on the frame's number alone.
        continuity: see the module.
        steps: of the sampler.
        noise_limit: clamp of the initial noise; None leaves it.
    """

    height: int
    width: int
    device: torch.device
    blank: Tensor
    seed: int
    continuity: Continuity = Continuity.STORED
    steps: int = 6
    noise_limit: float | None = NOISE_LIMIT
    _past: deque[DrawnFrame] = field(default_factory=lambda: deque(maxlen=KEPT_FRAMES))
    _memories: list[TemporalMemory] | None = None
    _next: int = 0

    def row(self, new: NewFrames) -> WindowRow:
        """The next window. Frames from ``new.first`` on are forgotten first.

        Raises:
            ValueError: no frames, too many, or none drawn right before them.
        """
        count = len(new.audio)
        if not 1 <= count <= NEW_FRAMES:
            raise ValueError(f"a window has 1 to {NEW_FRAMES} new frames, not {count}")
        if new.first > self._next:
            raise ValueError(f"frame {new.first} does not follow frame {self._next - 1}")
        straight_on = new.first == self._next
        while self._past and self._past[-1].number >= new.first:
            self._past.pop()
        self._next = new.first
        if self.continuity is Continuity.CARRIED:
            if straight_on and self._memories is not None and count == NEW_FRAMES:
                return self._assemble(new, [], 0, self._memories)
            empty = [TemporalMemory(WINDOW_OVERLAP) for _ in range(self.steps)]
            return self._assemble(new, self._context(count), WINDOW_FRAMES - count, empty)
        return self._assemble(new, self._context(count), WINDOW_FRAMES - count, None)

    def keep(self, row: WindowRow, latents: Tensor, path: Tensor, memories: list[TemporalMemory] | None) -> None:
        """Remember what was drawn.

        Args:
            row: from ``row``, the last one.
            latents: [4, F, h, w].
            path: [S, 4, F, h, w].
            memories: of the motion modules after it.
        """
        for place, number in enumerate(row.numbers):
            if number < row.first:
                continue
            self._past.append(
                DrawnFrame(
                    number=number,
                    noise=row.noise[:, place].clone(),
                    latent=latents[:, place].clone(),
                    audio=row.audio[place].clone(),
                    pose=row.pose[:, place].clone() if row.pose is not None and row.posed else None,
                    path=path[:, :, place].clone() if self.continuity is Continuity.STORED else None,
                )
            )
        self._next = row.numbers.stop
        self._memories = memories

    def noise(self, number: int) -> Tensor:
        """A frame's own, the same on every device."""
        return frame_noise(self.seed, number, self.height, self.width, self.noise_limit, self.device)

    def _context(self, count: int) -> list[DrawnFrame]:
        return list(self._past)[-(WINDOW_FRAMES - count) :]

    def _assemble(
        self, new: NewFrames, context: list[DrawnFrame], before: int, memories: list[TemporalMemory] | None
    ) -> WindowRow:
        """``before`` frames come before the new ones: ``context``, and where that is not enough (the conversation
        begins), frames that are drawn as the first new one is, and not shown."""
        count = len(new.audio)
        numbers = range(new.first - before, new.first + count)
        missing = before - len(context)
        noise = [self.noise(number) for number in numbers[:missing]]
        noise += [frame.noise for frame in context] + [self.noise(number) for number in numbers[before:]]
        audio = [new.audio[:1].expand(missing, -1, -1), *(frame.audio[None] for frame in context), new.audio]
        pose: Tensor | None = None
        if new.pose is not None or any(frame.pose is not None for frame in context):
            of_new = [self.blank] * count if new.pose is None else list(new.pose)
            of_context = [self.blank if frame.pose is None else frame.pose for frame in context]
            pose = torch.stack([*of_new[:1] * missing, *of_context, *of_new], dim=1)
        return WindowRow(
            numbers=numbers,
            first=new.first,
            noise=torch.stack(noise, dim=1),
            audio=torch.cat(audio),
            pose=pose,
            posed=new.pose is not None,
            held=[False] * missing + [True] * len(context) + [False] * count,
            context=context,
            memories=memories,
        )


def frame_noise(seed: int, number: int, height: int, width: int, limit: float | None, device: torch.device) -> Tensor:
    """Of one frame of a conversation, float32 [4, height, width]: one seed gives one noise on every device."""
    generator = torch.Generator().manual_seed((seed * PRIME + number + KEPT_FRAMES) & (2**63 - 1))
    return to_device(initial_noise((LATENT_CHANNELS, height, width), generator, limit=limit), device)


def context_path(row: WindowRow, sampler: WindowSampler) -> Tensor:
    """What the held frames of a row are at the beginning of each step, float32 [S, 4, F, h, w]; zeros elsewhere."""
    path = torch.zeros(sampler.steps, *row.noise.shape, device=row.noise.device)
    if row.context:
        kept = [frame.path for frame in row.context if frame.path is not None]
        if len(kept) == len(row.context):
            known = torch.stack(kept, dim=2)
        else:
            clean = torch.stack([frame.latent for frame in row.context], dim=1)
            known = sampler.renoised(clean, torch.stack([frame.noise for frame in row.context], dim=1))
        first = row.held.index(True)
        path[:, :, first : first + len(row.context)] = known
    return path
