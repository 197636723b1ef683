"""Head, eyes and hands while speaking, listening and idle: rates, ranges, seams, drift, and what they have to do with the sound."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from avatar.motion.evaluation.behaviour import (
    HEAD,
    beat_alignment,
    blinking,
    coupling,
    drift,
    hand_beats,
    hand_speed,
    head_speed,
    jerk,
    moving,
    seams,
)
from avatar.motion.evaluation.drive import MakeSource, speak
from avatar.motion.evaluation.lips import mouth_of
from avatar.motion.motion import Motion
from avatar.motion.source import Mode
from avatar.motion.speech.loudness import VoiceLevel, envelope_db
from avatar.motion.speech.prosody import listen
from avatar.speech import BEAT_SAMPLES, FRAME_RATE_HZ, SpeechChunk

SILENCE_S = 120.0


def speaking(make: MakeSource, utterances: list[SpeechChunk], *, pause_frames: int = 0) -> tuple[Motion, np.ndarray]:
    """One avatar that says all utterances, one after the other.

    Returns:
        The motion, and the sound's level in dB on the same frames, float32 [frames].
    """
    source = make(3)
    values, levels = [], []
    for speech in utterances:
        motion = speak(source, speech)
        values.append(motion.values)
        levels.append(frame_levels(speech, len(motion)))
        if pause_frames:
            values.append(source.take(pause_frames, speaking=False).values)
            levels.append(np.full(pause_frames, -60.0, np.float32))
    return Motion(np.concatenate(values)), np.concatenate(levels)


def frame_levels(speech: SpeechChunk, frames: int) -> np.ndarray:
    """Energy of each frame in dB of full scale, at least -60."""
    pcm = np.zeros(frames * BEAT_SAMPLES, np.int16)
    pcm[: min(len(pcm), len(speech.pcm48k))] = speech.pcm48k[: len(pcm)]
    return np.asarray(np.maximum(envelope_db(pcm).reshape(frames, -1).mean(1), -60.0), np.float32)


def silent(make: MakeSource, mode: Mode) -> Motion:
    source = make(4)
    source.set_mode(mode)
    return source.take(round(SILENCE_S * FRAME_RATE_HZ), speaking=False)


def describe(motion: Motion, *, hop_frames: int) -> dict[str, Any]:
    """Everything that needs no sound."""
    comparable = _comparable(motion)
    return {
        "minutes": len(motion) / FRAME_RATE_HZ / 60,
        "blinks": asdict(blinking(motion)),
        "moving": asdict(moving(motion)),
        "jerk": jerk(motion),
        "jumps at seams": asdict(seams(comparable, hop_frames)),
        "changes of speed at seams": asdict(seams(comparable, hop_frames, order=2)),
    }


def with_sound(motion: Motion, levels: np.ndarray, utterances: list[SpeechChunk]) -> dict[str, Any]:
    """Whether head and hands have to do with what is said; ``utterances`` are those of ``speaking`` without pauses."""
    accents, begin_s, level = [], 0.0, VoiceLevel()
    for speech in utterances:
        accents += [begin_s + accent.at_ms / 1000 for accent in listen(speech.pcm48k, 0.0, level).accents]
        begin_s += -(-len(speech.pcm48k) // BEAT_SAMPLES) / FRAME_RATE_HZ
    seconds = len(motion) / FRAME_RATE_HZ
    beats = hand_beats(motion)
    moved = np.nan_to_num(hand_speed(motion), nan=0.0)
    return {
        "head speed with loudness": asdict(coupling(head_speed(motion), levels[1:])),
        "hand speed with loudness": asdict(coupling(moved.astype(np.float32), levels[1:])),
        "hand beats": len(beats),
        "hand beats with accents": asdict(beat_alignment(np.array(accents, np.float32), beats, seconds)),
    }


def stillness(motion: Motion) -> dict[str, float]:
    """In silence: mean lip opening, and the share of frames in which a hand is shown."""
    return {
        "opening": float(mouth_of(motion.values).opening.mean()),
        "hands_shown": moving(motion).hands_shown,
        "head_speed_p50": moving(motion).head_speed_deg_s[0],
    }


def wandering(make: MakeSource, minutes: float) -> dict[str, Any]:
    """Drift over a long time of listening and idling in turn."""
    source = make(5)
    parts = []
    for i in range(round(minutes * 2)):
        source.set_mode(Mode.LISTENING if i % 2 else Mode.IDLE)
        parts.append(source.take(30 * FRAME_RATE_HZ, speaking=False).values)
    motion = Motion(np.concatenate(parts))
    return {"minutes": minutes, **asdict(drift(motion)), "head_sd_deg": [float(motion[name].std()) for name in HEAD]}


def _comparable(motion: Motion) -> np.ndarray:
    """Head, brows, shoulders and hands, each over its own spread; lids and lips jump by themselves."""
    names = [*HEAD, "headX", "headY", "headZ", "browInnerUp", "shoulderLeft", "shoulderRight"]
    columns = [motion[name] for name in names]
    for side in ("Left", "Right"):
        columns += [motion[f"hand{side}{point}{axis}"] for point in (0, 8, 20) for axis in "XY"]
    stacked = np.stack(columns, 1)
    spread = stacked.std(0)
    return np.asarray(stacked[:, spread > 1e-6] / spread[spread > 1e-6], np.float32)
