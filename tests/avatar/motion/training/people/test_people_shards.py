"""Shards of people's recordings: of the common format, the same again, and without what could not be aligned."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from avatar.motion.training.people.recordings import installed
from avatar.motion.training.people.shards import TAKES, make_people_shard, plans
from avatar.motion.training.synthesis.corpus import Split
from tests.avatar.motion.training.people.share import espeak, prompts, spoken

pytest.importorskip("pocketsphinx")

TEXTS = {"bob": "Bob may buy a map.", "seven": "Please press seven now."}


@pytest.fixture
def share(tmp_path: Path) -> Path:
    with espeak() as engine:
        sounds = {name: spoken(engine, text, "en-US") for name, text in TEXTS.items()}
        italian = spoken(engine, "Prego, attendere.", "it")
    noise = np.random.default_rng(0).integers(-9000, 9000, 48_000).astype(np.int16)
    prompts(tmp_path, "en_US_f_Allison", "en", {**TEXTS, "noise": "one two three"}, {**sounds, "noise": noise})
    prompts(tmp_path, "it_IT_m_Carlo", "it", {"wait": "Prego, attendere."}, {"wait": italian})
    return tmp_path


def test_shards(share: Path, tmp_path: Path) -> None:
    todo = plans(installed(share), seed=1, renditions=1)
    assert [(plan.speaker.name, plan.takes) for plan in todo] == [("allison-en", TAKES), ("carlo", 1)]
    first, second = tmp_path / "first", tmp_path / "second"
    with espeak() as engine:
        for folder in (first, second):
            made = [make_people_shard(plan, folder, engine) for plan in todo]
            engine.renew()
    assert [m.used for m in made] == [2, 1] and not any(m.notes for m in made)
    path = todo[0].path(first)
    assert path.read_bytes() == todo[0].path(second).read_bytes()
    with np.load(path, allow_pickle=False) as shard:
        assert shard["text"].tolist() == [*TEXTS.values()] * TAKES
        assert set(shard["engine"]) == {"people"} and set(shard["speaker"]) == {"allison-en"}
        length_ms = shard["phoneme_end_ms"] - shard["phoneme_start_ms"]
        first_utterances = [slice(*shard["phoneme_offset"][i : i + 2]) for i in range(0, 2 * TAKES, 2)]
        assert len({round(float(length_ms[of].sum())) for of in first_utterances}) == TAKES, "one a size"
        assert shard["sealed"].sum() > 10 and {"b", "m", "p"} <= {s[0] for s in shard["phoneme_symbol"].tolist()}
        assert len(shard["rendition_kind"]) == 2 * TAKES * 2


def test_what_learns_reads_them(share: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the train extra is not installed")
    from avatar.motion.training.speech_windows import SpeechLibrary

    with espeak() as engine:
        for plan in plans(installed(share), seed=1, renditions=1):
            make_people_shard(plan, tmp_path / "out", engine)
    library = SpeechLibrary(tmp_path / "out" / Split.TRAIN)
    assert library.refresh() == 1 and len(library.renditions) == 2 * TAKES * 2
    assert {rendition.engine for rendition in library.renditions} == {"people"}
    assert SpeechLibrary(tmp_path / "out" / Split.VALID).refresh() == 1


def test_a_speaker_whose_words_are_others(share: Path, tmp_path: Path) -> None:
    (plan, _) = plans([r for r in installed(share) if r.path.stem in ("noise", "wait")], seed=1, renditions=0)
    with espeak() as engine:
        made = make_people_shard(plan, tmp_path / "out", engine)
    assert made.used == 0 and "allison-en is left out" in made.notes[0]
    assert not plan.path(tmp_path / "out").exists()


def test_recordings_are_dealt_out_evenly() -> None:
    from avatar.motion.training.people.recordings import Recording, Speaker

    speaker = Speaker("s", "en", Split.TRAIN, "")
    many = [Recording(Path(f"{n}.ogg"), "x", speaker) for n in range(300)]
    parts = plans(many, 1, 2)
    assert [len(plan.recordings) for plan in parts] == [100, 100, 100]
    assert len({plan.path(Path()) for plan in parts}) == 3 and sum(plan.seconds for plan in parts) == 2700
