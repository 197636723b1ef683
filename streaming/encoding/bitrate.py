"""``BitrateControl``: how many bits a second the picture may take, from what the receiver estimates. Sans-I/O."""

from __future__ import annotations

STEPS = (1.0, 0.65, 0.4, 0.25)
"""Of the first rate. Few and far apart, because a change rebuilds the encoder and costs a keyframe; 225 kbit/s,
the last step from 900, still shows a talking head at 512x512."""
CONGESTED = 0.95
"""An estimate below this share of what is sent means congestion: a receiver that sees delay grow reports 0.85
of what arrives; one that sees none reports more than arrives, however little that is (libwebrtc's
``AimdRateControl``). The estimate alone tells nothing, for a face at rest needs few bits."""
RAISE_AFTER_S = 10.0
"""Without congestion, before trying the next higher step."""
WINDOW_S = 1.0
"""What was sent is measured over at least this long: one keyframe is ten frames' worth."""


class BitrateControl:
    """Chooses a step.

    Args:
        first_bps: the highest rate, and the first.
    """

    def __init__(self, first_bps: int) -> None:
        self._rates = tuple(int(step * first_bps) for step in STEPS)
        self._step = 0
        self._changed_s: float | None = None
        self._mark: tuple[float, int] | None = None
        self._sent_bps = 0.0

    @property
    def bitrate_bps(self) -> int:
        return self._rates[self._step]

    def report(self, now_s: float, estimate_bps: int, sent_bytes: int) -> int:
        """The receiver has estimated what it can take (REMB).

        Args:
            now_s: monotonic.
            estimate_bps: its estimate.
            sent_bytes: sent to it in all, until now.

        Returns:
            The rate to encode at from now on.
        """
        if self._mark is None or self._changed_s is None:
            self._mark, self._changed_s = (now_s, sent_bytes), now_s
        since, before = self._mark
        if now_s - since >= WINDOW_S:
            self._sent_bps = 8 * (sent_bytes - before) / (now_s - since)
            self._mark = (now_s, sent_bytes)
        if estimate_bps < CONGESTED * self._sent_bps:
            self._lower(now_s, estimate_bps)
        elif self._step and now_s - self._changed_s >= RAISE_AFTER_S:
            self._step -= 1
            self._changed_s = now_s
        return self.bitrate_bps

    def _lower(self, now_s: float, estimate_bps: int) -> None:
        fitting = [step for step, rate in enumerate(self._rates) if rate <= estimate_bps]
        step = fitting[0] if fitting else len(self._rates) - 1
        if step > self._step:
            self._step = step
            self._sent_bps = 0.0  # what was measured before says nothing of the new rate
        self._changed_s = now_s
