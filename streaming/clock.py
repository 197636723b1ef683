"""``MediaClock``: when each beat's sound and picture leave the server. Sans-I/O: time goes in, releases come out.

Time is divided into *slots* of 20 ms, one Opus packet each, on an absolute schedule that starts with the first
``advance``. A beat fills two slots; its picture leaves in the first of them, with the first half of its sound.
The pts of everything released is the slot's number times a constant, so equal pts means equal time of release:
aiortc's sender reports pair RTP time with the time of sending, and a receiver aligns sound and picture by them.

Where no beat is queued when one is due, the slot is silence and the picture stands; playback goes on with the
next beat as soon as there is one. Sound never runs without its picture, nor the picture without its sound.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streaming.beat import Beat

SLOT_S = 0.02
SLOT_SAMPLES = 960
"""20 ms at 48 kHz: the Opus frame that every WebRTC endpoint decodes (RFC 7874 section 3)."""
SLOT_TICKS_90K = 1800
MAX_LATE_S = 0.2
"""Later than this, catching up would burst more packets than a receiver's buffer holds (NetEq, aiortc: 16
packets a stream); the missed slots are left out instead, in both streams alike."""
_SILENCE = np.zeros(SLOT_SAMPLES, np.int16)


@dataclass(frozen=True, slots=True)
class Release:
    """What leaves the server in one slot.

    Attributes:
        pts_48k: RTP time of the sound; 960 a slot.
        pcm48k: int16 [960], with the gain applied.
        silent: ``pcm48k`` is all zeros.
        picture: the encoded frame that belongs to this slot and the next; None where the picture stands.
        keyframe: of ``picture``.
        pts_90k: RTP time of the picture; 1800 a slot.
        utterance: 0 where the sound is no speech.
        position: 48 kHz samples of the utterance released in all, this slot included.
        speech_samples: how many of the 960 samples are speech.
        last: the utterance is over with this slot.
    """

    pts_48k: int
    pcm48k: NDArray[np.int16]
    silent: bool
    picture: bytes | None = None
    keyframe: bool = False
    pts_90k: int = 0
    utterance: int = 0
    position: int = 0
    speech_samples: int = 0
    last: bool = False


class MediaClock:
    """Releases queued beats in real time. Not thread-safe; ``now`` is any monotonic time in seconds.

    Args:
        lead_s: how far ahead of real time speech may leave (a WebSocket client buffers; RTP has no lead).
    """

    def __init__(self, *, lead_s: float = 0.0) -> None:
        self._lead_s = lead_s
        self._queue: deque[Beat] = deque()
        self._begun: Beat | None = None  # its first half has left
        self._origin_s: float | None = None
        self._slot = 0
        self._epoch = 0
        self._utterance = 0
        self._position = 0
        self._gain = 1.0
        self._target_gain = 1.0
        self.stalled_slots = 0
        """Slots of standing picture and silence since the start, for want of a beat."""

    @property
    def queued(self) -> int:
        """Beats offered and not yet begun."""
        return len(self._queue)

    @property
    def epoch(self) -> int:
        return self._epoch

    @property
    def utterance(self) -> int:
        """The utterance being played, 0 between utterances."""
        return self._utterance

    @property
    def position(self) -> int:
        """48 kHz samples of ``utterance`` that were released."""
        return self._position

    def offer(self, beat: Beat) -> bool:
        """Queue a beat behind those offered before; False where it is stale (of an older epoch) and dropped.

        Idle beats not yet released give way to the first beat of speech, so that it leaves in the next slot;
        such a beat is a keyframe, since the frames it would refer to may be dropped.
        """
        if beat.epoch != self._epoch:
            return False
        if beat.utterance and beat.keyframe:
            while self._queue and not self._queue[-1].utterance:
                self._queue.pop()
            if not self._queue and self._begun is not None and not self._begun.utterance:
                self._begun = None
        self._queue.append(beat)
        return True

    def clear(self) -> int:
        """Drop everything not yet released, even the second half of a beat, and begin a new epoch.

        Returns:
            Released samples of the utterance that was playing, 0 if none was.
        """
        position = self._position
        self._queue.clear()
        self._begun = None
        self._epoch += 1
        self._utterance = self._position = 0
        return position

    def set_gain(self, gain_db: float) -> None:
        """Loudness of what is released from now on, reached over the next slot."""
        self._target_gain = 10.0 ** (gain_db / 20.0)

    def next_due(self) -> float:
        """When ``advance`` should be called next.

        Raises:
            RuntimeError: ``advance`` was never called.
        """
        if self._origin_s is None:
            raise RuntimeError("the clock has not been started")
        return self._origin_s + self._slot * SLOT_S - (self._lead_s if self._speaking_next() else 0.0)

    def advance(self, now: float) -> Iterator[Release]:
        """Everything due by ``now``, each made when it is asked for, so that a ``clear`` in between takes effect.
        The first call starts the schedule. Later than ``MAX_LATE_S``, the slots missed are left out.
        """
        if self._origin_s is None:
            self._origin_s = now
        missed = now - (self._origin_s + self._slot * SLOT_S)
        if missed > MAX_LATE_S:
            self._slot += int(missed / SLOT_S)
        while self.next_due() <= now + 1e-6:
            yield self._release()

    def _speaking_next(self) -> bool:
        beat = self._begun or (self._queue[0] if self._queue else None)
        return beat is not None and beat.utterance != 0

    def _release(self) -> Release:
        sound, picture_time = self._slot * SLOT_SAMPLES, self._slot * SLOT_TICKS_90K
        self._slot += 1
        second = self._begun is not None
        beat = self._begun or (self._queue.popleft() if self._queue else None)
        self._begun = None if second else beat
        if beat is None:
            self.stalled_slots += 1
            self._gain = self._target_gain
            return Release(sound, _SILENCE, silent=True, pts_90k=picture_time)
        start = SLOT_SAMPLES if second else 0
        speech = min(max(beat.speech_samples - start, 0), SLOT_SAMPLES)
        last = beat.last and second == (beat.speech_samples > SLOT_SAMPLES)
        position = beat.position + min(start + SLOT_SAMPLES, beat.speech_samples)
        if beat.last and (last or second):
            self._utterance = self._position = 0
        elif beat.utterance:  # an idle beat within an utterance, for want of speech, does not end it
            self._utterance, self._position = beat.utterance, position
        if speech:
            pcm = self._loudness(np.frombuffer(beat.pcm48k, "<i2", SLOT_SAMPLES, 2 * start))
        else:
            pcm, self._gain = _SILENCE, self._target_gain
        return Release(
            sound,
            pcm,
            silent=not speech,
            picture=None if second else beat.picture or None,
            keyframe=beat.keyframe and not second,
            pts_90k=picture_time,
            utterance=beat.utterance if speech or last else 0,
            position=position,
            speech_samples=speech,
            last=last,
        )

    def _loudness(self, pcm: NDArray[np.int16]) -> NDArray[np.int16]:
        if self._gain == self._target_gain == 1.0:
            return pcm
        ramp = np.linspace(self._gain, self._target_gain, len(pcm), dtype=np.float32)
        self._gain = self._target_gain
        changed: NDArray[np.int16] = np.clip(pcm * ramp, -32768, 32767).astype(np.int16)
        return changed
