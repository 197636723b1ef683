"""A conversation's sound for Whisper, as it comes: 16 kHz, in segments, its loudness known only up to now.

The original encodes a finished file: log-mel clamped against the file's own maximum, 30 s segments each encoded on its
own and filled up with zeros. Here every window encodes the segment it lies in, up to the last sound that is known; the
clamp knows the loudest sound so far. A new segment begins where speech begins after silence (where a file of that
speech would begin) and when 30 s are full. What differs from the original is therefore the clamp, until the loudest
sound was heard, and that Whisper's attention does not see what was not said yet.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
import soxr
import torch
from numpy.typing import NDArray

from avatar.echomimic.audio_features import (
    POSITIONS_AFTER,
    POSITIONS_BEFORE,
    SAMPLE_RATE_HZ,
    SEGMENT_MEL_FRAMES,
    log_mel_power,
    normalise_log_mel,
)
from avatar.echomimic.transfer import to_device
from avatar.speech import BEAT_SAMPLES, FRAME_RATE_HZ, SPEECH_RATE_HZ

FRAME_SAMPLES = SAMPLE_RATE_HZ // FRAME_RATE_HZ
POSITIONS_A_FRAME = 2
"""50 Hz of features at 25 frames a second."""

LOOKAHEAD_MS = 120
"""A frame sees features up to 80 ms after its end; the convolutions and the Fourier window reach 35 ms further."""
LOOKAHEAD_SAMPLES = LOOKAHEAD_MS * SPEECH_RATE_HZ // 1000

SEGMENT_FRAMES = SEGMENT_MEL_FRAMES * FRAME_RATE_HZ // 100

USUAL_LOUDEST = 1.3
"""Log10 mel power of the loudest moment of a recording: the clamp's first guess, so that the first words are not judged
against silence. The median of eight recordings in two languages, which lie between 0.6 and 1.9; half of them come within
0.4 of their own loudest in their first second."""

_AROUND = 960
"""Samples at 48 kHz on each side of a stretch while it is resampled: several times the filter's length."""
_KEPT_FRAMES = 48
"""How far back a stretch may begin anew; a window maker orders 27 frames ahead at most."""


@dataclass(frozen=True, slots=True)
class Segment:
    """What a window's frames are encoded from.

    Attributes:
        mel: normalised log-mel, float32 [bands, 3000], zeros after the known sound, as the original fills up.
        first: position (50 Hz) of the stretch's first frame in the segment.
        known: positions that hold sound.
        frames: of the stretch.
    """

    mel: torch.Tensor
    first: int
    known: int
    frames: int


class RunningSound:
    """One conversation's sound by frame number.

    Args:
        mel_bands: of the encoder.
        device: where log-mel is computed; nothing is read back from it.
    """

    def __init__(self, mel_bands: int, device: torch.device) -> None:
        self._bands = mel_bands
        self._device = device
        self._segment: list[NDArray[np.float32]] = []
        self._first = 0
        self._speaking: deque[bool] = deque(maxlen=_KEPT_FRAMES)
        self._before: deque[NDArray[np.int16]] = deque(maxlen=_KEPT_FRAMES)
        self._end = 0
        self._loudest = torch.tensor(USUAL_LOUDEST, device=device)
        self._tail: torch.Tensor | None = None
        self._kept: torch.Tensor | None = None

    def hear(
        self, first: int, pcm48k: NDArray[np.int16], ahead48k: NDArray[np.int16], speaking: NDArray[np.bool_]
    ) -> Segment:
        """The sound of the next frames, and what follows it; frames from ``first`` on are forgotten first.

        Args:
            first: number of the first frame.
            pcm48k: int16 [frames * 1920].
            ahead48k: int16, what is known beyond.
            speaking: bool [frames].
        """
        frames = len(pcm48k) // BEAT_SAMPLES
        self._forget(first)
        speech_begins = bool(speaking[0]) and not (self._speaking and self._speaking[-1])
        ahead_frames = -(-len(ahead48k) // BEAT_SAMPLES)
        if speech_begins:
            self._begin(first, None)
        elif len(self._segment) + frames + ahead_frames > SEGMENT_FRAMES:
            self._begin(first, self._kept)
        pcm16k = self._resampled(pcm48k, ahead48k)
        start = len(self._segment)
        for number in range(frames):
            self._segment.append(pcm16k[number * FRAME_SAMPLES : (number + 1) * FRAME_SAMPLES])
            self._before.append(pcm48k[number * BEAT_SAMPLES : (number + 1) * BEAT_SAMPLES])
            self._speaking.append(bool(speaking[number]))
        self._end = first + frames
        whole = torch.from_numpy(np.concatenate([*self._segment, pcm16k[frames * FRAME_SAMPLES :]]))
        power = log_mel_power(to_device(whole, self._device), self._bands)
        self._loudest = torch.maximum(self._loudest, power.max())
        mel = normalise_log_mel(power, self._loudest)
        known = mel.shape[1] // 2
        filled = torch.nn.functional.pad(mel, (0, SEGMENT_MEL_FRAMES - mel.shape[1]))
        return Segment(filled, POSITIONS_A_FRAME * start, known, frames)

    def tokens(self, segment: Segment, features: torch.Tensor, ahead: int = 0) -> torch.Tensor:
        """The audio tokens of the frames of ``segment``.

        Args:
            features: of the segment, [1500, levels, channels].
            ahead: how many frames beyond are wanted too; past the known sound they see its last feature.

        Returns:
            [frames + ahead, 10 * levels, channels].
        """
        before = features[:1].expand(POSITIONS_BEFORE, -1, -1) if self._tail is None else self._tail
        whole = torch.cat([before, features[: segment.known]])
        centre = segment.first + POSITIONS_A_FRAME * np.arange(segment.frames + ahead)
        index = np.clip(
            centre[:, None] + np.arange(-POSITIONS_BEFORE, POSITIONS_AFTER), -POSITIONS_BEFORE, segment.known - 1
        )
        chosen = to_device(torch.from_numpy(index + POSITIONS_BEFORE), features.device)
        end = segment.first + POSITIONS_A_FRAME * segment.frames + POSITIONS_BEFORE
        self._kept = whole[end - POSITIONS_BEFORE : end].clone()
        return whole[chosen].flatten(1, 2)

    def _forget(self, first: int) -> None:
        for _ in range(self._end - first):
            if self._segment:
                self._segment.pop()
            if self._before:
                self._before.pop()
                self._speaking.pop()
        self._end = first
        if first < self._first:  # into the segment before, which is gone
            self._begin(first, None)

    def _begin(self, first: int, tail: torch.Tensor | None) -> None:
        self._segment.clear()
        self._first, self._tail = first, tail

    def _resampled(self, pcm48k: NDArray[np.int16], ahead48k: NDArray[np.int16]) -> NDArray[np.float32]:
        before = self._before[-1][-_AROUND:] if self._before else np.zeros(_AROUND, np.int16)
        after = np.zeros(-len(ahead48k) % 3 + _AROUND, np.int16)
        whole = np.concatenate([before, pcm48k, ahead48k, after]).astype(np.float32) / np.float32(32768)
        pcm16k = soxr.resample(whole, SPEECH_RATE_HZ, SAMPLE_RATE_HZ)
        start = _AROUND // 3
        return np.ascontiguousarray(pcm16k[start : start + (len(pcm48k) + len(ahead48k)) // 3], np.float32)
