"""The asyncio shell around ``MediaClock``: wakes on its schedule and hands what is due to the sinks."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol

from streaming.beat import Beat
from streaming.clock import MediaClock, Release
from streaming.encoding.opus import OpusEncoder


class Track(Protocol):
    """Where packets go: one RTP stream."""

    def send(self, data: bytes, pts: int, *, keyframe: bool = True) -> None:
        """Send one encoded frame now. ``pts``: on the stream's RTP clock (48 kHz sound, 90 kHz picture)."""


class Playback:
    """Plays beats on time.

    Sound and picture of one slot are handed to their tracks in the same step of the event loop.

    Args:
        sound, picture: where packets go; None where there is no such stream.
        lead_s: see ``MediaClock``.

    Attributes:
        on_release: called after the tracks were served, for every slot.
        lateness_s: of the last thousand wake-ups, for measurement.
    """

    def __init__(self, *, sound: Track | None, picture: Track | None, lead_s: float = 0.0) -> None:
        self.clock = MediaClock(lead_s=lead_s)
        self.on_release: Callable[[Release], None] = lambda release: None
        self.lateness_s: deque[float] = deque(maxlen=1000)
        self._sound, self._picture = sound, picture
        self._opus = OpusEncoder() if sound else None
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Begin the schedule; the first slot leaves at once."""
        self._loop = asyncio.get_running_loop()
        self._tick()

    def offer(self, beat: Beat) -> bool:
        """Queue a beat; see ``MediaClock.offer``."""
        taken = self.clock.offer(beat)
        if taken and self._timer is not None and self.clock.next_due() < self._timer.when():
            self._timer.cancel()
            self._schedule()
        return taken

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._loop = None

    def _tick(self) -> None:
        assert self._loop is not None
        now = self._loop.time()
        if self._timer is not None:
            self.lateness_s.append(now - self._timer.when())
            self._timer = None  # it is set anew below, whatever is offered meanwhile
        try:
            for release in self.clock.advance(now):
                self._send(release)
        finally:
            if self._loop is not None:  # not closed by a callback
                self._schedule()

    def _schedule(self) -> None:
        assert self._loop is not None
        self._timer = self._loop.call_at(self.clock.next_due(), self._tick)

    def _send(self, release: Release) -> None:
        if self._sound is not None and self._opus is not None:
            packet = self._opus.silence() if release.silent else self._opus.encode(release.pcm48k)
            self._sound.send(packet, release.pts_48k)
        if self._picture is not None and release.picture is not None:
            self._picture.send(release.picture, release.pts_90k, keyframe=release.keyframe)
        self.on_release(release)
