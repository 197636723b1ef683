"""The mouth read from the sound alone, for speech without timings.

Plain, and causal but for 80 ms of look-ahead: the loudness of the voice and how it is shared among seven bands, averaged
over 120 ms, is mapped linearly to opening, width and rounding; short dips between louder moments close the lips.
Loudness is judged against this voice's running level and against the background's.
"""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from avatar.motion.speech.mouth import COUNT, FUNNEL, JAW, LOWER, PUCKER, SEAL, SPREAD, UPPER
from avatar.speech import BEAT_SAMPLES, SPEECH_RATE_HZ

LOOK_AHEAD_FRAMES = 2
"""80 ms: more buys little for a mouth read from sound, less loses roundings and closures."""

_HOPS_PER_FRAME = 2
_HOP = BEAT_SAMPLES // _HOPS_PER_FRAME
_AHEAD = LOOK_AHEAD_FRAMES * _HOPS_PER_FRAME
_AVERAGED = _HOPS_PER_FRAME + _AHEAD
_BEHIND = 5
"""Hops kept behind the frame (100 ms), to see a dip between two louder moments."""

_WINDOW = 1536
"""32 ms at 48 kHz."""
_HANN = np.hanning(_WINDOW).astype(np.float32)
_BANDS_HZ = ((80, 300), (300, 600), (600, 1100), (1100, 1700), (1700, 2500), (2500, 3500), (3800, 8000))
_BIN_HZ = SPEECH_RATE_HZ / _WINDOW
_BINS = tuple((round(low / _BIN_HZ), round(high / _BIN_HZ)) for low, high in _BANDS_HZ)
_LAST_BIN = _BINS[-1][1]

_MAP = np.array(
    # opening, width, rounding for: loudness, then loudness times each band's share
    [
        [0.24, -0.23, 0.24],
        [-0.08, 0.30, -0.24],
        [-0.10, -0.41, 0.35],
        [0.10, 0.12, -0.16],
        [0.02, -0.22, 0.08],
        [0.02, 0.21, -0.14],
        [0.05, 0.51, -0.34],
        [-0.05, -0.12, 0.13],
    ],
    np.float32,
)
"""Least squares against the viseme rules on 340 s of synthesised English and Mandarin (20 voices): formants without
formant tracking. High F1 opens; energy above 2 kHz spreads; energy at 300..600 Hz without it rounds."""

_CONTRAST = 1.4
"""Least squares shrinks towards the mean; this restores the amplitude of the rules."""
_MEAN = np.array([0.16, -0.02, 0.10], np.float32)

_FLOOR_HOPS = 100
"""The background is the quietest moment of the last two seconds (minimum statistics, Martin 2001): speech dips to it
more often than that."""
_FIRST_FLOOR_DB = -58.0
_DIGITAL_SILENCE_DB = -75.0
_FLOOR_MARGIN_DB = 8.0
_LEVEL_FALL_DB = 0.12
"""A hop of speech: 6 dB a second, little between two vowels. In pauses the level stays."""
_QUIETEST_LEVEL_DB = -50.0
_RANGE_DB = 35.0
"""From an ordinary loud vowel down to where the mouth shuts."""
_SHARE_DB = 30.0

_PARTING_SEAL = 0.35
"""On the frame after a closure: lips part over two frames, not one."""

_DIP_BEFORE_DB, _DIP_AFTER_DB = 14.0, 11.0
_HISS_DB = -28.0
"""Against the voice's level: where the top band is louder than this near a dip, it is a t, k, s or ch. What is left
is still mistaken often (p and t differ by a few milliseconds of burst); a learned model does this better."""


