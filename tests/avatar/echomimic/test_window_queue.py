"""Whose windows are drawn next, and with whose."""

from __future__ import annotations

from avatar.echomimic.window_queue import Waiting, WindowQueue


def put(queue: WindowQueue[str], who: str, item: str, due_s: float, alike: object = None) -> None:
    queue.put(who, Waiting(due_s, alike, item))


def test_the_most_urgent_comes_first_and_takes_others_along() -> None:
    queue: WindowQueue[str] = WindowQueue()
    put(queue, "a", "a1", 3.0)
    put(queue, "b", "b1", 1.0)
    put(queue, "c", "c1", 2.0)
    assert queue.take(2) == ["b1", "c1"]
    assert queue.take(2) == ["a1"] and queue.take(2) == []


def test_windows_of_one_conversation_never_share_a_batch() -> None:
    queue: WindowQueue[str] = WindowQueue()
    for number in range(3):
        put(queue, "a", f"a{number}", 0.1 * number)
    put(queue, "b", "b0", 9.0)
    assert [queue.take(4) for _ in range(3)] == [["a0", "b0"], ["a1"], ["a2"]]


def test_windows_of_another_kind_wait_for_their_own_batch() -> None:
    queue: WindowQueue[str] = WindowQueue()
    put(queue, "a", "a", 1.0, alike=True)
    put(queue, "b", "b", 2.0, alike=False)
    put(queue, "c", "c", 3.0, alike=True)
    assert queue.take(4) == ["a", "c"] and queue.take(4) == ["b"]


def test_the_most_urgent_decides_the_kind() -> None:
    queue: WindowQueue[str] = WindowQueue()
    for n in range(5):
        put(queue, f"many{n}", f"many{n}", 5.0 + n, alike="many")
    put(queue, "one", "one", 1.0, alike="one")
    assert queue.take(8) == ["one"]


def test_nobody_waits_for_ever() -> None:
    """Five ask again as soon as they are served; the sixth's time comes all the same."""
    queue: WindowQueue[str] = WindowQueue()
    put(queue, "patient", "patient", 1.0)
    for n in range(5):
        put(queue, f"eager{n}", f"eager{n}", 0.0)
    served: list[str] = []
    now = 0.0
    while "patient" not in served:
        batch = queue.take(1)
        served += batch
        now += 0.1
        put(queue, batch[0], batch[0], now + 0.36)
        assert len(served) < 30
    assert len(served) < 15


def test_who_leaves_takes_what_waits_along() -> None:
    queue: WindowQueue[str] = WindowQueue()
    put(queue, "a", "a0", 1.0)
    put(queue, "a", "a1", 2.0)
    put(queue, "b", "b0", 3.0)
    assert len(queue) == 3
    assert queue.forget("a") == ["a0", "a1"] and queue.forget("a") == []
    assert queue.take(4) == ["b0"]
