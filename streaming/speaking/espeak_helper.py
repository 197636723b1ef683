"""The process that holds espeak-ng: ``python -m streaming.speaking.espeak_helper``.

espeak-ng is licensed under the GPL. It is loaded here and nowhere else; this process talks to the rest of the
program by messages alone, and the program runs without it (another voice, or none) when its package is removed.

Messages are msgpack, each behind its length as 4 bytes little-endian. The first one out is the greeting
({"languages", "variants"}, or {"unavailable": why}); then each request is answered by one reply, in order. End of input ends the process.
"""

from __future__ import annotations

import ctypes
import signal
import sys
from pathlib import Path
from typing import Any, BinaryIO

import msgpack
import numpy as np
import soxr
from numpy.typing import NDArray

RATE_HZ = 48_000

_SYNCHRONOUS = 2
_PHONEME_EVENTS, _IPA = 1, 2
_CHARS_UTF8 = 1
_WORD, _PHONEME = 1, 7
_PARAMETER_RATE, _PARAMETER_PITCH, _PARAMETER_RANGE, _PARAMETER_WORD_GAP = 1, 3, 4, 7
_DEFAULT_RANGE = 50

_LOUDNESS = 10 ** (-20 / 20)
"""Root mean square of voiced speech after gain, of full scale: about -20 LUFS, a usual level for spoken web audio."""

_KNEE = 0.7
"""Above this share of full scale samples are bent, never clipped."""

_AUDIBLE = 40
"""Samples (of 32767, before gain) below this are silence: espeak's own silence is exact zeros."""

_CLOSURE_MS = 90
"""espeak's event of a voiceless stop marks its release; the closure before it is silence of at most this
(40..50 ms measured), and belongs to the stop: the lips are shut there."""

_SHORTEST_SILENCE_MS = 40
"""Shorter silences within speech (13 ms between Mandarin words) are part of the sound before them."""

_VOICELESS_STOPS = ("p", "t", "k", "c", "q", "ʔ", "ʈ")

_UPSTREAM_TO_IPA = {
    # espeak's "IPA" events keep some of its own mnemonics, most of them in Mandarin.
    "χ": "x", "s.": "ʂ", "ts.": "ʈʂ", "ts.h": "ʈʂʰ", "tsh": "tsʰ", "tɕh": "tɕʰ", "ph": "pʰ", "th": "tʰ",
    "kh": "kʰ", "i.": "ɨ", "i[": "ɨ", "o-": "ɤ", "onɡ": "ʊŋ", "ər": "ɚ", "z.": "ʐ",
}  # fmt: skip


class _EventId(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class _Event(ctypes.Structure):
    """``espeak_EVENT`` of speak_lib.h, API revision 12."""

    _fields_ = [
        ("type", ctypes.c_int), ("unique_identifier", ctypes.c_uint), ("text_position", ctypes.c_int),
        ("length", ctypes.c_int), ("audio_position", ctypes.c_int), ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p), ("id", _EventId),
    ]  # fmt: skip


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


