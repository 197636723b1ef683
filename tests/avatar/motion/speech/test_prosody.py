"""Accents and pauses, from timings and by ear, and when the body is told of them."""

from __future__ import annotations

import numpy as np
import pytest

from avatar.motion.speech.loudness import VoiceLevel, envelope_db
from avatar.motion.speech.prosody import listen
from avatar.motion.speech.segments import plan_chunk
from avatar.motion.speech.track import SpeechMoment, SpeechTrack
from avatar.speech import Phoneme, SpeechChunk
from tests.avatar.motion.speech_material import spoken


def bursts(*levels: float, on_ms: int = 150, off_ms: int = 250) -> np.ndarray:
    rng = np.random.default_rng(0)
    parts = []
    for level in levels:
        parts.append(rng.standard_normal(on_ms * 48) * level)
        parts.append(np.zeros(off_ms * 48))
    return np.concatenate(parts).astype(np.int16)


def test_envelope_is_decibels_of_full_scale() -> None:
    pcm = np.full(480 * 3 + 7, 3277, np.int16)
    assert len(envelope_db(pcm)) == 4
    assert envelope_db(pcm)[0] == pytest.approx(-20, abs=0.1)
    assert envelope_db(np.zeros(10, np.int16))[0] == pytest.approx(-100)


def test_loud_syllables_are_heard_as_accents_and_quiet_as_pauses() -> None:
    heard = listen(bursts(3000, 3000, 300, 3000), 1000.0, VoiceLevel())
    assert [round((a.at_ms - 1000) / 400) for a in heard.accents] == [0, 1, 3]
    assert len(heard.pauses) == 4
    begin, end = heard.pauses[0]
    assert begin == pytest.approx(1150, abs=25) and end == pytest.approx(1400, abs=25)


def test_silence_has_no_accents() -> None:
    heard = listen(np.zeros(48_000, np.int16), 0.0, VoiceLevel())
    assert not heard.accents and heard.pauses == [(0.0, 1000.0)]


def test_stressed_vowels_are_accents_and_long_silences_pauses() -> None:
    phonemes = (Phoneme("t", 0, 80), Phoneme("ɑː", 80, 240, True), Phoneme("", 240, 300), Phoneme("ə", 300, 400),
                Phoneme("", 400, 700))  # fmt: skip
    plan = plan_chunk(SpeechChunk(np.zeros(48 * 700, np.int16), "en", phonemes), 500.0, VoiceLevel())
    assert [a.at_ms for a in plan.prosody.accents] == [580.0]
    assert plan.prosody.pauses == [(900.0, 1200.0)]


def moments(track: SpeechTrack) -> list[SpeechMoment]:
    return [track.next().moment for _ in range(track.ready())]


@pytest.mark.parametrize("timed", [True, False])
def test_each_accent_and_each_pause_is_told_once_and_in_time(timed: bool) -> None:
    chunk = spoken([("k", 100.0), ("a", 200.0), ("n", 100.0), ("ə", 100.0), ("", 300.0)] * 6)
    if not timed:
        chunk = SpeechChunk(bursts(*[3000.0] * 12), "en", None)
    track = SpeechTrack()
    half = len(chunk.pcm48k) // 2
    if timed:
        track.push(chunk)
    else:  # the seam falls into a pause, which stays one pause
        for pcm in (chunk.pcm48k[:half], chunk.pcm48k[half:]):
            track.push(SpeechChunk(pcm, "en", None))
    track.finish()
    told = moments(track)
    accents = [notice for moment in told for _, notice in moment.accents]
    assert len(accents) == (sum(p.stressed for p in chunk.phonemes or () if p.symbol in ("a", "ə")) if timed else 12)
    assert max(accents) <= 200.0 and min(accents[1:]) > 140.0
    assert sum(moment.phrase_ends for moment in told) == (6 if timed else 12)
    assert all(moment.pausing for moment in told if moment.phrase_ends)


def test_the_end_is_seen_coming_once_it_is_known() -> None:
    track = SpeechTrack()
    track.push(spoken([("a", 400.0)]))
    first = track.next().moment
    assert not first.complete and first.remaining_ms == pytest.approx(360)
    assert track.expects_more
    track.finish()
    second = track.next().moment
    assert second.complete and second.remaining_ms == pytest.approx(320)
    assert not track.expects_more
    track.clear()
    assert not track.expects_more and track.ready() == 0
