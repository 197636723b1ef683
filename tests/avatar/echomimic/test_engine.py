"""Several conversations on one device: each is drawn as if it were alone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the gpu extra is not installed")

from avatar.echomimic.batch import Order, Seat  # noqa: E402
from avatar.echomimic.engine import Engine  # noqa: E402
from avatar.echomimic.lanes import HostLanes  # noqa: E402
from avatar.echomimic.live_model import LiveModel  # noqa: E402
from avatar.echomimic.options import Continuity, Options  # noqa: E402
from avatar.echomimic.persona import Reference  # noqa: E402
from avatar.echomimic.window_sampler import Windows  # noqa: E402
from avatar.errors import RendererBusy, RendererFailed  # noqa: E402
from avatar.motion.motion import Motion  # noqa: E402
from avatar.renderer import Stretch  # noqa: E402
from avatar.speech import BEAT_SAMPLES  # noqa: E402

if TYPE_CHECKING:
    from avatar.echomimic.networks import Networks

SIZE = 64
CPU = torch.device("cpu")


def options(continuity: Continuity = Continuity.STORED) -> Options:
    return Options(steps=2, continuity=continuity, max_batch=4)


def open_engine(tiny: Networks, chosen: Options, capacity: int | None = 3) -> Engine:
    return Engine(LiveModel(tiny, chosen, SIZE, CPU), chosen, capacity=capacity, seat_wait_s=0.0)


@pytest.fixture
def engine(tiny: Networks) -> Iterator[Engine]:
    engine = open_engine(tiny, options())
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def references(tiny: Networks) -> list[Reference]:
    made = []
    for seed in range(2):
        latent = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(seed))
        with torch.no_grad():
            bank, _ = tiny.reference(latent)
            made.append(Reference(latent, tiny.denoiser.project_reference(bank), None, ()))
    return made


def stretch(first: int, seed: int = 0, count: int = 9, *, speaking: bool = True) -> Stretch:
    pcm = np.random.default_rng(seed + first).integers(-9000, 9000, count * BEAT_SAMPLES).astype(np.int16)
    return Stretch(first, Motion.zeros(count), pcm, pcm[:5760], np.full(count, speaking))


def maps(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (9, SIZE, SIZE, 3)).astype(np.uint8)


@pytest.mark.parametrize("continuity", list(Continuity))
def test_together_they_are_drawn_as_alone(tiny: Networks, references: list[Reference], continuity: Continuity) -> None:
    """Two personas, one with hands: a batch of both gives what each gives by itself."""
    engine = open_engine(tiny, options(continuity))
    try:
        alone = [engine.sit(references[n], seed=n) for n in range(2)]
        together = [engine.seat(references[n], seed=n) for n in range(2)]
        for first in (0, 9, 18):
            drawings = [maps(first), None]

            def orders(seats: list[Seat], first: int = first, drawings: list = drawings) -> list[Order]:
                return [Order(seat, stretch(first, n), drawings[n]) for n, seat in enumerate(seats)]

            apart = torch.cat([engine.draw_now([order]) for order in orders(alone)])
            batched = engine.draw_now(orders(together))
            assert apart.shape == batched.shape == (18, SIZE, SIZE, 3)
            assert int((apart.int() - batched.int()).abs().max()) <= 1
        assert not torch.equal(apart[:9], apart[9:])
    finally:
        engine.close()


def test_recorded_batches_have_one_shape_a_size_and_draw_the_same(
    tiny: Networks, references: list[Reference], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a CUDA graph asks for, with a stand-in for it: three conversations are four rows, with hands or without."""
    shapes = []

    def recorded(windows: Windows) -> tuple[torch.Tensor, torch.Tensor]:
        reference = next(iter(windows.reference.keys_values.values()))[0]
        shapes.append((windows.noise.shape[0], windows.pose.shape[2], reference.shape[0]))
        return engine.model.sampler(windows)

    engine = open_engine(tiny, options())
    try:
        plain, fixed = ([engine.seat(references[0], seed=n) for n in range(3)] for _ in range(2))
        expected = [engine.draw_now([Order(seat, stretch(0, n), None) for n, seat in enumerate(plain)])]
        expected += [engine.draw_now([Order(seat, stretch(9, n), maps(n)) for n, seat in enumerate(plain)])]
        monkeypatch.setattr(engine.model, "_recorded", recorded)
        drawn = [engine.draw_now([Order(seat, stretch(0, n), None) for n, seat in enumerate(fixed)])]
        drawn += [engine.draw_now([Order(seat, stretch(9, n), maps(n)) for n, seat in enumerate(fixed)])]
    finally:
        engine.close()
    assert shapes == [(4, 12, 4)] * 2
    for one, other in zip(drawn, expected, strict=True):
        assert one.shape == (27, SIZE, SIZE, 3) and int((one.int() - other.int()).abs().max()) <= 1