class AcousticMouth:
    """Reads mouth frames from a stream of sound: ``push`` sound, take ``next`` for each frame in order."""

    def __init__(self) -> None:
        self._quietest = deque([_FIRST_FLOOR_DB], maxlen=_FLOOR_HOPS)
        self._floor_db = _FIRST_FLOOR_DB
        self._level_db = -28.0
        self._sound: deque[NDArray[np.int16]] = deque()
        self._tail = np.zeros(_WINDOW, np.float32)
        self._features: deque[NDArray[np.float32]] = deque(maxlen=_AVERAGED)
        self._middle: deque[float] = deque(maxlen=_BEHIND + _AVERAGED)
        self._hiss: deque[float] = deque(maxlen=_BEHIND + _AVERAGED)
        self._started = False
        self._closed = False

    def push(self, pcm48k: NDArray[np.int16]) -> None:
        """Append sound, mono int16 [samples]."""
        self._sound.append(pcm48k)

    def reset(self) -> None:
        """Forget the sound, keep what was learned about the voice's level and the background."""
        self._sound.clear()
        self._features.clear()
        self._middle.clear()
        self._hiss.clear()
        self._tail[:] = 0
        self._started = False
        self._closed = False

    def next(self) -> tuple[NDArray[np.float32], bool]:
        """The next 40 ms frame: mouth float32 [COUNT], and whether the lips are closed.

        Sound that was not pushed counts as silence.
        """
        for _ in range(_HOPS_PER_FRAME if self._started else _AVERAGED):
            self._analyse(self._hop_of_sound())
        self._started = True
        mouth, closed = self._shape(), self._closes()
        mouth[SEAL] = _PARTING_SEAL if self._closed and not closed else 0.0
        self._closed = closed
        return mouth, closed

    def _hop_of_sound(self) -> NDArray[np.float32]:
        out = np.zeros(_HOP, np.float32)
        filled = 0
        while filled < _HOP and self._sound:
            head = self._sound.popleft()
            part = head[: _HOP - filled]
            out[filled : filled + len(part)] = part
            filled += len(part)
            if len(part) < len(head):
                self._sound.appendleft(head[len(part) :])
        return out / 32768.0

    def _analyse(self, hop: NDArray[np.float32]) -> None:
        self._tail = np.concatenate((self._tail[_HOP:], hop))
        spectrum = np.fft.rfft(self._tail * _HANN)[:_LAST_BIN]
        power = (spectrum.real**2 + spectrum.imag**2) * (4.0 / _WINDOW**2)
        bands = 10.0 * np.log10(np.array([power[a:b].sum() for a, b in _BINS]) + 1e-9)
        loudest = float(bands.max())
        self._quietest.append(loudest)
        self._floor_db = max(min(self._quietest), _DIGITAL_SILENCE_DB)
        gate = min(max((loudest - self._floor_db - _FLOOR_MARGIN_DB) / 8.0, 0.0), 1.0)
        fallen = self._level_db - _LEVEL_FALL_DB * gate
        self._level_db = max(loudest - 3.0, fallen, self._floor_db + 12.0, _QUIETEST_LEVEL_DB)
        middle = float(bands[1:-1].max())
        loudness = gate * min(max((middle - self._level_db + _RANGE_DB) / _RANGE_DB, 0.0), 1.2)
        shares = np.clip((bands - loudest + _SHARE_DB) / _SHARE_DB, 0.0, 1.0)
        self._features.append(loudness * np.concatenate(([1.0], shares)).astype(np.float32))
        self._middle.append(max(middle, self._floor_db))
        self._hiss.append(float(bands[-1]) - self._level_db)

    def _shape(self) -> NDArray[np.float32]:
        features = np.mean(self._features, axis=0)
        speaking = min(float(features[0]) / 0.3, 1.0)
        opening, width, rounding = speaking * (_MEAN + _CONTRAST * (features @ _MAP + 0.09 - _MEAN))
        mouth = np.zeros(COUNT, np.float32)
        mouth[JAW] = max(opening - 0.15 * max(rounding, 0.0) - 0.04 * speaking, 0.0)  # what funnel and lips open
        mouth[SPREAD] = max(width, 0.0) / 0.6
        mouth[PUCKER] = max(rounding, 0.0)
        mouth[FUNNEL] = 0.6 * max(rounding, 0.0)
        mouth[LOWER] = 0.12 * speaking
        mouth[UPPER] = 0.06 * speaking
        return mouth

    def _closes(self) -> bool:
        """Whether the middle bands are much quieter in this frame than shortly before and after, without a hiss."""
        middle, hiss = list(self._middle), list(self._hiss)
        at = len(middle) - _AVERAGED
        after_frame = at + _HOPS_PER_FRAME
        here = min(middle[at:after_frame])
        before = max(middle[max(at - _BEHIND, 0) : at], default=here)
        after = max(middle[after_frame:], default=here)
        dips = before - here > _DIP_BEFORE_DB and after - here > _DIP_AFTER_DB
        return dips and before > self._level_db - 18.0 and max(hiss[max(at - 1, 0) : after_frame + 1]) < _HISS_DB
