"""Windows of several conversations as one batch: from sound and maps to latents, whichever way windows are joined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from avatar.echomimic.live_model import LiveModel
from avatar.echomimic.motion_module import TemporalMemory
from avatar.echomimic.options import Continuity, Options
from avatar.echomimic.persona import Reference
from avatar.echomimic.reference_bank import ReferenceKeys
from avatar.echomimic.rolling import RollingPass, RollingStream, RollingStretch, frames_ahead
from avatar.echomimic.running_sound import LOOKAHEAD_SAMPLES, RunningSound, Segment
from avatar.echomimic.streaming import ConversationStream, NewFrames, WindowRow, context_path
from avatar.echomimic.transfer import to_device
from avatar.echomimic.window_sampler import RollingWindows, Windows, batch_memories, split_memories
from avatar.renderer import Stretch
from avatar.speech import BEAT_SAMPLES

BATCHES = (1, 2, 4, 8, 16)
"""Sizes of recorded batches; between them a row is drawn twice."""


@dataclass(slots=True, eq=False)
class Seat:
    """One conversation's place; only what draws looks inside."""

    sound: RunningSound
    stream: ConversationStream | RollingStream
    reference: Reference
    blank: Tensor
    ordered_until: int = 0


@dataclass(frozen=True, slots=True)
class Order:
    """A stretch to be drawn.

    Attributes:
        maps: RGB uint8 [n, size, size, 3]; None where no hand is drawn.
    """

    seat: Seat
    stretch: Stretch
    maps: NDArray[np.uint8] | None


