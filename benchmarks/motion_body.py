"""Head, eyes and hands while speaking, listening and idle: rates, ranges, seams, drift, and what they have to do with the sound."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
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
    nods,
    seams,
)
from avatar.motion.evaluation.drive import MakeSource, speak
from avatar.motion.evaluation.lips import mouth_of
from avatar.motion.generator.condition import AT, DEMAND
from avatar.motion.generator.state import HandBasis, to_motion_values
from avatar.motion.motion import Motion
from avatar.motion.source import Mode
from avatar.motion.speech.loudness import VoiceLevel, envelope_db
from avatar.motion.speech.prosody import listen
from avatar.speech import BEAT_SAMPLES, FRAME_RATE_HZ, SPEECH_RATE_HZ, SpeechChunk
from benchmarks import motion_sampling

SILENCE_S = 600.0
MOST_DATA_FRAMES = 60_000
LEAST_ACCENT = 0.3


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


def joined(utterances: list[SpeechChunk]) -> SpeechChunk:
    """One utterance of several with phoneme times, set end to end."""
    phonemes, begin_ms = [], 0.0
    for speech in utterances:
        phonemes += [
            replace(each, start_ms=begin_ms + each.start_ms, end_ms=begin_ms + each.end_ms)
            for each in speech.phonemes or ()
        ]
        begin_ms += len(speech.pcm48k) / SPEECH_RATE_HZ * 1000
    pcm48k = np.concatenate([speech.pcm48k for speech in utterances])
    return SpeechChunk(pcm48k, utterances[0].language, tuple(phonemes))


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
        "nods_per_minute": nods(motion),
        "jerk": jerk(motion),
        "jumps at seams": asdict(seams(comparable, hop_frames)),
        "changes of speed at seams": asdict(seams(comparable, hop_frames, order=2)),
        "jumps of the lips at seams": asdict(seams(_lips(motion), hop_frames)),
    }


def accents_of(utterances: list[SpeechChunk]) -> np.ndarray:
    """When accents are heard in utterances set end to end, seconds, float32; each against its own loudness."""
    accents, begin_s = [], 0.0
    for speech in utterances:
        accents += [begin_s + accent.at_ms / 1000 for accent in listen(speech.pcm48k, 0.0, VoiceLevel()).accents]
        begin_s += len(speech.pcm48k) / SPEECH_RATE_HZ
    return np.array(accents, np.float32)


def with_sound(motion: Motion, levels: np.ndarray, accents_s: np.ndarray) -> dict[str, Any]:
    """Whether head and hands have to do with what is said; see ``speaking`` without pauses, and ``accents_of``."""
    seconds = len(motion) / FRAME_RATE_HZ
    beats = hand_beats(motion)
    moved = np.nan_to_num(hand_speed(motion), nan=0.0)
    return {
        "head speed with loudness": asdict(coupling(head_speed(motion), levels[1:])),
        "hand speed with loudness": asdict(coupling(moved.astype(np.float32), levels[1:])),
        "hand beats": len(beats),
        "accents": len(accents_s),
        "hand beats with accents": asdict(beat_alignment(accents_s, beats, seconds)),
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


def of_the_data(data: Path) -> dict[str, dict[str, Any]]:
    """The same of held-out scenes, by what the avatar does in them; scenes are set end to end.

    Returns:
        "speaking", "listening", "idle", as far as there are scenes of it; empty without data.
    """
    if not (data / "hands.npz").is_file():
        return {}
    hands = HandBasis.load(data / "hands.npz")
    values: dict[str, list[np.ndarray]] = {"speaking": [], "listening": [], "idle": []}
    squares: dict[str, dict[str, list[float]]] = {name: {"head": [], "hands": []} for name in values}
    for state, condition in motion_sampling.scenes_of(data / "scenes" / "test", most_frames=MOST_DATA_FRAMES):
        what = next((name for name in values if condition[:, AT[f"is_{name}"]].mean() >= 0.9), None)
        if what is None:
            continue
        sealed, touching = condition[:, AT["sealed"]] > 0.5, condition[:, AT["touching"]] > 0.5
        scene = to_motion_values(state, condition[:, DEMAND], sealed, touching, hands)
        values[what].append(scene)
        for name, value in jerk(Motion(scene)).items():
            if np.isfinite(value):
                squares[what][name].append(value**2)
    out = {}
    for name, scenes in values.items():
        if scenes:
            whole = Motion(np.concatenate(scenes))
            # A frame less of each, so that the jumps between scenes fall on every phase of the hop alike.
            uncut = Motion(np.concatenate([scene[:-1] for scene in scenes]))
            hop = 5 if name == "speaking" else 10
            out[name] = {
                "jumps at seams": asdict(seams(_comparable(uncut), hop)),
                "changes of speed at seams": asdict(seams(_comparable(uncut), hop, order=2)),
                "jumps of the lips at seams": asdict(seams(_lips(uncut), hop)),
                "minutes": len(whole) / FRAME_RATE_HZ / 60,
                "blinks": asdict(blinking(whole)),
                "moving": asdict(moving(whole)),
                "nods_per_minute": nods(whole),
                "jerk": {part: float(np.sqrt(np.mean(each))) for part, each in squares[name].items() if each},
            }
    return out


def beats_of_scenes(states: list[np.ndarray], conditions: list[np.ndarray], data: Path) -> dict[str, Any]:
    """Whether hands beat with the accents that held-out scenes tell, over the scenes that speak, set end to end.

    Args:
        states: of scenes of one length, float32 [frames, D], physical.
        conditions: of the same.
        data: working folder with the hands' basis.
    """
    hands = HandBasis.load(data / "hands.npz")
    accents: list[float] = []
    beats: list[float] = []
    begin_s = 0.0
    for state, condition in zip(states, conditions, strict=True):
        if condition[:, AT["is_speaking"]].mean() < 0.9:
            continue
        sealed, touching = condition[:, AT["sealed"]] > 0.5, condition[:, AT["touching"]] > 0.5
        scene = Motion(to_motion_values(state, condition[:, DEMAND], sealed, touching, hands))
        beats += (hand_beats(scene) + begin_s).tolist()
        told = condition[:, AT["accent"]]
        peaks = (told[1:-1] > LEAST_ACCENT) & (told[1:-1] >= told[:-2]) & (told[1:-1] > told[2:])
        accents += (begin_s + (np.flatnonzero(peaks) + 1) / FRAME_RATE_HZ).tolist()
        begin_s += len(scene) / FRAME_RATE_HZ
    found = beat_alignment(np.array(accents, np.float32), np.array(beats, np.float32), max(begin_s, 1.0))
    return {"beats": len(beats), "accents": len(accents), **asdict(found)}


def _lips(motion: Motion) -> np.ndarray:
    mouth = mouth_of(motion.values)
    stacked = np.stack((mouth.opening, mouth.width), 1)
    return np.asarray(stacked / np.maximum(stacked.std(0), 1e-6), np.float32)


def _comparable(motion: Motion) -> np.ndarray:
    """Head, brows, shoulders and hands, each over its own spread; lids and lips jump by themselves."""
    names = [*HEAD, "headX", "headY", "headZ", "browInnerUp", "shoulderLeft", "shoulderRight"]
    columns = [motion[name] for name in names]
    for side in ("Left", "Right"):
        columns += [motion[f"hand{side}{point}{axis}"] for point in (0, 8, 20) for axis in "XY"]
    stacked = np.stack(columns, 1)
    spread = stacked.std(0)
    return np.asarray(stacked[:, spread > 1e-6] / spread[spread > 1e-6], np.float32)
