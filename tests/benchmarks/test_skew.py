"""Skew and slope, and the beats they are measured with."""

from __future__ import annotations

import numpy as np
import pytest

from avatar.speech import BEAT_SAMPLES, SpeechChunk
from benchmarks.chromium import ChromiumMissing
from benchmarks.flash import CLICK, FLASH_BEATS, PERIOD_BEATS, TONE, FlashBeats, make_tone
from benchmarks.skew import measure, pairs, playout_skew, slope_a_minute
from streaming.workers.pool import WorkerSpec


def speech(beats: int) -> SpeechChunk:
    return SpeechChunk(np.full(beats * BEAT_SAMPLES, 100, np.int16), "en")


def test_flash_and_click_share_a_beat() -> None:
    maker = FlashBeats(64)
    idle = maker.next()
    assert idle.speech_samples == 0 and idle.frame.max() < 64 and not idle.pcm48k.any()
    maker.push(speech(2 * PERIOD_BEATS))
    maker.finish()
    beats = [maker.next() for _ in range(2 * PERIOD_BEATS)]
    clicks = [number for number, beat in enumerate(beats) if beat.pcm48k.any()]
    white = [number for number, beat in enumerate(beats) if beat.frame.min() > 128]
    assert clicks == [0, PERIOD_BEATS]
    assert white == [*range(FLASH_BEATS), *range(PERIOD_BEATS, PERIOD_BEATS + FLASH_BEATS)]
    assert np.array_equal(beats[0].pcm48k[: len(CLICK)], CLICK)
    assert beats[-1].last


def test_a_persona_with_a_tone_for_a_voice() -> None:
    from avatar.persona import find_persona

    maker = make_tone(WorkerSpec(find_persona("helen").path, size=256))
    maker.push(speech(2))
    maker.finish()
    first, second, idle = maker.next(), maker.next(), maker.next()
    assert np.array_equal(first.pcm48k, TONE) and second.last and maker.queued_samples == 0
    assert first.frame.shape == (256, 256, 3) and not idle.pcm48k.any()


def test_playout_skew() -> None:
    assert (
        playout_skew({"audio": {"estimatedPlayoutTimestamp": 1020.0}, "video": {"estimatedPlayoutTimestamp": 1000.0}})
        == 20
    )
    assert playout_skew({"audio": {"estimatedPlayoutTimestamp": 1020.0}, "video": {}}) is None
    assert playout_skew({}) is None


def test_pairs() -> None:
    clicks = np.array([1000.0, 2000.0, 3000.0])
    assert pairs(np.array([1030.0, 2990.0]), clicks).tolist() == [[0.0, 30.0], [2.0, -10.0]]
    assert pairs(np.zeros(0), clicks).shape == (0, 2)


def test_slope_is_not_moved_by_outliers() -> None:
    at = np.arange(0, 600, 1.0)
    points = np.column_stack([at, 5 + 0.5 * at / 60])
    points[::10, 1] += 300
    assert slope_a_minute(points) == pytest.approx(0.5, abs=0.05)
    assert np.isnan(slope_a_minute(points[:1]))


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_a_short_run() -> None:
    try:
        report = await measure(minutes=0.15)
    except ChromiumMissing as missing:
        pytest.skip(str(missing))
    displayed = np.array(report.data["displayed"])
    assert len(displayed) >= 6 and len(report.data["playout"]) >= 4
    assert np.median(np.abs(displayed[:, 1])) < 200
