"""``Absence``: sound that stays away. Sans-I/O.

A turn of the user's must end even where the microphone was unplugged in the middle of it (the browser then sends
nothing), so what does not come is told as silence for a while.
"""

from __future__ import annotations

PAUSE_S = 0.2
"""Until then it may be a network's hiccup, and the packets may still come."""
MAX_PAUSE_S = 5.0
"""As long as any turn could need to end."""


class Absence:
    """Counts what is missing."""

    def __init__(self) -> None:
        self._packets = 0
        self._since_s = 0.0
        self._told_s = 0.0

    def look(self, now_s: float, packets: int) -> float:
        """Look again, ten times a second or so.

        Args:
            packets: of sound received in all.

        Returns:
            Seconds of silence to be told now, mostly 0.
        """
        if packets != self._packets:
            self._packets, self._since_s, self._told_s = packets, now_s, 0.0
        absent_s = now_s - self._since_s
        if packets == 0 or not PAUSE_S <= absent_s <= MAX_PAUSE_S:
            return 0.0
        silence_s, self._told_s = absent_s - self._told_s, absent_s
        return silence_s
