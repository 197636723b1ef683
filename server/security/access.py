"""Who is asking, and may they: one decision for HTTP requests and WebSocket handshakes alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import HTTPConnection

from server.config import ServerSection
from server.errors import Forbidden, Unauthorized
from server.security.keys import TOKEN_PREFIX, ClientSecret, ClientSecrets, same_secret
from server.security.limits import AddressLimiter
from server.security.origins import OriginPolicy, is_loopback

SUBPROTOCOL = "realtime"
KEY_SUBPROTOCOL = "openai-insecure-api-key."
"""How browsers, which cannot set headers on a WebSocket, hand over a key; as OpenAI's SDK does it."""

FORWARDED_HEADERS = ("forwarded", "x-forwarded-for", "x-real-ip")


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is asking.

    Attributes:
        secret: the client secret used; None for a bearer of the API key and for this machine's own user.
    """

    secret: ClientSecret | None = None


class Access:
    """Decides by address, Host, Origin, key and token.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, section: ServerSection, clock: Callable[[], float]) -> None:
        self._key = section.api_key.get_secret_value() if section.api_key is not None else None
        self._origins = OriginPolicy(section)
        self._calls = AddressLimiter(section.calls_per_minute, clock)
        self._failures = AddressLimiter(section.calls_per_minute, clock)
        self.secrets = ClientSecrets(clock)

    def check_page(self, connection: HTTPConnection) -> None:
        """Host and Origin; applies to everything but static files and /health.

        Raises:
            Forbidden: see ``OriginPolicy``.
        """
        host = connection.headers.get("host")
        self._origins.check_host(host)
        scheme = {"ws": "http", "wss": "https"}.get(connection.url.scheme, connection.url.scheme)
        self._origins.check_origin(connection.headers.get("origin"), scheme, host)

    def check_rate(self, connection: HTTPConnection) -> None:
        """Count one new conversation or token.

        Raises:
            TooManyRequests
        """
        self._calls.check(client_address(connection))

    def authorise(self, connection: HTTPConnection, *, tokens: bool = True) -> Principal:
        """Who is asking.

        Args:
            tokens: client secrets are enough; otherwise the API key is needed.

        Raises:
            Forbidden: the page or address may not.
            Unauthorized: no key, or one that is not valid.
            TooManyRequests: this address failed too often.
        """
        self.check_page(connection)
        if self._key is None:
            self._require_this_machine(connection)
            given = bearer(connection)
            if given is not None and given.startswith(TOKEN_PREFIX) and tokens:
                secret = self.secrets.find(given)
                if secret is not None:
                    return Principal(secret)
            return Principal()
        given = bearer(connection)
        if given is None:
            raise self._failed(connection, "Send the API key or a client secret: 'Authorization: Bearer ...'.")
        if same_secret(given, self._key):
            return Principal()
        if given.startswith(TOKEN_PREFIX):
            secret = self.secrets.find(given)
            if secret is not None and tokens:
                return Principal(secret)
            if secret is not None:
                raise self._failed(connection, "This needs the API key; a client secret is not enough.")
            raise self._failed(connection, "The client secret is unknown or has expired; mint a new one.")
        raise self._failed(connection, "The API key is not valid.")

    def is_this_machine(self, connection: HTTPConnection) -> bool:
        """The request comes from this machine and through no proxy."""
        direct = not any(name in connection.headers for name in FORWARDED_HEADERS)
        return is_loopback(client_address(connection)) and direct

    def _require_this_machine(self, connection: HTTPConnection) -> None:
        if not self.is_this_machine(connection):
            raise Forbidden(
                "No API key is set, so this server answers only requests that come straight from its own machine. "
                "Set PARLEY_SERVER_API_KEY to serve others, and server.trusted_proxies where a proxy stands in front.",
                code="loopback_only",
            )

    def _failed(self, connection: HTTPConnection, message: str) -> Unauthorized:
        self._failures.check(client_address(connection))
        return Unauthorized(message)


def client_address(connection: HTTPConnection) -> str:
    """The peer's address; behind a trusted proxy the one that it names."""
    return connection.client.host if connection.client is not None else "unknown"


def bearer(connection: HTTPConnection) -> str | None:
    """The key or token of a request: from the Authorization header, or a WebSocket's subprotocol."""
    scheme, _, value = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and value.strip():
        return value.strip()
    for protocol in connection.scope.get("subprotocols", ()):
        if protocol.startswith(KEY_SUBPROTOCOL):
            return str(protocol[len(KEY_SUBPROTOCOL) :])
    return None
