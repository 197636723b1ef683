"""Blinks that follow each other too soon are held back: the sampler's noise now and then makes two of one, with lids half open between."""

from __future__ import annotations

from dataclasses import dataclass

SHUT, OPEN = 0.5, 0.2
"""Closure from which a blink is one, and below which it is over."""
_OPENING = 0.5
"""What is left of the closure a frame later, of lids that are on their way up and are asked to shut again."""
REST_FRAMES = 17
"""From the end of a blink to the next: 0.3 of the mean interval while talking, which is where ``behaviour.blinks`` lets the earliest come."""


@dataclass(frozen=True, slots=True)
class Lids:
    """The lids after a frame.

    Attributes:
        closure: as shown.
        shut: a blink is under way.
        rest: frames in which none may begin.
        held: one that began in them is not over.
    """

    closure: float = 0.0
    shut: bool = False
    rest: int = 0
    held: bool = False

    def next(self, closure: float) -> Lids:
        """The next frame, of which ``closure`` is asked."""
        if self.shut:
            again = closure > self.closure and self.closure < SHUT
            shown = _OPENING * self.closure if again else closure
            return Lids(shown, shut=True) if shown >= OPEN else Lids(shown, rest=REST_FRAMES)
        if self.rest or (self.held and closure >= OPEN):
            return Lids(min(closure, OPEN), rest=max(self.rest - 1, 0), held=closure >= OPEN)
        return Lids(closure, shut=closure >= SHUT)
