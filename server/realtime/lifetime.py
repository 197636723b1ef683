"""When a conversation must end by itself. Sans-I/O: moments in, a verdict out."""

from __future__ import annotations

from dataclasses import dataclass

PING_SILENCE_S = 8.0
"""A client that has pinged once pings every second; eight lost in a row is a browser that is gone. ICE consent would
notice only after about 30 s. Background tabs may throttle timers to one a second, not further, while they play sound."""


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a conversation ends.

    Attributes:
        code: stable identifier; also the label in the metrics.
        message: for the user; "" where nobody is there to be told.
        close_code: WebSocket close code, RFC 6455 section 7.4.
        retryable: a new conversation may be begun at once.
    """

    code: str
    message: str = ""
    close_code: int = 1000
    retryable: bool = False


CLIENT_LEFT = Ending("client_left")
HUNG_UP = Ending("hung_up")
TRANSPORT_LOST = Ending("connection_lost", retryable=True)
FLOOD = Ending("rate_limit_exceeded", "Events come faster than this server takes them.", 1008)
SLOW_READER = Ending("slow_reader", "Events are not read as fast as they are made.", 1008, retryable=True)
SHUTTING_DOWN = Ending(
    "server_shutting_down", "The server is being restarted; connect again in a moment.", 1001, retryable=True
)
INTERNAL = Ending("server_error", "Something went wrong on the server; its log says what.", 1011, retryable=True)


@dataclass(slots=True)
class Lifetime:
    """Watches one conversation's clock.

    Attributes:
        max_s: its greatest length.
        idle_s: how long nobody may say anything.
        began: seconds, of the clock that all other times are of.
    """

    max_s: float
    idle_s: float
    began: float
    last_active: float = 0.0
    last_ping: float | None = None

    def __post_init__(self) -> None:
        self.last_active = self.began

    def touch(self, now: float) -> None:
        """Somebody said something."""
        self.last_active = now

    def ping(self, now: float) -> None:
        self.last_ping = now

    def verdict(self, now: float) -> Ending | None:
        """Why it must end now, or None."""
        if now - self.began > self.max_s:
            minutes = self.max_s / 60
            return Ending("session_expired", f"The conversation reached its greatest length of {minutes:g} minutes.")
        if now - self.last_active > self.idle_s:
            minutes = self.idle_s / 60
            return Ending("idle_timeout", f"Nobody said anything for {minutes:g} minutes.", retryable=True)
        if self.last_ping is not None and now - self.last_ping > PING_SILENCE_S:
            return TRANSPORT_LOST
        return None
