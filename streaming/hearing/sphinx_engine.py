"""pocketsphinx inside its helper process: decode while the user speaks, know the text soon after the last word.

What was measured (benchmarks/hearing.py), and so decided here:

- The recognizer subtracts the mean of the cepstrum, by which it forgets microphone and room. A cold decoder
  does not know the mean and misses most of a short utterance's words. So the first second is held back, its mean is taken,
  and decoding starts with that: 0.63 of all words right, against 0.67 where the whole segment is decoded at its end, which
  takes 0.7 s of CPU after the last word instead of 0.015, and 0.5 for a cold decoder.
- The second search (``fwdflat``) costs 120 ms after the last word and wins nothing. The third (``bestpath``)
  costs 25 ms and wins 7 % of all words; it needs the utterance ended.
- So a transcript ends the utterance. When the voice goes on, a short piece is decoded again from its start,
  with the better mean, six times faster than it was spoken; a long piece keeps its text and a new one begins.
"""

from __future__ import annotations

import tempfile
import warnings
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streaming.hearing.segment import RATE_HZ, Heard, joined
from streaming.hearing.sphinx_dictionary import heard_words

HELD_SAMPLES = RATE_HZ
"""Held back before decoding starts, unless the text is wanted sooner. 0.6 s loses words; 2 s wins none, and makes short
utterances wait. Nor does taking the mean once more after 2 or 3 s and starting anew."""
_SLICE_SAMPLES = RATE_HZ // 5
"""One slice of work: 200 ms of sound, about 35 ms of CPU."""
AGAIN_SAMPLES = 3 * RATE_HZ
"""A piece up to this long is decoded again when the voice goes on."""
_PIECE_SAMPLES = 20 * RATE_HZ
"""A piece is ended where it first gets quiet after this long..."""
_PIECE_MAX_SAMPLES = 30 * RATE_HZ
"""...and wherever it stands after this long: the recognizer's memory grows with the utterance."""
_BACKLOG_MAX_SAMPLES = 60 * RATE_HZ
"""Sound that waits for a busy engine; beyond this the oldest is lost."""
_QUIET = 0.1
"""Of the loudest 100 ms in the piece: -20 dB, between words or a stop's closure."""
_STATES_MAX = 4000
"""Active at once in the search (``maxhmmpf``). The default of 30000 costs 45 % more CPU for 2 % more of the words, which
is less than what another microphone changes."""
_MEAN_WEIGHT_FRAMES = 500
_MEAN_SHIFT_FRAMES = 300
_MEAN_LEAST_FRAMES = 100
"""pocketsphinx counts a given mean as 500 frames and forgets by a factor beyond 800 (CMN_WIN, CMN_WIN_HWM in feat/cmn.h)."""


class SphinxEngine:
    """Args:
    decoders: how many users may be decoded at the same moment; each takes 95 MB once needed. Further users' sound
        waits; when their text is asked for, the longest piece is ended early and its decoder handed on.
    """

    def __init__(self, *, decoders: int = 4) -> None:
        self._most = decoders
        self._made = 0
        self._free: list[Any] = []
        self._holders: list[SphinxSegment] = []
        self._front_end: Any = None
        self._words = b""

    def load(self) -> None:
        # start_stream() is called deprecated, but nothing else makes a decoder forget another user's noise.
        warnings.filterwarnings("ignore", message="start_stream", category=DeprecationWarning)
        from pocketsphinx import Decoder, get_model_path

        self._words = heard_words(Path(get_model_path("en-us/cmudict-en-us.dict")))
        # For the mean alone: the smallest decoder there can be, with one word to listen for and no search.
        with _dictionary(b"a AH\n") as one_word:
            self._front_end = Decoder(loglevel="FATAL", lm=None, keyphrase="a", dict=one_word)
        self._free.append(self._make())

    def open(self, language: str | None) -> SphinxSegment:
        return SphinxSegment(self)

    def _make(self) -> Any:
        from pocketsphinx import Decoder

        self._made += 1
        with _dictionary(self._words) as words:  # read while the decoder is made, and not again
            return Decoder(loglevel="FATAL", fwdflat=False, bestpath=True, maxhmmpf=_STATES_MAX, dict=words)

    def take(self, segment: SphinxSegment, *, urgent: bool) -> Any | None:
        """A decoder for one piece; None while all are in use by others."""
        if not self._free and self._made < self._most:
            self._free.append(self._make())
        if not self._free and urgent:
            max(self._holders, key=lambda holder: holder.piece_samples).yield_decoder()
        if not self._free:
            return None
        self._holders.append(segment)
        return self._free.pop()

    def put_back(self, segment: SphinxSegment, decoder: Any) -> None:
        self._holders.remove(segment)
        self._free.append(decoder)

    def discard(self, segment: SphinxSegment) -> None:
        """Its decoder failed and is not to be trusted again."""
        self._holders.remove(segment)
        self._made -= 1

    def mean(self, pcm16k: NDArray[np.int16]) -> NDArray[np.float64]:
        """The cepstral mean of at least one frame of sound."""
        self._front_end.start_stream()
        self._front_end.start_utt()
        self._front_end.process_raw(pcm16k.tobytes(), no_search=True, full_utt=True)
        mean = _numbers(self._front_end.get_cmn(True))
        self._front_end.end_utt()
        return mean


