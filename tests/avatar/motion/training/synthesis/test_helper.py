"""A synthesizer's process that dies or hangs costs one sentence, and says so."""

from __future__ import annotations

import sys

import pytest

from avatar.motion.training.synthesis.helper import Helper
from avatar.motion.training.synthesis.voices import EngineFailed

ECHO = "import sys\nfor line in sys.stdin: sys.stdout.write(line.upper()); sys.stdout.flush()"
DIES = "import sys; sys.stdin.readline(); sys.exit('out of phones')"
HANGS = "import sys; sys.stdin.read()"


def test_it_is_asked_again_and_again() -> None:
    helper = Helper([sys.executable, "-c", ECHO], "echo", 20.0)
    for word in (b"one\n", b"two\n"):
        with helper.exchange():
            helper.write(word)
            assert helper.read_line() == word.upper()
    with helper.exchange():
        helper.write(b"three\n")
        assert helper.read(2) == b"TH"
    helper.close()


def test_what_it_said_last_is_told() -> None:
    helper = Helper([sys.executable, "-c", DIES], "the engine", 20.0)
    with pytest.raises(EngineFailed, match="the engine ended: out of phones"), helper.exchange():
        helper.write(b"go\n")
        helper.read_line()
    helper.close()


def test_it_may_not_hang() -> None:
    helper = Helper([sys.executable, "-c", HANGS], "the engine", 0.2)
    with pytest.raises(EngineFailed, match=r"did not answer within 0\.2 s"), helper.exchange():
        helper.read(1)
    helper.close()


def test_a_program_that_is_not_there() -> None:
    with pytest.raises(EngineFailed, match="does not start"):
        Helper(["/nowhere/at-all"], "the engine", 1.0)
