"""When each phone of a known text is heard: forced alignment by pocketsphinx (CMU Sphinx, BSD), in any language that espeak-ng reads.

espeak-ng says how each word is pronounced. pocketsphinx's acoustic model knows the phones of American English alone; every other phone
is looked for as the one nearest to it. Where the words are known, that is enough to find where phones begin and end.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.speech import Phoneme

FRAME_MS = 10.0
_BEAM = 1e-200
"""Wide: the words are known, and the language is mostly another than the model's."""
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*['’]?")
_SHORTEST_FRAMES = 3
"""Of a phone: its three states, one frame each. Where many last no longer, the words are not those that are heard."""
_MOST_HURRIED = 0.4
_QUIETER_DB = 6.0
"""What is taken for silence between words is that much quieter than the words."""

_NEAREST = {
    # English as espeak-ng writes it, and what is written with more than one letter
    "tʃ": "CH", "dʒ": "JH", "tɕ": "CH", "dʑ": "JH", "tʂ": "CH", "ts": "T S", "dz": "D Z",
    "aɪ": "AY", "aʊ": "AW", "eɪ": "EY", "oʊ": "OW", "əʊ": "OW", "ɔɪ": "OY", "ɛɪ": "EY", "ʌʊ": "AW", "œy": "OY",
    "ɜː": "ER", "iə": "IY AH", "iː": "IY", "uː": "UW", "oː": "OW", "eː": "EY",
    # vowels
    "i": "IY", "y": "UW", "ɨ": "IH", "ʉ": "UW", "ɯ": "UW", "u": "UW", "ɪ": "IH", "ʏ": "IH", "ʊ": "UH", "e": "EH",
    "ø": "ER", "ɤ": "AH", "o": "AO", "ə": "AH", "ɛ": "EH", "œ": "ER", "ɜ": "AH", "ʌ": "AH", "ɔ": "AO", "æ": "AE",
    "ɐ": "AH", "a": "AA", "ɑ": "AA", "ɒ": "AA", "ɚ": "ER", "ɝ": "ER", "ᵻ": "IH",
    # consonants
    "p": "P", "b": "B", "t": "T", "d": "D", "k": "K", "ɡ": "G", "g": "G", "q": "K", "c": "CH", "ɟ": "JH", "ʈ": "T",
    "ɖ": "D", "m": "M", "ɱ": "M", "n": "N", "ɳ": "N", "ɲ": "N", "ŋ": "NG", "f": "F", "v": "V", "ʋ": "V", "β": "V",
    "θ": "TH", "ð": "DH", "s": "S", "z": "Z", "ʃ": "SH", "ʒ": "ZH", "ʂ": "SH", "ʐ": "ZH", "ɕ": "SH", "ʑ": "ZH",
    "x": "HH", "ç": "HH", "χ": "HH", "h": "HH", "ɦ": "HH", "ɣ": "G", "ʁ": "R", "r": "R", "ɹ": "R", "ɾ": "D", "ɻ": "R",
    "ɽ": "R", "l": "L", "ɫ": "L", "ɭ": "L", "ʎ": "L", "ɬ": "L", "j": "Y", "ʝ": "Y", "ɥ": "Y", "w": "W", "ʍ": "W",
}  # fmt: skip


class NotAligned(Exception):
    """The sound is not, as far as can be told, those words."""


class Aligner:
    """Finds the phones of known words.

    Args:
        pronounce: IPA symbols of one word (or of a few that are one to the ear) in a language of espeak-ng.
    """

    def __init__(self, pronounce: Callable[[str, str], tuple[str, ...]]) -> None:
        from pocketsphinx import Decoder, get_model_path

        self._decoder: Any = Decoder(
            loglevel="FATAL",
            hmm=get_model_path("en-us/en-us"),
            dict=None,
            lm=None,
            bestpath=False,
            beam=_BEAM,
            wbeam=_BEAM,
            pbeam=_BEAM,
        )
        self._known: set[str] = set()
        self._pronounce = lru_cache(maxsize=None)(pronounce)

    def align(self, pcm16k: NDArray[np.int16], text: str, language: str) -> tuple[Phoneme, ...]:
        """The phones, in order of time; silence between them is left out.

        Args:
            pcm16k: mono int16 [samples], the whole recording.

        Raises:
            NotAligned: it is not that text, or has no words.
        """
        words = [self._pronounce(word, language) for word in words_of(text, language)]
        entries = [[(symbol, nearest(symbol)) for symbol in word if nearest(symbol)] for word in words]
        entries = [entry for entry in entries if entry]
        if not entries:
            raise NotAligned("no words")
        said = [" ".join(phone for _, phone in entry) for entry in entries]
        heard = self._run(pcm16k.tobytes(), said)
        phonemes: list[Phoneme] = []
        for entry, word in zip(entries, heard, strict=True):
            at = iter(word)
            for symbol, phone in entry:
                spans = [next(at) for _ in phone.split()]
                start, end = spans[0][0] * FRAME_MS, (spans[-1][0] + spans[-1][1]) * FRAME_MS
                phonemes.append(Phoneme(symbol, start, end))
        lengths = np.array([length for word in heard for _, length in word])
        if (lengths <= _SHORTEST_FRAMES).mean() > _MOST_HURRIED:
            raise NotAligned("hurried")
        if not _is_quiet_between(pcm16k, phonemes):
            raise NotAligned("sound where nothing is said")
        return tuple(phonemes)

    def _run(self, pcm: bytes, said: Sequence[str]) -> list[list[tuple[int, int]]]:
        """(first frame, frames) of each phone of each word."""
        decoder = self._decoder
        names = [phones.replace(" ", "_") for phones in said]
        for name, phones in zip(names, said, strict=True):
            if name not in self._known:
                decoder.add_word(name, phones, True)
                self._known.add(name)
        try:
            decoder.reinit_feat()  # what was heard before leaves no trace
            decoder.set_align_text(" ".join(names))
            for second in (False, True):
                if second:  # of the words first, then of the phones in them
                    decoder.set_alignment()
                decoder.start_utt()
                decoder.process_raw(pcm, full_utt=True)
                decoder.end_utt()
            alignment = decoder.get_alignment()
        except RuntimeError as error:
            raise NotAligned(str(error)) from error
        if alignment is None:
            raise NotAligned("no way through")
        heard = [
            [(phone.start, phone.duration) for phone in word]
            for word in alignment
            if not word.name.startswith(("<", "+", "["))
        ]
        if [len(word) for word in heard] != [len(phones.split()) for phones in said]:
            raise NotAligned("words are missing")
        return heard


def words_of(text: str, language: str) -> list[str]:
    """Words as they are looked up: those of one letter go with the next, since alone they would be spelled ("v lese").

    English's are words of their own.
    """
    words: list[str] = []
    held = ""
    for word in _WORD.findall(text):
        if len(word) == 1 and word.isalpha() and not language.startswith("en"):
            held += word + " "
            continue
        words.append(held + word)
        held = ""
    return [*words, held.strip()] if held else words


@lru_cache(maxsize=4096)
def nearest(symbol: str) -> str:
    """ARPABET of the phones nearest to an IPA symbol, with spaces between; empty where nothing is heard of its own."""
    phones: list[str] = []
    at = 0
    while at < len(symbol):
        for length in (2, 1):
            if found := _NEAREST.get(symbol[at : at + length]):
                phones.append(found)
                at += length
                break
        else:
            at += 1  # length, stress, and other marks
    return " ".join(phones)


def sounds(phonemes: Sequence[Phoneme]) -> tuple[str, ...]:
    """Symbols of what an engine spoke, without its pauses."""
    return tuple(phoneme.symbol for phoneme in phonemes if phoneme.symbol)


def _is_quiet_between(pcm16k: NDArray[np.int16], phonemes: Sequence[Phoneme]) -> bool:
    pieces = pcm16k[: len(pcm16k) // 160 * 160].reshape(-1, 160).astype(np.float64)
    power = np.square(pieces).mean(axis=1) + 1.0
    said = np.zeros(len(power), bool)
    for phoneme in phonemes:
        said[round(phoneme.start_ms / FRAME_MS) : round(phoneme.end_ms / FRAME_MS)] = True
    if said.all() or not said.any():
        return bool(said.all())
    difference = 10 * np.log10(power[said].mean() / power[~said].mean())
    return bool(difference > _QUIETER_DB)