def test_frames_come_to_those_who_ordered_them(engine: Engine, references: list[Reference]) -> None:
    seats = [engine.sit(references[0], seed) for seed in range(3)]
    pending = [engine.order(seat, stretch(first, n), None, 0.1 * n) for first in (0, 9) for n, seat in enumerate(seats)]
    frames = [drawing.frames() for drawing in pending]
    assert [len(each) for each in frames] == [9] * 6
    assert all(frame.shape == (SIZE, SIZE, 3) and frame.dtype == np.uint8 for each in frames for frame in each)
    again = engine.sit(references[0], 1) if engine.capacity > 3 else None
    assert again is None
    assert not np.array_equal(frames[0], frames[1]), "each has its own noise"


def test_equal_seeds_give_equal_frames(engine: Engine, references: list[Reference]) -> None:
    one, two = engine.sit(references[0], 7), engine.sit(references[0], 7)
    first, second = (engine.order(seat, stretch(0), None, 0.0).frames() for seat in (one, two))
    assert np.abs(np.stack(first).astype(int) - np.stack(second)).max() <= 1


def test_places_are_limited_and_freed(engine: Engine, references: list[Reference]) -> None:
    seats = [engine.sit(references[0], 0) for _ in range(3)]
    with pytest.raises(RendererBusy, match="3 conversations"):
        engine.sit(references[0], 0)
    engine.rise(seats[0])
    engine.sit(references[0], 0)


def test_a_place_that_is_being_given_up_is_waited_for(tiny: Networks, references: list[Reference]) -> None:
    """Where a worker is replaced, the old one may be in the middle of its last window."""
    chosen = options()
    engine = Engine(LiveModel(tiny, chosen, SIZE, CPU), chosen, capacity=1, seat_wait_s=60.0)
    try:
        first = engine.sit(references[0], 0)
        found: list[Seat] = []
        waiting = threading.Thread(target=lambda: found.append(engine.sit(references[0], 1)))
        waiting.start()
        engine.rise(first)
        waiting.join()
        assert len(found) == 1 and found[0] is not first
    finally:
        engine.close()


