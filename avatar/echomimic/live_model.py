"""The networks as live drawing uses them: on one device, at one size, in one precision, sped up as far as it goes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from avatar.echomimic.config import LATENT_SCALE
from avatar.echomimic.motion_module import TemporalMemory
from avatar.echomimic.networks import Networks
from avatar.echomimic.options import Continuity, LiveDecoder, Options, Precision, Speedup
from avatar.echomimic.transfer import to_device
from avatar.echomimic.vae import Decoder
from avatar.echomimic.window_sampler import RecordedSampler, Windows, WindowSampler
from avatar.errors import WeightsError

DECODED_AT_ONCE = {LiveDecoder.TAESD: 36, LiveDecoder.VAE: 3}
"""Frames: the full decoder keeps 256 channels at full size, a gigabyte a frame at 768."""

_DTYPES = {Precision.BF16: torch.bfloat16, Precision.FP16: torch.float16, Precision.FP32: torch.float32}


def best_device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def working_dtype(precision: Precision, device: torch.device) -> torch.dtype:
    """CPUs compute in float32: their half precisions are slower, not faster."""
    return _DTYPES[precision] if device.type == "cuda" else torch.float32


class LiveModel:
    """What turns sound, maps and noise into frames.

    Args:
        networks: of a variant; moved to ``device``.
        options: precision, steps, decoder, speedup.
        size: side of what is drawn, pixels, a multiple of 64.
        device: where.

    Attributes:
        synthetic: the weights are random.

    Raises:
        WeightsError: TAESD is asked for and not there.
    """

    def __init__(self, networks: Networks, options: Options, size: int, device: torch.device) -> None:
        self.networks = networks.to(device, working_dtype(options.precision, device))
        self.device = device
        self.size = size
        self.side = size // LATENT_SCALE
        self.synthetic = networks.synthetic
        self._decoder = _decoder(networks, options.decoder)
        self._at_once = DECODED_AT_ONCE[options.decoder]
        denoiser = networks.denoiser
        speedup = options.speedup if device.type == "cuda" else Speedup.NONE
        if device.type == "cuda":
            torch.backends.cudnn.benchmark = True  # shapes are few and stay
            drawing: list[Any] = [denoiser, networks.guide, networks.vae.network]
            for network in drawing + ([] if networks.tiny_vae is None else [networks.tiny_vae.network]):
                network.to(memory_format=torch.channels_last)
        one_shape = options.continuity in (
            Continuity.STORED,
            Continuity.RENOISED,
        )  # the others' would be compiled in mid-speech
        predict = torch.compile(denoiser, dynamic=False) if speedup is Speedup.COMPILE and one_shape else denoiser
        self.sampler = WindowSampler(predict, options.steps, device)
        self._recorded = RecordedSampler(self.sampler) if speedup is not Speedup.NONE and one_shape else None

    @torch.no_grad()
    def features(self, mels: Sequence[Tensor]) -> Tensor:
        """Segments [bands, 3000] to hidden states [B, 1500, levels, channels]."""
        return self.networks.whisper(torch.stack(list(mels)))

    @torch.no_grad()
    def guide(self, maps: NDArray[np.uint8]) -> Tensor:
        """Drawn maps, uint8 [n, size, size, 3], to features [n, C, h, w]."""
        pixels = to_device(torch.from_numpy(maps), self.device)
        return self.networks.guide(pixels.permute(3, 0, 1, 2)[None] / 255.0)[0].transpose(0, 1)

    @torch.no_grad()
    def blank(self, mask: Tensor | None) -> Tensor:
        """Features [C, h, w] where nothing is drawn: of a black map, or of V1's mask [1, size, size]."""
        channels = self.networks.guide.in_channels
        shown = torch.zeros(channels, self.size, self.size) if mask is None else mask
        return self.networks.guide(shown[None, :, None].to(self.device))[0, :, 0]

    def sample(self, windows: Windows, memories: Sequence[TemporalMemory] | None) -> tuple[Tensor, Tensor]:
        """See ``WindowSampler``; recorded where there is a GPU and all windows have one shape."""
        if self._recorded is not None:
            return self._recorded(windows)
        return self.sampler(windows, memories)

    @property
    def recorded(self) -> bool:
        """Whether batches should come in few sizes."""
        return self._recorded is not None

    @torch.no_grad()
    def frames(self, latents: Tensor) -> Tensor:
        """[N, 4, h, w] to BGR uint8 [N, size, size, 3], on the device; values truncated as the original does."""
        decoded = [self._bytes(self._decoder.decode(part)) for part in latents.split(self._at_once)]
        return torch.cat(decoded)

    @staticmethod
    def _bytes(pictures: Tensor) -> Tensor:
        return (pictures.float() * 255).to(torch.uint8).flip(1).permute(0, 2, 3, 1).contiguous()


def _decoder(networks: Networks, wanted: LiveDecoder) -> Decoder:
    if wanted is LiveDecoder.VAE:
        return networks.vae
    if networks.tiny_vae is None:
        raise WeightsError(
            'TAESD, the decoder for live frames, is not among the weights. Fetch them again, or set the decoder to "vae".',
            code="weights_missing",
        )
    return networks.tiny_vae
