"""The denoiser: a frame's latents, sound, pose and the reference in; v of the diffusion out."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from avatar.echomimic.blocks import Level
from avatar.echomimic.config import LATENT_CHANNELS, UNetConfig
from avatar.echomimic.motion_module import TemporalMemory
from avatar.echomimic.reference_bank import ReferenceBank, ReferenceKeys
from avatar.echomimic.spatial_transformer import PassContext, SpatialBlock
from avatar.echomimic.unet import UNet


class DenoisingUNet(UNet):
    """EchoMimic's 3D U-Net; V1's and V2's are the same. 1303 million parameters at the released width.

    Args:
        config: widths; the default is the released one.
    """

    def __init__(self, config: UNetConfig | None = None) -> None:
        config = config or UNetConfig()
        super().__init__(config, config.audio_channels, motion=True)
        self.conv_norm_out = nn.GroupNorm(config.groups, config.channels[0], eps=1e-5)
        self.conv_out = nn.Conv2d(config.channels[0], LATENT_CHANNELS, 3, padding=1)

    def forward(
        self,
        latents: torch.Tensor,
        timesteps: torch.Tensor,
        audio: torch.Tensor,
        pose: torch.Tensor | None = None,
        reference: ReferenceKeys | None = None,
        *,
        unconditional: int = 0,
        memory: TemporalMemory | None = None,
    ) -> torch.Tensor:
        """Predict v (Salimans and Ho, arXiv 2202.00512) of a window.

        Args:
            latents: noisy, [B, 4, F, h, w]; F at most 32 (kept frames included).
            timesteps: int64; one for all (shape [] or [1]), one a row [B], or one a frame [B, F].
            audio: tokens of each frame, [B, F, N, 384]; N is 50 (``audio_features.slice_windows``).
            pose: the pose encoder's features, [B or 1, 320, F or 1, h, w]; added once.
            reference: from ``project_reference``; as many references as rows that read one, or one for all of them.
            unconditional: the first so many rows read no reference (guidance; their audio and pose are zeros by custom).
            memory: see ``TemporalMemory``; one for each noise level.

        Returns:
            v, [B, 4, F, h, w], in the dtype of the weights.
        """
        rows, _, frames = latents.shape[:3]
        hidden = self.conv_in(latents.to(self.dtype).transpose(1, 2).flatten(0, 1))
        if pose is not None:
            hidden = hidden + pose.to(self.dtype).expand(rows, -1, frames, -1, -1).transpose(1, 2).flatten(0, 1)
        context = PassContext(
            frames=frames,
            audio=audio.to(self.dtype).flatten(0, 1),
            reference=reference,
            unconditional=unconditional,
            memory=memory,
        )
        hidden = self.run(hidden, self._time(timesteps.to(latents.device), rows, frames), context)
        out = self.conv_out(functional.silu(self.conv_norm_out(hidden)))
        return out.unflatten(0, (rows, frames)).transpose(1, 2)

    def project_reference(self, bank: ReferenceBank) -> ReferenceKeys:
        """Keys and values of a reference for this denoiser; constant as long as the reference is."""
        blocks = {module.name: module for module in self.modules() if isinstance(module, SpatialBlock)}
        return ReferenceKeys(
            {name: block.attn1.keys_values(bank.tokens[name].to(self.dtype)) for name, block in blocks.items()}
        )

    def checkpoint_gradients(self, wanted: bool = True) -> None:
        """Whether training recomputes activations layer by layer instead of keeping them."""
        for module in self.modules():
            if isinstance(module, Level):
                module.checkpointing = wanted

    def _time(self, timesteps: torch.Tensor, rows: int, frames: int) -> torch.Tensor:
        """[rows * frames, time channels]; embedded once for each distinct place it is given for."""
        if timesteps.ndim == 2:
            return self.embed_time(timesteps.flatten())
        embedded = self.embed_time(timesteps.reshape(-1))
        return embedded.expand(rows, -1).repeat_interleave(frames, dim=0)
