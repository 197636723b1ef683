"""Who speaks where, and for how long."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest

from avatar.motion.training.synthesis.corpus import Group, Schedule, Split, cast
from avatar.motion.training.synthesis.espeak import LANGUAGES, VARIANTS
from avatar.motion.training.synthesis.festival import KNOWN
from avatar.motion.training.synthesis.flite import SPEAKERS
from avatar.motion.training.synthesis.grammar import LANGUAGES as WRITTEN
from avatar.motion.training.synthesis.voices import ESPEAK, FESTIVAL, FLITE, RECORDED, Voice

ALL = (
    [Voice(ESPEAK, f"{file}+{variant}", variant, language, "") for file, language in LANGUAGES.items() for variant in VARIANTS]
    + [Voice(FLITE, name, speaker, "en", "") for name, speaker in SPEAKERS.items()]
    + [Voice(FESTIVAL, name, known.speaker, known.language, known.licence) for name, known in KNOWN.items()]
)  # fmt: skip


def speakers(split: Split) -> set[tuple[str, str]]:
    return {(voice.engine, voice.speaker) for group in cast(ALL, split) for voice in group.voices}


def test_test_speakers_are_heard_nowhere_else() -> None:
    others = speakers(Split.TRAIN) | speakers(Split.VALID) | speakers(Split.LEFT_OUT)
    test = speakers(Split.TEST)
    assert not test & others
    assert len({speaker for engine, speaker in test if engine == ESPEAK}) == 14
    assert {speaker for engine, speaker in test if engine in RECORDED} == {"slt"}
    assert "slt" not in {speaker for _, speaker in others}


def test_valid_has_new_speakers_of_espeak_and_the_known_recorded_ones() -> None:
    train, valid = speakers(Split.TRAIN), speakers(Split.VALID)
    assert not {s for s in valid if s[0] == ESPEAK} & train
    assert {s for s in valid if s[0] in RECORDED} == {s for s in train if s[0] in RECORDED}


def test_left_out_is_recorded_voices_only() -> None:
    assert {engine for engine, _ in speakers(Split.LEFT_OUT)} == set(RECORDED)


def test_shares_of_train() -> None:
    shares: dict[str, float] = defaultdict(float)
    groups = [group for group in cast(ALL, Split.TRAIN) if group.voices]
    for group in groups:
        assert len({voice.language for voice in group.voices}) == 1
        shares[group.voices[0].engine] += group.share
        shares[group.voices[0].language] += group.share
    total = sum(group.share for group in groups)
    recorded = (shares[FLITE] + shares[FESTIVAL]) / total
    assert 0.4 <= recorded <= 0.5
    assert 0.3 <= shares["en"] / total <= 0.4
    assert 0.25 <= (shares["cmn"] + shares["cmn-latn-pinyin"]) / total <= 0.35
    assert len(speakers(Split.TRAIN)) >= 20


def test_every_voice_has_something_to_say() -> None:
    assert {voice.language for voice in ALL} <= set(WRITTEN)


def test_without_voices_nobody_is_cast() -> None:
    assert cast([], Split.TRAIN) == []
    assert cast([voice for voice in ALL if voice.engine == ESPEAK], Split.LEFT_OUT) == []


def test_time_is_shared_whatever_the_sentences_length() -> None:
    voices = ALL[:3]
    groups = [Group(6.0, (voices[0],)), Group(3.0, (voices[1],)), Group(1.0, (voices[2],))]
    schedule = Schedule(groups, np.random.default_rng(1))
    spent = [0.0, 0.0, 0.0]
    for _ in range(900):
        turn = schedule.next()
        seconds = (2.0, 9.0, 4.0)[turn]
        schedule.spent(turn, seconds)
        spent[turn] += seconds
    assert np.array(spent) / sum(spent) == pytest.approx([0.6, 0.3, 0.1], abs=0.03)


def test_a_broken_voice_is_dropped() -> None:
    a, b, c = ALL[:3]
    schedule = Schedule([Group(1.0, (a, b)), Group(1.0, (c,)), Group(1.0, ())], np.random.default_rng(1))
    assert schedule.drop(0, a)
    assert schedule.voices(0) == (b,)
    assert schedule.drop(1, c)
    assert schedule.voices(0) == (b,) and schedule.voices(1) == ()
    assert not schedule.drop(0, b)  # noise alone is nobody
