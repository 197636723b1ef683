"""Small made-up shards in the formats of the real ones: what they hold can be learned, and nothing is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from avatar.motion.generator.condition import C
from avatar.motion.generator.features import BANDS, HOPS_PER_FRAME
from avatar.motion.generator.phones import COUNT as PHONES
from avatar.motion.generator.state import HAND_COMPONENTS, D, HandBasis, Normalisation
from avatar.motion.speech.mouth import COUNT, FUNNEL, JAW, SEAL


def speech_shard(
    path: Path, seed: int, utterances: int = 6, frames: int = 60, engines: tuple[str, ...] = ("a", "b")
) -> None:
    """Low bands open the jaw, high ones round the lips; silence in all is a closure."""
    rng = np.random.default_rng(seed)
    mels, mouths, phones = [], [], []
    for _ in range(utterances):
        knots = rng.uniform(0, 1, (frames // 5 + 2, 3))
        at = np.arange(frames) / 5
        curve = np.stack([np.interp(at, np.arange(len(knots)), knots[:, i]) for i in range(3)], axis=1)
        closed = (np.arange(frames) % 15) == 7
        mouth = np.zeros((frames, COUNT))
        mouth[:, JAW], mouth[:, FUNNEL], mouth[:, SEAL] = 0.5 * curve[:, 0], 0.4 * curve[:, 1], closed
        mel = np.full((frames, BANDS), -9.0)
        mel[:, : BANDS // 2] += 3 * curve[:, :1]
        mel[:, BANDS // 2 :] += 3 * curve[:, 1:2]
        mel[closed] = -14.0
        mels.append(np.repeat(mel, HOPS_PER_FRAME, axis=0) + rng.normal(0, 0.1, (frames * HOPS_PER_FRAME, BANDS)))
        mouths.append(mouth)
        phones.append(np.repeat(1 + (curve[:, 0] * (PHONES - 2)).astype(np.uint8), HOPS_PER_FRAME))
    mouth, lengths = np.concatenate(mouths), [frames] * utterances
    hops = [frames * HOPS_PER_FRAME] * utterances
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(
        path,
        pcm16k=np.zeros(1, np.int16),
        text=np.array(["-"] * utterances),
        # every utterance twice: as it is, and quieter
        rendition_mel=np.concatenate([m - quiet for m in mels for quiet in (0.0, 1.0)]).astype(np.float16),
        rendition_offset=np.cumsum([0, *np.repeat(hops, 2)]),
        rendition_utterance=np.repeat(np.arange(utterances), 2),
        rendition_kind=np.array(["clean", "quiet"] * utterances),
        mouth=mouth.astype(np.float16),
        sealed=mouth[:, SEAL] > 0,
        touching=np.zeros(len(mouth), bool),
        phone=np.concatenate(phones).astype(np.uint8),
        frame_offset=np.cumsum([0, *lengths]),
        hop_offset=np.cumsum([0, *hops]),
        voice=np.array([f"voice{i % 3}" for i in range(utterances)]),
        engine=np.array([engines[i % len(engines)] for i in range(utterances)]),
        language=np.array(["en"] * utterances),
    )


def speech(data: Path) -> None:
    for split, seed in (("train", 1), ("valid", 2)):
        speech_shard(data / "speech" / split / "0000.npz", seed)


KEPT, DRIVEN = 0.9, 0.19**0.5
"""Of the made-up motion: a frame is so much of the one before, and so much of what drives it; its variance is 1."""


def scene_shard(path: Path, seed: int, scenes: int = 40, frames: int = 100) -> None:
    """Channels driven by noise, which the condition tells."""
    rng = np.random.default_rng(seed)
    states, conditions = [], []
    for _ in range(scenes):
        drive = rng.standard_normal((frames, D))
        state = np.zeros((frames, D))
        for frame in range(frames):
            before = state[frame - 1] if frame else rng.standard_normal(D)
            state[frame] = KEPT * before + DRIVEN * drive[frame]
        condition = np.zeros((frames, C))
        told = min(C, D)
        condition[:, :told] = drive[:, :told]
        states.append(2.0 * state + 1.0)
        conditions.append(condition)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(
        path,
        state=np.concatenate(states).astype(np.float16),
        condition=np.concatenate(conditions).astype(np.float16),
        scene_offset=np.arange(scenes + 1) * frames,
    )


def normalisation() -> Normalisation:
    one, of_condition = np.ones(D, np.float32), np.ones(C, np.float32)
    return Normalisation(one, 2 * one, 0 * of_condition, of_condition)


def hand_basis() -> HandBasis:
    components = np.eye(HAND_COMPONENTS, 84, dtype=np.float32)
    return HandBasis(np.zeros(84, np.float32), components, np.zeros(84, np.float32))


def scenes(data: Path) -> None:
    for split, seed in (("train", 1), ("valid", 2)):
        scene_shard(data / "scenes" / split / "0000.npz", seed)
    normalisation().save(data / "normalisation.npz")
    hand_basis().save(data / "hands.npz")
