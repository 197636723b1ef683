"""What is made of levels and events around interruptions; the short sounds are short."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.bargein import AFTER_S, SPEAKING_S, interruptions, words_until
from benchmarks.false_stops import cough, knock
from benchmarks.recordings import RATE_HZ, Utterance

GAP_MS = (SPEAKING_S + AFTER_S) * 1000


def track(*steps: tuple[float, float], until_ms: float = 30_000) -> np.ndarray:
    """Loudness from each time on."""
    at = np.arange(0, until_ms, 5.0)
    level = np.zeros(len(at))
    for start_ms, value in steps:
        level[at >= start_ms] = value
    return np.column_stack([at, level])


def caption(item: str, number: int) -> dict[str, Any]:
    times = {"start_ms": number * 500.0, "end_ms": number * 500.0 + 400}
    return {"type": "avatar.caption", "at": 6000 + number * 500, "item_id": item, "text": f"word{number} "} | times


def truncated(item: str, at_ms: float, words: int) -> list[dict[str, Any]]:
    text = " ".join(f"word{number}" for number in range(words))
    return [
        {"type": "conversation.item.truncated", "at": at_ms, "item_id": item, "audio_end_ms": 0},
        {"type": "conversation.item.retrieved", "at": 29_000, "item": {"id": item, "content": [{"transcript": text}]}},
    ]


VOICE = Utterance("clip", np.ones(2 * RATE_HZ, np.int16), lead_s=0.08)
SPEAKING = (6000.0, 0.2)
FULL_STOP = (10_600.0, 0.0)


def test_ducked_then_silent() -> None:
    said = track((9990, 0.05), (12_000, 0.0))  # noise before the voice: its end is what counts
    heard = track(SPEAKING, (10_250, 0.025), FULL_STOP)
    events = [*(caption("item", n) for n in range(10)), *truncated("item", 10_650, 9)]
    (trial,) = interruptions(said, heard, events, [VOICE])
    assert trial["ducked_ms"] == pytest.approx(175, abs=6)  # the first phoneme is at 10 075
    assert trial["silent_ms"] == pytest.approx(525, abs=6)
    assert (trial["heard_words"], trial["kept_words"]) == (9, 9)  # 4.6 s heard; the tenth word's middle is at 4.7 s


def test_a_dip_is_not_ducked() -> None:
    heard = track(SPEAKING, (10_100, 0.0), (10_150, 0.2), (10_400, 0.02), FULL_STOP)
    (trial,) = interruptions(track((10_000, 0.1), (12_000, 0.0)), heard, truncated("item", 10_650, 1), [VOICE])
    assert trial["ducked_ms"] == pytest.approx(325, abs=6)


@pytest.mark.parametrize(
    ("heard", "noticed", "why"),
    [
        (track(), True, "was not speaking"),
        (track(SPEAKING), False, "not noticed"),
        (track(SPEAKING, (10_300, 0.02), (11_000, 0.2)), True, "spoke on"),
    ],
)
def test_not_interrupted(heard: np.ndarray, noticed: bool, why: str) -> None:
    events = [{"type": "input_audio_buffer.speech_started", "at": 10_200}] if noticed else []
    (trial,) = interruptions(track((10_000, 0.1), (12_000, 0.0)), heard, events, [VOICE])
    assert why in trial["why"]


def test_a_voice_that_the_track_does_not_hold() -> None:
    said = track((10_000, 0.1), (12_000, 0.0), (12_000 + GAP_MS, 0.1), (14_000 + GAP_MS, 0.0))
    trials = interruptions(said, track(SPEAKING), [], [VOICE, VOICE, VOICE])
    assert "the microphone's track is silent" in [trial["why"] for trial in trials]


def test_words_until() -> None:
    captions = [caption("item", n) for n in range(4)]
    assert [words_until(captions, ms) for ms in (0, 199, 200, 1200, 9000)] == [0, 0, 1, 3, 4]


@pytest.mark.parametrize("make", [cough, knock])
def test_short_sounds(make: Any) -> None:
    for seed in range(5):
        pcm = make(seed)
        assert pcm.dtype == np.int16 and 0.1 < len(pcm) / 16_000 < 0.7 and np.abs(pcm.astype(int)).max() > 1000


def test_single_words_of_people(shared: Path) -> None:
    from benchmarks.recordings import single_words

    words = single_words(shared / "samples" / "speech")
    assert len(words) >= 20
    assert all(0.2 <= word.seconds <= 0.451 and len(word.words) == 1 for word in words)
