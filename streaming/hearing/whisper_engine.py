"""faster-whisper inside its helper process.

A process and not a thread, although ctranslate2 works without Python's lock: the log-mel spectrogram, the tokenizer
and the search for timestamps are Python and numpy, tens of milliseconds at a time, and a fault in a GPU
library would take every conversation with it.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streaming.errors import EngineUnavailable
from streaming.hearing.agreement import LocalAgreement
from streaming.hearing.segment import RATE_HZ, Heard, joined

_PARTIAL_SAMPLES = RATE_HZ
"""New sound that makes a partial transcript worth its cost."""
_PARTIAL_SHARE = 2.0
"""...and at least this many times as much as the last decode took: partial transcripts use half of the time at most,
and a final one waits for half a decode on average."""
_PARTIAL_MAX_S = 0.7
"""A machine whose decodes take longer makes final transcripts only: the end of the turn would wait for them."""
_SOUND_MAX_SAMPLES = 24 * RATE_HZ
"""Whisper looks at 30 s; longer speech is told in parts, cut where its own timestamps put a segment's end."""
_LEAST_SAMPLES = RATE_HZ // 10

NO_SPEECH = 0.6
LOG_PROB = -1.0
COMPRESSION = 2.4
"""The thresholds of Whisper's own transcribe(): likely silence, not believed, repeating itself."""


class WhisperEngine:
    """Args:
    folder: a converted model (model.bin, config.json, tokenizer.json, vocabulary).
    device: "auto", "cpu" or "cuda".
    """

    def __init__(self, *, folder: str, device: str = "auto") -> None:
        self._folder = folder
        self._device = device
        self._model: Any = None
        self.decode_s = 0.0

    def load(self) -> None:
        import ctranslate2

        wanted = self._device
        if wanted == "auto":
            wanted = "cuda" if ctranslate2.get_cuda_device_count() else "cpu"
        try:
            self._start(wanted)
        except (RuntimeError, ValueError) as error:
            if wanted == "cpu" or self._device != "auto":
                raise EngineUnavailable(
                    f"the Whisper model in {self._folder} cannot be loaded on {wanted} ({error})."
                    " If its files are damaged, fetch it again: parley models fetch NAME --again"
                ) from error
            # A driver without cuBLAS or cuDNN beside it is common, and shows at the first decode only.
            print(f"faster-whisper cannot use the GPU ({error}); it uses the CPU", file=sys.stderr)
            self._start("cpu")

    def _start(self, device: str) -> None:
        from faster_whisper import WhisperModel

        self._beams = 5 if device == "cuda" else 1
        self._model = WhisperModel(
            self._folder, device=device, compute_type="float16" if device == "cuda" else "int8", local_files_only=True
        )
        self.decode(np.zeros(RATE_HZ, np.int16), "en", beams=self._beams, voiced=True)  # the first decode is slow
        self.decode(np.zeros(RATE_HZ, np.int16), "en", beams=1, voiced=True)

    def open(self, language: str | None) -> WhisperSegment:
        return WhisperSegment(self, self.code(language))

    def code(self, language: str | None) -> str | None:
        """Whisper's language code of a BCP 47 tag; None (find out) for what it does not know."""
        if not self._model.model.is_multilingual:
            return "en"
        if language is None:
            return None
        primary = language.split("-")[0].lower()
        primary = {"cmn": "zh", "nb": "no", "fil": "tl", "iw": "he", "in": "id", "jv": "jw"}.get(primary, primary)
        return primary if primary in self._model.supported_languages else None

    def detect(self, pcm16k: NDArray[np.int16]) -> str:
        return str(self._model.detect_language(_floats(pcm16k))[0])

    def decode(
        self, pcm16k: NDArray[np.int16], language: str, *, beams: int | None = None, voiced: bool = False
    ) -> list[Any]:
        """faster-whisper's segments (text, start, end in seconds) that can be believed.

        Args:
            voiced: there is a voice for certain: do not look for one first.
        """
        start = time.perf_counter()
        segments, _ = self._model.transcribe(
            _floats(pcm16k),
            language=language,
            beam_size=beams or self._beams,
            temperature=0.0,
            condition_on_previous_text=False,
            no_speech_threshold=NO_SPEECH,
            log_prob_threshold=LOG_PROB,
            compression_ratio_threshold=COMPRESSION,
            vad_filter=not voiced,
            vad_parameters={"min_silence_duration_ms": 1000},
        )
        believed = [segment for segment in segments if believable(segment)]
        self.decode_s = time.perf_counter() - start
        return believed


class WhisperSegment:
    """One user's speech."""

    def __init__(self, engine: WhisperEngine, language: str | None) -> None:
        self._engine = engine
        self._language = language
        self._sound = np.zeros(0, np.int16)
        self._told: list[str] = []
        self._agreement = LocalAgreement()
        self._decoded = 0
        self._covered = 0

    def feed(self, pcm16k: NDArray[np.int16]) -> None:
        self._sound = np.concatenate((self._sound, pcm16k))
        self._covered += len(pcm16k)

    def work(self, *, urgent: bool) -> bool:
        if len(self._sound) > _SOUND_MAX_SAMPLES:
            self._cut()
            return True
        if urgent:
            return False
        new = len(self._sound) - self._decoded
        if self._engine.decode_s > _PARTIAL_MAX_S or new < max(
            _PARTIAL_SAMPLES, _PARTIAL_SHARE * self._engine.decode_s * RATE_HZ
        ):
            return False
        self._agreement.hear(_text(self._decode(beams=1)))
        return False

    def finish(self) -> Heard:
        text = self._agreement.finish(_text(self._decode())) if len(self._sound) >= _LEAST_SAMPLES else ""
        return Heard(joined([*self._told, text]), self._language or "en", self._covered)

    def settled(self) -> str:
        return joined([*self._told, self._agreement.settled])

    def close(self) -> None:
        self._sound = self._sound[:0]

    def _decode(self, beams: int | None = None) -> list[Any]:
        if self._language is None:
            self._language = self._engine.detect(self._sound)  # once: it costs as much as a transcript
        self._decoded = len(self._sound)
        return self._engine.decode(self._sound, self._language, beams=beams)

    def _cut(self) -> None:
        """Tell all but the last of Whisper's segments for good, and forget their sound."""
        segments = self._decode()
        if len(segments) > 1:
            end = round(segments[-1].start * RATE_HZ)
            segments = segments[:-1]
        else:
            end = len(self._sound)
        self._told.append(self._agreement.finish(_text(segments)))
        self._sound = self._sound[max(end, len(self._sound) - _SOUND_MAX_SAMPLES) :]
        self._agreement = LocalAgreement()
        self._decoded = 0


def believable(segment: Any) -> bool:
    """Not what Whisper makes up: for silence (it says so itself), for noise, or in a loop."""
    if segment.no_speech_prob > NO_SPEECH and segment.avg_logprob < LOG_PROB:
        return False
    return bool(segment.compression_ratio <= COMPRESSION)


def _text(segments: list[Any]) -> str:
    return "".join(segment.text for segment in segments).strip()


def _floats(pcm16k: NDArray[np.int16]) -> NDArray[np.float32]:
    return pcm16k.astype(np.float32) / 32768.0
