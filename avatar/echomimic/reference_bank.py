"""What the reference picture contributes to every frame: written once by the reference U-Net, read by the denoiser.

A bank holds the normalised tokens of 16 blocks; a frame's self-attention takes keys and values from its own tokens
and from the reference's. Tokens are constant for a session, so their projections are as well: ``ReferenceKeys``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, slots=True)
class ReferenceBank:
    """Tokens by the name of the block that wrote them, which is also the name of the block that reads them.

    Attributes:
        tokens: each [references, positions, channels]; the order is ``bank_order``'s.
    """

    tokens: Mapping[str, torch.Tensor]

    def rounded(self) -> ReferenceBank:
        """Through float16 and back, as the original keeps its bank whatever the precision of the run."""
        return ReferenceBank({name: tokens.half().to(tokens.dtype) for name, tokens in self.tokens.items()})

    def to(self, device: torch.device | str, dtype: torch.dtype) -> ReferenceBank:
        return ReferenceBank({name: tokens.to(device, dtype) for name, tokens in self.tokens.items()})


@dataclass(frozen=True, slots=True)
class ReferenceKeys:
    """Keys and values of the reference, projected by the blocks that read them.

    Attributes:
        keys_values: by block name; keys and values, each [references, positions, channels], heads not split.
    """

    keys_values: Mapping[str, tuple[torch.Tensor, torch.Tensor]]

    def to(self, device: torch.device | str, dtype: torch.dtype) -> ReferenceKeys:
        return ReferenceKeys(
            {
                name: (keys.to(device, dtype), values.to(device, dtype))
                for name, (keys, values) in self.keys_values.items()
            }
        )

    @staticmethod
    def stack(references: Iterable[ReferenceKeys]) -> ReferenceKeys:
        """Several references of equal size as the rows of one batch, a row each."""
        several = list(references)
        return ReferenceKeys(
            {
                name: (
                    torch.cat([one.keys_values[name][0] for one in several]),
                    torch.cat([one.keys_values[name][1] for one in several]),
                )
                for name in several[0].keys_values
            }
        )


def bank_order(network: nn.Module) -> list[str]:
    """Names of the blocks that write to or read from the bank, in the original's pairing order.

    The original sorts by descending width, stably over its own order of construction (down, up, mid), and pairs writers
    with readers by position. Both U-Nets have the same blocks, so that pairing is pairing by name.
    """
    from avatar.echomimic.spatial_transformer import SpatialBlock

    blocks = [(name, module) for name, module in network.named_modules() if isinstance(module, SpatialBlock)]
    return [name for name, block in sorted(blocks, key=lambda item: -item[1].channels)]
