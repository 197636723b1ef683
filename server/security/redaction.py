"""Keeps keys and tokens out of the logs. Transcripts are never handed to a logger in the first place."""

from __future__ import annotations

import logging
import re

from server.config import Settings

_SECRET = re.compile(
    r"(?P<kept>\bek_|openai-insecure-api-key\.|\bsk-|[Bb]earer\s+|[?&](?:api_key|token)=)[A-Za-z0-9._~+/=-]+"
)

QUIET = ("websockets", "openai", "httpx2", "httpcore2", "httpx", "httpcore", "aiortc", "aioice", "python_multipart")
"""Libraries that log whole frames, requests or candidates at DEBUG: conversation content and keys among them."""


class SecretFilter(logging.Filter):
    """Masks anything that looks like a key or token, and the configured keys wherever they stand."""

    def __init__(self, known: tuple[str, ...] = ()) -> None:
        super().__init__()
        self._known = tuple(sorted((key for key in known if len(key) >= 6), key=len, reverse=True))

    def filter(self, record: logging.LogRecord) -> bool:
        try:
            message = record.getMessage()
        except Exception:
            return True  # the handler reports the malformed call itself
        cleaned = self.clean(message)
        if cleaned != message:
            record.msg = cleaned
            record.args = None
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = self.clean(record.exc_text)
        return True

    def clean(self, text: str) -> str:
        for key in self._known:
            text = text.replace(key, "[secret]")
        return _SECRET.sub(lambda match: f"{match['kept']}[secret]", text)


def configured_secrets(settings: Settings) -> tuple[str, ...]:
    """Every secret value in the configuration."""
    values = (
        settings.server.api_key,
        settings.chat.api_key,
        settings.hearing.api_key,
        settings.speaking.api_key,
        settings.webrtc.turn_credential,
    )
    return tuple(value.get_secret_value() for value in values if value is not None)


def install_redaction(settings: Settings | None = None) -> SecretFilter:
    """Filter every handler that exists now, and hold back libraries that log content at DEBUG.

    Call it after handlers are set up. Returns the filter, for handlers added later.

    Args:
        settings: whose keys are masked wherever they stand; without them only what looks like a key is.
    """
    secret_filter = SecretFilter(configured_secrets(settings) if settings is not None else ())
    loggers = [logging.getLogger(), *(logging.getLogger(name) for name in list(logging.root.manager.loggerDict))]
    for logger in loggers:
        for handler in logger.handlers:
            handler.addFilter(secret_filter)
    for name in QUIET:
        logger = logging.getLogger(name)
        if logger.getEffectiveLevel() < logging.INFO:
            logger.setLevel(logging.INFO)
    uvicorn_logger = logging.getLogger("uvicorn.error")  # the websockets protocol logs frames through it
    if uvicorn_logger.getEffectiveLevel() < logging.INFO:
        uvicorn_logger.setLevel(logging.INFO)
    return secret_filter
