"""espeak-ng as a ``Synthesizer``: over a hundred languages, phoneme and word timings, no download.

The library itself lives in a helper process (``espeak_helper`` says why); this module never loads it.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import sys
from collections.abc import AsyncIterator
from typing import Any

import msgpack
import numpy as np

from avatar.speech import SPEECH_RATE_HZ, Phoneme, SpeechChunk
from llm_bridge.languages import primary
from streaming.errors import EngineUnavailable, SynthesisFailed
from streaming.helper_process import helper_environment
from streaming.speaking.synthesizer import SpokenChunk, Word

VOICES = (
    "annie", "alicia", "andrea", "linda", "belinda", "steph", "aunty", "f2", "f3", "f4", "f5",
    "alex", "adam", "michael", "john", "david", "ed", "gene", "m1", "m3", "m7", "max",
)  # fmt: skip
"""Variants of espeak-ng that sound like people, women's first. Any other variant's name works too, and
"en-gb+annie" gives English pieces that accent."""

RATE_WPM = 165
"""Words a minute at speed 1.0: a little slower than espeak's 175, which listeners find hurried."""

MAX_CHARACTERS = 2_000
"""One call speaks one sentence; this much is two minutes of sound and 60 ms of work."""

_SLOWEST_WPM = 80  # espeak's own minimum; slower speech is made with longer gaps between words
_WORD_GAP_PER_WORD = 750 / 32  # an 80 wpm word in units of espeak's word gap (32 ms each at that rate)
_PITCH = {"annie": 42}  # of 0..99, 50 being the variant's own: Annie's median falls from 223 to about 200 Hz
_DEFAULT_PITCH = 50

_ALIASES = {
    # BCP 47 to the names of espeak's language files.
    "en": "en-us", "en-gb": "en", "en-uk": "en", "en-au": "en", "en-ie": "en", "en-nz": "en", "en-in": "en",
    "zh": "cmn", "zh-hk": "yue", "zh-mo": "yue", "no": "nb", "nn": "nb", "es-mx": "es-419", "es-ar": "es-419",
    "es-us": "es-419", "es-co": "es-419", "iw": "he", "in": "id", "tl": "id", "fil": "id",
}  # fmt: skip

_PAUSE_MS = {**dict.fromkeys(",，、;；:：—–", 130.0), **dict.fromkeys(".!?…。！？", 280.0)}
"""Silence after a piece, by its last mark, at speed 1.0: espeak's clause and sentence pauses, rounded."""

_START_TIMEOUT_S = 20.0
_REPLY_TIMEOUT_S = 10.0
"""A sentence takes about 10 ms of work; on a machine that is overloaded a hundred times over, still a reply."""


class EspeakSynthesizer:
    """The voice that is always there. One helper process serves all conversations, sentence by sentence in
    the order asked for; should it die or hang, it is replaced and the sentence made again, once.

    Raises:
        EngineUnavailable: at construction, when the package with the library is not installed.
    """

    name = "espeak-ng"
    voices: tuple[str, ...] = VOICES

    def __init__(self) -> None:
        if importlib.util.find_spec("espeakng_loader") is None:
            raise EngineUnavailable(
                "The espeak-ng voice is not installed. Install it (pip install espeakng-loader), or choose an"
                " OpenAI-compatible speech endpoint as the voice."
            )
        self._helper: _Helper | None = None
        self._starting = asyncio.Lock()

    async def speak(
        self, text: str, *, language: str, voice: str | None = None, speed: float = 1.0
    ) -> AsyncIterator[SpokenChunk]:
        """See ``Synthesizer.speak``. One chunk, some milliseconds after the call."""
        if len(text) > MAX_CHARACTERS:
            raise SynthesisFailed(f"espeak-ng was given {len(text)} characters at once; {MAX_CHARACTERS} is the most.")
        text = "".join(" " if ord(char) < 32 or "\ud800" <= char <= "\udfff" else char for char in text)
        if not text.strip():
            return
        for attempt in (1, 2):
            helper = await self._running()
            try:
                reply = await helper.request(_request(helper, text, language, voice, speed))
                break
            except _HelperLost as error:
                if attempt == 2:
                    raise SynthesisFailed(f"espeak-ng failed twice at {text[:60]!r}: {error}") from error
        if "error" in reply:
            raise SynthesisFailed(f"espeak-ng cannot speak {text[:60]!r}: {reply['error']}.")
        if reply["pcm"]:
            yield _chunk(reply, text, language, speed)

    async def warm_up(self) -> None:
        async for _ in self.speak("Hello.", language="en"):
            pass

    async def close(self) -> None:
        async with self._starting:
            if self._helper is not None:
                await self._helper.close()
                self._helper = None

    async def _running(self) -> _Helper:
        async with self._starting:
            if self._helper is not None and self._helper.lost is not None:
                await self._helper.close()
                self._helper = None
            if self._helper is None:
                self._helper = await _Helper.start()
            return self._helper


