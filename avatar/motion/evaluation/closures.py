"""Which sounds closures are missed on, and which are taken for one: the cause, where closures fail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from avatar.motion.evaluation.lips import NEAR_FRAMES, PAUSE_EDGE_FRAMES, Mouth, runs, widened
from avatar.motion.evaluation.material import Clip
from avatar.motion.generator import phones
from avatar.motion.generator.features import HOPS_PER_FRAME

LIP_STOPS = ("p", "b", "m")


def causes(judged: Iterable[tuple[Mouth, Clip]]) -> dict[str, dict[str, int]]:
    """Returns:
    ``wanted`` and ``missed``: closures by the p, b or m they are of; ``made up``: false ones by the sound in their middle.
    Commonest first.
    """
    wanted, missed, made_up = Counter[str](), Counter[str](), Counter[str]()
    for mouth, clip in judged:
        reference = clip.reference
        frames = min(len(mouth), len(reference.mouth))
        heard = phones.timeline(clip.speech.phonemes or (), frames * HOPS_PER_FRAME)
        closed, closures = mouth.closed[:frames], reference.closures[:frames]
        near = widened(closed, NEAR_FRAMES)
        for start, end in runs(closures):
            name = _lip_stop(heard, start, end)
            wanted[name] += 1
            missed[name] += not near[start:end].any()
        explained = widened(closures, NEAR_FRAMES) | widened(reference.pauses[:frames], PAUSE_EDGE_FRAMES)
        for start, end in runs(closed & ~reference.silent[:frames]):
            if not explained[start:end].any():
                made_up[phones.NAMES[int(heard[(start + end) * HOPS_PER_FRAME // 2])]] += 1
    return {
        name: dict(counter.most_common())
        for name, counter in (("wanted", wanted), ("missed", missed), ("made up", made_up))
    }


def _lip_stop(heard: NDArray[np.uint8], start: int, end: int) -> str:
    """The p, b or m nearest to a closure, whose contact leads its sound a little."""
    hops = heard[max(start - 1, 0) * HOPS_PER_FRAME : (end + 2) * HOPS_PER_FRAME]
    found = Counter(name for name in (phones.NAMES[hop] for hop in hops) if name in LIP_STOPS)
    return found.most_common(1)[0][0] if found else "other"