def test_every_size_of_a_batch_is_measured_up_to_the_largest(
    tiny: Networks, references: list[Reference], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a GPU, where each is recorded meanwhile: three together are drawn as four."""
    chosen = Options(steps=1, max_batch=3)
    engine = Engine(LiveModel(tiny, chosen, SIZE, CPU), chosen, capacity=3)
    try:
        monkeypatch.setattr(engine, "_cuda", True)
        monkeypatch.setattr(engine, "seat", engine.batch.seat)
        assert list(engine._measure()) == [1, 2, 3]
    finally:
        engine.close()


def test_one_batch_is_denoised_at_a_time_so_that_those_who_wait_are_drawn_together(
    tiny: Networks, references: list[Reference], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the device denoises a first window three others come; they are one batch, the most urgent first."""
    ready, busy = threading.Event(), threading.Event()
    drawn: list[list[int]] = []

    class SlowLanes(HostLanes):
        """The host is free at once, as beside a GPU; its turn comes when ``ready``."""

        def wait_for_turn(self) -> None:
            if drawn:
                busy.set()
                ready.wait()

    chosen = options()
    engine = Engine(LiveModel(tiny, chosen, SIZE, CPU), chosen, capacity=4, lanes=SlowLanes())
    together = engine.batch.latents

    def watched(orders: list[Order]) -> torch.Tensor:
        drawn.append([seats.index(order.seat) for order in orders])
        return together(orders)

    monkeypatch.setattr(engine.batch, "latents", watched)
    try:
        seats = [engine.sit(references[0], seed) for seed in range(4)]
        pending = [engine.order(seats[0], stretch(0), None, 0.0)]
        busy.wait()
        pending += [engine.order(seats[n], stretch(0, n), None, 1.0 - 0.1 * n) for n in (1, 2, 3)]
        ready.set()
        assert [len(drawing.frames()) for drawing in pending] == [9] * 4
        assert drawn == [[0], [3, 2, 1]]
    finally:
        ready.set()
        engine.close()


def test_what_waits_for_somebody_who_left_fails(engine: Engine, references: list[Reference]) -> None:
    seat = engine.sit(references[0], 0)
    engine.rise(seat)
    with pytest.raises(RendererFailed, match="over"):
        engine.order(seat, stretch(0), None, 0.0).frames()


def test_a_failure_is_told_to_those_it_concerns(
    engine: Engine, references: list[Reference], monkeypatch: pytest.MonkeyPatch
) -> None:
    seat = engine.sit(references[0], 0)
    monkeypatch.setattr(engine.model, "features", lambda mels: 1 / 0)
    with pytest.raises(RendererFailed, match="ZeroDivisionError"):
        engine.order(seat, stretch(0), None, 0.0).frames()
    monkeypatch.undo()
    assert len(engine.order(engine.sit(references[0], 1), stretch(0), None, 0.0).frames()) == 9


def test_a_gpu_that_failed_draws_no_more_and_says_why(
    engine: Engine, references: list[Reference], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its state is not known: who waits and who comes later are told the same."""
    seats = [engine.sit(references[0], seed) for seed in range(2)]
    monkeypatch.setattr(engine, "_cuda", True)
    monkeypatch.setattr(engine.model, "features", lambda mels: 1 / 0)
    pending = [engine.order(seat, stretch(9 * n), None, 0.0) for n in range(2) for seat in seats]
    for drawing in pending:
        with pytest.raises(RendererFailed, match="ZeroDivisionError"):
            drawing.frames()
    with pytest.raises(RendererFailed, match="ZeroDivisionError"):
        engine.order(seats[0], stretch(18), None, 0.0).frames()
    with pytest.raises(RendererFailed, match="ZeroDivisionError"):
        engine.sit(references[0], 2)


def test_memory_that_ran_out_concerns_those_who_asked_for_it(
    engine: Engine, references: list[Reference], monkeypatch: pytest.MonkeyPatch
) -> None:
    def out_of_memory(mels: object) -> torch.Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    seat = engine.sit(references[0], 0)
    monkeypatch.setattr(engine, "_cuda", True)
    with monkeypatch.context() as patch:
        patch.setattr(engine.model, "features", out_of_memory)
        with pytest.raises(RendererFailed, match="no memory left"):
            engine.order(seat, stretch(0), None, 0.0).frames()
    monkeypatch.setattr(engine, "_cuda", False)
    assert len(engine.order(engine.sit(references[0], 1), stretch(0), None, 0.0).frames()) == 9


def test_impossible_orders_are_refused(engine: Engine, references: list[Reference]) -> None:
    seat = engine.sit(references[0], 0)
    with pytest.raises(ValueError, match="does not follow"):
        engine.order(seat, stretch(1), None, 0.0)
    with pytest.raises(ValueError, match="1 to 9"):
        engine.order(seat, stretch(0, count=10), None, 0.0)


def test_capacity_is_what_was_measured(tiny: Networks, references: list[Reference]) -> None:
    """On a clock on which a window takes a tenth of a second: 0.8 * 0.36 s hold two of them."""
    now = iter(np.arange(0.0, 100.0, 0.1))
    chosen = options()
    engine = Engine(LiveModel(tiny, chosen, SIZE, CPU), chosen, clock=lambda: float(next(now)))
    try:
        assert engine.window_s == {1: pytest.approx(0.1)}
        assert engine.capacity == 2
        assert engine.lead_frames == 4
        engine.sit(references[0], 0)
        engine.sit(references[0], 1)
        assert engine.lead_frames == 6
    finally:
        engine.close()


def test_a_device_that_is_too_slow_says_what_it_does_and_what_helps(
    tiny: Networks, references: list[Reference], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = iter(np.arange(0.0, 100.0, 0.5))
    chosen = options()
    model = LiveModel(tiny, chosen, SIZE, CPU)
    monkeypatch.setattr(model, "synthetic", False)
    engine = Engine(model, chosen, clock=lambda: float(next(now)))
    try:
        with pytest.raises(RendererFailed, match=r"18\.0 frames a second"):
            engine.sit(references[0], 0)
    finally:
        engine.close()


def test_a_closed_engine_leaves_nobody_waiting(tiny: Networks, references: list[Reference]) -> None:
    engine = open_engine(tiny, options())
    seat = engine.sit(references[0], 0)
    pending = [engine.order(seat, stretch(9 * n), None, 0.0) for n in range(3)]
    engine.close()
    for drawing in pending:
        try:
            assert len(drawing.frames()) == 9
        except RendererFailed as error:
            assert "closed" in str(error)