class _HelperLost(Exception):
    pass


class _Helper:
    """One life of the helper process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._next_id = 1
        self._reader: asyncio.Task[None] | None = None
        self.languages: dict[str, str] = {}
        self.variants: dict[str, str] = {}
        self.lost: str | None = None

    @classmethod
    async def start(cls) -> _Helper:
        """Raises EngineUnavailable: the library cannot be loaded; SynthesisFailed: it does not start."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "streaming.speaking.espeak_helper",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            env=helper_environment(),
            start_new_session=True,
        )  # fmt: skip
        helper = cls(process)
        try:
            greeting = await asyncio.wait_for(helper._read(), _START_TIMEOUT_S)
        except (TimeoutError, asyncio.IncompleteReadError) as error:
            await helper.close()
            raise SynthesisFailed(f"The espeak-ng helper process does not start ({error!r}).") from error
        except BaseException:
            await helper.close()
            raise
        if "unavailable" in greeting:
            await helper.close()
            raise EngineUnavailable(
                f"espeak-ng cannot be loaded ({greeting['unavailable']}). Reinstall it (pip install"
                " --force-reinstall espeakng-loader), or choose another voice."
            )
        helper.languages = {name.lower(): name for name in greeting["languages"]}
        helper.variants = {name.lower(): name for name in greeting["variants"]}
        helper._reader = asyncio.create_task(helper._read_replies(), name="espeak-helper")
        return helper

    async def request(self, request: dict[str, Any]) -> dict[str, Any]:
        """Raises _HelperLost. Cancelling leaves the helper well: its reply is dropped."""
        if self.lost is not None:
            raise _HelperLost(self.lost)
        number, self._next_id = self._next_id, self._next_id + 1
        reply = self._waiting[number] = asyncio.get_running_loop().create_future()
        body = msgpack.packb({"id": number, **request})
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(len(body).to_bytes(4, "little") + body)
            await self._process.stdin.drain()
            return await asyncio.wait_for(reply, _REPLY_TIMEOUT_S)
        except TimeoutError:
            self._fail(f"no reply within {_REPLY_TIMEOUT_S:.0f} s")
            raise _HelperLost(str(self.lost)) from None
        except ConnectionError as error:
            self._fail(repr(error))
            raise _HelperLost(str(self.lost)) from error
        finally:
            self._waiting.pop(number, None)
            if reply.done() and not reply.cancelled():
                reply.exception()  # seen, whichever way the wait ended

    async def close(self) -> None:
        """End the process and wait for it."""
        self._fail("closed")
        if self._reader is not None:
            self._reader.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reader
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()
        transport = self._process._transport  # type: ignore[attr-defined]  # closes the pipes' file objects
        transport.close()

    async def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        head = await self._process.stdout.readexactly(4)
        body = await self._process.stdout.readexactly(int.from_bytes(head, "little"))
        message: dict[str, Any] = msgpack.unpackb(body)
        return message

    async def _read_replies(self) -> None:
        try:
            while True:
                reply = await self._read()
                waiting = self._waiting.get(reply["id"])
                if waiting is not None and not waiting.done():
                    waiting.set_result(reply)
        except (asyncio.IncompleteReadError, ConnectionError):
            self._fail("the helper process ended")
        except (ValueError, KeyError, TypeError, msgpack.UnpackException) as error:
            self._fail(f"the helper process answered nonsense ({error!r})")

    def _fail(self, reason: str) -> None:
        if self.lost is None:
            self.lost = reason
        for reply in self._waiting.values():
            if not reply.done():
                reply.set_exception(_HelperLost(reason))
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()


