"""Viseme segments to mouth curves: dominance functions, then the contacts that must not be blended away.

Every segment pulls each parameter towards its target with a dominance that falls off around it,
D = strength * exp(-(|t| / reach) ** c), reach differing before and after, and the mouth is the weighted mean,
F = sum(D T) / sum(D) (Cohen & Massaro, "Modeling coarticulation in synthetic visual speech", 1993). Afterwards closures are
enforced, as in JALI (Edwards, Landreth, Fiume & Singh, "JALI: an animator-centric viseme model for expressive lip synchronization", 2016):
bilabials seal, labiodentals touch, on at least one frame each.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from avatar.motion.speech.mouth import (
    COUNT,
    FUNNEL,
    JAW,
    LOWER,
    PRESS,
    ROLL_LOWER,
    ROLL_UPPER,
    SEAL,
    UPPER,
)
from avatar.motion.speech.visemes import GROUP_OF, GROUPS, Viseme

LEAD_MS = np.array([40.0, 15.0, 55.0, 45.0, 35.0, 25.0], np.float32)
"""How far each group's movement is ahead of its sound. Visible articulation precedes sound by 30-60 ms; a closure
coincides with the sound's own gap, so it hardly leads."""

_CORE = 0.3
"""Share of a segment's duration on each side of its centre where dominance stays at its peak (long vowels hold)."""

_POWER = 1.3
"""Exponent of the fall-off: 1 (the paper's usual choice) leaves cusps that show as corners at 25 Hz."""

_NEIGHBOURS = 8
"""Segments considered on each side of a frame: at 20 phonemes a second, 400 ms."""

LONGEST_CONTACT_MS = 160.0
_PARTING_MS = 30.0
"""A contact is firm for its sound's duration, up to the longest, less this at each end: lips meet late and part early."""

_MIN_DOMINANCE = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """A viseme in time.

    Attributes:
        viseme: the goal.
        start_ms, end_ms: of the sound.
        closure_ms: middle of the contact, for visemes that seal or touch.
        gain: loudness of the segment, 1 is ordinary; opens jaw and lips.
    """

    viseme: Viseme
    start_ms: float
    end_ms: float
    closure_ms: float
    gain: float = 1.0


def blend(segments: list[Segment], first_ms: float, frames: int, frame_ms: float = 40.0) -> NDArray[np.float32]:
    """The mouth at ``frames`` frame centres.

    Args:
        segments: in order of time, not empty.
        first_ms: time of the first frame's centre, on the segments' clock.
        frames: how many.
        frame_ms: frame period.

    Returns:
        float32 [frames, COUNT].
    """
    # Relative to the first frame, so that float32 keeps its precision however long the conversation is.
    centres = np.array([(s.start_ms + s.end_ms) / 2 - first_ms for s in segments], np.float32)
    halves = np.array([(s.end_ms - s.start_ms) * (0.5 if s.viseme.holds else _CORE) for s in segments], np.float32)
    strength = np.stack([s.viseme.strength for s in segments])
    before = np.stack([s.viseme.before_ms for s in segments])
    after = np.stack([s.viseme.after_ms for s in segments])
    targets = np.stack([s.viseme.target for s in segments])
    gains = np.array([1.0 + (s.gain - 1.0) * s.viseme.loud for s in segments], np.float32)
    targets[:, JAW] *= gains
    targets[:, LOWER] *= gains
    # A seal belongs to where the closure is, not to where its sound is labelled.
    seal_centres = np.array(
        [s.closure_ms - first_ms if s.viseme.seals else c for s, c in zip(segments, centres, strict=True)],
        np.float32,
    )
    times = frame_ms * np.arange(frames, dtype=np.float32)
    middle = np.searchsorted(centres, times)
    index = middle[:, None] + np.arange(-_NEIGHBOURS, _NEIGHBOURS)
    known = (index >= 0) & (index < len(segments))
    index = np.clip(index, 0, len(segments) - 1)

    mouth = np.empty((frames, COUNT), np.float32)
    for group in range(len(GROUPS)):
        at = (seal_centres if GROUPS[group] == "seal" else centres)[index]
        tau = times[:, None] + LEAD_MS[group] - at
        distance = np.maximum(np.abs(tau) - halves[index], 0.0)
        reach = np.where(tau < 0, before[index, group], after[index, group])
        dominance = strength[index, group] * np.exp(-((distance / reach) ** _POWER)) * known
        dominance += _MIN_DOMINANCE * known
        weights = dominance / dominance.sum(axis=1, keepdims=True)
        members = np.flatnonzero(group == GROUP_OF)
        mouth[:, members] = np.einsum("tk,tkp->tp", weights, targets[index][:, :, members])
    return mouth


def contact_frames(
    segments: list[Segment], first_ms: float, frames: int, *, seals: bool, frame_ms: float = 40.0
) -> NDArray[np.bool_]:
    """Frames on which the lips must meet (``seals``) or lip and teeth must (not ``seals``).

    The frame nearest to each contact's middle, so that a closure shorter than a frame is never missed, and
    every other frame well inside a long one.
    """
    marked = np.zeros(frames, bool)
    lead = float(LEAD_MS[GROUPS.index("seal")])
    begins_ms = first_ms - frame_ms / 2
    for s in segments:
        if not (s.viseme.seals if seals else s.viseme.touches):
            continue
        middle = (s.closure_ms - lead - first_ms) / frame_ms
        nearest = round(middle)
        if s.start_ms >= begins_ms:  # a sound that begins within these frames is closed within them
            nearest = max(nearest, 0)
        if s.start_ms < begins_ms + frames * frame_ms:
            nearest = min(nearest, frames - 1)
        if 0 <= nearest < frames:
            marked[nearest] = True
        held = (min(s.end_ms - s.start_ms, LONGEST_CONTACT_MS) / 2 - _PARTING_MS) / frame_ms
        low, high = int(np.ceil(middle - held)), int(np.floor(middle + held))
        if high >= low:
            marked[max(low, 0) : max(high + 1, 0)] = True
    return marked


def enforce(mouth: NDArray[np.float32], sealed: NDArray[np.bool_], touching: NDArray[np.bool_]) -> None:
    """Make contacts exact, in place: after any blending, sealed frames are sealed."""
    mouth[touching, ROLL_LOWER] = np.maximum(mouth[touching, ROLL_LOWER], 0.65)
    mouth[touching, JAW] = np.minimum(mouth[touching, JAW], 0.18)
    mouth[touching, SEAL] = np.clip(mouth[touching, SEAL], 0.15, 0.35)
    mouth[touching, UPPER] = np.maximum(mouth[touching, UPPER], 0.35)
    mouth[touching, LOWER] = 0.0
    mouth[touching, FUNNEL] = np.minimum(mouth[touching, FUNNEL], 0.08)
    mouth[sealed, SEAL] = 1.0
    mouth[sealed, JAW] = np.maximum(
        mouth[sealed, JAW], 0.04
    )  # a seal is relative to the jaw: leave it something to seal
    mouth[sealed, PRESS] = np.maximum(mouth[sealed, PRESS], 0.2)
    mouth[sealed, ROLL_UPPER] = np.maximum(mouth[sealed, ROLL_UPPER], 0.1)
