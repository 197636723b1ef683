"""Multi-head attention under the parameter names of the released checkpoints, with keys and values open to caching."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

MOST_ROWS = 65_535
"""CUDA's limit on a grid's second and third side, which fused attention lays its rows along. Temporal attention has a row for
each latent pixel: eight conversations at 768x768 are 73 728."""


class Projections(nn.Module):
    """``to_q``, ``to_k``, ``to_v`` without bias and ``to_out.0`` with one, as diffusers names them.

    Ours because the reference's keys and values are constant for a session: they are projected once and put
    after a frame's own, where diffusers' class projects everything it attends to at every call.
    """

    def __init__(self, channels: int, heads: int, context_channels: int | None = None) -> None:
        super().__init__()
        context_channels = context_channels or channels
        self.heads = heads
        self.to_q = nn.Linear(channels, channels, bias=False)
        self.to_k = nn.Linear(context_channels, channels, bias=False)
        self.to_v = nn.Linear(context_channels, channels, bias=False)
        self.to_out = nn.ModuleList([nn.Linear(channels, channels)])

    def keys_values(self, context: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Of tokens [N, M, context channels]: projected, heads not split yet, each [N, M, channels]."""
        return self.to_k(context), self.to_v(context)

    def attend(self, queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        """From projected queries [N, L, channels], keys and values [N, M, channels] to the output [N, L, channels]."""
        parts = zip(*(tokens.split(MOST_ROWS) for tokens in (queries, keys, values)), strict=True)
        several = [
            functional.scaled_dot_product_attention(self._split(q), self._split(k), self._split(v)) for q, k, v in parts
        ]
        mixed = several[0] if len(several) == 1 else torch.cat(several)
        return self.to_out[0](mixed.transpose(1, 2).flatten(2))

    def _split(self, projected: torch.Tensor) -> torch.Tensor:
        return projected.unflatten(-1, (self.heads, -1)).transpose(1, 2)


class Attention(Projections):
    """Attends to other tokens, or to its own."""

    def forward(self, tokens: torch.Tensor, context: torch.Tensor | None = None) -> torch.Tensor:
        """From ``tokens`` [N, L, channels] to ``context`` [N, M, context channels], or to themselves."""
        keys, values = self.keys_values(tokens if context is None else context)
        return self.attend(self.to_q(tokens), keys, values)
