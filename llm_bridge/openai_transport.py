"""What the OpenAI client raises when an endpoint fails, over the versions of the client that are allowed."""

from __future__ import annotations

import importlib
import importlib.util

import openai


def _transport_errors() -> tuple[type[Exception], ...]:
    """Errors of the HTTP library beneath (httpx, or its successor httpx2): older clients do not wrap those of a
    streamed body, and no client wraps those of raw bytes."""
    name = "httpx2" if importlib.util.find_spec("httpx2") else "httpx"
    library = importlib.import_module(name)
    return (library.HTTPError, library.StreamError)


FAILURES: tuple[type[Exception], ...] = (openai.OpenAIError, *_transport_errors())
