"""Whole utterances: contacts are made, rounding anticipates, nothing jumps, splitting changes nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avatar.motion.motion import INDEX
from avatar.motion.rules import RuleMotionSource
from avatar.motion.speech.loudness import VoiceLevel
from avatar.motion.speech.mouth import MOUTH_CHANNELS, measures
from avatar.motion.speech.segments import plan_chunk
from avatar.speech import Phoneme, SpeechChunk
from tests.avatar.motion.speech_material import BILABIALS, spoken, utterances

MOUTH = [INDEX[name] for name in MOUTH_CHANNELS]

LARGEST_STEP = {"opening": 0.45, "width": 0.4, "rounding": 0.36}
"""Of what a viewer sees, a frame. Lips close at up to 200 mm a second: 8 mm a frame, a third of the jaw's range and more."""


def speak(chunk: SpeechChunk, *, finish: bool = True) -> np.ndarray:
    source = RuleMotionSource(1)
    source.push(chunk)
    if finish:
        source.finish()
    return source.take(source.ready(), speaking=True).values


def sealed_frames(values: np.ndarray) -> np.ndarray:
    parted = sum(values[:, INDEX[n]] for n in ("mouthFunnel", "mouthUpperUpLeft", "mouthLowerDownLeft"))
    return (values[:, INDEX["mouthClose"]] >= values[:, INDEX["jawOpen"]] - 1e-6) & (parted < 1e-6)