class Espeak:
    """The library, initialized once a process.

    Raises:
        OSError: it cannot be loaded.
        RuntimeError: it does not start.
    """

    def __init__(self, library: str, data: str) -> None:
        self._lib = ctypes.CDLL(library)
        self.rate_hz = self._lib.espeak_Initialize(_SYNCHRONOUS, 200, data.encode(), _PHONEME_EVENTS | _IPA)
        if self.rate_hz <= 0:
            raise RuntimeError(f"espeak_Initialize answered {self.rate_hz}")
        self._sound: list[NDArray[np.int16]] = []
        self._phonemes: list[tuple[int, str]] = []
        self._words: list[tuple[int, int]] = []
        self._callback = _Callback(self._collect)  # kept: ctypes does not hold it for the library
        self._lib.espeak_SetSynthCallback(self._callback)
        self._gains: dict[tuple[str, int], float] = {}

    def speak(
        self, text: str, voice: str, rate: int, pitch: int, word_gap: int, pitch_range: int = _DEFAULT_RANGE
    ) -> dict[str, Any]:
        """One text, as the reply that goes out ({"pcm": int16 at 48 kHz, "phonemes", "words"} or {"error": why})."""
        if self._lib.espeak_SetVoiceByName(voice.encode()) != 0:
            return {"error": f"espeak-ng has no voice {voice!r}"}
        gain = self._gain(voice, pitch)
        sound = self._synthesize(text, rate, pitch, word_gap, pitch_range)
        audible = np.flatnonzero(np.abs(sound) > _AUDIBLE)
        if not len(audible):
            return {"pcm": b"", "phonemes": [], "words": []}
        # 3 ms before the first sound (12 ms, or 46 after a change of language, are espeak's own lead).
        first = max(0, int(audible[0]) - self.rate_hz * 3 // 1000)
        last = min(len(sound), int(audible[-1]) + self.rate_hz * 5 // 1000)
        phonemes = self._timed_phonemes(sound, first, last)
        words = [(position - 1, self._ms(sample - first)) for position, sample in self._words]
        pcm = soxr.resample(sound[first:last] * (gain / 32768), self.rate_hz, RATE_HZ)
        return {"pcm": _limited(pcm).tobytes(), "phonemes": phonemes, "words": words}

    def _collect(self, samples: Any, count: int, events: Any) -> int:
        if count > 0:
            self._sound.append(np.ctypeslib.as_array(samples, (count,)).copy())
        at = 0
        while events[at].type != 0:
            event = events[at]
            if event.type == _PHONEME:
                name = ctypes.string_at(ctypes.addressof(event.id), 8).split(b"\0")[0]
                self._phonemes.append((event.sample, name.decode("utf-8", "ignore")))
            elif event.type == _WORD:
                self._words.append((event.text_position, event.sample))
            at += 1
        return 0

    def _synthesize(self, text: str, rate: int, pitch: int, word_gap: int, pitch_range: int) -> NDArray[np.float32]:
        """Samples at espeak's rate, in units of int16."""
        self._sound, self._phonemes, self._words = [], [], []
        self._lib.espeak_ng_SetRandSeed(ctypes.c_long(1))  # breath is noise: the same words, the same sound
        for parameter, value in (
            (_PARAMETER_RATE, rate), (_PARAMETER_PITCH, pitch), (_PARAMETER_WORD_GAP, word_gap),
            (_PARAMETER_RANGE, pitch_range),
        ):  # fmt: skip
            self._lib.espeak_SetParameter(parameter, value, 0)
        raw = text.encode("utf-8", "replace") + b"\0"
        self._lib.espeak_Synth(raw, ctypes.c_size_t(len(raw)), 0, 1, 0, _CHARS_UTF8, None, None)
        return np.concatenate(self._sound or [np.zeros(0, np.int16)]).astype(np.float32)

    def _gain(self, voice: str, pitch: int) -> float:
        """What brings this voice to ``_LOUDNESS``: one number a voice, so that sentences keep their dynamics.

        Variants differ by 9 dB. Digits are read in every language.
        """
        key = (voice, pitch)
        if key not in self._gains:
            sound = self._synthesize("1 2 3 4 5 6 7 8 9 10.", 175, pitch, 0, _DEFAULT_RANGE)
            loud = np.sqrt(np.mean(np.square(sound[np.abs(sound) > _AUDIBLE]))) if len(sound) else 0.0
            self._gains[key] = float(_LOUDNESS * 32768 / loud) if loud > 0 else 1.0
        return self._gains[key]

    def _timed_phonemes(
        self, sound: NDArray[np.float32], first: int, last: int
    ) -> list[tuple[str, float, float, bool]]:
        """(IPA, start_ms, end_ms, stressed) without gaps from ``first`` to ``last``; silence is ``""``."""
        starts: list[tuple[int, str]] = []
        for sample, name in self._phonemes:
            if name.startswith("("):  # a change of language, "(en)"
                continue
            bare = name.replace("ˈ", "").replace("ˌ", "").strip("-|")
            symbol = _UPSTREAM_TO_IPA.get(bare, bare)
            if not symbol and starts and not starts[-1][1]:  # silence after silence
                continue
            if symbol.startswith(_VOICELESS_STOPS):
                sample -= self._silence_before(sound, sample)
            while starts and starts[-1][0] >= sample:  # covered by the closure, or of no length
                starts.pop()
            starts.append((sample, ("ˈ" if "ˈ" in name else "") + symbol))
        phonemes: list[tuple[str, float, float, bool]] = []
        shortest = self.rate_hz * _SHORTEST_SILENCE_MS // 1000
        for (sample, name), (end, _) in zip(starts, [*starts[1:], (last, "")], strict=True):
            begin, end = max(sample, first), min(end, last)
            if phonemes and not name and end - begin < shortest:
                phonemes[-1] = (*phonemes[-1][:2], self._ms(end - first), phonemes[-1][3])
            elif end > begin:
                symbol = name.lstrip("ˈ")
                phonemes.append((symbol, self._ms(begin - first), self._ms(end - first), name != symbol))
        return phonemes

    def _silence_before(self, sound: NDArray[np.float32], sample: int) -> int:
        """Samples of silence that end at ``sample``, at most a closure's length."""
        before = sound[max(0, sample - self.rate_hz * _CLOSURE_MS // 1000) : sample]
        audible = np.flatnonzero(np.abs(before) > _AUDIBLE)
        return len(before) - 1 - int(audible[-1]) if len(audible) else 0

    def _ms(self, samples: int) -> float:
        return max(0.0, samples * 1000 / float(self.rate_hz))


def _limited(sound: NDArray[np.float32]) -> NDArray[np.int16]:
    """Full scale is 1.0; peaks above the knee approach it and never reach it."""
    over = np.abs(sound) > _KNEE
    bent = _KNEE + (1 - _KNEE) * np.tanh((np.abs(sound[over]) - _KNEE) / (1 - _KNEE))
    sound[over] = np.copysign(bent, sound[over])
    return (sound * 32767).astype(np.int16)


def voices(data: Path) -> tuple[list[str], list[str]]:
    """Language files and voice variants in espeak's data folder."""
    languages = sorted(path.name for path in (data / "lang").rglob("*") if path.is_file())
    variants = sorted(path.name for path in (data / "voices" / "!v").iterdir() if path.is_file())
    return languages, variants


def _write(out: BinaryIO, message: dict[str, Any]) -> None:
    body = msgpack.packb(message)
    out.write(len(body).to_bytes(4, "little") + body)
    out.flush()


def main() -> int:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    requests, replies = sys.stdin.buffer, sys.stdout.buffer
    try:
        import espeakng_loader

        data = espeakng_loader.get_data_path()
        espeak = Espeak(espeakng_loader.get_library_path(), data)
        languages, variants = voices(Path(data))
    except (ImportError, OSError, RuntimeError) as error:
        _write(replies, {"unavailable": f"{type(error).__name__}: {error}"})
        return 1
    _write(replies, {"languages": languages, "variants": variants})
    while len(head := requests.read(4)) == 4:
        body = requests.read(int.from_bytes(head, "little"))
        request = msgpack.unpackb(body)
        number = request.pop("id")
        _write(replies, {"id": number, **espeak.speak(**request)})
    return 0


if __name__ == "__main__":
    sys.exit(main())
