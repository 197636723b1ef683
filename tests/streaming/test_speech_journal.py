from __future__ import annotations

import numpy as np
import pytest

from avatar.speech import Phoneme, SpeechChunk
from streaming.speech_journal import Remainder, SpeechJournal, cut


def chunk(start: int, samples: int, phonemes: tuple[Phoneme, ...] | None = None) -> SpeechChunk:
    """Samples numbered from ``start``."""
    return SpeechChunk(np.arange(start, start + samples, dtype=np.int16), "en", phonemes)


def samples(remainder: Remainder) -> list[int]:
    return [int(sample) for part in remainder.chunks for sample in part.pcm48k]


def test_what_has_not_come_back_remains() -> None:
    journal = SpeechJournal()
    journal.speak(1, chunk(0, 100))
    journal.speak(1, chunk(100, 100))
    assert journal.made(1, 60, last=False) == 0
    assert journal.made(1, 60, last=False) == 60
    (left,) = journal.remainder()
    assert (left.utterance, left.position, left.finished) == (1, 120, False)
    assert samples(left) == list(range(120, 200))
    assert samples(next(journal.remainder())) == list(range(120, 200)), "reading it changes nothing"


def test_utterances_follow_one_another() -> None:
    journal = SpeechJournal()
    assert not journal
    journal.speak(1, chunk(0, 10))
    journal.finish(1)
    journal.speak(2, chunk(0, 20))
    assert [(left.utterance, left.position, left.finished) for left in journal.remainder()] == [
        (1, 0, True),
        (2, 0, False),
    ]
    journal.made(1, 10, last=True)
    assert [left.utterance for left in journal.remainder()] == [2]
    assert journal.made(2, 20, last=False) == 0
    assert [samples(left) for left in journal.remainder()] == [[]]
    assert journal, "an utterance that is not finished is not over"
    journal.finish(2)
    journal.made(2, 0, last=True)
    assert not journal


def test_what_is_over_takes_no_more() -> None:
    journal = SpeechJournal()
    assert journal.finish(1)
    assert not journal.finish(1) and not journal.speak(1, chunk(0, 1))
    journal.made(1, 0, last=True)
    assert not journal.finish(1) and not journal.speak(1, chunk(0, 1))
    journal.speak(2, chunk(0, 1))
    journal.speak(4, chunk(0, 1))
    journal.clear()
    assert not journal
    assert not journal.speak(3, chunk(0, 1)) and not journal.finish(4)
    journal.clear()
    assert journal.speak(5, chunk(0, 1))


def test_a_beat_that_was_not_asked_for_is_an_error() -> None:
    journal = SpeechJournal()
    with pytest.raises(ValueError, match="utterance 1"):
        journal.made(1, 10, last=False)
    journal.speak(2, chunk(0, 1))
    with pytest.raises(ValueError, match="utterance 1"):
        journal.made(1, 10, last=False)


def test_timings_move_with_the_sound() -> None:
    timed = chunk(0, 4800, (Phoneme("a", 0, 20), Phoneme("b", 20, 60, True), Phoneme("c", 60, 100)))
    left = cut(timed, 1920)
    assert left.phonemes == (Phoneme("b", 0, 20, True), Phoneme("c", 20, 60))
    assert left.pcm48k[0] == 1920 and len(left.pcm48k) == 2880
    assert cut(timed, 0) is timed
    assert cut(chunk(0, 10), 5).phonemes is None
