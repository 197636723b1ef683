"""The sound encoder's network: from normalised log-mel bands at 100 Hz to the mouth at 25 Hz, causal, with carried state.

It reads what speech fixes: the mouth's parameters, the contacts (lips sealed, lip and teeth touching) and the phone heard. Contacts
and phones have heads and losses of their own, since squared error alone blurs a closure of two frames away.

Every layer is a causal convolution that remembers the last of its input, so a stream in pieces gives what the whole gives. The
output lags its input by ``LOOK_AHEAD_FRAMES``: the answer for frame f is given once hop 4 f + 11 is known, 80 ms after the frame's end.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from avatar.motion.generator.features import BANDS, HOPS_PER_FRAME
from avatar.motion.generator.phones import COUNT as PHONES
from avatar.motion.generator.phones import INDEX
from avatar.motion.speech.mouth import COUNT as MOUTH

CONTACTS = 2
"""sealed, touching"""

_LIP_STOPS = [INDEX[name] for name in ("p", "b", "m")]
_PHONE_SHARE = 0.7
"""Between .5 and .85 closures of voices never heard are told alike, and better than by either head alone."""

_LOWEST, _HIGHEST = -9.0, 6.0
"""Normalised bands beyond this (80 dB under a voice's mean: digital silence) say nothing more."""
_SCALE = 1.0 / 3.0


@dataclass(frozen=True, slots=True)
class EncoderShape:
    """Widths of the stages at 100, 50 and 25 Hz, and the dilations of the residual blocks of the last two.

    The context is about 1.6 s; the parameters 0.9 million.
    """

    fast: int = 96
    middle: int = 128
    slow: int = 160
    middle_dilations: tuple[int, ...] = (1, 2)
    slow_dilations: tuple[int, ...] = (1, 2, 4, 8, 1, 2)


@dataclass(frozen=True, slots=True)
class EncoderOutput:
    """Attributes:
    mouth: parameters before contacts are enforced, [batch, frames, 11].
    contacts: logits of sealed and touching, [batch, frames, 2].
    phones: logits of the phone classes, [batch, frames, 32].
    """

    mouth: Tensor
    contacts: Tensor
    phones: Tensor


class CausalConv(nn.Module):
    """A convolution over time that sees no future: [batch, channels, time], with the inputs it remembers.

    Args:
        stride: the input comes in multiples of it.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, *, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(inputs, outputs, kernel, stride=stride, dilation=dilation)
        self.context = (kernel - 1) * dilation + 1 - stride
        self.state_shape = (inputs, self.context)

    def forward(self, x: Tensor, past: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the output and what to remember, both given the last ``context`` inputs before ``x``."""
        whole = torch.cat([past.to(x.dtype), x], dim=2)
        return self.convolution(whole), whole[:, :, whole.shape[2] - self.context :]


class ChannelNorm(nn.Module):
    """Root-mean-square normalisation over channels, moment by moment (Zhang & Sennrich, arXiv 1910.07467)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        power = x.float().square().mean(dim=1, keepdim=True)
        return x * torch.rsqrt(power + 1e-5).to(x.dtype) * self.gain


class Residual(nn.Module):
    """x + W silu(convolution(norm(x)))."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.norm = ChannelNorm(channels)
        self.spread = CausalConv(channels, channels, 3, dilation=dilation)
        self.mix = nn.Conv1d(channels, channels, 1)

    def forward(self, x: Tensor, past: Tensor) -> tuple[Tensor, Tensor]:
        hidden, kept = self.spread(self.norm(x), past)
        return x + self.mix(functional.silu(hidden)), kept


class EncoderNetwork(nn.Module):
    """See the module.

    The state of all layers travels as one flat tensor [batch, ``state_size``]; zeros are the beginning of a stream.
    """

    def __init__(self, shape: EncoderShape | None = None) -> None:
        super().__init__()
        shape = shape or EncoderShape()
        self.shape = shape
        self.hear = CausalConv(BANDS, shape.fast, 5)
        self.to_middle = CausalConv(shape.fast, shape.middle, 4, stride=2)
        self.middle = nn.ModuleList(Residual(shape.middle, d) for d in shape.middle_dilations)
        self.to_slow = CausalConv(shape.middle, shape.slow, 4, stride=2)
        self.slow = nn.ModuleList(Residual(shape.slow, d) for d in shape.slow_dilations)
        self.out_norm = ChannelNorm(shape.slow)
        self.mouth = _head(shape.slow, 96, MOUTH)
        self.contacts = _head(shape.slow, 64, CONTACTS)
        self.phones = _head(shape.slow, 96, PHONES)
        layers = [layer for layer in self.modules() if isinstance(layer, CausalConv)]
        self._state_shapes = [layer.state_shape for layer in layers]
        self.state_size = sum(channels * context for channels, context in self._state_shapes)

    def initial_state(self, batch: int = 1) -> Tensor:
        """The state at the beginning of a stream, [batch, state_size]."""
        return torch.zeros(batch, self.state_size)

    def forward(self, mel: Tensor, state: Tensor) -> tuple[EncoderOutput, Tensor]:
        """Args:
            mel: log-mel bands less their running mean, [batch, hops, BANDS]; hops a multiple of 4.
            state: from the call before, or ``initial_state``.

        Returns:
            Outputs of ``hops / 4`` frames, delayed by ``LOOK_AHEAD_FRAMES`` (the first two of a stream are of no frame), and the next state.
        """
        pieces = state.split([channels * context for channels, context in self._state_shapes], dim=1)
        past = iter([p.reshape(-1, *shape) for p, shape in zip(pieces, self._state_shapes, strict=True)])
        kept: list[Tensor] = []

        def run(layer: nn.Module, x: Tensor) -> Tensor:
            y, remembered = layer(x, next(past))
            kept.append(remembered.flatten(1))
            return y

        x = mel.clamp(_LOWEST, _HIGHEST).transpose(1, 2) * _SCALE
        x = functional.silu(run(self.hear, x))
        x = run(self.to_middle, x)
        for block in self.middle:
            x = run(block, x)
        x = run(self.to_slow, functional.silu(x))
        for block in self.slow:
            x = run(block, x)
        x = self.out_norm(x)
        outputs = EncoderOutput(*(head(x).transpose(1, 2) for head in (self.mouth, self.contacts, self.phones)))
        return outputs, torch.cat(kept, dim=1)


def weigh_contacts(contacts: Tensor, phones: Tensor) -> Tensor:
    """Contacts' logits, with what the phone head says of p, b and m weighed into the first.

    The contact head takes many a gap of k, t or d for a closure; the phone head, which was asked who made it, less often. Together, as
    a geometric mean, a tenth of the false closures of voices never heard go at the same recall.

    Args:
        contacts: logits of sealed and touching, [..., 2].
        phones: logits of the phone classes, [..., PHONES].

    Returns:
        Logits, [..., 2].
    """
    sure = functional.logsigmoid(contacts[..., :1])
    named = phones[..., _LIP_STOPS].logsumexp(dim=-1, keepdim=True) - phones.logsumexp(dim=-1, keepdim=True)
    both = ((1.0 - _PHONE_SHARE) * sure + _PHONE_SHARE * named).clamp(max=-1e-4)
    return torch.cat([both - torch.log(1.0 - both.exp()), contacts[..., 1:]], dim=-1)


def _head(inputs: int, hidden: int, outputs: int) -> nn.Module:
    return nn.Sequential(nn.Conv1d(inputs, hidden, 1), nn.SiLU(), nn.Conv1d(hidden, outputs, 1))


assert HOPS_PER_FRAME == 4, "two halvings take hops to frames"