class SphinxSegment:
    """One user's speech. A *piece* of it is one utterance of the recognizer.

    Attributes:
        piece_samples: how much of the current piece was decoded.
    """

    def __init__(
        self, engine: SphinxEngine, *, held_samples: int = HELD_SAMPLES, again_samples: int = AGAIN_SAMPLES
    ) -> None:
        self._engine = engine
        self._held_samples = held_samples
        self._again_samples = again_samples
        self._waiting: deque[NDArray[np.int16]] = deque()
        self._waiting_samples = 0
        self._decoder: Any = None
        self._mean: NDArray[np.float64] | None = None
        self._piece: list[NDArray[np.int16]] = []
        self.piece_samples = 0
        self._loudest = 0.0
        self._settled: list[str] = []
        self._ended: str | None = None
        self._resumed = False
        self._covered = 0

    def feed(self, pcm16k: NDArray[np.int16]) -> None:
        self._waiting.append(pcm16k)
        self._waiting_samples += len(pcm16k)
        self._covered += len(pcm16k)
        if self._ended is not None and _rms(pcm16k) > _QUIET * self._loudest:
            self._resumed = True
        while self._waiting_samples > _BACKLOG_MAX_SAMPLES:
            self._waiting_samples -= len(self._waiting.popleft())

    def work(self, *, urgent: bool) -> bool:
        if not self._waiting_samples:
            return False
        if self._ended is not None:
            if not urgent and not self._resumed:
                return False  # the silence at the end of the turn is not worth decoding
            self._resume()
        if self._decoder is None:
            if not urgent and self._waiting_samples < self._held_samples and self._mean is None:
                return False
            if not self._begin(urgent=urgent):
                return False
        sound = self._next(_SLICE_SAMPLES)
        self._decode(sound)
        self._piece.append(sound)
        self.piece_samples += len(sound)
        loudness = _rms(sound[-RATE_HZ // 10 :])
        self._loudest = max(self._loudest, loudness)
        if self.piece_samples >= _PIECE_MAX_SAMPLES or (
            self.piece_samples >= _PIECE_SAMPLES and loudness < _QUIET * self._loudest
        ):
            self._settle(self._end())
        return self._waiting_samples > 0

    def finish(self) -> Heard:
        if self._ended is None:
            self._ended = self._end() if self._decoder is not None else ""
        return Heard(joined([*self._settled, self._ended]), "en", self._covered - self._waiting_samples)

    def settled(self) -> str:
        return joined(self._settled)

    def yield_decoder(self) -> None:
        """Another user needs it more: this piece ends here, its text stays."""
        self._settle(self._end())

    def close(self) -> None:
        if self._decoder is not None:
            self._end()
        self._waiting.clear()
        self._waiting_samples = 0

    def _begin(self, *, urgent: bool) -> bool:
        decoder = self._engine.take(self, urgent=urgent)
        if decoder is None:
            return False
        self._decoder = decoder
        if self._mean is None:
            held = np.concatenate(self._waiting)[: self._held_samples]
            self._mean = self._engine.mean(held)
        decoder.start_stream()
        decoder.set_cmn(",".join(f"{value:g}" for value in self._mean))
        decoder.start_utt()
        return True

    def _decode(self, sound: NDArray[np.int16]) -> None:
        self._decoder.process_raw(sound.tobytes(), no_search=False, full_utt=False)

    def _end(self) -> str:
        decoder, self._decoder = self._decoder, None
        try:
            frames = decoder.n_frames()
            decoder.end_utt()
            hypothesis = decoder.hyp()
            self._mean = self._better_mean(decoder, frames)
        except RuntimeError:
            self._engine.discard(self)
            raise
        self._engine.put_back(self, decoder)
        return hypothesis.hypstr if hypothesis is not None else ""

    def _better_mean(self, decoder: Any, frames: int) -> NDArray[np.float64] | None:
        """The mean of what was decoded: the given one counted as 500 frames in the decoder's."""
        mixed = _numbers(decoder.get_cmn(True))
        if self._mean is None or not _MEAN_LEAST_FRAMES <= frames <= _MEAN_SHIFT_FRAMES:
            return mixed if frames > _MEAN_SHIFT_FRAMES else None
        return (mixed * (_MEAN_WEIGHT_FRAMES + frames) - self._mean * _MEAN_WEIGHT_FRAMES) / frames

    def _resume(self) -> None:
        """The voice went on after a transcript."""
        assert self._ended is not None
        self._resumed = False
        if self.piece_samples <= self._again_samples:
            self._waiting.extendleft(reversed(self._piece))
            self._waiting_samples += self.piece_samples
            self._ended = None
            self._new_piece()
        else:
            self._settle(self._ended)

    def _settle(self, text: str) -> None:
        self._settled.append(text)
        self._ended = None
        self._new_piece()

    def _new_piece(self) -> None:
        self._piece.clear()
        self.piece_samples = 0
        self._loudest = 0.0

    def _next(self, most: int) -> NDArray[np.int16]:
        taken: list[NDArray[np.int16]] = []
        count = 0
        while self._waiting and count < most:
            part = self._waiting.popleft()
            if count + len(part) > most:
                self._waiting.appendleft(part[most - count :])
                part = part[: most - count]
            taken.append(part)
            count += len(part)
        self._waiting_samples -= count
        return np.concatenate(taken)


def _numbers(text: str) -> NDArray[np.float64]:
    return np.array([float(value) for value in text.split(",") if value])


def _rms(sound: NDArray[np.int16]) -> float:
    return float(np.sqrt(np.mean(np.square(sound.astype(np.float64))))) if len(sound) else 0.0


@contextmanager
def _dictionary(text: bytes) -> Iterator[str]:
    """The name of a file with these words, for as long as it takes to read it."""
    with tempfile.NamedTemporaryFile(suffix=".dict") as file:
        file.write(text)
        file.flush()
        yield file.name
