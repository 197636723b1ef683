"""What is made of a page's recordings of levels, frames and events."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchmarks.recordings import RATE_HZ, Utterance
from benchmarks.turn import ANSWER_S, STAGES, Run, answers_of, matches, shown_received, turns_of, voices

STEP_MS = 5.0


def levels(*sounding: tuple[float, float], until_ms: float = 60_000) -> np.ndarray:
    at = np.arange(0, until_ms, STEP_MS)
    loud = np.zeros(len(at), bool)
    for start_ms, end_ms in sounding:
        loud |= (at >= start_ms) & (at <= end_ms)
    return np.column_stack([at, np.where(loud, 0.1, 0.0)])


def utterance(seconds: float, *words: str) -> Utterance:
    return Utterance("clip", np.ones(round(seconds * RATE_HZ), np.int16), words)


def event(kind: str, at_ms: float, **fields: Any) -> dict[str, Any]:
    return {"type": kind, "at": at_ms} | fields


def run(events: list[dict[str, Any]], *, said: np.ndarray, heard: np.ndarray, frames: np.ndarray | None = None) -> Run:
    stats = {"audio": {"totalSamplesReceived": 0}, "video": {"framesDecoded": 0}}
    after = {
        "audio": {"totalSamplesReceived": 48_000, "concealedSamples": 960, "silentConcealedSamples": 480},
        "video": {"framesReceived": 1500, "framesDecoded": 1500, "freezeCount": 2},
    }
    frames = np.arange(0, 60_000, 40.0) if frames is None else frames
    return Run(said, heard, frames, events, stats, after, 60.0)


NOTICED = [event("input_audio_buffer.speech_started", 5100), event("input_audio_buffer.committed", 7500)]
TEXT = event("conversation.item.input_audio_transcription.completed", 7600, transcript="What is Parley?")
LATENCY = event("avatar.latency", 7700, stages={"endpointing": 450.0, "rendering": 60.0})


def test_an_answered_voice() -> None:
    said, heard = levels((5000, 7000)), levels((7810, 9000))
    (turn,), missed = turns_of(
        run([*NOTICED, TEXT, LATENCY], said=said, heard=heard), [utterance(2.0, "what", "is", "parley")]
    )
    assert not missed
    assert turn["seconds"] == pytest.approx(0.84)  # the first frame at or after the first sound: 7840
    assert turn["after_turn_s"] == pytest.approx(0.39)
    assert turn["stages_ms"]["transport and display"] == pytest.approx(330)
    assert set(turn["stages_ms"]) == {*STAGES, "transport and display"}
    assert (turn["words"], turn["words_found"], turn["heard"]) == (3, 3, "What is Parley?")


@pytest.mark.parametrize(
    ("events", "why"),
    [
        ([], "not noticed"),
        (NOTICED[:1], "did not end"),
        ([NOTICED[0], event("input_audio_buffer.cleared", 7400)], "taken for noise"),
        (NOTICED, "no transcript"),
        ([*NOTICED, TEXT | {"transcript": ""}], "no words"),
        ([*NOTICED, TEXT], "no answer to 'What is Parley?'"),
        ([*NOTICED, event("error", 7600, error={"message": "the model hangs"})], "the model hangs"),
        ([*NOTICED, TEXT, LATENCY], "not heard"),
    ],
)
def test_an_unanswered_voice_says_why(events: list[dict[str, Any]], why: str) -> None:
    turns, (missed,) = turns_of(run(events, said=levels((5000, 7000)), heard=levels()), [utterance(2.0)])
    assert not turns
    assert why in missed["why"]


def test_an_answer_without_a_frame() -> None:
    kept = run([*NOTICED, TEXT, LATENCY], said=levels((5000, 7000)), heard=levels((7810, 9000)), frames=np.zeros(1))
    _, (missed,) = turns_of(kept, [utterance(2.0)])
    assert "no frame" in missed["why"]


def test_a_voice_that_was_missed_does_not_shift_the_others() -> None:
    first, second = utterance(2.0, "one"), utterance(1.0, "two")
    later_ms = 5000 + (2.0 + ANSWER_S) * 1000
    third_ms = later_ms + (1.0 + ANSWER_S) * 1000
    said = levels((later_ms, later_ms + 1000), (third_ms, third_ms + 1500))
    _, missed = turns_of(run([], said=said, heard=levels()), [first, second, utterance(1.5)])
    assert [each["why"] for each in missed] == [
        "the microphone's track is silent", "the voice was not noticed", "the voice was not noticed",
    ]  # fmt: skip


def test_matches() -> None:
    assert matches([], [0.0, 10_000.0]) == [None, None]
    assert matches([700.0, 10_900.0], [0.0, 10_000.0]) == [0, 1]
    assert matches([10_900.0, 25_000.0], [0.0, 10_000.0, 24_000.0]) == [None, 0, 1]


def test_voices_are_apart_where_the_pause_is_long() -> None:
    assert voices(levels()) == []
    assert voices(levels((1000, 2000), (2500, 3000), (20_000, 21_000)), pause_ms=5000) == [
        (1000.0, 3000.0), (20_000.0, 21_000.0),
    ]  # fmt: skip


def test_answers_and_what_was_received() -> None:
    events = [
        event("output_audio_buffer.stopped", 10),
        event("output_audio_buffer.started", 10_000),
        event("output_audio_buffer.stopped", 12_000),
        event("output_audio_buffer.started", 20_000),
        event("output_audio_buffer.cleared", 21_000),
        event("output_audio_buffer.started", 30_000),
    ]
    assert answers_of(events) == [(10_000, 12_000), (20_000, 21_000)]
    text = shown_received(run(events, said=levels(), heard=levels()))
    assert "25.0 decoded" in text and "2 freezes" in text and "1.00% of the sound concealed" in text
    assert "24.3 shown" in text or "24.7 shown" in text
