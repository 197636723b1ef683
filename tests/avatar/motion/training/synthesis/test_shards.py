"""Shards: whole or not at all, the same from the same seed, and without voices that do not work."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from avatar.motion.generator.features import log_mel
from avatar.motion.training.synthesis.corpus import Split
from avatar.motion.training.synthesis.shards import ShardPlan, make_shard
from avatar.motion.training.synthesis.voices import ESPEAK, FLITE, Engine, EngineFailed, Manner, Spoken, Voice
from tests.avatar.motion.training.synthesis.test_take import spoken

VOICES = [Voice(ESPEAK, f"en+{name}", name, "en", "") for name in ("Annie", "Lee")] + [
    Voice(FLITE, "awb", "awb", "en", "")
]


class Tones:
    """An engine that says "amabafa" whatever the text; ``broken`` voices fail."""

    def __init__(self, broken: tuple[str, ...] = ()) -> None:
        self.broken = broken

    def voices(self) -> list[Voice]:
        return VOICES

    def speak(self, text: str, voice: Voice, manner: Manner) -> Spoken:
        if voice.speaker in self.broken:
            raise EngineFailed("it coughs")
        return spoken(16_000)

    def renew(self) -> None:
        pass

    def close(self) -> None:
        pass


def engine(broken: tuple[str, ...] = ()) -> Callable[[Voice], Engine]:
    tones = Tones(broken)
    return lambda voice: tones


def plan(**changes: object) -> ShardPlan:
    return ShardPlan(**{"split": Split.TRAIN, "number": 3, "seed": 1, "seconds": 20.0, "renditions": 2, **changes})  # type: ignore[arg-type]


def test_a_shard_holds_what_it_promises(tmp_path: Path) -> None:
    made = make_shard(plan(), tmp_path, VOICES, engine())
    assert [path.name for path in (tmp_path / "train").iterdir()] == ["0003.npz"]
    assert set(made.seconds) <= {voice.key for voice in VOICES} and sum(made.seconds.values()) >= 20.0
    with np.load(tmp_path / "train" / "0003.npz", allow_pickle=False) as file:
        shard = dict(file)
    utterances = len(shard["text"])
    frames = shard["frame_offset"]
    for key in ("pcm", "frame", "hop", "phoneme"):
        assert shard[f"{key}_offset"].shape == (utterances + 1,) and shard[f"{key}_offset"][0] == 0
    assert np.array_equal(shard["pcm_offset"], 640 * frames) and np.array_equal(shard["hop_offset"], 4 * frames)
    assert len(shard["pcm16k"]) == shard["pcm_offset"][-1] and shard["pcm16k"].dtype == np.int16
    assert shard["mouth"].shape == (frames[-1], 11) and shard["mouth"].dtype == np.float16
    assert shard["sealed"].shape == shard["touching"].shape == (frames[-1],) and shard["sealed"].any()
    assert shard["phone"].shape == (4 * frames[-1],) and shard["phone"].dtype == np.uint8
    assert len(shard["phoneme_symbol"]) == len(shard["phoneme_start_ms"]) == shard["phoneme_offset"][-1]
    assert all(len(shard[key]) == utterances for key in ("engine", "voice", "speaker", "language"))
    assert shard["rendition_mel"].shape == (shard["rendition_offset"][-1], 64)
    assert np.array_equal(shard["rendition_utterance"], np.repeat(np.arange(utterances), 3))
    assert (shard["rendition_kind"][::3] == "clean").all() and "clean" not in shard["rendition_kind"][1::3]
    lengths = np.diff(shard["rendition_offset"]).reshape(-1, 3)
    assert (lengths == np.diff(shard["hop_offset"])[:, None]).all()


def test_the_clean_rendition_is_the_features_of_the_sound(tmp_path: Path) -> None:
    make_shard(plan(renditions=0), tmp_path, VOICES, engine())
    with np.load(tmp_path / "train" / "0003.npz") as shard:
        first = shard["pcm16k"][: shard["pcm_offset"][1]].astype(np.float32) / 32768
        mel = shard["rendition_mel"][: shard["rendition_offset"][1]]
    assert np.abs(mel - log_mel(first, 16_000)).max() < 0.02  # float16 near -23


def test_the_same_plan_makes_the_same_bytes(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        make_shard(plan(), tmp_path / folder, VOICES, engine())
    make_shard(plan(number=4), tmp_path / "a", VOICES, engine())
    read = [(tmp_path / name / "train" / "0003.npz").read_bytes() for name in ("a", "b")]
    assert read[0] == read[1] != (tmp_path / "a" / "train" / "0004.npz").read_bytes()


def test_somebody_is_silent_now_and_then(tmp_path: Path) -> None:
    make_shard(plan(seconds=120.0, renditions=0), tmp_path, VOICES, engine())
    with np.load(tmp_path / "train" / "0003.npz") as shard:
        quiet = np.flatnonzero(shard["engine"] == "noise")
        assert 0 < len(quiet) < 0.2 * len(shard["engine"])
        for number in quiet:
            first, last = shard["frame_offset"][number : number + 2]
            assert not shard["mouth"][first:last].any()
            assert shard["pcm16k"][640 * first : 640 * last].any()


def test_a_voice_that_fails_is_left_out_and_named(tmp_path: Path) -> None:
    made = make_shard(plan(seconds=90.0, renditions=0), tmp_path, VOICES, engine(broken=("awb",)))
    assert made.notes == ("flite:awb is left out: it coughs",)
    assert "flite:awb" not in made.seconds


def test_where_nobody_can_speak_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(EngineFailed, match="no voice works"):
        make_shard(plan(), tmp_path, VOICES, engine(broken=("awb", "Annie", "Lee")))
    assert not list(tmp_path.rglob("*.npz")) and not list(tmp_path.rglob("*.part"))
