"""The whole data: made by several processes, gone on with after an interruption, refused where it would mix."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from avatar.motion.training.synthesis import synthesis
from avatar.motion.training.synthesis.corpus import Split
from avatar.motion.training.synthesis.synthesis import SynthesisFailed, Wanted, plans, synthesize, total_s
from avatar.motion.training.synthesis.voices import Voice
from tests.avatar.motion.training.people.share import espeak, prompts, spoken

HELPER = (sys.executable, "-m", "streaming.speaking.espeak_helper")


@pytest.fixture(autouse=True)
def espeak_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other engines are not installed."""
    real = synthesis.installed_voices
    monkeypatch.setattr(
        synthesis, "installed_voices", lambda espeak: [v for v in real(espeak) if v.engine == "espeak-ng"]
    )


def wanted(out: Path, **changes: object) -> Wanted:
    small = Wanted(
        out=out, hours=8.0 / 3600, renditions=1, seed=1, workers=1, espeak=HELPER, shard_s=4.0, share=out / "share"
    )
    return replace(small, **changes)  # type: ignore[arg-type]


def run(what: Wanted) -> tuple[dict[str, object], list[float], list[str]]:
    done: list[float] = []
    notes: list[str] = []
    return synthesize(what, on_seconds=done.append, on_note=notes.append), done, notes


@pytest.mark.slow
def test_data_is_made_and_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    what = wanted(tmp_path)
    monkeypatch.setattr(synthesis, "_OTHER_SHARDS", {Split.VALID: 1, Split.TEST: 1})
    manifest, done, notes = run(what)
    shards = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.npz"))
    assert shards == ["speech/test/0000.npz", "speech/train/0000.npz", "speech/train/0001.npz", "speech/valid/0000.npz"]
    assert done[-1] == len(plans(what)) * what.shard_s
    assert any("all voices are espeak-ng's" in note for note in notes)
    assert any("no recordings of people are installed" in note for note in notes) and manifest["people"] == []
    assert manifest == json.loads((tmp_path / "speech" / "manifest.json").read_text("utf-8"))
    assert {voice["licence"] for voice in manifest["voices"]} == {"GPL-3.0-or-later"}  # type: ignore[attr-defined]
    assert manifest["contents"]["train"]["hours"] > 0  # type: ignore[index]

    first, lost = tmp_path / shards[1], tmp_path / shards[2]
    kept, made = first.stat().st_mtime_ns, lost.read_bytes()
    lost.unlink()
    again, done, _ = run(what)
    assert first.stat().st_mtime_ns == kept and lost.read_bytes() == made
    assert again == manifest and done[-1] == len(plans(what)) * what.shard_s

    with pytest.raises(SynthesisFailed, match=r"other settings .*seed 1.*seed 2"):
        run(replace(what, seed=2))


@pytest.mark.slow
def test_people_are_heard_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pocketsphinx")
    with espeak() as engine:
        pcm = spoken(engine, "Bob may buy a map.", "en-US")
    prompts(tmp_path / "share", "en_US_f_Allison", "en", {"bob": "Bob may buy a map."}, {"bob": pcm})
    monkeypatch.setattr(synthesis, "_OTHER_SHARDS", {})
    what = wanted(tmp_path, hours=4.0 / 3600)
    manifest, done, notes = run(what)
    assert not any("no recordings of people" in note for note in notes)
    assert done[-1] == total_s(what) > what.shard_s
    people = tmp_path / "speech" / "train" / "people-allison-en-00.npz"
    made = people.read_bytes()
    assert [speaker["name"] for speaker in manifest["people"]] == ["allison-en"]  # type: ignore[attr-defined]
    assert manifest["contents"]["train"]["seconds_by_engine"]["people"] > 3  # type: ignore[index]
    people.unlink()
    run(what)
    assert people.read_bytes() == made


def test_training_can_begin_on_the_first_shards() -> None:
    order = [plan.split for plan in plans(Wanted(Path("x"), hours=12.0))]
    assert order.count(Split.TRAIN) == 54 and set(order[4:9]) == set(Split) - {Split.TRAIN, Split.PEOPLE}
    assert len({plan.path(Path()) for plan in plans(Wanted(Path("x")))}) == len(order)


def test_without_synthesizers_it_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(SynthesisFailed, match=r"pip install espeakng-loader.*apt install flite festival"):
        run(wanted(tmp_path, espeak=()))


def test_a_folder_that_cannot_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    annie = Voice("espeak-ng", "en+Annie", "Annie", "en", "")
    monkeypatch.setattr(synthesis, "installed_voices", lambda espeak: [annie])
    (tmp_path / "file").write_text("")
    with pytest.raises(SynthesisFailed, match="cannot be used"):
        run(wanted(tmp_path / "file"))
    (tmp_path / "speech").mkdir()
    (tmp_path / "speech" / "manifest.json").write_text("{")
    with pytest.raises(SynthesisFailed, match="cannot be used"):
        run(wanted(tmp_path))


@pytest.mark.slow
def test_where_no_voice_works_it_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ghost = Voice("espeak-ng", "nowhere", "Nobody", "en", "")
    monkeypatch.setattr(synthesis, "installed_voices", lambda espeak: [ghost])
    with pytest.raises(SynthesisFailed, match="no voice works any more"):
        run(wanted(tmp_path))
    assert not list(tmp_path.rglob("*.npz"))


def test_contents_counts_the_finished_shards(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    np.savez(
        tmp_path / "train" / "0000.npz",
        pcm_offset=np.array([0, 16_000, 48_000]), engine=np.array(["espeak-ng", "noise"]), speaker=np.array(["a", "noise"]),
        language=np.array(["en", ""]), voice=np.array(["en+a", "pink"]),
    )  # fmt: skip
    train = synthesis.contents(tmp_path)["train"]
    assert train["utterances"] == 2 and train["speakers"] == 1
    assert train["seconds_by_engine"] == {"espeak-ng": 1.0, "noise": 2.0}
    assert train["seconds_by_voice"] == {"espeak-ng:en+a": 1.0, "noise:pink": 2.0}
