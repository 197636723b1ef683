"""What single sounds look like."""

from __future__ import annotations

import numpy as np
import pytest

from avatar.motion.motion import CHANNELS, INDEX
from avatar.motion.speech.ipa import parse
from avatar.motion.speech.mouth import (
    COUNT,
    FUNNEL,
    JAW,
    JAW_LIMIT,
    MOUTH_CHANNELS,
    PUCKER,
    ROLL_LOWER,
    SEAL,
    SEALED_JAW_LIMIT,
    SPREAD,
    TONGUE,
    measures,
    to_channels,
)
from avatar.motion.speech.visemes import viseme
from tests.avatar.motion.speech_material import ENGLISH, MANDARIN


def target(symbol: str) -> np.ndarray:
    return viseme(parse(symbol)[0]).target


def rounding(symbol: str) -> float:
    return float(target(symbol)[PUCKER] + target(symbol)[FUNNEL])


@pytest.mark.parametrize("symbol", [*ENGLISH, *MANDARIN, "", "ɶ", "kʷ", "tʲ", "a˞"])
def test_targets_are_weights(symbol: str) -> None:
    for sound in parse(symbol):
        shape = viseme(sound)
        assert shape.target.shape == (COUNT,)
        assert (shape.target >= 0).all() and (shape.target <= 1).all()
        assert (shape.strength > 0).all() and (shape.before_ms > 0).all() and (shape.after_ms > 0).all()


def test_jaw_opens_with_the_vowel() -> None:
    jaws = [target(s)[JAW] for s in ("i", "e", "ɛ", "æ", "a")]
    assert jaws == sorted(jaws) and jaws[0] < jaws[-1] <= JAW_LIMIT


def test_oo_rounds_and_ee_spreads() -> None:
    assert rounding("uː") > 0.7 and target("uː")[SPREAD] == 0
    assert target("iː")[SPREAD] > 0.4 and rounding("iː") == 0
    assert rounding("y") > 0.7, "Mandarin ü rounds though it is a front vowel"
    assert rounding("ʃ") > rounding("ʂ") > rounding("ɕ") == 0
    assert rounding("w") > 0.7


def test_consonants_by_place() -> None:
    for symbol in ("p", "b", "m"):
        assert target(symbol)[SEAL] == 1 and viseme(parse(symbol)[0]).seals
    for symbol in ("f", "v"):
        assert target(symbol)[ROLL_LOWER] >= 0.5 and viseme(parse(symbol)[0]).touches
    for symbol in ("l", "n", "t", "d", "θ", "ð"):
        assert target(symbol)[TONGUE] > 0.8
    for symbol in ("s", "z", "ʃ", "ʒ", "tʃ"):
        assert target(symbol)[JAW] < 0.1


def test_a_bilabial_fricative_leaves_a_slit() -> None:
    assert not viseme(parse("β")[0]).seals and 0 < target("β")[SEAL] < 1


def test_labialised_and_rhotic_sounds_round() -> None:
    assert rounding("kʷ") > 0.5 > rounding("k")
    assert rounding("a˞") > rounding("a")
    assert target("tʲ")[SPREAD] > target("t")[SPREAD]


def test_a_full_seal_closes_whatever_else_is_asked() -> None:
    mouth = np.ones((1, COUNT), np.float32)
    row = to_channels(mouth)[0]
    assert row[INDEX["mouthClose"]] == row[INDEX["jawOpen"]] == pytest.approx(SEALED_JAW_LIMIT)
    for name in ("mouthFunnel", "mouthUpperUpLeft", "mouthLowerDownRight"):
        assert row[INDEX[name]] == 0
    assert measures(row[None])["opening"][0] == 0


def test_only_mouth_channels_are_written_and_bounded() -> None:
    mouth = np.random.default_rng(0).uniform(-1, 2, (200, COUNT)).astype(np.float32)
    values = to_channels(mouth)
    assert values.min() >= 0 and values.max() <= 1
    used = {CHANNELS[i] for i in np.flatnonzero(values.any(axis=0))}
    assert used <= set(MOUTH_CHANNELS)
    assert values[:, INDEX["jawOpen"]].max() <= JAW_LIMIT + 1e-6
    assert (values[:, INDEX["mouthClose"]] <= values[:, INDEX["jawOpen"]] + 1e-6).all()
