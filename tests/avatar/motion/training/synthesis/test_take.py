"""From an engine's sound to a take, and a take's labels."""

from __future__ import annotations

import numpy as np
import pytest

from avatar.motion.generator import phones
from avatar.motion.training.synthesis.labels import heard_stress, label
from avatar.motion.training.synthesis.take import FRAME_SAMPLES, RATE_HZ, Direction, direct, level_db, take
from avatar.motion.training.synthesis.voices import ESPEAK, FLITE, Manner, Spoken, Voice
from avatar.speech import Phoneme

AMABA = (("a", 150), ("m", 90), ("a", 150), ("b", 90), ("a", 150), ("f", 100), ("a", 150))


def spoken(rate_hz: int = 22_050, sounds: tuple[tuple[str, int], ...] = AMABA) -> Spoken:
    """Vowels are loud tones; consonants are quiet."""
    pieces, phonemes, at = [], [], 0.0
    for symbol, length in sounds:
        time = np.arange(round(length * rate_hz / 1000)) / rate_hz
        pieces.append((0.4 if symbol == "a" else 0.02) * np.sin(2 * np.pi * 200 * time))
        phonemes.append(Phoneme(symbol, at, at + length))
        at += length
    return Spoken(np.concatenate(pieces).astype(np.float32), rate_hz, tuple(phonemes))


def direction(size: float = 1.0, level: float = -23.0) -> Direction:
    return Direction(Manner(), size, level, before_ms=200.0, after_ms=300.0)


def test_a_take_is_whole_frames_at_its_level() -> None:
    made = take(spoken(), direction())
    assert made.pcm16k.dtype == np.int16 and len(made.pcm16k) % FRAME_SAMPLES == 0
    assert made.seconds == pytest.approx(0.88 + 0.5, abs=0.04)
    assert level_db(made.pcm16k / np.float32(32768)) == pytest.approx(-23.0, abs=0.3)
    assert not made.pcm16k[: RATE_HZ // 10].any()
    assert made.phonemes[0].start_ms == pytest.approx(200.0)


def test_a_smaller_speaker_is_higher_and_sooner_done() -> None:
    big, small = take(spoken(), direction()), take(spoken(), direction(size=1.25))
    assert small.phonemes[-1].end_ms - 200 == pytest.approx((big.phonemes[-1].end_ms - 200) / 1.25)

    def pitch(pcm: np.ndarray) -> float:
        spectrum = np.abs(np.fft.rfft(pcm.astype(np.float32), 1 << 16))
        return float(spectrum.argmax()) * RATE_HZ / (1 << 16)

    assert pitch(small.pcm16k) == pytest.approx(1.25 * pitch(big.pcm16k), rel=0.02)


@pytest.mark.parametrize("sound", [np.zeros(22_050), np.full(1000, 0.1), np.full(22_050 * 40, 0.1)])
def test_what_is_no_sentence_is_refused(sound: np.ndarray) -> None:
    with pytest.raises(ValueError):
        take(Spoken(sound.astype(np.float32), 22_050, ()), direction())


def test_a_loud_wish_does_not_clip() -> None:
    made = take(spoken(), direction(level=-1.0))
    assert np.abs(made.pcm16k.astype(np.int32)).max() < 32_000


def test_labels_are_the_rules() -> None:
    made = take(spoken(), direction())
    labels = label(made)
    frames = len(made.pcm16k) // FRAME_SAMPLES
    assert labels.mouth.shape == (frames, 11) and labels.phone.shape == (4 * frames,)

    def frames_of(number: int) -> slice:
        """A consonant's frames and their neighbours; of a vowel, the middle one."""
        phoneme = made.phonemes[number]
        middle = int((phoneme.start_ms + phoneme.end_ms) / 80)
        reach = 0 if phoneme.symbol == "a" else 1
        return slice(middle - reach, middle + reach + 1)

    for number, (symbol, _) in enumerate(AMABA):
        assert labels.sealed[frames_of(number)].any() == (symbol in "mb"), number
        assert labels.touching[frames_of(number)].any() == (symbol == "f"), number
        middle_ms = (made.phonemes[number].start_ms + made.phonemes[number].end_ms) / 2
        assert phones.NAMES[labels.phone[int(middle_ms / 10)]] == symbol
    assert labels.phone[0] == phones.SILENCE and labels.mouth[0].max() < 0.05


def test_nobody_speaking_is_a_closed_mouth() -> None:
    made = take(spoken(), direction())
    labels = label(type(made)(made.pcm16k, ()))
    assert not labels.mouth.any() and not labels.sealed.any() and not labels.phone.any()


def test_stress_is_heard_where_the_voice_tells_none() -> None:
    made = take(spoken(), direction())
    pcm48k = np.repeat(made.pcm16k, 3)
    stressed = heard_stress(made.phonemes, pcm48k)
    assert {p.symbol for p in stressed if p.stressed} == {"a"}
    assert heard_stress((), pcm48k) == ()


def test_directions_vary_and_keep_the_tempo() -> None:
    rng = np.random.default_rng(1)
    for engine in (ESPEAK, FLITE):
        drawn = [direct(Voice(engine, "x", "x", "en", ""), rng) for _ in range(300)]
        tempo = np.array([d.size * d.manner.speed for d in drawn])
        assert 0.9 < np.median(tempo) < 1.1 and np.ptp(tempo) > 0.3
        assert np.ptp([d.size for d in drawn]) > 0.15
        assert all(0.6 <= d.manner.speed <= 1.6 and 0 <= d.manner.pitch < 100 for d in drawn)
