"""Two streams of a GPU: the next window is denoised while the last one is decoded and copied to the host."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor

Made = TypeVar("Made")

Denoise = Callable[[], Tensor]
"""Latents of a batch."""
Decode = Callable[[Tensor], Tensor]
"""Latents to BGR uint8 [frames, height, width, 3]."""


class Copied(Protocol):
    """Frames on their way to the host."""

    def frames(self) -> Tensor:
        """Wait for them."""


class Lanes(Protocol):
    """How a batch is drawn on a device."""

    def draw(self, denoise: Denoise, decode: Decode) -> Copied:
        """Begin; on a GPU this returns when the work is queued."""

    def prepare(self, make: Callable[[], Made], reads: Iterable[Tensor]) -> Made:
        """What later batches are denoised from; ``reads`` were made elsewhere and are read by it and by them."""

    def wait_for_turn(self) -> None:
        """Until the last batch is denoised (it may still be decoded). Whoever fills the device asks this before choosing
        what comes next: windows that arrive meanwhile are drawn together instead of one after another."""


class _There:
    def __init__(self, frames: Tensor) -> None:
        self._frames = frames

    def frames(self) -> Tensor:
        return self._frames


class HostLanes:
    """A CPU does one thing after the other."""

    def draw(self, denoise: Denoise, decode: Decode) -> Copied:
        return _There(decode(denoise()))

    def prepare(self, make: Callable[[], Made], reads: Iterable[Tensor]) -> Made:
        return make()

    def wait_for_turn(self) -> None:
        return


class CudaLanes:
    """Args:
    cuda: ``torch.cuda``, or what stands for it in tests.
    host_frames: an empty tensor of that shape in pinned memory.
    """

    def __init__(
        self,
        cuda: Any = torch.cuda,
        host_frames: Callable[[torch.Size], Tensor] = lambda shape: torch.empty(
            shape, dtype=torch.uint8, pin_memory=True
        ),
    ) -> None:
        self._cuda = cuda
        self._host_frames = host_frames
        self._denoising, self._decoding = cuda.Stream(), cuda.Stream()
        self._denoised: Any = None

    def draw(self, denoise: Denoise, decode: Decode) -> Copied:
        with self._cuda.stream(self._denoising):
            latents = denoise()
            denoised = self._cuda.Event(blocking=True)  # the host sleeps rather than spins
            denoised.record(self._denoising)
        self._decoding.wait_event(denoised)
        with self._cuda.stream(self._decoding):
            latents.record_stream(self._decoding)  # their memory is the other stream's: not to be given away before
            frames = decode(latents)
            host = self._host_frames(frames.shape)
            host.copy_(frames, non_blocking=True)
            copied = self._cuda.Event(blocking=True)
            copied.record(self._decoding)
        self._denoised = denoised
        return _Coming(host, copied)

    def prepare(self, make: Callable[[], Made], reads: Iterable[Tensor]) -> Made:
        self._denoising.wait_stream(self._cuda.current_stream())
        for tensor in reads:
            tensor.record_stream(self._denoising)
        with self._cuda.stream(self._denoising):
            return make()

    def wait_for_turn(self) -> None:
        if self._denoised is not None:
            self._denoised.synchronize()


class _Coming:
    def __init__(self, host: Tensor, copied: Any) -> None:
        self._host, self._copied = host, copied

    def frames(self) -> Tensor:
        self._copied.synchronize()
        return self._host


def lanes_of(device: torch.device) -> Lanes:
    return CudaLanes() if device.type == "cuda" else HostLanes()
