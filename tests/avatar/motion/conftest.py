"""The sources of motion that keep one contract."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from avatar.motion.generator.source import LearnedMotionSource
from avatar.motion.rules import RuleMotionSource
from avatar.motion.source import MotionSource
from tests.avatar.motion.generator.fakes import fake_model

MakeSource = Callable[[int], MotionSource]
"""A fresh source of a seed."""


@pytest.fixture(params=["rules", "learned"])
def make_source(request: pytest.FixtureRequest) -> MakeSource:
    if request.param == "rules":
        return RuleMotionSource
    model = fake_model()
    return lambda seed: LearnedMotionSource(model, seed)
