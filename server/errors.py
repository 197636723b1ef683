"""What can go wrong in this room.

ServerError                 refuses an HTTP request or a WebSocket handshake
├── BadRequest        400   the request cannot be understood
├── Unauthorized      401   no valid key or token
├── Forbidden         403   the origin, host or address may not do this
├── NotFound          404
├── RequestTimeout    408   the body did not arrive in time
├── TooLarge          413
├── TooManyRequests   429   carries Retry-After
└── Unavailable       503   full or shutting down; carries Retry-After

ProtocolError               a client event is refused; the conversation goes on
"""

from __future__ import annotations

from typing import Any


class ServerError(Exception):
    """Base of the refusals over HTTP. ``str(error)`` is fit for a user.

    Attributes:
        status: HTTP status code.
        code: stable identifier, shared with the JavaScript side.
        param: the part of the request at fault, where one is.
        retry_after_s: seconds after which trying again may help.
    """

    status = 500
    code = "server_error"

    def __init__(
        self, message: str, *, code: str | None = None, param: str | None = None, retry_after_s: float | None = None
    ) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code
        self.param = param
        self.retry_after_s = retry_after_s

    def to_json(self) -> dict[str, Any]:
        """The body that OpenAI's SDKs know how to read."""
        kind = "invalid_request_error" if self.status < 500 else "server_error"
        return {"error": {"message": str(self), "type": kind, "param": self.param, "code": self.code}}

    def headers(self) -> dict[str, str]:
        headers = {"Cache-Control": "no-store"}
        if self.retry_after_s is not None:
            headers["Retry-After"] = str(max(1, round(self.retry_after_s)))
        if self.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        return headers


class BadRequest(ServerError):
    status = 400
    code = "invalid_request"


class Unauthorized(ServerError):
    status = 401
    code = "invalid_api_key"


class Forbidden(ServerError):
    status = 403
    code = "forbidden"


class NotFound(ServerError):
    status = 404
    code = "not_found"


class RequestTimeout(ServerError):
    status = 408
    code = "request_timeout"


class TooLarge(ServerError):
    status = 413
    code = "request_too_large"


class TooManyRequests(ServerError):
    status = 429
    code = "rate_limit_exceeded"


class Unavailable(ServerError):
    status = 503
    code = "busy"


class ProtocolError(Exception):
    """A client event is refused.

    Attributes:
        code: the Realtime protocol's where it has one ("unknown_parameter", "invalid_value").
        param: dotted path of the field at fault ("session.audio.input.format.rate").
        kind: the error's ``type``.
    """

    def __init__(
        self, message: str, *, code: str, param: str | None = None, kind: str = "invalid_request_error"
    ) -> None:
        super().__init__(message)
        self.code = code
        self.param = param
        self.kind = kind
