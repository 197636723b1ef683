"""The real synthesizers: espeak-ng always, flite and festival where they are installed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from avatar.motion.speech.ipa import Consonant, Place, Vowel, parse
from avatar.motion.training.synthesis.espeak import EspeakEngine
from avatar.motion.training.synthesis.festival import FestivalEngine
from avatar.motion.training.synthesis.flite import FliteEngine
from avatar.motion.training.synthesis.grammar import TextSplit, sentence
from avatar.motion.training.synthesis.labels import label
from avatar.motion.training.synthesis.symbols import is_vowel
from avatar.motion.training.synthesis.take import RATE_HZ, Direction, Take, take
from avatar.motion.training.synthesis.voices import Engine, EngineFailed, Manner, Spoken, Voice

HELPER = (sys.executable, "-m", "streaming.speaking.espeak_helper")
ESPEAK_VOICES = ["en-US+Annie", "cmn+m1", "cmn-Latn-pinyin+Annie", "fr+f2", "ja+m3"]
DIRECTION = Direction(Manner(), 1.0, -23.0, 200.0, 300.0)


@pytest.fixture(scope="module")
def espeak() -> Iterator[Engine]:
    engine = EspeakEngine(HELPER)
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def flite(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    engine = FliteEngine(tmp_path_factory.mktemp("flite"))
    if not engine.voices():
        pytest.skip("flite is not installed (apt install flite)")
    return engine


@pytest.fixture(scope="module")
def festival(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = FestivalEngine(tmp_path_factory.mktemp("festival"))
    if not engine.voices():
        pytest.skip("festival has no voice here (apt install festival festvox-kallpc16k ...)")
    yield engine
    engine.close()


def voice(engine: Engine, name: str) -> Voice:
    return next(voice for voice in engine.voices() if voice.name == name)


def takes(engine: Engine, speaker: Voice, count: int) -> list[Take]:
    rng = np.random.default_rng(11)
    texts = [sentence(speaker.language, TextSplit.TRAIN, rng) for _ in range(count)]
    return [take(engine.speak(text, speaker, Manner()), DIRECTION) for text in texts]


def check_timing(made: list[Take]) -> None:
    """Phonemes run through the sound, and their times are those of what is heard."""
    vowels, stops = [], []
    for one in made:
        assert one.phonemes
        for before, after in zip(one.phonemes, one.phonemes[1:], strict=False):
            assert before.end_ms <= after.start_ms + 0.01
        assert one.phonemes[-1].end_ms <= one.seconds * 1000 + 50.0
        energy = 10 * np.log10(np.square(one.pcm16k.reshape(-1, 160) / 32768.0).mean(axis=1) + 1e-7)
        for left, phoneme, right in zip(one.phonemes, one.phonemes[1:], one.phonemes[2:], strict=False):
            articulation = parse(phoneme.symbol)[0].articulation
            first, last = int(phoneme.start_ms / 10), int(phoneme.end_ms / 10)
            if last - first < 3:
                continue
            if isinstance(articulation, Vowel):
                vowels.append(energy[first + 1 : last].mean())
            elif (
                isinstance(articulation, Consonant) and articulation.stop and not articulation.voiced
                and articulation.place is not Place.GLOTTAL and left.symbol and right.symbol
            ):  # fmt: skip
                stops.append(energy[first:last].min())
    assert len(vowels) > 10 and len(stops) > 3
    assert np.median(vowels) - np.median(stops) > 14.0  # a closure is within its stop's time


@pytest.mark.parametrize("name", ESPEAK_VOICES)
def test_espeak(espeak: Engine, name: str) -> None:
    check_timing(takes(espeak, voice(espeak, name), 6))


def test_espeak_does_as_it_is_told(espeak: Engine) -> None:
    speaker = voice(espeak, "en-US+Annie")

    def spoken(manner: Manner) -> Spoken:
        return espeak.speak("The purple boat moves slowly across the valley.", speaker, manner)

    plain = spoken(Manner())
    assert len(spoken(Manner(speed=1.3)).pcm) < 0.9 * len(plain.pcm)
    assert len(spoken(Manner(word_gap_ms=100)).pcm) > 1.1 * len(plain.pcm)
    flat, lively = spoken(Manner(pitch_range=0)), spoken(Manner(pitch_range=99))
    assert len(flat.pcm) != len(lively.pcm) or np.abs(flat.pcm - lively.pcm).max() > 0.05


def test_as_just_started_it_says_the_same(espeak: Engine) -> None:
    """To the last bit, with the breath of a breathy variant (it goes on from sentence to sentence)."""
    names = ("fr+f2", "en-US+Annie", "fr+f2")

    def said() -> list[Spoken]:
        espeak.renew()
        return [espeak.speak("La petite pomme.", voice(espeak, name), Manner()) for name in names]

    for first, second in zip(said(), said(), strict=True):
        assert np.array_equal(first.pcm, second.pcm) and first.phonemes == second.phonemes


@pytest.mark.parametrize(
    ("name", "text", "symbol"), [("fr+f2", "La papa et le pape.", "p"), ("en-US+m1", "A baby, a bobby.", "b")]
)
def test_a_closure_begins_its_stop(espeak: Engine, name: str, text: str, symbol: str) -> None:
    """Within a word, the 30 ms after a stop begins are far quieter than the 30 ms before."""
    made = take(espeak.speak(text, voice(espeak, name), Manner()), DIRECTION)
    bright = np.diff(made.pcm16k / 32768.0, prepend=0.0)
    drops = []
    for before, stop in zip(made.phonemes, made.phonemes[1:], strict=False):
        if stop.symbol == symbol and before.symbol and is_vowel(before.symbol):
            at = int(stop.start_ms * 16)
            drops.append(20 * np.log10(bright[at - 560 : at - 80].std() / (bright[at + 80 : at + 480].std() + 1e-6)))
    assert len(drops) >= 2 and np.median(drops) > 8.0


@pytest.mark.parametrize("file", ["cmn", "cmn-Latn-pinyin"])
def test_mandarin_is_spoken_not_spelled(espeak: Engine, file: str) -> None:
    """Two to four phonemes a syllable; a letter's name has more, and its language is told in no phoneme."""
    speaker = voice(espeak, f"{file}+Annie")
    rng = np.random.default_rng(3)
    for _ in range(40):
        text = sentence(speaker.language, TextSplit.TRAIN, rng)
        syllables = sum(char.isdigit() if file != "cmn" else "\u4e00" <= char <= "\u9fff" for char in text)
        heard = [p for p in espeak.speak(text, speaker, Manner()).phonemes if p.symbol]
        assert 1.3 * syllables <= len(heard) <= 4.2 * syllables, text


