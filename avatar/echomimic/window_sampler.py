"""Denoises windows of 12 frames, several conversations at once, each going on from frames that it has already.

Every shape is fixed by the number of rows, nothing is read back from the device, and what a step multiplies with is
known beforehand: the whole of it can be recorded as one CUDA graph.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from avatar.distillation.scheduler import MultistepConsistencyScheduler
from avatar.echomimic.denoising_unet import DenoisingUNet
from avatar.echomimic.motion_module import TemporalMemory
from avatar.echomimic.reference_bank import ReferenceKeys

Predict = Callable[..., Tensor]
"""Called as ``DenoisingUNet.forward``."""


@dataclass(frozen=True, slots=True)
class Windows:
    """A batch of windows, a row each.

    Attributes:
        noise: float32 [B, 4, F, h, w], each frame's own; the same frame has the same noise in every window.
        audio: tokens [B, F, N, C].
        pose: features [B, C, F, h, w]; None where no row shows a hand.
        reference: of each row, or one for all.
        held: float32 [B, 1, F, 1, 1], 1 for frames that were drawn before (context), 0 for those to be drawn.
        path: float32 [S, B, 4, F, h, w]: what held frames are at the beginning of each step; anything elsewhere.
    """

    noise: Tensor
    audio: Tensor
    pose: Tensor | None
    reference: ReferenceKeys
    held: Tensor
    path: Tensor


@dataclass(frozen=True, slots=True)
class RollingWindows:
    """One pass over windows whose frames have levels of their own.

    Attributes:
        sample: float32 [B, 4, F, h, w].
        times: int64 [B, F].
        audio, pose, reference: as in ``Windows``.
    """

    sample: Tensor
    times: Tensor
    audio: Tensor
    pose: Tensor | None
    reference: ReferenceKeys


class WindowSampler:
    """DDIM over windows.

    Args:
        predict: the denoiser, or what stands for it (compiled).
        steps: of the sampler.
        device: of everything.

    Attributes:
        timesteps: of the steps, as numbers.
    """

    def __init__(self, predict: DenoisingUNet | Predict, steps: int, device: torch.device) -> None:
        schedule = MultistepConsistencyScheduler()
        schedule.set_timesteps(steps)
        self.timesteps = [int(t) for t in schedule.timesteps]
        self._predict = predict
        self._times = [torch.tensor([t], device=device) for t in self.timesteps]
        self._lines = [_line(schedule, t, max(t - len(schedule) // steps, -1)) for t in self.timesteps]
        signal = schedule.alphas_cumprod.double()
        self._levels = [(float(signal[t].sqrt()), float((1 - signal[t]).sqrt())) for t in self.timesteps]

    @property
    def steps(self) -> int:
        return len(self.timesteps)

    def renoised(self, clean: Tensor, noise: Tensor) -> Tensor:
        """Drawn frames at the beginning of each step, from themselves and their noise: [S, *clean.shape]."""
        return torch.stack([alpha * clean + sigma * noise for alpha, sigma in self._levels])

    def step(self, number: int, sample: Tensor, velocity: Tensor) -> Tensor:
        """One step of the sampler, the ``number``-th: float32 of any shape to the same."""
        keep, gain = self._lines[number]
        return keep * sample + gain * velocity

    @torch.no_grad()
    def predict(self, windows: RollingWindows) -> Tensor:
        """v of windows whose frames have levels of their own: float32 [B, 4, F, h, w]."""
        velocity: Tensor = self._predict(
            windows.sample, windows.times, windows.audio, windows.pose, windows.reference
        ).float()
        return velocity

    @torch.no_grad()
    def __call__(self, windows: Windows, memories: Sequence[TemporalMemory] | None = None) -> tuple[Tensor, Tensor]:
        """Denoise.

        Args:
            windows: see there.
            memories: of the motion modules, one a step; changed by this.

        Returns:
            Latents float32 [B, 4, F, h, w], held frames among them; and what every frame was at the beginning of each
            step, [S, B, 4, F, h, w].
        """
        sample, path = windows.noise, []
        fresh = 1.0 - windows.held
        for number, time in enumerate(self._times):
            sample = windows.held * windows.path[number] + fresh * sample
            path.append(sample)
            memory = None if memories is None else memories[number]
            velocity = self._predict(
                sample, time, windows.audio, windows.pose, windows.reference, memory=memory
            ).float()
            sample = self.step(number, sample, velocity)
        return sample, torch.stack(path)


def _line(schedule: MultistepConsistencyScheduler, timestep: int, target: int) -> tuple[float, float]:
    """Factors of sample and prediction in the step from ``timestep`` to ``target``."""
    one, zero = torch.ones((), dtype=torch.float64), torch.zeros((), dtype=torch.float64)
    return float(schedule.jump(zero, timestep, target, one)), float(schedule.jump(one, timestep, target, zero))


def batch_memories(several: Sequence[Sequence[TemporalMemory]]) -> list[TemporalMemory]:
    """The memories of several conversations as rows of one batch, step by step; all are empty, or none is."""
    return [
        TemporalMemory(
            of_step[0].frames,
            {number: torch.cat([one.states[number] for one in of_step]) for number in of_step[0].states},
        )
        for of_step in zip(*several, strict=True)
    ]


def split_memories(memories: Sequence[TemporalMemory], rows: int) -> list[list[TemporalMemory]]:
    """What ``batch_memories`` joined, a list a conversation."""
    split: list[list[TemporalMemory]] = [[] for _ in range(rows)]
    for memory in memories:
        parts = {number: states.chunk(rows) for number, states in memory.states.items()}
        for row in range(rows):
            split[row].append(TemporalMemory(memory.frames, {n: part[row].clone() for n, part in parts.items()}))
    return split


class RecordedSampler:
    """A ``WindowSampler`` whose work is recorded as a CUDA graph, once for each number of rows, and played from then on.

    Inputs are copied into the recording's own memory; its outputs are copied out before the next play overwrites them. All
    recordings work in the same memory, since one plays at a time.

    Args:
        sampler: what is recorded.
        cuda: ``torch.cuda``, or what stands for it in tests.
    """

    WARM_UP = 3
    """Calls before recording: libraries choose their algorithms and workspaces in the first ones."""

    def __init__(self, sampler: WindowSampler, cuda: Any = torch.cuda) -> None:
        self._sampler = sampler
        self._cuda = cuda
        self._recordings: dict[tuple[int, int, int], _Recording] = {}
        self._pool: Any = None

    def __call__(self, windows: Windows) -> tuple[Tensor, Tensor]:
        drawn_frames = 0 if windows.pose is None else windows.pose.shape[2]
        key = (windows.noise.shape[0], _references(windows.reference), drawn_frames)
        if key not in self._recordings:
            self._recordings[key] = _Recording(self._sampler, windows, self.WARM_UP, self._pool, self._cuda)
            self._pool = self._recordings[key].pool
        return self._recordings[key].play(windows)


class _Recording:
    def __init__(self, sampler: WindowSampler, windows: Windows, warm_up: int, pool: Any, cuda: Any) -> None:
        self._inputs = Windows(
            noise=windows.noise.clone(),
            audio=windows.audio.clone(),
            pose=None if windows.pose is None else windows.pose.clone(),
            reference=ReferenceKeys(
                {name: (k.clone(), v.clone()) for name, (k, v) in windows.reference.keys_values.items()}
            ),
            held=windows.held.clone(),
            path=windows.path.clone(),
        )
        side = cuda.Stream()
        side.wait_stream(cuda.current_stream())
        with cuda.stream(side):
            for _ in range(warm_up):
                sampler(self._inputs)
        cuda.current_stream().wait_stream(side)
        self._graph = cuda.CUDAGraph()
        with cuda.graph(self._graph, pool, capture_error_mode="thread_local"):  # others may copy frames meanwhile
            self._outputs = sampler(self._inputs)
        self.pool = self._graph.pool()

    def play(self, windows: Windows) -> tuple[Tensor, Tensor]:
        for own, given in zip(_tensors(self._inputs), _tensors(windows), strict=True):
            own.copy_(given)
        self._graph.replay()
        latents, path = self._outputs
        return latents.clone(), path.clone()


def _tensors(windows: Windows) -> list[Tensor]:
    pose = [] if windows.pose is None else [windows.pose]
    reference = [tensor for pair in windows.reference.keys_values.values() for tensor in pair]
    return [windows.noise, windows.audio, *pose, *reference, windows.held, windows.path]


def _references(reference: ReferenceKeys) -> int:
    return int(next(iter(reference.keys_values.values()))[0].shape[0])