def _request(helper: _Helper, text: str, language: str, voice: str | None, speed: float) -> dict[str, Any]:
    wanted = (voice or VOICES[0]).lower()
    accent, _, variant = wanted.rpartition("+")
    same_language = bool(accent) and primary(accent) == primary(language)
    file = _language_file(accent if same_language else language, helper.languages)
    if file is None:
        raise SynthesisFailed(f"espeak-ng does not speak the language {language!r}.")
    if variant not in helper.variants:
        raise SynthesisFailed(f"espeak-ng has no voice {voice!r}; it has {', '.join(VOICES)}.")
    wpm = RATE_WPM * min(max(speed, 0.25), 1.5)
    gap = _WORD_GAP_PER_WORD * (_SLOWEST_WPM / wpm - 1) if wpm < _SLOWEST_WPM else 0.0
    return {
        "text": text,
        "voice": f"{file}+{helper.variants[variant]}",
        "rate": round(max(wpm, _SLOWEST_WPM)),
        "pitch": _PITCH.get(variant, _DEFAULT_PITCH),
        "word_gap": round(gap),
    }


def _language_file(language: str, files: dict[str, str]) -> str | None:
    """espeak's language file for a BCP 47 tag: itself, an alias, or its shortened tag's (RFC 4647 lookup)."""
    tag = language.replace("_", "-").lower()
    while tag:
        name = _ALIASES.get(tag, tag)
        if name in files:
            return files[name]
        tag = tag.rpartition("-")[0]
    return None


def _chunk(reply: dict[str, Any], text: str, language: str, speed: float) -> SpokenChunk:
    pcm = np.frombuffer(reply["pcm"], np.int16)
    mark = text.rstrip("\"'”’»)]}）】》」』 \t")[-1:]
    pause_ms = _PAUSE_MS.get(mark, 40.0) / max(speed, 0.5)
    sound_ms = len(pcm) * 1000 / SPEECH_RATE_HZ
    pcm = np.concatenate([pcm, np.zeros(round(pause_ms * SPEECH_RATE_HZ / 1000), np.int16)])
    phonemes = [Phoneme(symbol, start, min(end, sound_ms), stressed)
                for symbol, start, end, stressed in reply["phonemes"] if start < sound_ms]  # fmt: skip
    phonemes.append(Phoneme("", sound_ms, len(pcm) * 1000 / SPEECH_RATE_HZ))
    return SpokenChunk(SpeechChunk(pcm, language, tuple(phonemes)), _words(reply["words"], text, sound_ms))


def _words(events: list[tuple[int, float]], text: str, sound_ms: float) -> tuple[Word, ...]:
    """Words from espeak's word events (index, time), whose index may lie inside a word ("3" of "$3.50")."""
    starts: dict[int, float] = {}
    for index, time_ms in events:
        start = min(max(index, 0), len(text) - 1)
        wide = _stands_alone(text[start])
        while not wide and start > 0 and not (text[start - 1].isspace() or _stands_alone(text[start - 1])):
            start -= 1
        starts.setdefault(start, min(time_ms, sound_ms))
    ordered = sorted(starts.items())
    words: list[Word] = []
    for (start, start_ms), (following, end_ms) in zip(ordered, [*ordered[1:], (len(text), sound_ms)], strict=True):
        end = start + len(text[start:following].rstrip())
        words.append(Word(start, end, start_ms, max(end_ms, start_ms)))
    return tuple(words)


def _stands_alone(char: str) -> bool:
    """Chinese, Japanese and Korean characters and punctuation: a word may begin right after one."""
    return "\u2e80" <= char <= "\u9fff" or char >= "\uac00"
