"""The data channel's sending side: bounded, and usable before the channel is open."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable

from aiortc import RTCDataChannel
from aiortc.exceptions import InvalidStateError

log = logging.getLogger(__name__)

MAX_WAITING_BYTES = 1_000_000
"""Of messages from before the channel opens. A session's first events are a few kB."""
MAX_UNSENT_BYTES = 4_000_000
"""Of messages that the client has not acknowledged: minutes of events, beyond any network's hiccup."""


class EventChannel:
    """Sends text messages in order.

    Args:
        on_open: the channel has opened, and what waited for it is on its way.
        on_overflow: the client takes nothing off our hands; called once, nothing is sent afterwards.
    """

    def __init__(self, on_open: Callable[[], None], on_overflow: Callable[[], None]) -> None:
        self._on_open = on_open
        self._on_overflow = on_overflow
        self._channel: RTCDataChannel | None = None
        self._waiting: deque[str] = deque()
        self._waiting_bytes = 0
        self._overflowed = False

    @property
    def is_open(self) -> bool:
        return self._channel is not None and self._channel.readyState == "open"

    def open(self, channel: RTCDataChannel) -> None:
        """The client has opened ``channel``."""
        self._channel = channel
        while self._waiting and not self._overflowed:
            self._send(channel, self._waiting.popleft())
        self._waiting_bytes = 0
        self._on_open()

    def send(self, text: str) -> None:
        """Send now, or when the channel opens. What is longer than the client takes (its SDP says how long, mostly
        262144 bytes; 64 kB where it does not) is not sent, and logged."""
        if self._overflowed:
            return
        if self._channel is not None:
            self._send(self._channel, text)
            return
        self._waiting.append(text)
        self._waiting_bytes += len(text)
        if self._waiting_bytes > MAX_WAITING_BYTES:
            self._overflow()

    def _send(self, channel: RTCDataChannel, text: str) -> None:
        try:
            channel.send(text)
        except InvalidStateError:
            return  # closed by the client; the connection's end is reported elsewhere
        except ValueError as error:
            log.warning("An event could not be sent to its client: %s.", error)
            return
        if channel.bufferedAmount > MAX_UNSENT_BYTES:
            self._overflow()

    def _overflow(self) -> None:
        self._overflowed = True
        self._waiting.clear()
        self._on_overflow()
