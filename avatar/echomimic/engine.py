"""One device drawing for several conversations: whose windows are drawn together, and how many conversations it holds."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from avatar.echomimic.live_model import LiveModel
from avatar.echomimic.motion_module import TemporalMemory
from avatar.echomimic.options import Continuity, Options
from avatar.echomimic.persona import Reference
from avatar.echomimic.reference_bank import ReferenceKeys
from avatar.echomimic.running_sound import RunningSound
from avatar.echomimic.streaming import NEW_FRAMES, ConversationStream, NewFrames, WindowRow, context_path
from avatar.echomimic.window_queue import Waiting, WindowQueue
from avatar.echomimic.window_sampler import Windows, batch_memories, split_memories
from avatar.errors import AvatarError, RendererBusy, RendererFailed
from avatar.motion.motion import Motion
from avatar.renderer import Stretch
from avatar.speech import BEAT_SAMPLES, FRAME_RATE_HZ

log = logging.getLogger(__name__)

BATCHES = (1, 2, 4, 8, 16)
"""Sizes of recorded batches; between them a row is drawn twice."""

BUSY_SHARE = 0.8
"""Of the device's time that conversations are admitted to: the rest is for what they do not do in step."""

WINDOW_S = NEW_FRAMES / FRAME_RATE_HZ
FRAME_S = 1 / FRAME_RATE_HZ
MEASURED_DRAWS = 3


class PendingFrames:
    """See ``avatar.renderer.Drawing``."""

    def __init__(self) -> None:
        self._done = threading.Event()
        self._frames: list[NDArray[np.uint8]] = []
        self._error: AvatarError | None = None

    def frames(self) -> list[NDArray[np.uint8]]:
        self._done.wait()
        if self._error is not None:
            raise self._error
        return self._frames

    def set(self, frames: list[NDArray[np.uint8]]) -> None:
        self._frames = frames
        self._done.set()

    def fail(self, error: AvatarError) -> None:
        self._error = error
        self._done.set()


@dataclass(slots=True, eq=False)
class Seat:
    """One conversation's place; only the engine looks inside."""

    sound: RunningSound
    stream: ConversationStream
    reference: Reference
    blank: Tensor
    ordered_until: int = 0


@dataclass(frozen=True, slots=True)
class Order:
    """A stretch to be drawn.

    Attributes:
        maps: uint8 [n, size, size, 3]; None where no hand is drawn.
    """

    seat: Seat
    stretch: Stretch
    maps: NDArray[np.uint8] | None
    pending: PendingFrames = field(default_factory=PendingFrames)


