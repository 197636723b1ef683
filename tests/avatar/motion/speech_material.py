"""Made-up speech for the motion tests."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from avatar.speech import Phoneme, SpeechChunk

ENGLISH = (
    "p b m f v θ ð t d n l s z ʃ ʒ tʃ dʒ ɹ j w k ɡ ŋ h ʔ ɾ iː ɪ i eɪ ɛ æ ɑː ɑːɹ ɒ ɔː ɔːɹ oʊ ʊ uː ʌ ə ɐ ɚ ɜː ɝ "
    "aɪ aʊ ɔɪ ɪɹ ʊɹ ɛɹ iə əl n̩ l̩ aɪɚ"
).split()
MANDARIN = (
    "p pʰ m f t tʰ n l k kʰ x tɕ tɕʰ ɕ ʈʂ ʈʂʰ ʂ ʐ ts tsʰ s w j a o ɤ i u y ɨ ai ei ɑu ou an ən ɑŋ əŋ iɛ yɛ uo ɚ"
).split()
BILABIALS = ("p", "b", "m", "pʰ")


def spoken(symbols: list[tuple[str, float]], *, noise: bool = False, tail_ms: float = 0.0) -> SpeechChunk:
    """A chunk saying ``(symbol, milliseconds)`` one after the other."""
    at, phonemes = 0.0, []
    for symbol, length in symbols:
        phonemes.append(Phoneme(symbol, at, at + length, stressed=len(phonemes) % 4 == 1))
        at += length
    samples = round((at + tail_ms) * 48)
    if noise:
        pcm = np.random.default_rng(samples).integers(-3000, 3000, samples).astype(np.int16)
    else:
        pcm = np.zeros(samples, np.int16)
    return SpeechChunk(pcm, "en", tuple(phonemes))


def utterances(shortest_ms: float = 50.0, longest_ms: float = 200.0) -> st.SearchStrategy[list[tuple[str, float]]]:
    symbol = st.sampled_from((*ENGLISH, *MANDARIN, "", "_"))
    return st.lists(st.tuples(symbol, st.floats(shortest_ms, longest_ms)), min_size=1, max_size=40)
