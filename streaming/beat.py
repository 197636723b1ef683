"""The beat: the unit of output. 40 ms, one encoded video frame and exactly the sound that belongs to it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Beat:
    """What a worker sends to the gateway; sound and picture are never held apart.

    Attributes:
        pcm48k: 1920 mono int16 samples, little-endian bytes (3840).
        picture: one encoded video frame; ``b""`` where the conversation has no picture.
        keyframe: the picture needs no earlier one.
        utterance: which utterance the sound belongs to; 0 for an idle beat.
        position: offset of the first sample in the utterance, 48 kHz samples.
        speech_samples: how many of the samples belong to the utterance (0..1920).
        last: the utterance ends within this beat.
        epoch: number of ``clear`` commands the worker had seen; a beat of an older epoch is stale.
    """

    pcm48k: bytes
    picture: bytes
    keyframe: bool
    utterance: int
    position: int
    speech_samples: int
    last: bool
    epoch: int