class BatchDrawer:
    """Args:
    model: the networks.
    options: continuity and steps.
    """

    def __init__(self, model: LiveModel, options: Options) -> None:
        self._model = model
        self._options = options

    @property
    def rolls(self) -> bool:
        return self._options.continuity is Continuity.ROLLING

    @property
    def frames_ahead(self) -> int:
        """Frames behind a stretch whose sound has to be known."""
        return frames_ahead(self._options.steps) if self.rolls else 0

    def seat(self, reference: Reference, seed: int) -> Seat:
        """A new conversation's."""
        model, options = self._model, self._options
        blank = model.blank(reference.mask)
        stream: ConversationStream | RollingStream
        if self.rolls:
            stream = RollingStream(model.side, model.side, model.device, blank, seed, model.sampler)
        else:
            stream = ConversationStream(
                model.side, model.side, model.device, blank, seed, continuity=options.continuity, steps=options.steps
            )
        sound = RunningSound(model.networks.config.whisper.mel_bands, model.device)
        return Seat(sound, stream, reference, blank)

    @torch.no_grad()
    def nobody(self) -> Reference:
        """Of no picture, for measurement."""
        networks = self._model.networks
        latent = torch.zeros(1, 4, self._model.side, self._model.side, device=self._model.device)
        bank, _ = networks.reference(latent)
        mask = torch.ones(1, self._model.size, self._model.size) if networks.guide.in_channels == 1 else None
        return Reference(latent, networks.denoiser.project_reference(bank), mask, ())

    def latents(self, orders: Sequence[Order]) -> Tensor:
        """The new frames of a batch, one after another: float32 [sum of frames, 4, h, w]."""
        if self.rolls:
            return self._roll(orders)
        rows = self.rows(orders)
        windows, memories = self.windows(orders, rows)
        latents, path = self._model.sample(windows, memories)
        return self.keep(orders, rows, latents, path, memories)

    def rows(self, orders: Sequence[Order]) -> list[WindowRow]:
        """What is heard and drawn in each order, beside the conversation's own past."""
        rows = []
        for order, segment, features in self._heard(orders):
            audio = order.seat.sound.tokens(segment, features)
            rows.append(_windowed(order).row(NewFrames(order.stretch.first, audio, self._posed(order))))
        return rows

    def windows(
        self, orders: Sequence[Order], rows: Sequence[WindowRow]
    ) -> tuple[Windows, list[TemporalMemory] | None]:
        """The rows as a batch, filled up to a recorded size; and the memories of their motion modules."""
        memories = None if rows[0].memories is None else batch_memories([row.memories or [] for row in rows])
        fixed = self._model.recorded  # then a batch of a size has one shape, whatever is drawn
        size = next(size for size in BATCHES if size >= len(rows)) if fixed else len(rows)
        filled = [*range(len(rows)), *[0] * (size - len(rows))]
        frames = len(rows[0].held)
        held = torch.tensor([rows[n].held for n in filled], dtype=torch.float32)
        one_blank = not fixed and all(row.pose is None for row in rows)
        poses = []
        for n in filled:
            own = rows[n].pose
            blank = orders[n].seat.blank[:, None]
            poses.append((blank if one_blank else blank.expand(-1, frames, -1, -1)) if own is None else own)
        windows = Windows(
            noise=torch.stack([rows[n].noise for n in filled]),
            audio=torch.stack([rows[n].audio for n in filled]),
            pose=torch.stack(poses),
            reference=_references([orders[n].seat for n in filled], shared=not fixed),
            held=to_device(held[:, None, :, None, None], self._model.device),
            path=torch.stack([context_path(rows[n], self._model.sampler) for n in filled], dim=1),
        )
        return windows, memories

    def keep(
        self,
        orders: Sequence[Order],
        rows: Sequence[WindowRow],
        latents: Tensor,
        path: Tensor,
        memories: list[TemporalMemory] | None,
    ) -> Tensor:
        """Remember what was drawn; the new frames' latents of all rows, one after another."""
        kept = [None] * len(rows) if memories is None else split_memories(memories, len(rows))
        new = []
        for number, (order, row) in enumerate(zip(orders, rows, strict=True)):
            _windowed(order).keep(row, latents[number], path[:, number], kept[number])
            new.append(latents[number, :, row.first - row.numbers.start :].transpose(0, 1))
        return torch.cat(new)

    def _heard(self, orders: Sequence[Order]) -> list[tuple[Order, Segment, Tensor]]:
        """Each order's sound, encoded: the orders together."""
        segments = [
            order.seat.sound.hear(
                order.stretch.first, order.stretch.pcm48k, order.stretch.ahead48k, order.stretch.speaking
            )
            for order in orders
        ]
        features = self._model.features([segment.mel for segment in segments])
        return [(order, segment, features[n]) for n, (order, segment) in enumerate(zip(orders, segments, strict=True))]

    def _posed(self, order: Order) -> Tensor | None:
        return None if order.maps is None else self._model.guide(order.maps)

    def _roll(self, orders: Sequence[Order]) -> Tensor:
        """Pass by pass, as many as the slowest order needs; those whose windows are of one length go together."""
        for order, segment, features in self._heard(orders):
            stretch, count = order.stretch, len(order.stretch.motion)
            beyond = max(0, len(stretch.ahead48k) - LOOKAHEAD_SAMPLES) // BEAT_SAMPLES
            audio = order.seat.sound.tokens(segment, features, self.frames_ahead)
            _rolling(order).begin(
                RollingStretch(
                    stretch.first, count, audio, count + beyond, stretch.speaking.tolist(), self._posed(order)
                )
            )
        while waiting := [order.seat for order in orders if _rolling(order).waiting]:
            passes: dict[int, list[tuple[Seat, RollingPass]]] = {}
            for seat in waiting:
                assert isinstance(seat.stream, RollingStream)
                one = seat.stream.window()
                passes.setdefault(one.sample.shape[1], []).append((seat, one))
            for alike in passes.values():
                self._pass(alike)
        return torch.cat([_rolling(order).drawn() for order in orders])

    def _pass(self, alike: Sequence[tuple[Seat, RollingPass]]) -> None:
        velocity = self._model.sampler.predict(
            RollingWindows(
                sample=torch.stack([one.sample for _, one in alike]),
                times=torch.stack([one.times for _, one in alike]),
                audio=torch.stack([one.audio for _, one in alike]),
                pose=torch.stack([one.pose for _, one in alike]),
                reference=_references([seat for seat, _ in alike], shared=True),
            )
        )
        for (seat, _), own in zip(alike, velocity, strict=True):
            assert isinstance(seat.stream, RollingStream)
            seat.stream.move(own)


def _references(seats: Sequence[Seat], *, shared: bool) -> ReferenceKeys:
    """A reference a row; one for all where that is ``shared`` and they are the same."""
    references = [seat.reference.keys for seat in seats]
    if shared and all(reference is references[0] for reference in references):
        return references[0]
    return ReferenceKeys.stack(references)


def _windowed(order: Order) -> ConversationStream:
    assert isinstance(order.seat.stream, ConversationStream)
    return order.seat.stream


def _rolling(order: Order) -> RollingStream:
    assert isinstance(order.seat.stream, RollingStream)
    return order.seat.stream
