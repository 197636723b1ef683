"""The API key, and the short-lived client secrets (``ek_...``) minted with it."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from server.errors import TooManyRequests, Unauthorized
from server.realtime.session_config import SessionConfig

TOKEN_PREFIX = "ek_"
TOKEN_BYTES = 32
"""256 bits from the system's generator: not guessable."""

MAX_TOKENS = 1000
"""Unused secrets at once; each holds a session configuration of up to 256 kB, most of about 1 kB."""

MIN_TOKEN_SECONDS = 10
MAX_TOKEN_SECONDS = 7200
"""Bounds of ``expires_after.seconds``, the Realtime API's own."""


def same_secret(given: str, expected: str) -> bool:
    """Compare in constant time, whatever the lengths."""
    return hmac.compare_digest(_digest(given), _digest(expected))


def _digest(value: str) -> bytes:
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).digest()


@dataclass(slots=True)
class ClientSecret:
    """A minted secret; the value itself is not kept, only its hash.

    Attributes:
        session: configuration that its conversation begins with.
        expires_at: clock seconds until which it must have been used.
        call_id: the conversation it was used for; a used secret opens no other, but may end its own.
        reserved: a call with it is being set up right now.
    """

    session: SessionConfig
    expires_at: float
    call_id: str | None = None
    reserved: bool = False


class ClientSecrets:
    """Mints client secrets and knows the live ones.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._secrets: dict[bytes, ClientSecret] = {}

    def mint(self, session: SessionConfig, seconds: float) -> str:
        """A new secret, good for one conversation begun within ``seconds``.

        Raises:
            TooManyRequests: too many unused ones.
        """
        self._drop_expired()
        if len(self._secrets) >= MAX_TOKENS:
            raise TooManyRequests(
                f"{MAX_TOKENS} client secrets are waiting to be used; wait until some expire.", retry_after_s=10
            )
        value = TOKEN_PREFIX + secrets.token_urlsafe(TOKEN_BYTES)
        self._secrets[_digest(value)] = ClientSecret(session, self._clock() + seconds)
        return value

    def find(self, value: str) -> ClientSecret | None:
        """The live secret of this value: unused and unexpired, or its conversation still runs.

        Looked up by hash, so the time taken tells nothing about the value.
        """
        secret = self._secrets.get(_digest(value))
        if secret is None or (secret.call_id is None and not secret.reserved and self._clock() > secret.expires_at):
            return None
        return secret

    def reserve(self, secret: ClientSecret) -> None:
        """Begin to use it. Must be followed by ``use`` or ``release``.

        Raises:
            Unauthorized: it is in use, or was used.
        """
        if secret.reserved or secret.call_id is not None:
            raise Unauthorized(
                "This client secret was already used: each opens one conversation. Mint a new one.",
                code="client_secret_used",
            )
        secret.reserved = True

    def use(self, secret: ClientSecret, call_id: str) -> None:
        """It opened this conversation."""
        secret.reserved = False
        secret.call_id = call_id

    def release(self, secret: ClientSecret) -> None:
        """Its call failed; it may be tried again until it expires."""
        secret.reserved = False

    def forget_call(self, call_id: str) -> None:
        """The conversation ended; its secret is worth nothing any more."""
        for digest in [digest for digest, secret in self._secrets.items() if secret.call_id == call_id]:
            del self._secrets[digest]

    def _drop_expired(self) -> None:
        now = self._clock()
        for digest, secret in list(self._secrets.items()):
            if secret.call_id is None and not secret.reserved and now > secret.expires_at:
                del self._secrets[digest]
