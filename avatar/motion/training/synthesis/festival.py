"""festival: voices from recordings in eight languages, one process a voice that is asked again and again.

What was said is collected after each sentence: it is heavy, and too few cells to be collected by itself.

A process a voice, because voices set global things that the next one inherits, and because loading one takes up to two seconds.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from avatar.motion.training.synthesis.flite import read_wave
from avatar.motion.training.synthesis.helper import Helper
from avatar.motion.training.synthesis.symbols import is_stressed, is_vowel, to_ipa
from avatar.motion.training.synthesis.voices import FESTIVAL, EngineFailed, Manner, Spoken, Voice
from avatar.speech import Phoneme

_TIMEOUT_S = 30.0
_CLOSED = b"parley-done\n"
_PIPE = ("--heap", "2000000", "--pipe")
"""Lisp cells: the default reserves a quarter of a gigabyte a process; Russian needs more than 500,000."""

_FESTVOX = "Festvox's own, permissive (Debian: {})"


@dataclass(frozen=True, slots=True)
class _Known:
    speaker: str
    language: str
    encoding: str
    licence: str


KNOWN = {
    "kal_diphone": _Known("kal", "en", "ascii", _FESTVOX.format("festvox-kallpc16k")),
    "ked_diphone": _Known("ked", "en", "ascii", _FESTVOX.format("festvox-kdlpc16k")),
    "cmu_us_slt_arctic_hts": _Known("slt", "en", "ascii", "CMU's own, permissive, and BSD-3-Clause (Debian: festvox-us-slt-hts)"),
    "czech_dita": _Known("dita", "cs", "iso-8859-2", "GPL-3.0-or-later"),
    "czech_krb": _Known("krb", "cs", "iso-8859-2", "GPL-3.0-or-later"),
    "czech_machac": _Known("machac", "cs", "iso-8859-2", "GPL-3.0-or-later"),
    "czech_ph": _Known("ph", "cs", "iso-8859-2", "GPL-2.0-or-later"),
    "msu_ru_nsh_clunits": _Known("nsh", "ru", "utf-8", _FESTVOX.format("festvox-ru, N. V. Shmyrev")),
    "suo_fi_lj_diphone": _Known("lj", "fi", "iso-8859-1", "LGPL-2.0-or-later"),
    "hy_fi_mv_diphone": _Known("mv", "fi", "iso-8859-1", "LGPL-2.0-or-later"),
    "lp_diphone": _Known("lp", "it", "iso-8859-1", "GPL-2.0-or-later"),
    "pc_diphone": _Known("pc", "it", "iso-8859-1", "GPL-2.0-or-later"),
    "upc_ca_ona_hts": _Known("ona", "ca", "iso-8859-15", "LGPL-2.1-or-later"),
    "hindi_NSK_diphone": _Known("nsk", "hi", "utf-8", "GPL-2.0-or-later"),
    "marathi_NSK_diphone": _Known("nsk", "mr", "utf-8", "GPL-2.0-or-later"),
    "telugu_NSK_diphone": _Known("nsk", "te", "utf-8", "GPL-2.0-or-later"),
}  # fmt: skip

_SCHEME = r"""
(voice_%s)
(set! czech-randomize nil)
(set! parley_stretch (Parameter.get 'Duration_Stretch))
(if (not (number? parley_stretch)) (set! parley_stretch 1.0))
(define (parley_say text stretch wave segments)
  (Parameter.set 'Duration_Stretch (* parley_stretch stretch))
  (let ((utt (eval (list 'Utterance 'Text text))) (out nil))
    (utt.synth utt)
    (utt.save.wave utt wave 'riff)
    (set! out (fopen segments "w"))
    (mapcar
     (lambda (s)
       (format out "%%s %%f %%s\n" (item.name s) (item.feat s "end") (item.feat s "R:SylStructure.parent.stress")))
     (utt.relation.items utt 'Segment))
    (fclose out)))
(define (parley_done) (gc) (format t "parley-done\n") (fflush nil))
"""


class FestivalEngine:
    """See ``voices.Engine``.

    Args:
        scratch: folder for its files, which whoever owns it removes.
    """

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._program = shutil.which("festival")
        self._helpers: dict[str, Helper] = {}

    def voices(self) -> list[Voice]:
        if self._program is None:
            return []
        lister = Helper([self._program, *_PIPE], "festival", _TIMEOUT_S)
        try:
            with lister.exchange():
                lister.write(b'(format t "%l\\n" (voice.list))\n(format t "parley-done\\n")\n(fflush nil)\n')
                listed = ""
                while (line := lister.read_line()) != _CLOSED:
                    listed += line.decode("ascii", "replace")
        except EngineFailed:
            return []
        finally:
            lister.close()
        installed = set(listed.replace("(", " ").replace(")", " ").split())
        return [
            Voice(FESTIVAL, name, known.speaker, known.language, known.licence)
            for name, known in KNOWN.items()
            if name in installed
        ]

    def speak(self, text: str, voice: Voice, manner: Manner) -> Spoken:
        sound, segments = (self._scratch / f"festival-{os.getpid()}.{kind}" for kind in ("wav", "segments"))
        sound.unlink(missing_ok=True)
        segments.unlink(missing_ok=True)
        quoted = " ".join(text.split()).replace("\\", " ").replace('"', "")
        say = f'(parley_say "{quoted}" {1 / manner.speed:.3f} "{sound}" "{segments}")\n(parley_done)\n'
        try:
            helper = self._running(voice)
            with helper.exchange():
                helper.write(say.encode(KNOWN[voice.name].encoding, "replace"))
                while helper.read_line() != _CLOSED:  # some voices are talkative
                    pass
        except EngineFailed:
            self._drop(voice)
            raise
        if not segments.exists():
            raise EngineFailed(f"festival {voice.name} could not say {text!r}")
        pcm, rate_hz = read_wave(sound)
        return Spoken(pcm, rate_hz, _phonemes(segments, voice))

    def renew(self) -> None:
        pass  # its voices are the same from call to call

    def close(self) -> None:
        for helper in self._helpers.values():
            helper.close()
        self._helpers.clear()

    def _running(self, voice: Voice) -> Helper:
        if voice.name not in self._helpers:
            if self._program is None:
                raise EngineFailed("festival is not installed")
            helper = self._helpers[voice.name] = Helper([self._program, *_PIPE], f"festival {voice.name}", _TIMEOUT_S)
            with helper.exchange():
                helper.write((_SCHEME % voice.name).encode())
        return self._helpers[voice.name]

    def _drop(self, voice: Voice) -> None:
        helper = self._helpers.pop(voice.name, None)
        if helper is not None:
            helper.close()


def _phonemes(path: Path, voice: Voice) -> tuple[Phoneme, ...]:
    lines = [line.split() for line in path.read_text("ascii", "replace").splitlines()]
    names = [line[0] for line in lines]
    try:
        symbols = to_ipa(names, voice.language)
        ends = [1000 * float(line[1]) for line in lines]
    except (ValueError, IndexError) as error:
        raise EngineFailed(f"festival {voice.name}: {error}") from error
    phonemes: list[Phoneme] = []
    at = 0.0
    for line, symbol, end in zip(lines, symbols, ends, strict=True):
        # A stressed syllable's consonants bear its mark too.
        stressed = is_vowel(symbol) and (is_stressed(line[0], voice.language) or line[-1] == "1")
        phonemes.append(Phoneme(symbol, at, max(end, at), stressed))
        at = max(end, at)
    return tuple(phonemes)
