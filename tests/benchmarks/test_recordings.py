"""Utterances and words are cut where the alignment says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.recordings import (
    RATE_HZ,
    NoRecordings,
    Word,
    dictionary,
    single_words,
    spell,
    utterances,
    words_found,
    write_wav,
)

TWO = [
    ["SIL", 0.0, 0.5], ["AA", 0.5, 1.0], ["B", 1.0, 1.2], ["AA", 1.3, 1.7], ["SIL", 1.7, 2.5], ["B", 2.5, 2.8], ["AA", 2.8, 3.8],
]  # fmt: skip
SAID_AS = {"ab": [("AA", "B")], "a": [("AA",)], "ba": [("B",), ("B", "AA")]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "aligned").mkdir()
    write_wav(tmp_path / "clip.wav", np.arange(4 * RATE_HZ).astype(np.int16))
    told = {"transcript": "are you", "phonemes": TWO}
    (tmp_path / "aligned" / "clip.json").write_text(json.dumps(told))
    (tmp_path / "aligned" / "gone.json").write_text(json.dumps(told))
    return tmp_path


def test_cut_at_pauses(folder: Path) -> None:
    first, second = utterances(folder)
    assert first.seconds == pytest.approx(1.28) and second.seconds == pytest.approx(1.38)
    assert first.lead_s == pytest.approx(0.08)
    assert first.words == ()  # "are you" does not fit its phonemes


def test_words_fit_their_phonemes() -> None:
    phonemes = [(symbol, start, end) for symbol, start, end in TWO]
    assert spell("Ab a ba", phonemes, SAID_AS) == [  # type: ignore[arg-type]
        Word("ab", 0.5, 1.2), Word("a", 1.3, 1.7), Word("ba", 2.5, 3.8),
    ]  # fmt: skip
    assert spell("ab a", phonemes, SAID_AS) == []  # type: ignore[arg-type]
    assert spell("unknown", phonemes, SAID_AS) == []  # type: ignore[arg-type]


def test_the_dictionary_knows_other_ways_to_say_a_word() -> None:
    assert len(dictionary()["a"]) >= 2


def test_words_found() -> None:
    assert words_found(("what", "is", "parley"), "What, parley?") == 2
    assert words_found(("what",), "") == 0
    assert words_found((), "anything") == 0


def test_no_recordings(tmp_path: Path) -> None:
    for read in (utterances, single_words):
        with pytest.raises(NoRecordings, match="--recordings"):
            read(tmp_path)