class Engine:
    """Draws windows, earliest due first, those of different conversations together.

    A thread of its own calls the networks; another waits for finished frames, so that the next windows are denoised
    while the last ones are decoded and copied.

    Args:
        model: the networks.
        options: continuity, largest batch.
        capacity: conversations at once; None measures it.
        clock: seconds, monotonic.

    Attributes:
        capacity: conversations that are drawn in time.
        window_s: seconds that a window takes by the size of its batch, as measured; empty where it was not.
    """

    def __init__(
        self,
        model: LiveModel,
        options: Options,
        *,
        capacity: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.model = model
        self._options = options
        self._clock = clock
        self._queue: WindowQueue[Order] = WindowQueue()
        self._changed = threading.Condition()
        self._seats: set[Seat] = set()
        self._closing = False
        self._broken: AvatarError | None = None
        self._cuda = model.device.type == "cuda"
        self._streams = [torch.cuda.Stream() for _ in range(2)] if self._cuda else []
        self.window_s: dict[int, float] = {} if capacity is not None else self._measure()
        self.capacity = capacity if capacity is not None else self._measured_capacity()
        self._finished: SimpleQueue[tuple[Sequence[Order], Tensor, torch.cuda.Event | None] | None] = SimpleQueue()
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._draw_all, self._deliver_all)]
        for thread in self._threads:
            thread.start()

    @property
    def lead_frames(self) -> int:
        """Frames that play while a window is drawn, with as many conversations as there are now."""
        seats = max(1, len(self._seats))
        if not self.window_s:
            return min(NEW_FRAMES, 2)
        largest = max(self.window_s)
        together = min((size for size in self.window_s if size >= min(seats, largest)), default=largest)
        needed_s = math.ceil(seats / together) * self.window_s[together]
        return min(NEW_FRAMES, math.ceil(needed_s / FRAME_S) + 1)

    def sit(self, reference: Reference, seed: int) -> Seat:
        """A place for a conversation.

        Raises:
            RendererBusy: none is free.
            RendererFailed: the device cannot draw one conversation in time, or has failed.
        """
        with self._changed:
            if self._broken is not None:
                raise self._broken
            if self.capacity < 1:
                fps = NEW_FRAMES / self.window_s[1]
                raise RendererFailed(
                    f"This machine draws {fps:.1f} frames a second with these settings; {FRAME_RATE_HZ} are needed, with "
                    "some to spare. Take fewer steps, a smaller size, or the decoder taesd."
                )
            if len(self._seats) >= self.capacity:
                raise RendererBusy(
                    f"The device draws {self.capacity} conversation{'s' * (self.capacity != 1)} in time, and that many "
                    "are there; try again in a moment."
                )
            seat = self.seat(reference, seed)
            self._seats.add(seat)
            return seat

    def rise(self, seat: Seat) -> None:
        """The conversation is over."""
        with self._changed:
            self._seats.discard(seat)
            for order in self._queue.forget(seat):
                order.pending.fail(RendererFailed("The conversation is over."))

    def order(self, seat: Seat, stretch: Stretch, maps: NDArray[np.uint8] | None, due_s: float) -> PendingFrames:
        """Draw a stretch.

        Args:
            maps: see ``Order``.
            due_s: when its first frame will be missed, on the engine's clock.

        Raises:
            ValueError: the stretch has no frames or too many, or begins beyond what was ordered.
        """
        count = len(stretch.motion)
        if not 1 <= count <= NEW_FRAMES:
            raise ValueError(f"a stretch has 1 to {NEW_FRAMES} frames, not {count}")
        if stretch.first > seat.ordered_until:
            raise ValueError(f"frame {stretch.first} does not follow frame {seat.ordered_until - 1}")
        carried = self._options.continuity is Continuity.CARRIED and count == NEW_FRAMES
        straight_on = 0 < stretch.first == seat.ordered_until
        order = Order(seat, stretch, maps)
        with self._changed:
            seat.ordered_until = stretch.first + count
            if self._broken is not None or seat not in self._seats:
                order.pending.fail(self._broken or RendererFailed("The conversation is over."))
            else:
                self._queue.put(seat, Waiting(due_s, carried and straight_on, order))
                self._changed.notify_all()
        return order.pending

    def now(self) -> float:
        return self._clock()

    def close(self) -> None:
        """End both threads; what waits fails."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def draw(self, orders: Sequence[Order]) -> Tensor:
        """The frames of a batch, one after another: BGR uint8 [sum of frames, size, size, 3] on the device.

        On a GPU this returns when the work is queued.
        """
        rows = self.rows(orders)
        windows, memories = self.windows(orders, rows)
        latents, path = self.model.sample(windows, memories)
        drawn = self.keep(orders, rows, latents, path, memories)
        if not self._cuda:
            return self.model.frames(drawn)
        denoising, decoding = self._streams
        decoding.wait_stream(denoising)
        with torch.cuda.stream(decoding):
            drawn.record_stream(decoding)
            return self.model.frames(drawn)

    def rows(self, orders: Sequence[Order]) -> list[WindowRow]:
        """What is heard and drawn in each order, beside the conversation's own past."""
        heard = [
            order.seat.sound.hear(
                order.stretch.first, order.stretch.pcm48k, order.stretch.ahead48k, order.stretch.speaking
            )
            for order in orders
        ]
        features = self.model.features([segment.mel for segment in heard])
        rows = []
        for number, (order, segment) in enumerate(zip(orders, heard, strict=True)):
            audio = order.seat.sound.tokens(segment, features[number])
            pose = None if order.maps is None else self.model.guide(order.maps)
            rows.append(order.seat.stream.row(NewFrames(order.stretch.first, audio, pose)))
        return rows

    def windows(
        self, orders: Sequence[Order], rows: Sequence[WindowRow]
    ) -> tuple[Windows, list[TemporalMemory] | None]:
        """The rows as a batch, filled up to a recorded size; and the memories of their motion modules."""
        memories = None if rows[0].memories is None else batch_memories([row.memories or [] for row in rows])
        fixed = self.model.recorded and memories is None  # then a batch of a size has one shape, whatever is drawn
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
        pose = torch.stack(poses)
        references = [orders[n].seat.reference.keys for n in filled]
        alone = not fixed and all(reference is references[0] for reference in references)
        noise = torch.stack([rows[n].noise for n in filled])
        windows = Windows(
            noise=noise,
            audio=torch.stack([rows[n].audio for n in filled]),
            pose=pose,
            reference=references[0] if alone else ReferenceKeys.stack(references),
            held=held[:, None, :, None, None].to(self.model.device, non_blocking=True),
            path=torch.stack([context_path(rows[n], self.model.sampler) for n in filled], dim=1),
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
            order.seat.stream.keep(row, latents[number], path[:, number], kept[number])
            new.append(latents[number, :, row.first - row.numbers.start :].transpose(0, 1))
        return torch.cat(new)

    def draw_now(self, orders: Sequence[Order]) -> Tensor:
        """As ``draw``, complete and on the host; past the queue, for measurement."""
        frames, event = self._drawn(orders)
        if event is not None:
            event.synchronize()
        return frames

    def seat(self, reference: Reference, seed: int) -> Seat:
        """A place that is not counted."""
        model, options = self.model, self._options
        blank = model.blank(reference.mask)
        stream = ConversationStream(
            model.side, model.side, model.device, blank, seed, continuity=options.continuity, steps=options.steps
        )
        sound = RunningSound(model.networks.config.whisper.mel_bands, model.device)
        if self._cuda:  # what was computed for this conversation until now is read on other streams
            torch.cuda.current_stream().synchronize()
        return Seat(sound, stream, reference, blank)

    def _draw_all(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closing or len(self._queue) > 0)
                if self._closing:
                    break
                batch = self._queue.take(self._options.max_batch)
            try:
                self._finished.put((batch, *self._drawn(batch)))
            except Exception as error:
                self._fail(batch, error)
        self._finished.put(None)

    def _drawn(self, batch: Sequence[Order]) -> tuple[Tensor, torch.cuda.Event | None]:
        """On the host's memory, complete when the event is; without one, complete."""
        if not self._cuda:
            return self.draw(batch), None
        denoising, decoding = self._streams
        with torch.cuda.stream(denoising):
            frames = self.draw(batch)
        with torch.cuda.stream(decoding):
            host = torch.empty(frames.shape, dtype=torch.uint8, pin_memory=True)
            host.copy_(frames, non_blocking=True)
            event = torch.cuda.Event()
            event.record(decoding)
        return host, event

    def _deliver_all(self) -> None:
        while (finished := self._finished.get()) is not None:
            batch, host, event = finished
            try:
                if event is not None:
                    event.synchronize()
                pictures = host.numpy()
            except Exception as error:
                self._fail(batch, error)
                continue
            start = 0
            for order in batch:
                count = len(order.stretch.motion)
                order.pending.set(list(pictures[start : start + count]))
                start += count
        with self._changed:
            left = [order for seat in self._seats for order in self._queue.forget(seat)]
        for order in left:
            order.pending.fail(RendererFailed("The renderer was closed."))

    def _fail(self, batch: Sequence[Order], error: Exception) -> None:
        """A device that failed once is in no known state; a conversation whose memory ran out takes nobody with it."""
        log.exception("Drawing failed.", exc_info=error)
        if isinstance(error, torch.OutOfMemoryError):
            told = RendererFailed("The GPU has no memory left for this conversation.")
        else:
            told = RendererFailed(
                f"Drawing failed: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
            )
            with self._changed:
                self._broken = told if self._cuda else None
        for order in batch:
            order.pending.fail(told)

    def _measure(self) -> dict[int, float]:
        """Seconds of a window by batch size, the best of a few draws of silence."""
        found: dict[int, float] = {}
        reference = self.nobody()
        for size in BATCHES if self._cuda else BATCHES[:1]:
            if size > self._options.max_batch:
                break
            seats = [self.seat(reference, seed) for seed in range(size)]
            times = []
            for number in range(MEASURED_DRAWS + 1):
                begun = self._clock()
                self.draw_now([Order(seat, _silence(number * NEW_FRAMES), None) for seat in seats])
                times.append(self._clock() - begun)
            found[size] = min(times[1:])  # the first records, compiles, and fills caches
        return found

    @torch.no_grad()
    def nobody(self) -> Reference:
        """Of no picture, for measurement."""
        networks = self.model.networks
        latent = torch.zeros(1, 4, self.model.side, self.model.side, device=self.model.device)
        bank, _ = networks.reference(latent)
        mask = torch.ones(1, self.model.size, self.model.size) if networks.guide.in_channels == 1 else None
        return Reference(latent, networks.denoiser.project_reference(bank), mask, ())

    def _measured_capacity(self) -> int:
        most = max(int(BUSY_SHARE * WINDOW_S / taken_s * size) for size, taken_s in self.window_s.items())
        return max(most, 1) if self.model.synthetic else most  # a demonstration is never refused


def _silence(first: int) -> Stretch:
    return Stretch(
        first,
        Motion.zeros(NEW_FRAMES),
        np.zeros(NEW_FRAMES * BEAT_SAMPLES, np.int16),
        np.zeros(0, np.int16),
        np.zeros(NEW_FRAMES, np.bool_),
    )
