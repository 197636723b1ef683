"""pocketsphinx decoded in slices, in this process."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from streaming.hearing import sphinx_dictionary, sphinx_engine
from streaming.hearing.sphinx_engine import AGAIN_SAMPLES, SphinxEngine, SphinxSegment
from tests.streaming.hearing.conftest import noise

TRUTH = "he might even have been made amiable himself"
LONG_TRUTH = "and mister john dashwood had then leisure to consider how much there might be prudently in his power to do for them"
FEED = 320


@pytest.fixture(scope="module")
def engine() -> SphinxEngine:
    made = SphinxEngine(decoders=2)
    made.load()
    return made


pytestmark = pytest.mark.filterwarnings("ignore:start_stream:DeprecationWarning")


def words_right(truth: str, text: str) -> float:
    """1 - word error rate, by edit distance."""
    right, said = truth.split(), text.replace("mr ", "mister ").split()
    row = list(range(len(said) + 1))
    for count, word in enumerate(right, 1):
        diagonal, row[0] = row[0], count
        for column, other in enumerate(said, 1):
            diagonal, row[column] = row[column], min(row[column] + 1, row[column - 1] + 1, diagonal + (word != other))
    return 1 - row[-1] / len(right)


def speak(segment: SphinxSegment, sound: NDArray[np.int16]) -> None:
    for start in range(0, len(sound), FEED):
        segment.feed(sound[start : start + FEED])
        while segment.work(urgent=False):
            pass


def finish(segment: SphinxSegment) -> str:
    while segment.work(urgent=True):
        pass
    return segment.finish().text


def transcribe(engine: SphinxEngine, sound: NDArray[np.int16]) -> str:
    segment = engine.open("en")
    speak(segment, sound)
    text = finish(segment)
    segment.close()
    return text


def test_some_words_are_never_heard(engine: SphinxEngine, tmp_path: Path) -> None:
    """A kiosk's recognizer must not make them up; their harmless neighbours stay."""
    decoder = engine.take(segment := engine.open("en"), urgent=True)
    assert decoder is not None
    for word in sphinx_dictionary.NEVER_HEARD:
        assert decoder.lookup_word(word) is None, word
    for word in ("assess", "prickly", "pussycat", "class", "museum"):
        assert decoder.lookup_word(word) is not None, word
    segment.close()
    engine.put_back(segment, decoder)
    file = tmp_path / "some.dict"
    file.write_bytes(b"hello HH AH L OW\nshit SH IH T\nshit(2) SH IY T\nshitake SH IH T AA K EY\n")
    assert sphinx_dictionary.heard_words(file) == b"hello HH AH L OW\nshitake SH IH T AA K EY\n"


def test_at_least_half_of_the_words(
    engine: SphinxEngine, recording: NDArray[np.int16], long_recording: NDArray[np.int16]
) -> None:
    assert words_right(TRUTH, transcribe(engine, recording)) >= 0.5
    assert words_right(LONG_TRUTH, transcribe(engine, long_recording)) >= 0.5


@pytest.mark.parametrize("gain", [0.1, 2.5])
def test_loudness_does_not_matter(engine: SphinxEngine, recording: NDArray[np.int16], gain: float) -> None:
    assert words_right(TRUTH, transcribe(engine, (recording * gain).astype(np.int16))) >= 0.5


def test_one_users_sound_leaves_no_trace_in_anothers(engine: SphinxEngine, recording: NDArray[np.int16]) -> None:
    first = transcribe(engine, recording)
    transcribe(engine, noise(2.0, 8000))
    assert transcribe(engine, recording) == first


def test_a_short_piece_is_decoded_anew_when_the_voice_goes_on(
    engine: SphinxEngine, recording: NDArray[np.int16]
) -> None:
    segment = engine.open("en")
    half = AGAIN_SAMPLES // 2
    speak(segment, recording[:half])
    early = finish(segment)
    assert early and segment.settled() == ""
    speak(segment, recording[half:])
    text = finish(segment)
    assert words_right(TRUTH, text) >= 0.5
    assert segment.settled() == ""
    segment.close()


def test_a_long_piece_keeps_its_text_when_the_voice_goes_on(
    engine: SphinxEngine, recording: NDArray[np.int16], long_recording: NDArray[np.int16]
) -> None:
    segment = engine.open("en")
    speak(segment, long_recording)
    early = finish(segment)
    speak(segment, recording)
    assert segment.settled() == early
    text = finish(segment)
    assert text.startswith(early + " ") and words_right(LONG_TRUTH + " " + TRUTH, text) >= 0.5
    segment.close()


def test_silence_after_a_transcript_is_not_decoded(engine: SphinxEngine, recording: NDArray[np.int16]) -> None:
    segment = engine.open("en")
    speak(segment, recording)
    text = finish(segment)
    segment.feed(noise(1.0, 5))
    assert not segment.work(urgent=False)
    assert finish(segment).split()[:3] == text.split()[:3]
    segment.close()


def test_speech_without_a_pause_is_told_in_pieces(
    engine: SphinxEngine, long_recording: NDArray[np.int16], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sphinx_engine, "_PIECE_SAMPLES", 32_000)
    monkeypatch.setattr(sphinx_engine, "_PIECE_MAX_SAMPLES", 64_000)
    segment = engine.open("en")
    speak(segment, long_recording)
    settled = segment.settled()
    assert settled
    text = finish(segment)
    assert text.startswith(settled) and words_right(LONG_TRUTH, text) >= 0.4
    segment.close()


def test_more_users_than_decoders(engine: SphinxEngine, recording: NDArray[np.int16]) -> None:
    segments = [engine.open("en") for _ in range(3)]
    for start in range(0, len(recording), FEED):
        for segment in segments:
            segment.feed(recording[start : start + FEED])
            segment.work(urgent=False)
    texts = [finish(segment) for segment in reversed(segments)]
    assert all(words_right(TRUTH, text) >= 0.3 for text in texts), texts
    for segment in segments:
        segment.close()
    assert transcribe(engine, recording)


def test_closing_in_the_middle_gives_the_decoder_back(engine: SphinxEngine, recording: NDArray[np.int16]) -> None:
    for _ in range(3):
        segment = engine.open("en")
        speak(segment, recording[:24_000])
        segment.close()
        segment.close()
        assert not segment.work(urgent=True)


def test_a_backlog_loses_its_oldest_sound(engine: SphinxEngine) -> None:
    segment = engine.open("en")
    for _ in range(7):
        segment.feed(np.zeros(160_000, np.int16))
    assert segment.finish().samples == 160_000, "a minute is still to be decoded; ten seconds never will be"
    segment.close()


def test_a_decoder_that_fails_is_not_used_again(recording: NDArray[np.int16]) -> None:
    engine = SphinxEngine(decoders=1)
    engine.load()
    segment = engine.open("en")
    speak(segment, recording[:24_000])

    class Broken:
        def n_frames(self) -> int:
            raise RuntimeError("broken")

    segment._decoder = Broken()
    with pytest.raises(RuntimeError, match="broken"):
        segment.finish()
    segment.close()
    assert words_right(TRUTH, transcribe(engine, recording)) >= 0.5
