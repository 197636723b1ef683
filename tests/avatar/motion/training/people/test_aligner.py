"""Phones of known words are found where they are heard, and words that are not said are refused."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from avatar.motion.speech.arpabet import to_ipa
from avatar.motion.training.people.aligner import Aligner, NotAligned, nearest, sounds, words_of
from avatar.motion.training.people.recordings import read
from avatar.motion.training.synthesis.voices import ESPEAK, Manner, Voice
from tests.avatar.motion.training.people.share import espeak

pytest.importorskip("pocketsphinx")


@pytest.fixture(scope="module")
def aligner() -> Iterator[Aligner]:
    with espeak() as engine:
        yield Aligner(
            lambda word, language: sounds(
                engine.speak(word, Voice(ESPEAK, language, "", language, ""), Manner()).phonemes
            )
        )


@pytest.mark.parametrize("name", ["en-librivox-0870", "en-librivox-0930", "en-neural-jane-16s"])
def test_closures_are_where_another_dictionary_finds_them(aligner: Aligner, shared: Path, name: str) -> None:
    """Of the same words with CMU's pronunciations: p, b and m overlap what was found there."""
    speech = shared / "samples" / "speech"
    about = json.loads((speech / "aligned" / f"{name}.json").read_text("utf-8"))
    wanted = [(to_ipa(phone)[0], 1000 * a, 1000 * b) for phone, a, b in about["phonemes"] if phone in ("P", "B", "M")]
    found = aligner.align(read(speech / f"{name}.wav"), about["transcript"], "en-US")
    near = [
        any(p.symbol[0] == symbol and min(p.end_ms, b) - max(p.start_ms, a) > 0.5 * (b - a) for p in found)
        for symbol, a, b in wanted
    ]
    assert len(near) >= 3 and np.mean(near) >= 0.85
    assert all(a.end_ms <= b.start_ms for a, b in itertools.pairwise(found))


def test_another_language(aligner: Aligner) -> None:
    """Against espeak-ng's own times of an Italian sentence."""
    from tests.avatar.motion.training.people.share import spoken

    text = "La mamma prepara una buona pasta."
    with espeak() as engine:
        true = [p for p in engine.speak(text, Voice(ESPEAK, "it", "", "it", ""), Manner()).phonemes if p.symbol]
        found = aligner.align(spoken(engine, text, "it"), text, "it")
    apart: list[float] = []
    for symbol in "pbm":
        at = [p.start_ms + 200 for p in true if p.symbol[0] == symbol]
        here = [p.start_ms for p in found if p.symbol[0] == symbol]
        assert len(here) == len(at)
        apart += [abs(a - b) for a, b in zip(at, here, strict=True)]
    assert len(apart) == 7 and np.median(apart) < 50


def test_words_that_are_not_said(aligner: Aligner, shared: Path) -> None:
    pcm = read(shared / "samples" / "speech" / "en-neural-woman-5s.wav")
    with pytest.raises(NotAligned):
        aligner.align(pcm, "Extraordinary circumstances necessitate unprecedented countermeasures. " * 3, "en-US")
    with pytest.raises(NotAligned, match="no words"):
        aligner.align(pcm, "... !", "en-US")
    with pytest.raises(NotAligned):
        aligner.align(np.zeros(1600, np.int16), "one two three four five", "en-US")


def test_it_goes_on_after_a_refusal(aligner: Aligner, shared: Path) -> None:
    speech = shared / "samples" / "speech"
    about = json.loads((speech / "aligned" / "en-librivox-0870.json").read_text("utf-8"))
    pcm = read(speech / "en-librivox-0870.wav")
    before = aligner.align(pcm, about["transcript"], "en-US")
    with pytest.raises(NotAligned):
        aligner.align(pcm[:4000], about["transcript"], "en-US")
    assert aligner.align(pcm, about["transcript"], "en-US") == before


@pytest.mark.parametrize(
    ("text", "language", "words"),
    [
        ("V lese je tma, prý.", "cs", ["V lese", "je", "tma", "prý"]),
        ("Press 1 for a list.", "en-US", ["Press", "1", "for", "a", "list"]),
        ("d'agent, l’été", "fr", ["d'agent", "l’été"]),
        ("Chodí v", "cs", ["Chodí", "v"]),
        ("...", "en-US", []),
    ],
)
def test_words(text: str, language: str, words: list[str]) -> None:
    assert words_of(text, language) == words


@pytest.mark.parametrize(
    ("symbol", "phones"),
    [
        ("tʃ", "CH"),
        ("ts", "T S"),
        ("ɑ̃", "AA"),
        ("tʲ", "T"),
        ("oː", "OW"),
        ("ɛɹ", "EH R"),
        ("ʔ", ""),
        ("ja", "Y AA"),
        ("", ""),
    ],
)
def test_nearest(symbol: str, phones: str) -> None:
    assert nearest(symbol) == phones
