"""The sources of motion by name: learned where its weights are whole, rules otherwise."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, get_args

from avatar.errors import MotionWeightsError
from avatar.motion.rules import RuleMotionSource
from avatar.motion.source import MotionSource

MotionKind = Literal["auto", "learned", "rules"]
KINDS: tuple[str, ...] = get_args(MotionKind)


@lru_cache(maxsize=4)
def choose_motion(kind: str = "auto") -> tuple[str, str]:
    """Resolve "auto" without loading anything; once in a process, so that what moves its avatars never changes on the way.

    Returns:
        "learned" or "rules", and why, for people.

    Raises:
        MotionWeightsError: learned motion is asked for by name, and its weights are missing or damaged.
        ValueError: no such kind.
    """
    from avatar.motion.generator.weights import check

    if kind not in KINDS:
        raise ValueError(f"There is no motion {kind!r}; known: {', '.join(KINDS)}.")
    if kind == "rules":
        return "rules", "asked for by name"
    try:
        check()
    except MotionWeightsError as error:
        if kind == "learned":
            raise
        return "rules", str(error)
    return "learned", "its weights are whole" if kind == "auto" else "asked for by name"


def open_motion(kind: str = "auto", *, seed: int = 0) -> MotionSource:
    """A source of motion, ready to be taken from.

    Args:
        kind: one of ``KINDS``; the workers of a conversation are given what ``choose_motion`` chose in the gateway.
        seed: of everything that is left to chance.

    Raises:
        MotionWeightsError, ValueError: see ``choose_motion``.
    """
    if (choose_motion(kind)[0] if kind != "learned" else kind) == "rules":
        return RuleMotionSource(seed)
    from avatar.motion.generator.source import LearnedMotionSource
    from avatar.motion.generator.weights import load

    return LearnedMotionSource(load(), seed)


def preload_motion(kind: str) -> None:
    """In the process that workers are forked from: have the networks loaded and warm.

    Raises:
        MotionWeightsError, ValueError: see ``choose_motion``.
    """
    if choose_motion(kind)[0] == "learned":
        from avatar.motion.generator.weights import load

        load()
