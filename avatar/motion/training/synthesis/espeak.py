"""espeak-ng: every language and hundreds of speakers, spoken by the same helper process that speaks while serving.

This room does not know that process; whoever starts the synthesis says how to start it (``command``). Messages are msgpack behind
4 bytes of length, little-endian: first {"languages", "variants"} or {"unavailable": why}; then for each request ({"id", "text",
"voice", "rate", "pitch", "pitch_range", "word_gap"}) a reply {"pcm": int16 at 48 kHz, "phonemes": [IPA, start_ms, end_ms, stressed]}
or {"error": why}.

espeak-ng's own event of a voiceless stop marks the release; the helper moves the closure before it into the stop where it is
silent, as it is in most languages and voices. In some (French, breathy variants) it is only quiet, and a voiced stop's closure
begins some 20 ms before its event; both are mended here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgpack
import numpy as np
from numpy.typing import NDArray

from avatar.motion.speech.ipa import Consonant, Place, parse
from avatar.motion.training.synthesis.helper import Helper
from avatar.motion.training.synthesis.voices import ESPEAK, EngineFailed, Manner, Spoken, Voice
from avatar.speech import SPEECH_RATE_HZ, Phoneme

LICENCE = "GPL-3.0-or-later"

RATE_WPM = 165
_WORD_GAP_UNIT_MS = 10
_TIMEOUT_S = 10.0

_WITH_CLOSURE_MS = 55.0
"""A voiceless stop at least this long has its closure in it."""
_PIECE_MS = 5
_CLOSURE = {False: (70.0, 20.0), True: (30.0, 14.0)}
"""By whether the stop is voiced: how long a closure before the event may be, in ms, and how far it is below the loudest sound
within 150 ms before and 100 ms after, in dB (measured on voices of seven languages)."""

LANGUAGES = {
    # espeak-ng's language file: the grammar that it is given
    "en-US": "en", "en": "en", "en-GB-x-rp": "en", "en-GB-scotland": "en", "en-029": "en", "en-US-nyc": "en",
    "cmn": "cmn", "cmn-Latn-pinyin": "cmn-latn-pinyin",
    "fr": "fr", "fr-CH": "fr", "de": "de", "es": "es", "es-419": "es", "it": "it", "pt-BR": "pt", "pt": "pt", "ru": "ru",
    "pl": "pl", "cs": "cs", "fi": "fi", "ca": "ca", "hi": "hi", "mr": "mr", "te": "te", "ja": "ja", "ko": "ko", "tr": "tr",
}  # fmt: skip

VARIANTS = (
    "Alex", "Alicia", "Andrea", "Andy", "Annie", "Denis", "Diogo", "Gene", "Gene2", "Henrique", "Hugo", "Jacky", "Lee",
    "Marco", "Mario", "Michael", "Mike", "Mr serious", "Nguyen", "Reed", "RicishayMax", "RicishayMax2", "RicishayMax3",
    "Storm", "adam", "anika", "announcer", "antonio", "aunty", "belinda", "benjamin", "boris", "caleb", "david", "ed",
    "edward", "edward2", "f1", "f2", "f3", "f4", "f5", "grandma", "grandpa", "gustave", "ian", "iven", "iven2", "iven3",
    "iven4", "john", "kaukovalta", "klatt", "klatt2", "klatt3", "klatt4", "klatt5", "linda", "m1", "m2", "m3", "m4", "m5",
    "m6", "m7", "m8", "marcelo", "max", "michel", "miguel", "mike2", "norbert", "pablo", "paul", "pedro", "quincy", "rob",
    "robert", "sandro", "shelby", "steph", "steph2", "steph3", "travis", "victor", "zac",
)  # fmt: skip
"""Variants that sound like people. Robots, whispers and croaks are left out."""


class EspeakEngine:
    """See ``voices.Engine``.

    Args:
        command: starts the helper process.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._helper: Helper | None = None
        self._greeting: dict[str, Any] = {}

    def voices(self) -> list[Voice]:
        try:
            self._running()
        except EngineFailed:
            return []
        languages = [name for name in LANGUAGES if name in self._greeting["languages"]]
        variants = [name for name in VARIANTS if name in self._greeting["variants"]]
        return [
            Voice(ESPEAK, f"{language}+{variant}", variant, LANGUAGES[language], LICENCE)
            for language in languages
            for variant in variants
        ]

    def speak(self, text: str, voice: Voice, manner: Manner) -> Spoken:
        helper = self._running()
        request = {
            "id": 0,
            "text": text,
            "voice": voice.name,
            "rate": round(RATE_WPM * manner.speed),
            "pitch": manner.pitch,
            "pitch_range": manner.pitch_range,
            "word_gap": manner.word_gap_ms // _WORD_GAP_UNIT_MS,
        }
        body = msgpack.packb(request)
        try:
            with helper.exchange():
                helper.write(len(body).to_bytes(4, "little") + body)
                reply = _message(helper)
        except EngineFailed:
            self.close()
            raise
        if "error" in reply:
            raise EngineFailed(f"espeak-ng: {reply['error']}")
        pcm = np.frombuffer(reply["pcm"], np.int16).astype(np.float32) / np.float32(32768)
        return Spoken(pcm, SPEECH_RATE_HZ, with_closures([Phoneme(*timed) for timed in reply["phonemes"]], pcm))

    def renew(self) -> None:
        self.close()  # the library's noise goes on from call to call

    def close(self) -> None:
        if self._helper is not None:
            self._helper.close()
            self._helper = None

    def _running(self) -> Helper:
        if self._helper is None:
            self._helper = Helper(self._command, "espeak-ng", _TIMEOUT_S)
            try:
                with self._helper.exchange():
                    self._greeting = _message(self._helper)
                if "unavailable" in self._greeting:
                    raise EngineFailed(f"espeak-ng cannot be loaded: {self._greeting['unavailable']}")
            except EngineFailed:
                self.close()
                raise
        return self._helper


