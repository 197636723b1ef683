"""What can go wrong in this room.

BridgeError
├── ModelUnavailable   the endpoint cannot be reached, refused, or timed out before the first token
├── ModelBroken        the stream failed after some text had come
└── KnowledgeError     the knowledge folder cannot be read
"""

from __future__ import annotations


class BridgeError(Exception):
    """Base of this room's errors. ``str(error)`` is fit for a user.

    Attributes:
        code: stable identifier, shared with the API and the JavaScript side.
        retryable: trying the same again later may help.
    """

    code = "bridge_error"
    retryable = False

    def __init__(self, message: str, *, code: str | None = None, retryable: bool | None = None) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code
        if retryable is not None:
            self.retryable = retryable


class ModelUnavailable(BridgeError):
    code = "model_unavailable"
    retryable = True


class ModelBroken(BridgeError):
    code = "model_broken"
    retryable = True


class KnowledgeError(BridgeError):
    code = "knowledge_error"
