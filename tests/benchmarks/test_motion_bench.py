"""The report of `parley motion evaluate`: every part that has its material is in it, and what has not is named."""

from __future__ import annotations

import json
import wave
from pathlib import Path

import numpy as np
import pytest

from avatar.motion.evaluation.drive import MakeSource
from avatar.motion.evaluation.frechet import WINDOW_FRAMES
from avatar.motion.evaluation.material import aligned_clips
from avatar.motion.generator.source import LearnedMotionSource
from avatar.motion.rules import RuleMotionSource
from benchmarks import motion, motion_body, motion_lips, motion_sampling
from benchmarks.motion import Material, measure
from tests.avatar.motion.evaluation.test_material import shard, syllables
from tests.avatar.motion.generator.fakes import fake_model


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    """One made recording of "ma ma ma ..." with its alignment, five seconds long."""
    (tmp_path / "speech" / "aligned").mkdir(parents=True)
    with wave.open(str(tmp_path / "speech" / "ma.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(48_000)
        file.writeframes(syllables(25).pcm48k.tobytes())
    phonemes = []
    for i in range(25):
        phonemes += [["M", 0.2 * i, 0.2 * i + 0.08], ["AA1", 0.2 * i + 0.08, 0.2 * i + 0.2]]
    alignment = {"transcript": "ma " * 25, "phonemes": phonemes}
    (tmp_path / "speech" / "aligned" / "ma.json").write_text(json.dumps(alignment))
    return tmp_path / "speech"


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> None:
    model = fake_model()

    def learned(weights: Path | None) -> MakeSource:
        return lambda seed: LearnedMotionSource(model, seed)

    monkeypatch.setattr(motion, "learned", learned)
    monkeypatch.setattr(motion, "LONG_MINUTES", 1.0)
    monkeypatch.setattr(motion_body, "SILENCE_S", 10.0)


@pytest.mark.usefixtures("made")
def test_lips_and_body_are_reported_with_their_goals(recordings: Path, tmp_path: Path) -> None:
    report = measure(Material(recordings), ("lips", "body"))
    told = {measure: (value, goal) for measure, value, goal in report.rows}
    assert told["lips on recordings: opening"][1] == ">= .74; goal .78"
    assert "of 25" in told["lips on recordings: p, b, m recalled"][0]
    assert "closures 1.00" in told[f"... {motion_lips.RULE}"][0]
    for name in ("opening lost to telephone", "two seeds: lips", "speaking: blinks a minute", "drift over an hour"):
        assert name in told
    assert set(report.data["recordings"]) == {
        motion_lips.MODEL, motion_lips.RULE, motion_lips.PHONES, motion_lips.ACOUSTIC
    }  # fmt: skip
    text = report.write(tmp_path / "results").read_text()
    assert "NaN" not in text and "Infinity" not in text
    stored = json.loads(text)
    assert stored["benchmark"] == "motion" and stored["machine"]["cores"]


@pytest.mark.usefixtures("made")
def test_what_is_not_there_is_said() -> None:
    report = measure(Material(), tuple(part for part in motion.PARTS if part != "cost"))  # which needs nothing
    assert not report.rows
    text = " ".join(report.notes)
    for missing in ("recordings", "--data", "--runs"):
        assert missing in text


@pytest.mark.usefixtures("made")
def test_held_out_voices_are_told_by_engine_and_language(tmp_path: Path) -> None:
    for split in ("train", "test"):
        (tmp_path / "speech" / split).mkdir(parents=True)
        shard(tmp_path / "speech" / split / "0000.npz", 4, "espeak-ng")
        shard(tmp_path / "speech" / split / "0001.npz", 4, "flite")
    report = measure(Material(data=tmp_path), ("voices",))
    told = {measure for measure, _, _ in report.rows}
    assert {"held-out voices: opening", f"... {motion_lips.RULE}", f"... {motion_lips.BANDS}"} <= told
    assert set(report.data["held-out voices"][motion_lips.MODEL]) == {"all", "en", "espeak-ng", "flite"}
    assert any("--leave-out" in note for note in report.notes)


def test_one_utterance_is_judged_once_a_group(recordings: Path) -> None:
    clips = aligned_clips(recordings)
    groups = motion_lips.by_group(lambda clip: motion_lips.lips_of(RuleMotionSource, clip.speech), clips)
    assert set(groups) == {"all", "ma", "en"}
    assert groups["all"].seconds == pytest.approx(5.0)


def test_scenes_are_cut_alike_and_short_ones_left_out(tmp_path: Path) -> None:
    frames = motion_sampling.SCENE_FRAMES
    lengths = [frames - 1, 2 * frames + 3, frames]
    total = sum(lengths)
    np.savez(
        tmp_path / "0000.npz",
        state=np.zeros((total, 3), np.float16), condition=np.zeros((total, 2), np.float16),
        scene_offset=np.cumsum([0, *lengths]),
    )  # fmt: skip
    cut = motion_sampling.scenes_of(tmp_path)
    assert [len(state) for state, _ in cut] == [frames] * 3
    assert len(motion_sampling.scenes_of(tmp_path, most_frames=frames)) == 1


def test_distances_are_told_beside_the_datas_own(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)

    def scenes(count: int, scale: float = 1.0) -> list[np.ndarray]:
        steps = rng.standard_normal((count, 2 * WINDOW_FRAMES, 3)) * scale
        return list(np.cumsum(steps, axis=1).astype(np.float32) * 0.1)

    table, about = motion_sampling.frechet_table({"alike": scenes(30), "wild": scenes(30, 3.0)}, scenes(30), scenes(40))
    assert table["alike"].value < table["wild"].value
    assert {"training data", "held-out data, one half against the other"} <= set(table)
    assert about["windows"] == 30 * 26


def test_a_draw_is_timed_by_its_cpu() -> None:
    def draw() -> float:
        return float(sum(i * i for i in range(20_000)))

    assert 1e-5 < motion_sampling.sampler_seconds(draw, rounds=3) < 1.0


@pytest.mark.slow
@pytest.mark.usefixtures("made")
def test_teacher_and_students_roll_out_held_out_scenes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch", reason="teacher and students are torch networks (pip install 'parley[train]')")
    from avatar.motion.training import diffusion_training
    from avatar.motion.training.transformer import MotionTransformer, TransformerShape
    from tests.avatar.motion.training import shards

    monkeypatch.setattr(motion_sampling, "SCENE_FRAMES", 60)
    monkeypatch.setattr(motion, "FRECHET_FRAMES", 600)
    for split, seed in (("train", 1), ("test", 2)):
        shards.scene_shard(tmp_path / "scenes" / split / "0000.npz", seed, scenes=12)
    shards.normalisation().save(tmp_path / "normalisation.npz")
    for name in ("teacher", "student-4", "student-1"):
        (tmp_path / "runs" / name).mkdir(parents=True)
    network = MotionTransformer(TransformerShape(width=32, layers=1, heads=2)).eval()
    monkeypatch.setattr(diffusion_training, "trained_transformer", lambda run: network)
    report = measure(Material(data=tmp_path, runs=tmp_path / "runs"), ("sampling",))
    told = {measure: value for measure, value, _ in report.rows}
    assert "Frechet distance: student, 4 steps" in told and "Frechet distance: student, 1 step" in told
    assert "Frechet distance: student, 2 steps" not in told
    assert float(told["sampler, 40 calls to 4, one thread of torch"].split(", ")[1].split()[0]) > 3
