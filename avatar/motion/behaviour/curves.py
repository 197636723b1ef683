"""Small movement shapes at 25 Hz."""

from __future__ import annotations

import math

from avatar.motion.behaviour.scene import FRAME_S


def ease(x: float) -> float:
    """Minimum-jerk step from 0 to 1 (Flash & Hogan 1985): how people move from rest to rest."""
    x = min(max(x, 0.0), 1.0)
    return x * x * x * (10.0 - 15.0 * x + 6.0 * x * x)


def bump(rise_s: float, hold_s: float, fall_s: float) -> list[float]:
    """0 to 1, hold, back to 0; the first sample is one frame into the rise, the last is 0."""
    frames = math.ceil((rise_s + hold_s + fall_s) / FRAME_S)
    out = []
    for i in range(1, frames + 1):
        t = i * FRAME_S
        if t < rise_s:
            out.append(ease(t / rise_s))
        else:
            out.append(1.0 - ease((t - rise_s - hold_s) / fall_s))
    return out


def oscillation(cycles: float, rate_hz: float) -> list[float]:
    """A sine that swells in and dies out (a nod or a shake), peak about 1, starts and ends at 0."""
    length = cycles / rate_hz
    frames = math.ceil(length / FRAME_S)
    out = []
    for i in range(1, frames + 1):
        x = i / frames
        swell = min(1.0, 4.0 * x, 2.0 * (1.0 - x))
        out.append(swell * math.sin(2 * math.pi * cycles * x))
    return out


class Moves:
    """Movements under way, summed; each is a list of samples that is used up.

    At most ``limit`` run at once: a newer one is refused rather than letting them pile up.
    """

    def __init__(self, limit: int = 4) -> None:
        self._limit = limit
        self._running: list[tuple[list[float], float, int]] = []

    @property
    def busy(self) -> bool:
        return bool(self._running)

    def start(self, curve: list[float], amplitude: float, delay_frames: int = 0) -> None:
        if len(self._running) < self._limit:
            self._running.append((curve, amplitude, -delay_frames))

    def step(self) -> float:
        if not self._running:
            return 0.0
        total = 0.0
        kept = []
        for curve, amplitude, at in self._running:
            if at >= 0:
                total += curve[at] * amplitude
            if at + 1 < len(curve):
                kept.append((curve, amplitude, at + 1))
        self._running = kept
        return total


class Glide:
    """A value that follows its target smoothly: critically damped, no overshoot."""

    def __init__(self, time_s: float, value: float = 0.0) -> None:
        self.value = value
        self._velocity = 0.0
        self._omega = 2.0 / time_s

    def step(self, target: float) -> float:
        # Exact solution of the critically damped spring over one frame.
        x = self.value - target
        decay = math.exp(-self._omega * FRAME_S)
        change = (self._velocity + self._omega * x) * FRAME_S
        self._velocity = (self._velocity - self._omega * change) * decay
        self.value = target + (x + change) * decay
        return self.value
