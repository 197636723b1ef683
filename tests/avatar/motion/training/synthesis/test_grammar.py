"""What is said: every language's lists, and no sentence in two splits."""

from __future__ import annotations

import re

import numpy as np
import pytest

from avatar.motion.training.synthesis.grammar import LANGUAGES, TextSplit, grammar, sentence


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_template_is_filled(language: str) -> None:
    rules = grammar(language)
    for template in rules.templates:
        assert set(re.findall(r"\{(\w+)\}", template)) - {"made"} <= set(rules.lists), template
        assert "made" not in template or {"onset", "nucleus", "coda"} <= set(rules.lists)
    rng = np.random.default_rng(1)
    texts = {sentence(language, TextSplit.TRAIN, rng) for _ in range(200)}
    assert len(texts) > 190
    assert not any(re.search(r"[{}_]|  ", text) for text in texts)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_sentence_is_in_two_splits(language: str) -> None:
    rng = np.random.default_rng(2)
    drawn = {split: {sentence(language, split, rng) for _ in range(60)} for split in TextSplit}
    assert not drawn[TextSplit.TRAIN] & drawn[TextSplit.TEST]
    assert not drawn[TextSplit.TRAIN] & drawn[TextSplit.VALID]
    assert not drawn[TextSplit.VALID] & drawn[TextSplit.TEST]


def test_the_splits_share_out_every_text() -> None:
    buckets = sorted(bucket for split in TextSplit for bucket in split.value)
    assert buckets == list(range(100))


def test_the_same_seed_says_the_same() -> None:
    def said(seed: int) -> list[str]:
        rng = np.random.default_rng(seed)
        return [sentence("en", TextSplit.TRAIN, rng) for _ in range(20)]

    assert said(3) == said(3) != said(4)


def test_mandarin_has_no_letter_that_would_be_spelled() -> None:
    rng = np.random.default_rng(5)
    for _ in range(100):
        assert not re.search(r"[A-Za-z]", sentence("cmn", TextSplit.TRAIN, rng))


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(KeyError):
        grammar("tlh")
