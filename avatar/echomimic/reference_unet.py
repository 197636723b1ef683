"""The reference U-Net: one pass over the reference picture's latent fills the bank."""

from __future__ import annotations

import torch

from avatar.echomimic.config import UNetConfig
from avatar.echomimic.reference_bank import ReferenceBank, bank_order
from avatar.echomimic.spatial_transformer import PassContext
from avatar.echomimic.unet import UNet


class ReferenceUNet(UNet):
    """Stable Diffusion's U-Net without cross-attention and without its head. 816 million parameters."""

    def __init__(self, config: UNetConfig | None = None) -> None:
        super().__init__(config or UNetConfig(), audio_channels=None, motion=False)

    def forward(self, latents: torch.Tensor) -> tuple[ReferenceBank, torch.Tensor]:
        """Write the bank.

        Args:
            latents: of reference pictures, [R, 4, h, w]: posterior mean times 0.18215, no noise; timestep 0.

        Returns:
            The bank (not rounded), and the last level's output [R, 320, h, w], which nothing uses but tests.
        """
        written: dict[str, torch.Tensor] = {}
        time = self.embed_time(torch.zeros(latents.shape[0], dtype=torch.int64, device=latents.device))
        hidden = self.run(self.conv_in(latents.to(self.dtype)), time, PassContext(written=written))
        return ReferenceBank({name: written[name] for name in bank_order(self)}), hidden
