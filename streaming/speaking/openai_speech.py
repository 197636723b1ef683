"""Any voice behind an OpenAI-compatible ``/v1/audio/speech`` endpoint, its sound streamed as it is made."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import openai
import soxr
from numpy.typing import NDArray

from avatar.speech import SPEECH_RATE_HZ, SpeechChunk
from llm_bridge.openai_transport import FAILURES
from streaming.errors import SynthesisFailed
from streaming.speaking.synthesizer import SpokenChunk

ENDPOINT_RATE_HZ = 24_000
"""What ``response_format="pcm"`` means at OpenAI: mono int16 little-endian, no header."""

OPENAI_VOICES = ("alloy", "ash", "ballad", "coral", "echo", "fable", "nova", "onyx", "sage", "shimmer", "verse")

SHORTEST_CHUNK = SPEECH_RATE_HZ * 40 // 1000
"""Samples: a beat. Smaller pieces would only cost messages."""

FIRST_BYTE_TIMEOUT_S = 15.0
IDLE_TIMEOUT_S = 10.0
CONNECT_TIMEOUT_S = 5.0

_COMPRESSED = ((b"ID3", "MP3"), (b"\xff\xfb", "MP3"), (b"\xff\xf3", "MP3"), (b"OggS", "Ogg"), (b"fLaC", "FLAC"))
_LONGEST_HEADER = 4096


class OpenAISpeech:
    """A ``Synthesizer`` over HTTP. It knows neither phonemes nor word times; the mouth then follows the sound.

    Args:
        model: its name at the endpoint ("tts-1", "kokoro").
        base_url: of the endpoint ("http://127.0.0.1:8880/v1").
        api_key: None where the endpoint wants none.
        voice: the default; None takes OpenAI's first.
    """

    def __init__(
        self,
        *,
        base_url: str,
        model: str,
        api_key: str | None = None,
        voice: str | None = None,
        first_byte_timeout_s: float = FIRST_BYTE_TIMEOUT_S,
    ) -> None:
        self.name = f"{model} at {base_url}"
        self.voices = tuple(dict.fromkeys(([voice] if voice else []) + list(OPENAI_VOICES)))
        self._model = model
        self._first_byte_timeout_s = first_byte_timeout_s
        self._client = openai.AsyncOpenAI(
            base_url=base_url,
            api_key=api_key or "none",
            max_retries=0,
            timeout=openai.Timeout(first_byte_timeout_s, connect=min(CONNECT_TIMEOUT_S, first_byte_timeout_s)),
        )

    async def speak(
        self, text: str, *, language: str, voice: str | None = None, speed: float = 1.0
    ) -> AsyncIterator[SpokenChunk]:
        """See ``Synthesizer.speak``. Chunks of at least 40 ms, as they arrive."""
        if not text.strip():
            return
        options: dict[str, Any] = {} if speed == 1.0 else {"speed": speed}
        sound = _Sound()
        try:
            async with contextlib.AsyncExitStack() as stack:
                async with asyncio.timeout(self._first_byte_timeout_s):
                    response = await stack.enter_async_context(
                        self._client.audio.speech.with_streaming_response.create(
                            model=self._model,
                            voice=voice or self.voices[0],
                            input=text,
                            response_format="pcm",
                            **options,
                        )
                    )
                _refuse_non_sound(response.headers.get("content-type", ""))
                received = response.iter_bytes()
                while True:
                    async with asyncio.timeout(IDLE_TIMEOUT_S):
                        data = await anext(received, None)
                    pcm48k = sound.feed(data) if data is not None else sound.finish()
                    if len(pcm48k):
                        yield SpokenChunk(SpeechChunk(pcm48k, language))
                    if data is None:
                        break
        except _NoSound as error:
            raise SynthesisFailed(f"The voice {self.name} {error}", retryable=False) from None
        except TimeoutError as error:
            raise SynthesisFailed(
                f"The voice {self.name} sent nothing for too long. Check that it is running and not overloaded."
            ) from error
        except openai.APIStatusError as error:
            raise SynthesisFailed(
                f"The voice {self.name} refused (HTTP {error.status_code}): {_hint(error)}",
                retryable=error.status_code >= 500 or error.status_code == 429,
            ) from error
        except FAILURES as error:
            cause = error.__cause__ or error
            raise SynthesisFailed(
                f"The voice {self.name} cannot be reached or broke off ({cause})."
                " Check that it is running, and PARLEY_SPEAKING_BASE_URL."
            ) from error

    async def warm_up(self) -> None:
        """Nothing: speaking costs money."""

    async def close(self) -> None:
        """Close idle connections."""
        await self._client.close()


class _NoSound(Exception):
    """What came is not sound; the text completes "The voice X ..."."""


class _Sound:
    """Bytes as they arrive, in pieces of any length, to 48 kHz samples."""

    def __init__(self) -> None:
        self._bytes = b""
        self._header_read = False
        self._channels = 1
        self._resampler: Any = None
        self._ready: list[NDArray[np.int16]] = []
        self._ready_samples = 0
        self._total = 0

    def feed(self, data: bytes) -> NDArray[np.int16]:
        """Samples that are ready, none until there are ``SHORTEST_CHUNK``."""
        self._bytes += data
        if not self._header_read and not self._read_header(last=False):
            return _EMPTY
        self._resample(last=False)
        return self._take() if self._ready_samples >= SHORTEST_CHUNK else _EMPTY

    def finish(self) -> NDArray[np.int16]:
        """The rest."""
        if not self._header_read:
            self._read_header(last=True)
        self._resample(last=True)
        if self._total == 0:
            raise _NoSound("sent no sound. Check PARLEY_SPEAKING_MODEL and PARLEY_SPEAKING_VOICE.")
        return self._take()

    def _read_header(self, *, last: bool) -> bool:
        """Skip a WAV header, which some servers send before PCM. False while it is incomplete."""
        for magic, kind in _COMPRESSED:
            if self._bytes.startswith(magic):
                raise _NoSound(f'sends {kind}; it must support response_format "pcm" (or WAV).')
        rate_hz = ENDPOINT_RATE_HZ
        if not last and len(self._bytes) < 4:
            return False
        if self._bytes.startswith(b"RIFF"):
            at = self._bytes.find(b"data", 12, _LONGEST_HEADER)
            if at < 0 or len(self._bytes) < at + 8:
                if last or len(self._bytes) > _LONGEST_HEADER:
                    raise _NoSound("sent a damaged WAV header.")
                return False
            form = self._bytes.find(b"fmt ", 12, at)
            if form < 0 or self._bytes[form + 22 : form + 24] != b"\x10\x00":
                raise _NoSound("sends WAV that is not 16-bit PCM.")
            self._channels = max(1, int.from_bytes(self._bytes[form + 10 : form + 12], "little"))
            rate_hz = int.from_bytes(self._bytes[form + 12 : form + 16], "little")
            if not 4_000 <= rate_hz <= 192_000:
                raise _NoSound(f"sends WAV with an impossible rate ({rate_hz} Hz).")
            self._bytes = self._bytes[at + 8 :]
        self._resampler = soxr.ResampleStream(rate_hz, SPEECH_RATE_HZ, 1, dtype="int16")
        self._header_read = True
        return True

    def _resample(self, *, last: bool) -> None:
        whole = len(self._bytes) - len(self._bytes) % (2 * self._channels)
        samples = np.frombuffer(self._bytes[:whole], "<i2")
        self._bytes = self._bytes[whole:]
        if self._channels > 1:
            samples = samples.reshape(-1, self._channels).mean(axis=1).astype(np.int16)
        self._total += len(samples)
        made = self._resampler.resample_chunk(np.ascontiguousarray(samples), last=last)
        if len(made):
            self._ready.append(made)
            self._ready_samples += len(made)

    def _take(self) -> NDArray[np.int16]:
        ready = np.concatenate(self._ready) if self._ready else _EMPTY
        self._ready, self._ready_samples = [], 0
        return ready


_EMPTY = np.zeros(0, np.int16)


def _refuse_non_sound(content_type: str) -> None:
    kind = content_type.split(";")[0].strip().lower()
    if kind.startswith("text/") or kind == "application/json":
        raise _NoSound(f"answered {kind} instead of sound. Check PARLEY_SPEAKING_BASE_URL.")


def _hint(error: openai.APIStatusError) -> str:
    if error.status_code in (401, 403):
        return "check PARLEY_SPEAKING_API_KEY."
    body = error.body if isinstance(error.body, dict) else {}
    said = str(body.get("message") or error.message).strip().split("\n")[0][:200]
    return f"{said}. Check PARLEY_SPEAKING_MODEL and PARLEY_SPEAKING_VOICE."