def test_espeak_comes_back_after_its_process_died(espeak: Engine) -> None:
    speaker = voice(espeak, "en-US+Annie")
    assert isinstance(espeak, EspeakEngine) and espeak._helper is not None
    espeak._helper._process.kill()
    with pytest.raises(EngineFailed):
        espeak.speak("Hello.", speaker, Manner())
    assert len(espeak.speak("Hello.", speaker, Manner()).pcm)


def test_without_espeak_there_are_no_voices() -> None:
    assert EspeakEngine((sys.executable, "-c", "raise SystemExit('gone')")).voices() == []


def test_flite(flite: Engine) -> None:
    for speaker in flite.voices():
        check_timing(takes(flite, speaker, 5))


def test_flite_takes_longer_when_told(flite: Engine) -> None:
    speaker = flite.voices()[0]
    slow, fast = (flite.speak("A small boat on the river.", speaker, Manner(speed=speed)) for speed in (0.7, 1.3))
    assert len(slow.pcm) > 1.5 * len(fast.pcm)


@pytest.mark.slow
def test_festival(festival: Engine) -> None:
    for speaker in festival.voices():
        made = takes(festival, speaker, 4)
        check_timing(made)
        assert all(is_vowel(p.symbol) for one in made for p in one.phonemes if p.stressed)


def test_festival_says_what_went_wrong(festival: Engine) -> None:
    speaker = festival.voices()[0]
    assert isinstance(festival, FestivalEngine)
    festival.speak("One.", speaker, Manner())
    festival._helpers[speaker.name]._process.kill()
    with pytest.raises(EngineFailed, match=speaker.name):
        festival.speak("Two.", speaker, Manner())
    assert len(festival.speak("Three.", speaker, Manner()).pcm)


def test_labels_of_a_real_voice(espeak: Engine) -> None:
    made = take(espeak.speak("My baby bumped a big bamboo map.", voice(espeak, "en-US+Annie"), Manner()), DIRECTION)
    labels = label(made)
    assert 6 <= np.count_nonzero(np.diff(labels.sealed.astype(int)) == 1) <= 11
    assert any(p.stressed for p in labels.phonemes)
    assert labels.mouth.shape[0] == len(made.pcm16k) * 25 // RATE_HZ


def test_flite_is_found_by_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert FliteEngine(tmp_path).voices() == [] and FestivalEngine(tmp_path).voices() == []
