"""The scheduler inside a helper process, with an engine that takes one sample a slice."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from streaming.hearing.helper_main import Scheduler
from streaming.hearing.segment import Heard


@dataclass
class CountingSegment:
    log: list[str]
    name: str
    waiting: int = 0
    done: int = 0
    fails: bool = False
    closed: bool = False

    def feed(self, pcm16k: NDArray[np.int16]) -> None:
        self.waiting += len(pcm16k)

    def work(self, *, urgent: bool) -> bool:
        if self.fails:
            raise RuntimeError("the decoder broke")
        if not self.waiting:
            return False
        self.log.append(self.name + ("!" if urgent else ""))
        self.waiting -= 1
        self.done += 1
        return self.waiting > 0

    def finish(self) -> Heard:
        return Heard(f"{self.name} {self.done}", "en", self.done)

    def settled(self) -> str:
        return "settled" if self.done >= 3 else ""

    def close(self) -> None:
        self.closed = True


@dataclass
class CountingEngine:
    log: list[str] = field(default_factory=list)
    segments: list[CountingSegment] = field(default_factory=list)

    def load(self) -> None: ...

    def open(self, language: str | None) -> CountingSegment:
        if language == "xx":
            raise ValueError("no such language")
        self.segments.append(CountingSegment(self.log, "abc"[len(self.segments)]))
        return self.segments[-1]


@pytest.fixture
def engine() -> CountingEngine:
    return CountingEngine()


@pytest.fixture
def scheduler(engine: CountingEngine) -> Scheduler:
    return Scheduler(engine)


def sound(samples: int) -> bytes:
    return np.zeros(samples, np.int16).tobytes()


def run(scheduler: Scheduler) -> list[list[Any]]:
    out: list[list[Any]] = []
    while True:
        out += scheduler.step()
        if scheduler.idle:
            return out


def test_segments_take_turns(engine: CountingEngine, scheduler: Scheduler) -> None:
    for number in (1, 2):
        scheduler.handle(["open", number, None])
        scheduler.handle(["feed", number, sound(3)])
    assert run(scheduler) == [["settled", 1, "settled"], ["settled", 2, "settled"]]
    assert engine.log == ["a", "b", "a", "b", "a", "b"]


def test_whoever_waits_for_a_text_comes_first(engine: CountingEngine, scheduler: Scheduler) -> None:
    for number in (1, 2):
        scheduler.handle(["open", number, None])
        scheduler.handle(["feed", number, sound(2)])
    scheduler.handle(["transcribe", 2, 77])
    scheduler.handle(["transcribe", 2, 78])
    assert run(scheduler) == [["text", 2, 77, "b 2", "en", 2], ["text", 2, 78, "b 2", "en", 2]]
    assert engine.log == ["b!", "b!", "a", "a"]


def test_two_who_wait_take_turns(engine: CountingEngine, scheduler: Scheduler) -> None:
    for number in (1, 2):
        scheduler.handle(["open", number, None])
        scheduler.handle(["feed", number, sound(2)])
        scheduler.handle(["transcribe", number, 0])
    run(scheduler)
    assert engine.log == ["a!", "b!", "a!", "b!"]


def test_sound_that_keeps_coming_does_not_put_the_text_off(scheduler: Scheduler) -> None:
    """An engine slower than speech would otherwise never answer."""
    scheduler.handle(["open", 1, None])
    scheduler.handle(["feed", 1, sound(3)])
    scheduler.handle(["transcribe", 1, 5])
    out: list[list[Any]] = []
    for _ in range(12):
        scheduler.handle(["feed", 1, sound(2)])
        out += scheduler.step()
    assert [message for message in out if message[0] == "text"] == [["text", 1, 5, "a 3", "en", 3]]


def test_each_request_covers_what_came_before_it(scheduler: Scheduler) -> None:
    scheduler.handle(["open", 1, None])
    for request in (1, 2, 3):
        scheduler.handle(["feed", 1, sound(1)])
        scheduler.handle(["transcribe", 1, request])
    scheduler.handle(["transcribe", 1, 4])
    assert [message[2:4] for message in run(scheduler) if message[0] == "text"] == [
        [1, "a 1"],
        [2, "a 2"],
        [3, "a 3"],
        [4, "a 3"],
    ]


def test_cancelling_lets_later_sound_and_requests_through(scheduler: Scheduler) -> None:
    scheduler.handle(["open", 1, None])
    for request in (1, 2, 3):
        scheduler.handle(["feed", 1, sound(1)])
        scheduler.handle(["transcribe", 1, request])
    scheduler.handle(["cancel", 1, 2])
    scheduler.handle(["cancel", 1, 1])
    assert [message[2:4] for message in run(scheduler) if message[0] == "text"] == [[3, "a 3"]]


def test_a_cancelled_request_is_not_answered(engine: CountingEngine, scheduler: Scheduler) -> None:
    scheduler.handle(["open", 1, None])
    scheduler.handle(["feed", 1, sound(1)])
    scheduler.handle(["transcribe", 1, 5])
    scheduler.handle(["cancel", 1, 5])
    scheduler.handle(["cancel", 1, 6])
    assert run(scheduler) == []
    assert engine.log == ["a"]


def test_a_failing_segment_takes_no_other_with_it(engine: CountingEngine, scheduler: Scheduler) -> None:
    for number in (1, 2):
        scheduler.handle(["open", number, None])
        scheduler.handle(["feed", number, sound(1)])
    engine.segments[0].fails = True
    scheduler.handle(["transcribe", 2, 9])
    out = run(scheduler)
    assert ["failed", 1, "RuntimeError: the decoder broke"] in out
    assert ["text", 2, 9, "b 1", "en", 1] in out
    for message in (["feed", 1, sound(1)], ["transcribe", 1, 3], ["close", 1]):
        assert scheduler.handle(message) == []
    assert run(scheduler) == []


def test_a_segment_that_cannot_be_opened(scheduler: Scheduler) -> None:
    assert scheduler.handle(["open", 1, "xx"]) == [["failed", 1, "ValueError: no such language"]]


def test_closing_frees_the_segment(engine: CountingEngine, scheduler: Scheduler) -> None:
    scheduler.handle(["open", 1, None])
    scheduler.handle(["feed", 1, sound(9)])
    scheduler.handle(["close", 1])
    assert run(scheduler) == [] and engine.segments[0].closed


def test_unknown_messages_are_told(scheduler: Scheduler) -> None:
    scheduler.handle(["open", 1, None])
    assert scheduler.handle(["dance", 1])[0][0] == "failed"