def around(phoneme: Phoneme, frames: int) -> slice:
    """Frames a closure of this phoneme may be seen in: its own, its release's gap, one frame either side."""
    first = max(int((phoneme.start_ms - 55.0) // 40) - 1, 0)
    return slice(first, min(int(phoneme.end_ms // 40) + 2, frames))


@settings(max_examples=120, deadline=None)
@given(utterances(), st.booleans(), st.booleans())
def test_bilabials_always_close(symbols: list[tuple[str, float]], noise: bool, finish: bool) -> None:
    chunk = spoken(symbols, noise=noise, tail_ms=0 if finish else 45)
    values = speak(chunk, finish=finish)
    sealed = sealed_frames(values)
    for phoneme in chunk.phonemes or ():
        if phoneme.symbol in BILABIALS:
            assert sealed[around(phoneme, len(values))].any(), phoneme


@settings(max_examples=60, deadline=None)
@given(utterances(longest_ms=60.0))
def test_bilabials_close_at_twenty_sounds_a_second(symbols: list[tuple[str, float]]) -> None:
    chunk = spoken([(symbol, 50.0) for symbol, _ in symbols])
    values = speak(chunk)
    sealed = sealed_frames(values)
    for phoneme in chunk.phonemes or ():
        if phoneme.symbol in BILABIALS:
            assert sealed[around(phoneme, len(values))].any(), phoneme


@pytest.mark.parametrize("length_ms", [5.0, 12.0, 30.0])
@pytest.mark.parametrize("lead_ms", range(240, 281, 8))
def test_a_closure_shorter_than_a_frame_is_never_missed(length_ms: float, lead_ms: int) -> None:
    chunk = spoken([("a", float(lead_ms)), ("m", length_ms), ("a", 260.0)])
    values = speak(chunk)
    assert sealed_frames(values)[5:8].any()
    opening = measures(values)["opening"]
    assert opening[2:5].max() > 0.2 and opening[8:11].max() > 0.2, "and the vowels around it are open"


@settings(max_examples=60, deadline=None)
@given(utterances())
def test_f_and_v_touch_the_teeth(symbols: list[tuple[str, float]]) -> None:
    chunk = spoken(symbols)
    values = speak(chunk)
    tucked = values[:, INDEX["mouthRollLower"]] >= 0.65 - 1e-6
    for phoneme in chunk.phonemes or ():
        if phoneme.symbol in ("f", "v"):
            assert tucked[around(phoneme, len(values))].any(), phoneme


@settings(max_examples=80, deadline=None)
@given(utterances(), st.booleans(), st.integers(0, 40))
def test_nothing_jumps_into_through_or_out_of_speech(
    symbols: list[tuple[str, float]], noise: bool, interrupted_after: int
) -> None:
    source = RuleMotionSource(5)
    parts = [source.take(3, speaking=False).values]
    source.push(spoken(symbols, noise=noise))
    source.finish()
    parts.append(source.take(min(source.ready(), interrupted_after), speaking=True).values)
    source.clear()
    parts.append(source.take(15, speaking=False).values)
    values = np.concatenate(parts)
    for name, curve in measures(values).items():
        assert np.abs(np.diff(curve)).max() <= LARGEST_STEP[name], name
    assert np.abs(values[-1, MOUTH]).max() < 0.15, "and the mouth has come to rest"


def test_after_an_interruption_the_mouth_shuts_within_a_few_frames() -> None:
    source = RuleMotionSource(2)
    source.push(spoken([("a", 2000.0)]))
    opened = measures(source.take(20, speaking=True).values)["opening"][-1]
    source.clear()
    opening = measures(source.take(10, speaking=False).values)["opening"]
    assert opened > 0.35
    assert 0.2 < opening[0] < opened, "moves at once, but does not snap"
    assert opening[7] < 0.1 * opened


def test_rounding_comes_before_its_vowel() -> None:
    values = speak(spoken([("s", 120.0), ("t", 80.0), ("uː", 200.0), ("t", 100.0), ("iː", 200.0)]))
    rounding = measures(values)["rounding"]
    assert rounding[3] > 0.2, "a frame before the vowel's sound, during the t"
    assert rounding[3] > 2 * rounding[0]
    assert rounding[6:8].max() > 0.4
    assert measures(values)["width"][14] > 0.1, "and the ee has spread the lips"


def test_lips_lead_the_sound() -> None:
    values = speak(spoken([("k", 400.0), ("ɑː", 300.0), ("k", 300.0)]))
    opening = measures(values)["opening"]
    halfway = (opening[6] + opening[13]) / 2
    crossing_ms = int(np.argmax(opening > halfway)) * 40 + 20
    assert 400 - 90 <= crossing_ms <= 400 + 10


def test_sibilants_raise_the_jaw_between_open_vowels() -> None:
    jaw = speak(spoken([("ɑ", 200.0), ("s", 120.0), ("ɑ", 200.0)]))[:, INDEX["jawOpen"]]
    assert jaw[5:8].min() < 0.5 * jaw[:4].max()


def test_tongue_rises_for_l_n_t_d_th() -> None:
    for symbol in ("l", "n", "t", "d", "θ"):
        tongue = speak(spoken([("a", 150.0), (symbol, 100.0), ("a", 150.0)]))[:, INDEX["tongueUp"]]
        assert tongue[3:6].max() > 0.6 > 0.3 > tongue[-1], symbol


def test_louder_vowels_open_further() -> None:
    symbols = [("ɑ", 200.0), ("k", 80.0)] * 6
    chunk = spoken(symbols)
    quiet_to_loud = np.concatenate([np.full(len(chunk.pcm48k) // 2, a) for a in (800, 8000)])
    wave = np.sin(np.arange(len(quiet_to_loud)) * 2 * np.pi * 200 / 48_000)
    loud = SpeechChunk((quiet_to_loud * wave).astype(np.int16), "en", chunk.phonemes)
    jaw = speak(loud)[:, INDEX["jawOpen"]]
    middle = round(6 * 280 / 2 / 40)
    assert jaw[middle : middle + 7].max() > jaw[: middle - 2].max() + 0.04


@settings(max_examples=60, deadline=None)
@given(utterances(), st.data())
def test_take_in_pieces_is_take_at_once(symbols: list[tuple[str, float]], data: st.DataObject) -> None:
    chunk = spoken(symbols)
    whole, pieces = RuleMotionSource(9), RuleMotionSource(9)
    for source in (whole, pieces):
        source.push(chunk)
        source.finish()
    frames = whole.ready()
    at_once = whole.take(frames, speaking=True).values
    parts = []
    while pieces.ready():
        parts.append(pieces.take(data.draw(st.integers(1, pieces.ready())), speaking=True).values)
    assert np.array_equal(at_once, np.concatenate(parts))


def split(chunk: SpeechChunk, at: int) -> list[SpeechChunk]:
    """Two chunks; phonemes go to the one they start in, as a voice that reports by chunk would."""
    at_ms = at / 48
    phonemes = chunk.phonemes or ()
    first = tuple(
        Phoneme(p.symbol, p.start_ms, min(p.end_ms, at_ms), p.stressed) for p in phonemes if p.start_ms < at_ms
    )
    second = tuple(
        Phoneme(p.symbol, max(p.start_ms - at_ms, 0.0), p.end_ms - at_ms, p.stressed)
        for p in phonemes
        if p.end_ms > at_ms
    )
    return [SpeechChunk(chunk.pcm48k[:at], "en", first), SpeechChunk(chunk.pcm48k[at:], "en", second)]


@settings(max_examples=60, deadline=None)
@given(utterances(), st.floats(0, 1), st.booleans(), st.booleans())
def test_a_seam_anywhere_keeps_the_count_and_the_motion_smooth(
    symbols: list[tuple[str, float]], where: float, late: bool, timed: bool
) -> None:
    chunk = spoken(symbols, noise=True)
    if not timed:
        chunk = SpeechChunk(chunk.pcm48k, "en", None)
    source = RuleMotionSource(4)
    parts = []
    for piece in (
        split(chunk, int(where * len(chunk.pcm48k)))
        if timed
        else [SpeechChunk(pcm, "en", None) for pcm in np.split(chunk.pcm48k, [int(where * len(chunk.pcm48k))])]
    ):
        source.push(piece)
        if late:  # take what is known before the next piece comes
            parts.append(source.take(source.ready(), speaking=True).values)
    source.finish()
    parts.append(source.take(source.ready(), speaking=True).values)
    values = np.concatenate(parts)
    assert len(values) == -(-len(chunk.pcm48k) // 1920)
    for name, curve in measures(values).items():
        assert np.abs(np.diff(curve, prepend=curve[:1])).max() <= LARGEST_STEP[name], name


def test_chunks_known_in_time_coarticulate_across_their_seam() -> None:
    chunk = spoken([("s", 200.0), ("t", 100.0), ("uː", 300.0)])
    whole = speak(chunk)
    source = RuleMotionSource(1)
    for piece in split(chunk, 300 * 48):
        source.push(piece)
    source.finish()
    assert np.allclose(source.take(source.ready(), speaking=True).values, whole, atol=0.02)


def test_disordered_timings_are_put_in_order() -> None:
    phonemes = (Phoneme("a", 100, 50), Phoneme("m", -20, 900), Phoneme("p", 20, 4000), Phoneme("", 10, 20),
                Phoneme("a", float("nan"), 200), Phoneme("a", 0, float("inf")), Phoneme("i", 0, float("nan")))  # fmt: skip
    values = speak(SpeechChunk(np.zeros(48 * 300, np.int16), "en", phonemes))
    assert len(values) == 8 and np.isfinite(values).all()


def test_speech_that_comes_late_bends_the_mouth_rather_than_snapping_it() -> None:
    """Frames already planned without what follows are planned again; the difference dies out over frames."""
    first, second = spoken([("k", 200.0), ("iː", 240.0)]), spoken([("w", 120.0), ("uː", 240.0)])

    def next_frame(late: bool, follow: bool) -> np.ndarray:
        source = RuleMotionSource(3)
        source.push(first)
        if follow and not late:
            source.push(second)
        source.take(10, speaking=True)
        if follow and late:
            source.push(second)
        return source.take(1, speaking=True).values[0]

    alone, foreseen, late = next_frame(False, False), next_frame(False, True), next_frame(True, True)
    pucker = INDEX["mouthPucker"]
    assert foreseen[pucker] > alone[pucker] + 0.1
    assert alone[pucker] < late[pucker] < alone[pucker] + 0.7 * (foreseen[pucker] - alone[pucker])


@pytest.mark.parametrize("label_ms", [300.0, 330.0, 355.0])
@pytest.mark.parametrize("symbol", ["p", "pʰ"])
def test_a_voiceless_closure_is_where_the_sound_has_its_gap(symbol: str, label_ms: float) -> None:
    """Whether a voice labels the closure's beginning or, as espeak-ng's events do, its release."""
    pcm = np.random.default_rng(0).integers(-4000, 4000, 48 * 700).astype(np.int16)
    pcm[48 * 300 : 48 * 355] = 0
    phonemes = (Phoneme("a", 0, label_ms), Phoneme(symbol, label_ms, 400), Phoneme("a", 400, 700))
    plan = plan_chunk(SpeechChunk(pcm, "en", phonemes), 1000.0, VoiceLevel())
    assert 1310 <= plan.segments[1].closure_ms <= 1345
