"""Contacts from probabilities: no flicker, and the same in pieces."""

from __future__ import annotations

import numpy as np
import pytest

from avatar.motion.generator.contacts import Threshold, decide

PROBABILITY = np.array([0.1, 0.45, 0.7, 0.45, 0.5, 0.2, 0.45, 0.3, 0.9, 0.39], np.float32)


def test_a_contact_begins_high_and_lasts_until_low() -> None:
    contact, held = decide(PROBABILITY, Threshold(0.6, 0.4))
    assert contact.tolist() == [False, False, True, True, True, False, False, False, True, False]
    assert held is False


def test_pieces_are_the_whole() -> None:
    held, parts = False, []
    for i in range(len(PROBABILITY)):
        part, held = decide(PROBABILITY[i : i + 1], Threshold(0.6, 0.4), held)
        parts.append(part)
    assert np.array_equal(np.concatenate(parts), decide(PROBABILITY, Threshold(0.6, 0.4))[0])


def test_nothing_leaves_what_was() -> None:
    assert decide(np.zeros(0, np.float32), Threshold(0.6, 0.4), True)[1] is True


@pytest.mark.parametrize(("on", "off"), [(0.4, 0.6), (0.5, 0.0), (1.0, 0.5)])
def test_thresholds_that_cannot_be(on: float, off: float) -> None:
    with pytest.raises(ValueError, match="0 < off <= on < 1"):
        Threshold(on, off)
