"""The mouth by recognised phones: pocketsphinx's phone loop, then the viseme rules. A baseline; offline, no transcript."""

from __future__ import annotations

from typing import Any

import numpy as np
import soxr

from avatar.motion.speech.arpabet import to_ipa
from avatar.speech import SPEECH_RATE_HZ, Phoneme, SpeechChunk

_RATE_HZ = 16_000
_FRAME_MS = 10.0
_VOWELS = ("AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW")


class PhoneLoop:
    """Recognises phones, any after any (a phone bigram weighs them), and gives the sound back with their times."""

    def __init__(self) -> None:
        from pocketsphinx import Decoder, get_model_path

        self._decoder: Any = Decoder(
            loglevel="FATAL",
            hmm=get_model_path("en-us/en-us"),
            dict=get_model_path("en-us/cmudict-en-us.dict"),
            lm=None,
            allphone=get_model_path("en-us/en-us-phone.lm.bin"),
            lw=2.0,
            beam=1e-20,
            pbeam=1e-20,
        )

    def timed(self, speech: SpeechChunk) -> SpeechChunk:
        """Speech with the phones that were heard."""
        pcm = np.asarray(soxr.resample(speech.pcm48k, SPEECH_RATE_HZ, _RATE_HZ), np.int16)
        self._decoder.start_utt()
        self._decoder.process_raw(pcm.tobytes(), full_utt=True)
        self._decoder.end_utt()
        phones = []
        for segment in self._decoder.seg() or ():
            name = segment.word.split("(")[0]
            start, end = segment.start_frame * _FRAME_MS, (segment.end_frame + 1) * _FRAME_MS
            phones.append(Phoneme("" if name.startswith(("+", "<")) else to_ipa(name), start, end, name in _VOWELS))
        return SpeechChunk(speech.pcm48k, speech.language, tuple(phones))
