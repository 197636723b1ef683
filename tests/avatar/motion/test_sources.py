"""Which source of motion is opened, and what is said when it cannot be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from avatar.errors import MotionWeightsError
from avatar.motion import sources
from avatar.motion.generator import weights
from avatar.motion.rules import RuleMotionSource


@pytest.fixture
def no_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    check = weights.check
    monkeypatch.setattr(weights, "check", lambda folder=tmp_path: check(tmp_path))
    sources.choose_motion.cache_clear()
    weights.load.cache_clear()
    yield
    sources.choose_motion.cache_clear()
    weights.load.cache_clear()


def test_auto_takes_rules_where_there_are_no_weights_and_says_why(no_weights: None) -> None:
    kind, why = sources.choose_motion("auto")
    assert kind == "rules"
    assert "card.json" in why
    assert isinstance(sources.open_motion("auto", seed=3), RuleMotionSource)


def test_learned_by_name_needs_its_weights(no_weights: None) -> None:
    with pytest.raises(MotionWeightsError, match=r"set avatar\.motion to rules"):
        sources.open_motion("learned")


def test_rules_by_name() -> None:
    assert sources.choose_motion("rules") == ("rules", "asked for by name")


def test_an_unknown_kind() -> None:
    with pytest.raises(ValueError, match="'dance'; known: auto, learned, rules"):
        sources.choose_motion("dance")
