"""Scenes from speech shards: their layout, their statistics, and that they can be gone on with."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from avatar.motion.generator.condition import ACTIVITY, DEMAND, PHONES, SOUND, C
from avatar.motion.generator.condition import AT as TOLD
from avatar.motion.generator.state import AT, MOUTH, SCORES, D, HandBasis, Normalisation, to_motion_values
from avatar.motion.training.scenes import basis, shards
from avatar.motion.training.scenes.answer import Voice, read_shard
from avatar.motion.training.scenes.performance import perform
from avatar.motion.training.scenes.script import write
from tests.avatar.motion.training.scenes.speech_shard import write_speech_shard


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("motion-data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards, "SCENES_A_SHARD", 3)
        patch.setattr(shards, "_HELD_OUT_HOURS", {"valid": 0.2, "test": 0.2})
        patch.setattr(shards, "_NORMALISED_ON", 1)
        patch.setattr(basis, "SCENES", 6)
        patch.setattr(shards, "_MEASURED_ON", 1)
        for split in shards.SPLITS:
            write_speech_shard(data / "speech" / split / "0000.npz")
        shards.make_scenes(data, 0.4, seed=1)
    return data


def read(path: Path) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]:
    with np.load(path, allow_pickle=False) as file:
        return file["condition"].astype(np.float32), file["state"].astype(np.float32), file["scene_offset"]


def test_shards_hold_scenes_of_condition_and_state(made: Path) -> None:
    names = sorted(p.relative_to(made / "scenes").as_posix() for p in (made / "scenes").rglob("*"))
    assert [n for n in names if "/" in n] == ["test/0000.npz", "train/0000.npz", "train/0001.npz", "valid/0000.npz"]
    condition, state, offset = read(made / "scenes" / "train" / "0000.npz")
    assert condition.shape == (offset[-1], C) and state.shape == (offset[-1], D) and len(offset) == 4
    assert np.isfinite(condition).all() and np.isfinite(state).all()
    assert np.diff(offset).min() >= 25 * 30


def test_conditions_are_within_their_ranges(made: Path) -> None:
    condition, _, _ = read(made / "scenes" / "train" / "0000.npz")
    assert (condition[:, ACTIVITY].sum(axis=1) == 1).all()
    assert np.abs(condition).max() <= 1.5
    silent = condition[:, TOLD["is_speaking"]] == 0
    assert not condition[silent][:, SOUND].any() and not condition[silent][:, PHONES].any()
    assert condition[~silent, TOLD["energy"]].mean() > 0.5


def test_lips_are_what_speech_demands(made: Path) -> None:
    """The residual is a manner: it changes the size of what is said, never what."""
    condition, state, _ = read(made / "scenes" / "train" / "0000.npz")
    demand, shown = condition[:, DEMAND], condition[:, DEMAND] + state[:, MOUTH]
    for parameter in (0, 2, 4):
        assert np.corrcoef(demand[:, parameter], shown[:, parameter])[0, 1] > 0.98


def test_scenes_can_be_shown(made: Path) -> None:
    condition, state, _ = read(made / "scenes" / "valid" / "0000.npz")
    hands = HandBasis.load(made / "hands.npz")
    sealed, touching = (condition[:, TOLD[name]] > 0.5 for name in ("sealed", "touching"))
    values = to_motion_values(state, condition[:, DEMAND], sealed, touching, hands)
    assert np.isfinite(values).all()
    assert state[:, SCORES].min() >= 0.0 and state[:, SCORES].max() <= 1.0


def test_normalised_channels_are_of_unit_size(made: Path) -> None:
    condition, state, _ = read(made / "scenes" / "train" / "0000.npz")
    normalisation = Normalisation.load(made / "normalisation.npz")
    normal = normalisation.state(state)
    assert np.abs(normal.mean(axis=0)).max() < 0.6
    assert normal[:, [AT["head_yaw"], AT["gaze_yaw"], AT["breath"]]].std(axis=0) == pytest.approx(1.0, abs=0.1)
    assert np.abs(normalisation.condition(condition)).mean() < 1.0


def test_what_is_there_is_kept_and_the_rest_added(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "SCENES_A_SHARD", 3)
    monkeypatch.setattr(shards, "_HELD_OUT_HOURS", {"valid": 0.2, "test": 0.2})
    files = {path: path.read_bytes() for path in made.rglob("*.npz")}
    gone = made / "scenes" / "train" / "0001.npz"
    gone.unlink()
    told: list[tuple[int, int]] = []
    shards.make_scenes(made, 0.4, seed=1, progress=lambda done, total: told.append((done, total)))
    assert told == [(3, 4), (4, 4)]
    assert {path: path.read_bytes() for path in made.rglob("*.npz")} == files


def test_scenes_without_speech_say_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(basis, "SCENES", 2)
    monkeypatch.setattr(shards, "_MEASURED_ON", 1)
    with pytest.raises(shards.ScenesFailed, match="Synthesise speech first"):
        shards.make_scenes(tmp_path, 0.2, seed=1)


def test_scenes_of_another_seed_are_not_mixed(made: Path) -> None:
    with pytest.raises(shards.ScenesFailed, match="seed 1, asked for: 2"):
        shards.make_scenes(made, 0.4, seed=2)


def test_an_answer_tells_behaviours_what_a_speech_track_would(tmp_path: Path) -> None:
    write_speech_shard(tmp_path / "0000.npz", voices=1, utterances=2)
    (said,) = read_shard(tmp_path / "0000.npz").values()
    answer = Voice(1.0).say(said, [200.0, 0.0], timed=True, phones=True, streamed=False)
    moments = answer.moments()
    assert len(moments) == len(answer) == len(answer.sound.f0)
    assert sum(len(m.accents) for m in moments) == len(answer.accents) > 4
    begun = sum(m.pausing and not before.pausing for before, m in pairwise(moments)) + moments[0].pausing
    assert sum(m.phrase_ends for m in moments) == begun > 3
    assert moments[0].complete and moments[0].remaining_ms == pytest.approx(answer.end_ms - 40.0)
    assert answer.sound.voicing.mean() > 0.3


def test_a_streamed_answer_does_not_know_its_end(tmp_path: Path) -> None:
    write_speech_shard(tmp_path / "0000.npz", voices=1, utterances=1)
    (said,) = read_shard(tmp_path / "0000.npz").values()
    answer = Voice(1.0).say(said, [0.0], timed=False, phones=False, streamed=True)
    assert (answer.cues().remaining[:-10] == 1.0).all() and answer.cues().remaining[-1] < 0.1
    assert not answer.moments()[0].complete and answer.moments()[-1].complete
    assert answer.phones is None


def test_mood_and_strength_reach_face_and_hands(tmp_path: Path) -> None:
    write_speech_shard(tmp_path / "0000.npz")
    voices = read_shard(tmp_path / "0000.npz")
    hands = basis.fit(*basis.sample_gestures(0, 4))
    smiles, moods = [], []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        acted = perform(write(rng, voices), rng, hands)
        smiles.append(acted.state[:, AT["smile"]].mean())
        moods.append(acted.condition[:, TOLD["mood"]].mean())
    assert np.corrcoef(smiles, moods)[0, 1] > 0.6


def test_the_basis_holds_visible_hands_to_a_few_pixels() -> None:
    points, scores = basis.sample_gestures(5, 30)
    fitted = basis.fit(points, scores)
    fit = basis.measure(fitted, *basis.sample_gestures(6, 10))
    assert fit.explained > 0.98 and fit.median_px < 4.0
