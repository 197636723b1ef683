"""A whole clip through the live path, and measures of how well its windows join: to compare the ways of joining them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from avatar.echomimic.denoising_unet import DenoisingUNet
from avatar.echomimic.reference_bank import ReferenceKeys
from avatar.echomimic.rolling import RollingStream, RollingStretch, block_frames, frames_ahead, stretch_frames
from avatar.echomimic.streaming import NEW_FRAMES, ConversationStream, NewFrames, context_path, frame_noise
from avatar.echomimic.window_sampler import RollingWindows, Windows, WindowSampler


@dataclass(frozen=True, slots=True)
class StreamedClip:
    """Attributes:
    latents: float32 [4, F, h, w].
    noise: float32 [4, F, h, w], each frame's own; give it to the original's sampler to compare with.
    seams: numbers of the first frames of windows, but the first.
    """

    latents: Tensor
    noise: Tensor
    seams: list[int]

    def seam(self) -> float:
        """How much frames change at seams, over how much they change within windows (medians); 1 is seamless."""
        change = (self.latents[:, 1:] - self.latents[:, :-1]).pow(2).mean(dim=(0, 2, 3)).sqrt()
        at = torch.zeros(len(change), dtype=torch.bool)
        at[[number - 1 for number in self.seams]] = True
        return float(change[at].median() / change[~at].median())

    def distance(self, original: Tensor) -> float:
        """Relative L2 distance to the original's latents of the clip."""
        return float((self.latents - original).norm() / original.norm())


def stream_clip(
    denoiser: DenoisingUNet,
    stream: ConversationStream,
    audio: Tensor,
    pose: Tensor | None,
    reference: ReferenceKeys,
) -> StreamedClip:
    """Draw a clip window by window.

    Args:
        stream: new.
        audio: tokens [F, N, C].
        pose: features [F, C, h, w]; None without hands.
    """
    sampler = WindowSampler(denoiser, stream.steps, stream.device)
    latents: list[Tensor] = []
    for first in range(0, len(audio), NEW_FRAMES):
        frames = slice(first, min(first + NEW_FRAMES, len(audio)))
        row = stream.row(NewFrames(first, audio[frames], None if pose is None else pose[frames]))
        shown = stream.blank[:, None] if row.pose is None else row.pose
        windows = Windows(
            noise=row.noise[None],
            audio=row.audio[None],
            pose=shown[None],
            reference=reference,
            held=torch.tensor(row.held, dtype=torch.float32, device=stream.device)[None, None, :, None, None],
            path=context_path(row, sampler)[:, None],
        )
        drawn, path = sampler(windows, row.memories)
        stream.keep(row, drawn[0], path[:, 0], row.memories)
        latents.append(drawn[0, :, row.first - row.numbers.start :])
    noise = torch.stack([stream.noise(number) for number in range(len(audio))], dim=1)
    return StreamedClip(torch.cat(latents, dim=1), noise, list(range(NEW_FRAMES, len(audio), NEW_FRAMES)))


def roll_clip(
    denoiser: DenoisingUNet, stream: RollingStream, audio: Tensor, pose: Tensor | None, reference: ReferenceKeys
) -> StreamedClip:
    """The same with windows that roll; their seams are where blocks meet."""
    sampler, block = stream.sampler, block_frames(stream.sampler.steps)
    count, ahead = stretch_frames(sampler.steps), frames_ahead(sampler.steps)
    latents: list[Tensor] = []
    for first in range(0, len(audio), count):
        end = min(first + count, len(audio))
        told = audio[first : end + ahead]
        after = end - first + ahead - len(told)
        stream.begin(
            RollingStretch(
                first=first,
                count=end - first,
                audio=torch.cat([told, told[-1:].expand(after, -1, -1)]),
                heard=len(told),
                speaking=[True] * (end - first),
                pose=None if pose is None else pose[first:end],
            )
        )
        while stream.waiting:
            one = stream.window()
            velocity = sampler.predict(
                RollingWindows(one.sample[None], one.times[None], one.audio[None], one.pose[None], reference)
            )
            stream.move(velocity[0])
        latents.append(stream.drawn().transpose(0, 1))
    noise = torch.stack(
        [
            frame_noise(stream.seed, number, stream.height, stream.width, stream.noise_limit, stream.device)
            for number in range(len(audio))
        ],
        dim=1,
    )
    return StreamedClip(torch.cat(latents, dim=1), noise, list(range(block, len(audio), block)))
