"""Any chat model behind an OpenAI-compatible endpoint: OpenAI, other clouds, Ollama, vLLM, llama.cpp."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import openai

from llm_bridge.chat import ChatOptions, Message
from llm_bridge.errors import BridgeError, ModelBroken, ModelUnavailable
from llm_bridge.openai_transport import FAILURES
from llm_bridge.reasoning import ReasoningFilter

OPENAI_URL = "https://api.openai.com/v1"

RETRIES = 2
"""After a failure that came at once. A timeout is not retried: who waited that long will not wait again."""

BACKOFF_S = 0.3
"""First pause before a retry, doubled each time and jittered by half: a listener is waiting."""

LONGEST_PAUSE_S = 3.0
"""A ``Retry-After`` beyond this is not worth waiting for in a live conversation."""

CONNECT_TIMEOUT_S = 5.0

_STREAM_FAILURES: tuple[type[Exception], ...] = (*FAILURES, TimeoutError, ValueError)  # ValueError: broken JSON
_NO_KEY = "none"  # local servers want no key, but the client wants one


class ChatStream(AsyncIterator[str]):
    """The deltas of one answer.

    Attributes:
        truncated: known at the end: the model stopped at ``max_output_tokens``, not because it was done.
    """

    def __init__(self, deltas: Callable[[ChatStream], AsyncGenerator[str, None]]) -> None:
        self.truncated = False
        self._deltas = deltas(self)

    async def __anext__(self) -> str:
        return await self._deltas.__anext__()

    async def aclose(self) -> None:
        """Cancel the request: its connection is closed on return."""
        await self._deltas.aclose()


class OpenAIChat:
    """A ``ChatModel`` over HTTP.

    Args:
        model: its name at the endpoint.
        base_url: of the endpoint ("http://127.0.0.1:11434/v1"); None is OpenAI's own.
        api_key: None where the endpoint wants none. Environment variables are not read.
        timeout_s: until the first sign of an answer, and between two of them.
        retries: before the first token only; what was said cannot be taken back.
        sleep, jitter: injected in tests.
    """

    def __init__(
        self,
        *,
        model: str,
        base_url: str | None = None,
        api_key: str | None = None,
        timeout_s: float = 20.0,
        retries: int = RETRIES,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._model = model
        self._base_url = base_url or OPENAI_URL
        self._timeout_s = timeout_s
        self._retries = retries
        self._sleep = sleep
        self._jitter = jitter
        # OpenAI's own models refuse the old name of the limit, many compatible servers do not know the new one.
        self._limit_name = "max_tokens" if base_url else "max_completion_tokens"
        self._client = openai.AsyncOpenAI(
            base_url=self._base_url,
            api_key=api_key or _NO_KEY,
            max_retries=0,
            timeout=openai.Timeout(timeout_s, connect=min(CONNECT_TIMEOUT_S, timeout_s)),
        )
        self.name = f"{model} at {self._base_url}"

    def stream(self, messages: Sequence[Message], options: ChatOptions = ChatOptions()) -> ChatStream:
        """See ``ChatModel.stream``. Reasoning is not spoken: only the answer's own text is passed on."""
        request: dict[str, Any] = {
            "model": self._model,
            "messages": [{"role": message.role, "content": message.text} for message in messages],
            "stream": True,
        }
        if options.temperature is not None:
            request["temperature"] = options.temperature
        if options.max_output_tokens is not None:
            request[self._limit_name] = options.max_output_tokens
        return ChatStream(lambda stream: self._deltas(request, stream))

    async def warm_up(self) -> None:
        """Nothing: asking a model costs money."""

    async def close(self) -> None:
        """Close idle connections."""
        await self._client.close()

    async def _deltas(self, request: dict[str, Any], state: ChatStream) -> AsyncGenerator[str, None]:
        for attempt in range(self._retries + 1):
            response = None
            spoken = False
            reasoning = ReasoningFilter()
            try:
                async with asyncio.timeout(self._timeout_s):
                    response = await self._client.chat.completions.create(**request)
                chunks = response.__aiter__()
                reason = None
                while True:
                    async with asyncio.timeout(self._timeout_s):
                        chunk = await anext(chunks, None)
                    if chunk is None:
                        break
                    for choice in chunk.choices[:1]:
                        reason = choice.finish_reason or reason
                        state.truncated = reason == "length"
                        text = reasoning.feed((choice.delta.content if choice.delta else None) or "")
                        if text:
                            spoken = True
                            yield text
                if rest := reasoning.finish():
                    spoken = True
                    yield rest
                if not spoken:
                    raise ModelUnavailable(
                        f"{self.name} answered without any text (finish reason: {reason or 'none'})."
                        " Check that the address leads to a chat endpoint, and the limit on output tokens.",
                        retryable=False,
                    )
                return
            except _STREAM_FAILURES as error:
                if spoken:
                    raise ModelBroken(f"The answer of {self.name} broke off: {_short(error)}") from error
                failure = self._unavailable(error)
                pause_s = self._pause_s(error, attempt)
                if pause_s is None or attempt == self._retries:
                    raise failure from error
            finally:
                if response is not None:
                    await response.close()
            await self._sleep(pause_s)

    def _pause_s(self, error: Exception, attempt: int) -> float | None:
        """How long to wait before trying again; None where that would not help."""
        if isinstance(error, (TimeoutError, openai.APITimeoutError, ValueError)):
            return None
        if isinstance(error, openai.APIStatusError):
            if error.status_code not in (408, 409, 425, 429) and error.status_code < 500:
                return None
            if getattr(error, "code", None) == "insufficient_quota":
                return None
            asked = _seconds(error.response.headers.get("retry-after"))
            if asked is not None:
                return asked if asked <= LONGEST_PAUSE_S else None
        return BACKOFF_S * float(2**attempt) * (0.5 + self._jitter())

    def _unavailable(self, error: Exception) -> BridgeError:
        status = error.status_code if isinstance(error, openai.APIStatusError) else None
        retryable = True
        if isinstance(error, (TimeoutError, openai.APITimeoutError)):
            what = f"did not answer within {self._timeout_s:g} s. Check that it is running and not overloaded"
        elif isinstance(error, openai.APIConnectionError) or not isinstance(error, (openai.OpenAIError, ValueError)):
            what = f"cannot be reached ({_short(error)}). Check that it is running, and PARLEY_CHAT_BASE_URL"
        elif status in (401, 403):
            what, retryable = f"refused the key (HTTP {status}). Check PARLEY_CHAT_API_KEY", False
        elif status == 404:
            what, retryable = (
                f"knows no such model or path (HTTP 404: {_short(error)}). Check PARLEY_CHAT_MODEL, and that"
                " PARLEY_CHAT_BASE_URL ends where the provider says, often in /v1", False,
            )  # fmt: skip
        elif status == 429:
            what = f"is over its rate or quota (HTTP 429: {_short(error)}). Try again later, or raise the quota"
        elif status is not None and status < 500:
            what, retryable = f"refused the request (HTTP {status}: {_short(error)})", False
        elif status is not None:
            what = f"has failed (HTTP {status}: {_short(error)}). Try again later"
        else:
            what = f"answered something that is no chat stream ({_short(error)}). Check PARLEY_CHAT_BASE_URL"
        return ModelUnavailable(f"{self.name} {what}.", retryable=retryable)


def _short(error: Exception) -> str:
    """The error in a line, without what a provider may quote of the request."""
    if isinstance(error, TimeoutError):
        return "nothing came for too long"
    body = getattr(error, "body", None)
    text = body.get("message") if isinstance(body, dict) else None
    cause = error.__cause__ if isinstance(error, openai.APIConnectionError) else None
    return str(text or cause or error).strip().split("\n")[0][:200]


def _seconds(value: str | None) -> float | None:
    try:
        return max(0.0, float(value)) if value is not None else None
    except ValueError:
        return None
