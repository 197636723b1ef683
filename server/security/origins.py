"""Which pages may call the server, and by which names it may be called (CSRF, DNS rebinding)."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from server.config import ServerSection
from server.errors import Forbidden

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_DEFAULT_PORTS = {"http": 80, "https": 443}


def is_loopback(address: str) -> bool:
    """Whether a peer address or host name is this machine's own."""
    name = address.strip("[]").lower().rstrip(".")
    if name == "localhost":
        return True
    try:
        parsed = ip_address(name.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return bool((mapped or parsed).is_loopback)


def normal_origin(origin: str) -> tuple[str, str, int] | None:
    """(scheme, host, port) of an Origin header or a configured origin; None where it is not one."""
    try:
        parts = urlsplit(origin)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or parts.username is not None:
        return None
    if parts.path or parts.query or parts.fragment:
        return None
    return parts.scheme, parts.hostname.lower(), port or _DEFAULT_PORTS[parts.scheme]


def split_host(host: str) -> str:
    """The name of a Host header without port and brackets; "" where it is malformed."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower().rstrip(".")
    except ValueError:
        return ""


class OriginPolicy:
    """Decides by the Host and Origin headers."""

    def __init__(self, section: ServerSection) -> None:
        self._allowed = {normal for origin in section.allowed_origins if (normal := normal_origin(origin))}
        self._hosts = {split_host(host) for host in (*section.allowed_hosts, section.host)} | LOOPBACK_NAMES
        self._check_hosts = section.api_key is None or bool(section.allowed_hosts)

    def check_host(self, host: str | None) -> None:
        """A page that rebinds its own name to this address sends that name as Host: refuse it.

        Addresses pass, since only names can be rebound. With an API key names are checked only where
        ``server.allowed_hosts`` lists some: the key is the guard then.

        Raises:
            Forbidden: the name is not one of the server's.
        """
        name = split_host(host or "")
        if not self._check_hosts or name in self._hosts:
            return
        try:
            ip_address(name)
        except ValueError:
            raise Forbidden(
                f"This server does not answer to the name {name!r}. Add it to server.allowed_hosts to allow it.",
                code="host_not_allowed",
            ) from None

    def check_origin(self, origin: str | None, scheme: str, host: str | None) -> None:
        """Programs send no Origin; pages must come from this server or from an allowed origin.

        Args:
            origin: the Origin header.
            scheme: of the request, "http" or "https".
            host: the Host header.

        Raises:
            Forbidden: names the origin and the setting that would allow it.
        """
        if origin is None:
            return
        normal = normal_origin(origin)
        if normal is not None and (normal == normal_origin(f"{scheme}://{host}") or normal in self._allowed):
            return
        shown = origin if normal is not None else "null"
        raise Forbidden(
            f"Pages from {shown} may not use this server. Add the origin to server.allowed_origins to allow it.",
            code="origin_not_allowed",
        )
