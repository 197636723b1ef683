"""The mouth read from the sound alone, for speech without timings.

Plain and causal but for 80 ms of look-ahead: energy opens the jaw, the balance of a few bands shapes the lips,
dips between louder neighbours close them. Loudness is judged against this voice's running level and
against the background's.
"""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from avatar.motion.speech.mouth import COUNT, FUNNEL, JAW, LOWER, PRESS, PUCKER, SEAL, SPREAD, UPPER
from avatar.speech import BEAT_SAMPLES, SPEECH_RATE_HZ

LOOK_AHEAD_FRAMES = 2
"""80 ms: more buys little for a mouth read from sound, less loses roundings and closures."""

_HOPS_PER_FRAME = 2
_HOP = BEAT_SAMPLES // _HOPS_PER_FRAME
_WINDOW = 1536
"""32 ms at 48 kHz."""

_HANN = np.hanning(_WINDOW).astype(np.float32)
_BANDS_HZ = ((80, 300), (300, 600), (600, 1100), (1100, 1900), (1900, 3300), (3800, 8000))
_BIN_HZ = SPEECH_RATE_HZ / _WINDOW
_BINS = tuple((round(low / _BIN_HZ), round(high / _BIN_HZ)) for low, high in _BANDS_HZ)
_LAST_BIN = _BINS[-1][1]

_AHEAD = LOOK_AHEAD_FRAMES * _HOPS_PER_FRAME
_BEHIND = 6
"""Hops kept behind the one shown (120 ms), to see a dip between two louder moments."""

_FLOOR_RISE_DB = 0.03
"""A hop. The background estimate climbs 1.5 dB a second, so a held vowel does not become background."""
_LEVEL_FALL_DB = 0.06
_RANGE_DB = 26.0
"""From an ordinary loud vowel down to where the mouth shuts."""


class AcousticMouth:
    """Reads mouth frames from a stream of sound.

    ``push`` sound, ``finish`` when no more comes, ``next`` for each frame in order.
    """

    def __init__(self) -> None:
        self._sound: deque[NDArray[np.int16]] = deque()
        self._tail = np.zeros(_WINDOW, np.float32)
        self._hops: deque[NDArray[np.float32]] = deque(maxlen=_BEHIND + 1 + _AHEAD)
        self._floor_db = -55.0
        self._level_db = -28.0
        self._smooth = np.zeros(COUNT, np.float32)
        self._started = False

    def push(self, pcm48k: NDArray[np.int16]) -> None:
        self._sound.append(pcm48k)

    def reset(self) -> None:
        """Forget the sound, keep what was learned about the voice's level and the background."""
        self._sound.clear()
        self._hops.clear()
        self._tail[:] = 0
        self._smooth[:] = 0
        self._started = False

    def next(self) -> NDArray[np.float32]:
        """The next 40 ms frame's mouth, float32 [COUNT]; sound that was not pushed counts as silence."""
        hops = _HOPS_PER_FRAME
        if not self._started:
            self._started = True
            hops += _AHEAD
        for _ in range(hops):
            self._analyse(self._hop_of_sound())
        frames = [self._shape(len(self._hops) - 1 - _AHEAD - back) for back in (1, 0)]
        target = (frames[0] + frames[1]) / 2
        self._smooth += (target - self._smooth) * np.where(target > self._smooth, 0.8, 0.65)
        out = self._smooth.copy()
        if target[SEAL] > 0.5:
            out[SEAL] = self._smooth[SEAL] = 1.0
        return out

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
        total = 10.0 * np.log10(power.sum() + 1e-9)
        self._floor_db = min(total, self._floor_db + _FLOOR_RISE_DB) if total > -89 else self._floor_db
        self._level_db = max(total - 3.0, self._level_db - _LEVEL_FALL_DB, self._floor_db + 12.0)
        self._hops.append(np.append(bands, total).astype(np.float32))

    def _shape(self, at: int) -> NDArray[np.float32]:
        mouth = np.zeros(COUNT, np.float32)
        at = max(at, 0)
        low, f1, f1_high, f2_low, f2_high, sibilant, total = self._hops[at]
        gate = float(np.clip((total - self._floor_db - 8.0) / 8.0, 0, 1))
        loud = gate * float(np.clip(1.0 + (max(f1, f1_high, f2_low) - self._level_db) / _RANGE_DB, 0, 1))
        openness = float(np.clip(0.5 + (f1_high - max(low, f1)) / 18.0, 0, 1))
        front = float(np.clip(0.45 + (f2_high - max(f1_high, f2_low)) / 22.0, 0, 1))
        hiss = gate * float(np.clip((sibilant - max(f1, f1_high, f2_low) + 3.0) / 10.0, 0, 1))
        mouth[JAW] = loud * (0.14 + 0.4 * openness) * (1 - 0.7 * hiss)
        mouth[SPREAD] = max(loud * front * 0.4, 0.2 * hiss)
        rounding = loud * float(np.clip((0.4 - front) / 0.4, 0, 1))
        mouth[PUCKER] = 0.5 * rounding * (1 - openness)
        mouth[FUNNEL] = 0.35 * rounding
        mouth[LOWER] = 0.12 * loud + 0.12 * hiss
        mouth[UPPER] = 0.06 * loud + 0.06 * hiss
        if self._dips(at) and hiss < 0.3:
            mouth[SEAL], mouth[PRESS] = 1.0, 0.2
        return mouth

    def _dips(self, at: int) -> bool:
        """Whether the middle bands are much quieter here than shortly before and after."""
        middle = [max(h[1:5].max(), self._floor_db) for h in self._hops]
        here = middle[at]
        before = max(middle[max(at - 5, 0) : at], default=here)
        after = max(middle[at + 1 : at + 5], default=here)
        return bool(before - here > 12.0 and after - here > 9.0 and before > self._level_db - 18.0)
