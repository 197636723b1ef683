"""One device drawing for several conversations: whose windows are drawn together, and how many conversations it holds."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import SimpleQueue

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from avatar.echomimic.batch import BATCHES, BatchDrawer, Order, Seat
from avatar.echomimic.lanes import Copied, Lanes, lanes_of
from avatar.echomimic.live_model import LiveModel
from avatar.echomimic.options import Continuity, Options
from avatar.echomimic.persona import Reference
from avatar.echomimic.rolling import stretch_frames
from avatar.echomimic.streaming import NEW_FRAMES
from avatar.echomimic.window_queue import Waiting, WindowQueue
from avatar.errors import AvatarError, RendererBusy, RendererFailed
from avatar.motion.motion import Motion
from avatar.renderer import Stretch
from avatar.speech import BEAT_SAMPLES, FRAME_RATE_HZ

log = logging.getLogger(__name__)

BUSY_SHARE = 0.8
"""Of the device's time that conversations are admitted to: the rest is for what they do not do in step."""

FRAME_S = 1 / FRAME_RATE_HZ

SEAT_WAIT_S = 2.0
"""For a place that is being given up: a page that is loaded anew, or a worker that another replaces, waits for its last window."""

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


class Engine:
    """Draws windows, earliest due first, those of different conversations together.

    A thread of its own calls the networks; another waits for finished frames, so that the next windows are denoised
    while the last ones are decoded and copied.

    Args:
        model: the networks.
        options: continuity, largest batch.
        capacity: conversations at once; None measures it.
        clock: seconds, monotonic.
        lanes: how batches are drawn on the device; None takes what suits it.
        seat_wait_s: how long somebody waits for a place.

    Attributes:
        batch: puts windows together.
        window: most frames of a stretch.
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
        lanes: Lanes | None = None,
        seat_wait_s: float = SEAT_WAIT_S,
    ) -> None:
        self.model = model
        self.batch = BatchDrawer(model, options)
        self.window = stretch_frames(options.steps) if self.batch.rolls else NEW_FRAMES
        self._options = options
        self._clock = clock
        self._seat_wait_s = seat_wait_s
        self._queue: WindowQueue[_Job] = WindowQueue()
        self._changed = threading.Condition()
        self._seats: set[Seat] = set()
        self._closing = False
        self._broken: AvatarError | None = None
        self._cuda = model.device.type == "cuda"
        self._lanes = lanes or lanes_of(model.device)
        self.window_s: dict[int, float] = {} if capacity is not None else self._measure()
        self.capacity = capacity if capacity is not None else self._measured_capacity()
        self._finished: SimpleQueue[tuple[Sequence[_Job], Copied] | None] = SimpleQueue()
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._draw_all, self._deliver_all)]
        for thread in self._threads:
            thread.start()

    @property
    def lead_frames(self) -> int:
        """Frames that play while a window is drawn, with as many conversations as there are now."""
        seats = max(1, len(self._seats))
        if not self.window_s:
            return min(self.window, 2)
        largest = max(self.window_s)
        together = min((size for size in self.window_s if size >= min(seats, largest)), default=largest)
        needed_s = math.ceil(seats / together) * self.window_s[together]
        return min(self.window, math.ceil(needed_s / FRAME_S) + 1)

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
                fps = self.window / self.window_s[1]
                raise RendererFailed(
                    f"This machine draws {fps:.1f} frames a second with these settings; {FRAME_RATE_HZ} are needed, with "
                    "some to spare. Take fewer steps, a smaller size, or the decoder taesd."
                )
            if not self._changed.wait_for(lambda: len(self._seats) < self.capacity, self._seat_wait_s):
                raise RendererBusy(
                    f"The device draws {self.capacity} conversation{'s' * (self.capacity != 1)} in time, and that many "
                    "are there; try again in a moment."
                )
            seat = self.seat(reference, seed)
            self._seats.add(seat)
            return seat

    def seat(self, reference: Reference, seed: int) -> Seat:
        """A place that is not counted."""
        return self._lanes.prepare(lambda: self.batch.seat(reference, seed), reference.tensors())

    def rise(self, seat: Seat) -> None:
        """The conversation is over."""
        with self._changed:
            self._seats.discard(seat)
            self._changed.notify_all()
            for job in self._queue.forget(seat):
                job.pending.fail(RendererFailed("The conversation is over."))

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
        job = _Job(Order(seat, stretch, maps), PendingFrames())
        with self._changed:
            seat.ordered_until = stretch.first + count
            if self._broken is not None or seat not in self._seats:
                job.pending.fail(self._broken or RendererFailed("The conversation is over."))
            else:
                self._queue.put(seat, Waiting(due_s, carried and straight_on, job))
                self._changed.notify_all()
        return job.pending

    def now(self) -> float:
        return self._clock()

    def close(self) -> None:
        """End both threads; what waits fails."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def draw_now(self, orders: Sequence[Order]) -> Tensor:
        """The frames of a batch, one after another: BGR uint8 [sum of frames, size, size, 3] on the host. Past the queue,
        for measurement."""
        return self._draw(orders).frames()

    def _draw(self, orders: Sequence[Order]) -> Copied:
        return self._lanes.draw(lambda: self.batch.latents(orders), self.model.frames)

    def _draw_all(self) -> None:
        """The device is given one batch at a time: what comes while it denoises is one batch then, and the most urgent of it
        first. Decoding and copying go on beside the next."""
        while True:
            batch: list[_Job] = []
            try:
                self._lanes.wait_for_turn()
                with self._changed:
                    self._changed.wait_for(lambda: self._closing or len(self._queue) > 0)
                    if self._closing:
                        break
                    batch = self._queue.take(self._options.max_batch)
                self._finished.put((batch, self._draw([job.order for job in batch])))
            except Exception as error:
                self._fail(batch, error)
                if self._broken is not None:
                    break
        self._finished.put(None)

    def _deliver_all(self) -> None:
        while (finished := self._finished.get()) is not None:
            batch, copied = finished
            try:
                pictures = copied.frames().numpy()
            except Exception as error:
                self._fail(batch, error)
                continue
            start = 0
            for job in batch:
                count = len(job.order.stretch.motion)
                job.pending.set(list(pictures[start : start + count]))
                start += count
        with self._changed:
            left = [job for seat in self._seats for job in self._queue.forget(seat)]
        for job in left:
            job.pending.fail(self._broken or RendererFailed("The renderer was closed."))

    def _fail(self, batch: Sequence[_Job], error: Exception) -> None:
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
        for job in batch:
            job.pending.fail(told)

    def _measure(self) -> dict[int, float]:
        """Seconds of a window by batch size, the best of a few draws of silence."""
        found: dict[int, float] = {}
        reference = self.batch.nobody()
        for size in BATCHES if self._cuda else BATCHES[:1]:
            rows = min(
                size, self._options.max_batch
            )  # drawn as ``size`` where batches are recorded: so that each is, by now
            seats = [self.seat(reference, seed) for seed in range(rows)]
            times = []
            for number in range(MEASURED_DRAWS + 1):
                begun = self._clock()
                self.draw_now([Order(seat, _silence(number, self.window), None) for seat in seats])
                times.append(self._clock() - begun)
            found[rows] = min(times[1:])  # the first records, compiles, and fills caches
            if rows == self._options.max_batch:
                break
        return found

    def _measured_capacity(self) -> int:
        window_s = self.window * FRAME_S
        most = max(int(BUSY_SHARE * window_s / taken_s * size) for size, taken_s in self.window_s.items())
        return max(most, 1) if self.model.synthetic else most  # a demonstration is never refused


@dataclass(frozen=True, slots=True)
class _Job:
    order: Order
    pending: PendingFrames


def _silence(number: int, window: int) -> Stretch:
    """The ``number``-th window of it."""
    return Stretch(
        number * window,
        Motion.zeros(window),
        np.zeros(window * BEAT_SAMPLES, np.int16),
        np.zeros(0, np.int16),
        np.zeros(window, np.bool_),
    )
