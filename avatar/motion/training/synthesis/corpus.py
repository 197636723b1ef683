"""The plan of the data: who speaks in which split, and how much of the time each gets.

train, valid and test share no sentence. valid has speakers of espeak-ng that train lacks, besides train's recorded voices;
test has fourteen more of espeak-ng, and the speaker slt, whom flite and festival have both; left-out has the recorded voices of train with other text, for
measuring a model whose training left one engine out. people has recordings of somebody (``training.people``) whom the others lack.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from avatar.motion.training.synthesis.grammar import TextSplit
from avatar.motion.training.synthesis.voices import ESPEAK, FESTIVAL, FLITE, RECORDED, Voice


class Split(StrEnum):
    TRAIN = "train"
    VALID = "valid"
    TEST = "test"
    LEFT_OUT = "left-out"
    PEOPLE = "people"


TEXT = {
    Split.TRAIN: TextSplit.TRAIN,
    Split.VALID: TextSplit.VALID,
    Split.TEST: TextSplit.TEST,
    Split.LEFT_OUT: TextSplit.TEST,
}

TEST_SPEAKERS = frozenset(
    ("shelby", "victor", "linda", "boris", "Jacky", "Reed", "f3", "m4", "klatt3", "Andrea", "Michael", "quincy", "pablo", "benjamin")
)  # fmt: skip
VALID_SPEAKERS = frozenset(("belinda", "adam", "f5", "m6", "travis", "Hugo"))
TEST_RECORDED = frozenset(("slt",))

NOISE = "noise"
"""Engine and voice of takes in which nobody speaks."""

_ESPEAK_SHARES = {
    "en": 19.0, "cmn": 14.0, "cmn-latn-pinyin": 16.0, "fr": 3.0, "de": 1.6, "es": 1.6, "ja": 1.3, "ko": 1.0, "it": 0.8,
    "pt": 1.0, "ru": 1.0, "pl": 1.0, "tr": 0.8, "cs": 0.5, "fi": 0.5, "hi": 0.6, "ca": 0.3, "te": 0.3,
}  # fmt: skip
_RECORDED_SHARES = {
    "awb": 4.5, "rms": 4.5, "kal": 1.5, "kal16": 2.5, "slt": 12.0,
    "kal_diphone": 2.5, "ked_diphone": 4.0, "cmu_us_slt_arctic_hts": 12.0,
    "czech_dita": 2.4, "czech_krb": 2.2, "czech_machac": 2.4, "czech_ph": 2.2, "msu_ru_nsh_clunits": 4.5,
    "suo_fi_lj_diphone": 2.6, "hy_fi_mv_diphone": 2.6, "lp_diphone": 2.6, "pc_diphone": 2.6, "upc_ca_ona_hts": 3.4,
    "hindi_NSK_diphone": 1.2, "marathi_NSK_diphone": 0.8, "telugu_NSK_diphone": 2.0,
}  # fmt: skip
"""Shares of the time, of whatever they sum to over the voices that are there: of train, 44 % recorded voices, a third English,
a quarter Mandarin where all are installed."""
_NOISE_SHARE = 3.0
_SENTENCE_S = 4.5
"""A take's usual length."""


@dataclass(frozen=True, slots=True)
class Group:
    """Voices that share a share of the time.

    Attributes:
        share: of the split's time, of whatever all groups sum to.
        voices: drawn at equal odds; empty is noise.
    """

    share: float
    voices: tuple[Voice, ...]


def cast(voices: Sequence[Voice], split: Split) -> list[Group]:
    """Who speaks in a split, of the voices there are. May be empty."""
    groups: list[Group] = []
    if split is not Split.LEFT_OUT:
        for language, share in _ESPEAK_SHARES.items():
            members = tuple(v for v in voices if v.engine == ESPEAK and v.language == language and _speaks(v, split))
            groups.append(Group(share, members))
    for voice in voices:
        if voice.engine in RECORDED and voice.name in _RECORDED_SHARES and _speaks(voice, split):
            groups.append(Group(_RECORDED_SHARES[voice.name], (voice,)))
    groups = [group for group in groups if group.voices]
    return [*groups, Group(_NOISE_SHARE, ())] if groups else []


def _speaks(voice: Voice, split: Split) -> bool:
    if voice.engine in RECORDED:
        return (voice.speaker in TEST_RECORDED) is (split is Split.TEST)
    if split is Split.TEST:
        return voice.speaker in TEST_SPEAKERS
    if split is Split.VALID:
        return voice.speaker in VALID_SPEAKERS
    return voice.speaker not in TEST_SPEAKERS | VALID_SPEAKERS


class Schedule:
    """Whose turn it is: the group that is furthest behind its share of the time.

    So a shard holds all engines and languages, in proportion, whatever their sentences' lengths.
    """

    def __init__(self, groups: Sequence[Group], rng: np.random.Generator) -> None:
        self._groups = list(groups)
        # As if each had begun some time ago: a group too small for a sentence in every shard speaks in some of them.
        self._spent = [float(rng.uniform(0.0, _SENTENCE_S)) for _ in self._groups]

    def next(self) -> int:
        """Number of the group; see ``voices``."""
        return int(np.argmin([spent / group.share for spent, group in zip(self._spent, self._groups, strict=True)]))

    def voices(self, group: int) -> tuple[Voice, ...]:
        return self._groups[group].voices

    def spent(self, group: int, seconds: float) -> None:
        self._spent[group] += seconds

    def drop(self, group: int, voice: Voice) -> bool:
        """Go on without a voice that does not work. False where nobody is left to speak."""
        left = tuple(v for v in self._groups[group].voices if v != voice)
        if left:
            self._groups[group] = Group(self._groups[group].share, left)
        else:
            del self._groups[group], self._spent[group]
        return any(g.voices for g in self._groups)


def engines_of(voices: Sequence[Voice]) -> tuple[str, ...]:
    return tuple(engine for engine in (ESPEAK, FLITE, FESTIVAL) if any(v.engine == engine for v in voices))
