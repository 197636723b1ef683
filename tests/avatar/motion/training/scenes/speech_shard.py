"""A small speech shard of made-up speech, in the layout of the synthesised ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from avatar.motion.generator import phones
from avatar.speech import Phoneme

_SYLLABLES = [
    ("h", 60),
    ("ə", 80),
    ("l", 90),
    ("oʊ", 260),
    ("m", 80),
    ("aɪ", 200),
    ("n", 80),
    ("eɪ", 180),
    ("p", 90),
    ("ɪ", 80),
]


def write_speech_shard(path: Path, *, voices: int = 2, utterances: int = 6, repeats: int = 3) -> None:
    """``utterances`` of some seconds each, spoken by ``voices`` in turn."""
    rng = np.random.default_rng(len(path.name))
    pcm, classes, said, offsets = [], [], [], {"pcm": [0], "hop": [0], "phoneme": [0]}
    for _ in range(utterances):
        at, own = 120.0, []
        for _ in range(repeats):
            for i in rng.permutation(len(_SYLLABLES)):
                symbol, length = _SYLLABLES[int(i)]
                until = at + length * float(rng.uniform(0.8, 1.2))
                own.append(Phoneme(symbol, at, until, stressed=len(symbol) > 1))
                at = until
            at += 250.0
        samples = round(at * 16)
        times = np.arange(samples) / 16000
        sound = 6000 * np.sign(np.sin(2 * np.pi * 120 * times)) * (0.6 + 0.4 * np.sin(2 * np.pi * 4 * times))
        pcm.append((sound + rng.normal(0, 300, samples)).astype(np.int16))
        hops = samples // 160
        classes.append(phones.timeline(own, hops))
        said += own
        offsets["pcm"].append(offsets["pcm"][-1] + samples)
        offsets["hop"].append(offsets["hop"][-1] + hops)
        offsets["phoneme"].append(len(said))
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(
        path,
        pcm16k=np.concatenate(pcm),
        phone=np.concatenate(classes),
        phoneme_symbol=np.array([p.symbol for p in said]),
        phoneme_start_ms=np.array([p.start_ms for p in said], np.float32),
        phoneme_end_ms=np.array([p.end_ms for p in said], np.float32),
        phoneme_stressed=np.array([p.stressed for p in said]),
        voice=np.array([f"voice-{u % voices}" for u in range(utterances)]),
        language=np.array(["en"] * utterances),
        pcm_offset=np.array(offsets["pcm"]),
        hop_offset=np.array(offsets["hop"]),
        phoneme_offset=np.array(offsets["phoneme"]),
    )
