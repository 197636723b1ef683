"""Any OpenAI-compatible transcription endpoint: ``POST {base_url}/audio/transcriptions``.

The endpoint has no streaming input, so a segment is sent whole, as WAV, each time its text is wanted: a pause that
turns out not to be the end of the turn costs one more request.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import itertools
import wave
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from streaming.errors import TranscriptionFailed
from streaming.hearing.segment import RATE_HZ, check_sound, joined
from streaming.hearing.transcriber import Transcript, TranscriptionStream

if TYPE_CHECKING:
    import openai

_PART_SAMPLES = 60 * RATE_HZ
"""Longer speech is sent in parts while it goes on, so that neither memory nor the last request grows with it."""
_CUT_SAMPLES = 10 * RATE_HZ
"""A part is cut where these last seconds of it are quietest."""
_BLOCK_SAMPLES = RATE_HZ // 10
_LEAST_SAMPLES = RATE_HZ // 10
"""Endpoints refuse sound shorter than 100 ms."""
_UNDETERMINED = "und"
"""BCP 47 for a language that is not known."""


class OpenAITranscriber:
    """Args:
    base_url: of the API ("http://127.0.0.1:9000/v1"); None for OpenAI's own.
    api_key: None for an endpoint that wants none.
    model: the endpoint's model name.
    timeout_s: for one request, answer included.
    max_retries: on connection failures, 408, 409, 429 and 5xx.
    """

    languages: tuple[str, ...] = ()
    believed_when_brief = True

    def __init__(
        self,
        *,
        base_url: str | None,
        api_key: str | None,
        model: str = "whisper-1",
        timeout_s: float = 10.0,
        max_retries: int = 1,
    ) -> None:
        import openai

        self.name = f"{model} at {base_url or 'OpenAI'}"
        self.model = model
        self.timeout_s = timeout_s
        # The client insists on a key and would otherwise look for one in the environment.
        self.client = openai.AsyncOpenAI(
            base_url=base_url or "https://api.openai.com/v1",
            api_key=api_key or "none",
            timeout=timeout_s,
            max_retries=max_retries,
        )

    def open(
        self, *, language: str | None = None, on_partial: Callable[[str], None] | None = None
    ) -> TranscriptionStream:
        return _Stream(self, language, on_partial)

    async def warm_up(self) -> None:
        """Nothing is sent before there is speech."""

    async def close(self) -> None:
        await self.client.close()

    async def request(self, pcm16k: NDArray[np.int16], language: str | None) -> str:
        """Raises TranscriptionFailed."""
        import openai

        try:
            answer = await self.client.audio.transcriptions.create(
                file=("speech.wav", _wav(pcm16k), "audio/wav"),
                model=self.model,
                language=_iso_639(language) if language else openai.omit,
                response_format="json",
            )
        except openai.OpenAIError as error:
            raise self._failure(error) from error
        except ValueError as error:  # the client lets the JSON decoder's through
            raise self._nonsense(str(error)) from error
        text = getattr(answer, "text", None)
        if not isinstance(text, str):
            raise self._nonsense(repr(str(answer)[:80]))
        return text.strip()

    def _nonsense(self, what: str) -> TranscriptionFailed:
        return TranscriptionFailed(
            f"{self.name} did not answer with a transcript ({what}). Is hearing.base_url right? It usually ends in /v1.",
            retryable=False,
        )

    def _failure(self, error: openai.OpenAIError) -> TranscriptionFailed:
        import openai

        match error:
            case openai.APITimeoutError():
                return TranscriptionFailed(f"{self.name} did not transcribe within {self.timeout_s:g} s. Try again.")
            case openai.APIConnectionError():
                return TranscriptionFailed(
                    f"{self.name} cannot be reached ({error.__cause__ or error}). Is it running?"
                )
            case openai.AuthenticationError() | openai.PermissionDeniedError():
                return TranscriptionFailed(
                    f"{self.name} refused the API key (HTTP {error.status_code}). Check hearing.api_key.",
                    retryable=False,
                )
            case openai.NotFoundError():
                return TranscriptionFailed(
                    f"{self.name} knows no such model or has no transcription endpoint (HTTP 404)."
                    " Check hearing.model and hearing.base_url.",
                    retryable=False,
                )
            case openai.RateLimitError():
                return TranscriptionFailed(f"{self.name} is busy or over its quota (HTTP 429). Try again later.")
            case openai.APIStatusError():
                again = error.status_code >= 500
                return TranscriptionFailed(
                    f"{self.name} failed: HTTP {error.status_code}, {error.message}", retryable=again
                )
            case _:
                return TranscriptionFailed(f"{self.name} failed: {error}", retryable=False)


class _Part:
    """Sound that no more is added to; its text is asked for at once, and kept."""

    def __init__(
        self,
        pcm16k: NDArray[np.int16],
        ask: Callable[[NDArray[np.int16]], asyncio.Task[str]],
        on_known: Callable[[], None],
    ) -> None:
        self._pcm16k = pcm16k
        self._ask = ask
        self._on_known = on_known
        self.known: str | None = None
        self._begin()

    def _begin(self) -> None:
        self._task = self._ask(self._pcm16k)
        self._task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[str]) -> None:
        if not task.cancelled() and task.exception() is None:
            self.known = task.result()
            self._pcm16k = np.zeros(0, np.int16)
            self._on_known()

    async def text(self) -> str:
        if self.known is not None:
            return self.known
        if self._task.done():  # it failed earlier
            self._begin()
        return await asyncio.shield(self._task)

    async def close(self) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError, TranscriptionFailed):
            await self._task


class _Stream(TranscriptionStream):
    def __init__(
        self, transcriber: OpenAITranscriber, language: str | None, on_partial: Callable[[str], None] | None
    ) -> None:
        self._transcriber = transcriber
        self._language = language
        self._on_partial = on_partial
        self._parts: list[_Part] = []
        self._sound: list[NDArray[np.int16]] = []
        self._sound_samples = 0
        self._samples = 0
        self._running: set[asyncio.Task[str]] = set()
        self._closed = False

    def feed(self, pcm16k: NDArray[np.int16]) -> None:
        """Raises ValueError: not one-dimensional int16."""
        check_sound(pcm16k)
        if self._closed:
            return
        self._sound.append(pcm16k)
        self._sound_samples += len(pcm16k)
        self._samples += len(pcm16k)
        while self._sound_samples >= _PART_SAMPLES:
            sound = np.concatenate(self._sound)
            cut = _quietest(sound[:_PART_SAMPLES])
            self._parts.append(_Part(sound[:cut], lambda part: asyncio.create_task(self._request(part)), self._tell))
            self._sound = [sound[cut:]]
            self._sound_samples = len(sound) - cut

    async def transcribe(self) -> Transcript:
        if self._closed:
            raise _closed()
        covered = self._samples
        last = np.concatenate(self._sound) if self._sound else np.zeros(0, np.int16)
        asked = asyncio.create_task(self._request(last))
        self._running.add(asked)
        try:
            texts = [await part.text() for part in self._parts]
            texts.append(await asked)
        except asyncio.CancelledError:
            if self._closed and not _cancelled():
                raise _closed() from None
            raise
        finally:
            self._running.discard(asked)
            await _end(asked)
        text = joined(texts)
        return Transcript(text, self._language or _UNDETERMINED, 1000 * covered / RATE_HZ)

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._sound.clear()
        for part in self._parts:
            await part.close()
        for asked in list(self._running):
            await _end(asked)

    def _tell(self) -> None:
        """Parts that are known will not change any more."""
        known = itertools.takewhile(lambda text: text is not None, (part.known for part in self._parts))
        if self._on_partial is not None and not self._closed:
            self._on_partial(joined(text for text in known if text))

    async def _request(self, pcm16k: NDArray[np.int16]) -> str:
        if len(pcm16k) < _LEAST_SAMPLES:
            return ""
        return await self._transcriber.request(pcm16k, self._language)


def _cancelled() -> bool:
    """The task that runs this was asked to end, rather than one it waited for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _closed() -> TranscriptionFailed:
    return TranscriptionFailed("Speech could not be transcribed: its segment was closed.")


async def _end(task: asyncio.Task[str]) -> None:
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled():
        task.exception()  # seen: whoever waited for the task has got it


def _quietest(sound: NDArray[np.int16]) -> int:
    """Where to cut: behind the quietest 100 ms of the last seconds."""
    first = max(0, len(sound) - _CUT_SAMPLES)
    blocks = sound[first : first + (len(sound) - first) // _BLOCK_SAMPLES * _BLOCK_SAMPLES]
    loudness = np.abs(blocks.reshape(-1, _BLOCK_SAMPLES).astype(np.int32)).mean(axis=1)
    return first + (int(loudness.argmin()) + 1) * _BLOCK_SAMPLES


def _wav(pcm16k: NDArray[np.int16]) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(pcm16k.astype("<i2").tobytes())
    return out.getvalue()


def _iso_639(tag: str) -> str:
    """Endpoints want ISO 639-1: "zh" for "cmn-Hans-CN"."""
    primary = tag.split("-")[0].lower()
    return {"cmn": "zh", "yue": "zh"}.get(primary, primary)
