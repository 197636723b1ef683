"""The order in which a GPU is given work, with a stand-in for it that writes down what it is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the gpu extra is not installed")

from avatar.echomimic.lanes import CudaLanes, HostLanes, lanes_of  # noqa: E402


class FakeCuda:
    """Streams are numbers in order of creation; ``told`` is what happened, in order."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.current = "default"
        self.streams = 0

    def Stream(self) -> FakeStream:
        self.streams += 1
        return FakeStream(self, f"stream {self.streams}")

    def Event(self, *, blocking: bool) -> FakeEvent:
        assert blocking, "a host that waits does not spin"
        return FakeEvent(self)

    def current_stream(self) -> FakeStream:
        return FakeStream(self, self.current)

    @contextmanager
    def stream(self, stream: FakeStream) -> Iterator[None]:
        before, self.current = self.current, stream.name
        yield
        self.current = before


class FakeStream:
    def __init__(self, cuda: FakeCuda, name: str) -> None:
        self.cuda, self.name = cuda, name

    def wait_stream(self, other: FakeStream) -> None:
        self.cuda.told.append(f"{self.name} waits for {other.name}")

    def wait_event(self, event: FakeEvent) -> None:
        self.cuda.told.append(f"{self.name} waits for {event.after}")


class FakeEvent:
    def __init__(self, cuda: FakeCuda) -> None:
        self.cuda, self.after = cuda, ""

    def record(self, stream: FakeStream) -> None:
        assert self.cuda.current == stream.name
        self.after = self.cuda.told[-1]

    def synchronize(self) -> None:
        self.cuda.told.append(f"host waits for {self.after}")


class Latents:
    def __init__(self, cuda: FakeCuda, number: int) -> None:
        self.cuda, self.number = cuda, number

    def record_stream(self, stream: FakeStream) -> None:
        self.cuda.told.append(f"latents {self.number} kept for {stream.name}")


class Frames:
    shape = (9, 64, 64, 3)


class Host:
    def __init__(self, cuda: FakeCuda) -> None:
        self.cuda = cuda

    def copy_(self, frames: Frames, *, non_blocking: bool) -> None:
        assert non_blocking
        self.cuda.told.append(f"copied on {self.cuda.current}")


def lanes(cuda: FakeCuda) -> tuple[CudaLanes, Any]:
    made = CudaLanes(cuda, lambda shape: Host(cuda))  # type: ignore[arg-type, return-value]

    def draw(number: int) -> Any:
        def denoise() -> Any:
            cuda.told.append(f"denoise {number} on {cuda.current}")
            return Latents(cuda, number)

        def decode(latents: Any) -> Any:
            cuda.told.append(f"decode {latents.number} on {cuda.current}")
            return Frames()

        return made.draw(denoise, decode)

    return made, draw


def test_decoding_waits_for_its_latents_on_a_stream_of_its_own_and_the_host_for_nothing() -> None:
    cuda = FakeCuda()
    _, draw = lanes(cuda)
    draw(1)
    assert cuda.told == [
        "denoise 1 on stream 1",
        "stream 2 waits for denoise 1 on stream 1",
        "latents 1 kept for stream 2",
        "decode 1 on stream 2",
        "copied on stream 2",
    ]


def test_the_next_batch_is_chosen_when_the_last_is_denoised_not_when_it_is_decoded() -> None:
    cuda = FakeCuda()
    both, draw = lanes(cuda)
    both.wait_for_turn()
    assert not cuda.told, "nothing is under way"
    draw(1)
    both.wait_for_turn()
    draw(2)
    assert cuda.told[5:7] == ["host waits for denoise 1 on stream 1", "denoise 2 on stream 1"]
    assert cuda.told.index("host waits for denoise 1 on stream 1") > cuda.told.index("decode 1 on stream 2")


def test_frames_are_there_when_they_are_copied() -> None:
    cuda = FakeCuda()
    _, draw = lanes(cuda)
    coming = draw(1)
    assert isinstance(coming.frames(), Host)
    assert cuda.told[-1] == "host waits for copied on stream 2"


def test_what_was_made_elsewhere_is_complete_and_kept_before_it_is_read() -> None:
    """A persona's keys come from the thread that opened it, on the default stream."""
    cuda = FakeCuda()
    both, _ = lanes(cuda)

    def make() -> str:
        cuda.told.append(f"seat on {cuda.current}")
        return "seat"

    assert both.prepare(make, [Latents(cuda, 7)]) == "seat"  # type: ignore[list-item]
    assert cuda.told == ["stream 1 waits for default", "latents 7 kept for stream 1", "seat on stream 1"]


def test_a_cpu_does_one_thing_after_the_other() -> None:
    host = lanes_of(torch.device("cpu"))
    assert isinstance(host, HostLanes)
    host.wait_for_turn()
    assert host.prepare(lambda: 3, []) == 3
    assert torch.equal(host.draw(lambda: torch.ones(2), lambda latents: latents * 2).frames(), torch.full((2,), 2.0))
