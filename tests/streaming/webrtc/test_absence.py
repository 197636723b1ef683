from __future__ import annotations

import pytest

from streaming.webrtc.absence import MAX_PAUSE_S, PAUSE_S, Absence


def told(packets: list[int]) -> list[float]:
    """What is told, looking every 100 ms."""
    absence = Absence()
    return [absence.look(7 + number / 10, count) for number, count in enumerate(packets)]


def test_a_microphone_that_was_never_there_is_not_missed() -> None:
    assert not any(told([0] * 100))


def test_sound_that_comes_is_not_missed() -> None:
    assert not any(told(list(range(100))))


def test_a_hiccup_is_no_pause() -> None:
    assert not any(told([5, 5, 9, 9, 14]))


def test_all_of_a_pause_is_told_but_no_more_than_a_turn_needs() -> None:
    silence = told([5] * 100)
    assert silence[:2] == [0, 0] and silence[2] == pytest.approx(PAUSE_S)
    assert sum(silence) == pytest.approx(MAX_PAUSE_S, abs=0.11)


def test_each_pause_is_told_for_itself() -> None:
    assert sum(told([5] * 11 + [20] * 11)) == pytest.approx(2.0)
