"""Security headers of every answer."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.config import ServerSection
from server.security.origins import normal_origin


def content_security_policy(section: ServerSection) -> str:
    """Nothing but the page's own files and its own connection; framed by itself and by allowed origins."""
    allowed = [origin for origin in section.allowed_origins if normal_origin(origin)]
    ancestors = " ".join(["'self'", *allowed])
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data: blob:",
            "media-src 'self' blob: mediastream:",
            "font-src 'self'",
            "connect-src 'self'",
            "manifest-src 'self'",
            "worker-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "object-src 'none'",
            f"frame-ancestors {ancestors}",
        )
    )


class SecurityHeaders:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp, section: ServerSection) -> None:
        self._app = app
        self._headers = {
            "Content-Security-Policy": content_security_policy(section),
            "Permissions-Policy": "microphone=(self), autoplay=(self), camera=(), geolocation=()",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "Cross-Origin-Opener-Policy": "same-origin",
        }
        if section.tls_cert is not None:
            self._headers["Strict-Transport-Security"] = "max-age=86400"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, with_headers)