def with_closures(phonemes: Sequence[Phoneme], pcm: NDArray[np.float32]) -> tuple[Phoneme, ...]:
    """Stops are begun where it becomes quiet before their events, at the cost of the phoneme there.

    Args:
        pcm: the sound at 48 kHz.
    """
    level = _level_db(pcm)
    mended = list(phonemes)
    for i in range(1, len(mended)):
        before, stop = mended[i - 1], mended[i]
        what = parse(stop.symbol)[0].articulation
        if not isinstance(what, Consonant) or not what.stop or what.place is Place.GLOTTAL or not before.symbol:
            continue
        if stop.symbol[0] in "mnɱɳɲŋɴ" or (not what.voiced and stop.end_ms - stop.start_ms >= _WITH_CLOSURE_MS):
            continue
        event = int(stop.start_ms / _PIECE_MS)
        around = level[max(event - 150 // _PIECE_MS, 0) : event + 100 // _PIECE_MS]
        if not len(around):
            continue
        longest_ms, below_db = _CLOSURE[what.voiced]
        # No further than two thirds into the phoneme before.
        earliest = max(stop.start_ms - longest_ms, before.start_ms + (before.end_ms - before.start_ms) / 3)
        first = event
        while (first - 1) * _PIECE_MS >= earliest and level[first - 1] < around.max() - below_db:
            first -= 1
        if first < event:
            mended[i] = replace(stop, start_ms=float(first * _PIECE_MS))
            mended[i - 1] = replace(before, end_ms=float(first * _PIECE_MS))
    return tuple(mended)


def _level_db(pcm: NDArray[np.float32]) -> NDArray[np.float32]:
    """Level every ``_PIECE_MS``, of what is heard above a stop's voice bar: the lowest octaves are taken out by a difference over
    an eighth of a millisecond."""
    bright = pcm[6:] - pcm[:-6]
    size = SPEECH_RATE_HZ * _PIECE_MS // 1000
    pieces = bright[: len(bright) // size * size].reshape(-1, size)
    level: NDArray[np.float32] = 10 * np.log10(np.square(pieces).mean(axis=1) + np.float32(1e-10))
    return level


def _message(helper: Helper) -> dict[str, Any]:
    message: dict[str, Any] = msgpack.unpackb(helper.read(int.from_bytes(helper.read(4), "little")))
    return message
