"""Hearing, thinking, speaking and the face: which were chosen and why, and whether they work when tried."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx2

from avatar.errors import AvatarError
from avatar.speech import SpeechChunk
from llm_bridge.errors import BridgeError
from server.config import ChatSection, HearingSection, Settings, SpeakingSection
from server.doctor.finding import Finding, Verdict
from server.engines import GPU_START_TIMEOUT_S, Choice, Engines, build_engines, choose
from streaming.errors import StreamingError

ENDPOINT_TIMEOUT_S = 5.0
TRIAL_TIMEOUT_S = 30.0
"""Loading a large Whisper model from a slow disk takes a third of this."""
OPENAI_URL = "https://api.openai.com/v1"
WORD = "Hello."


def examine(settings: Settings) -> Iterator[Finding]:
    try:
        choices = choose(settings)
    except StreamingError as error:
        yield Finding("engines", Verdict.PROBLEM, str(error), "Do what is said here, or set that engine to auto.")
        return
    for choice in choices:
        yield _chosen(settings, choice)
        yield from _endpoint(settings, choice)
    yield _voice_activity()
    try:
        engines = build_engines(settings)
    except (StreamingError, BridgeError) as error:
        yield Finding(
            "engines", Verdict.PROBLEM, str(error), "Do what is said here; docs/configuration.md has the keys."
        )
        return
    yield from asyncio.run(_tried(settings, engines))


def _chosen(settings: Settings, choice: Choice) -> Finding:
    language = settings.hearing.language or settings.speaking.language
    if choice.engine == "pocketsphinx" and not language.lower().startswith("en"):
        return Finding(
            choice.seam,
            Verdict.PROBLEM,
            f"pocketsphinx understands English only, but visitors speak {language!r} here",
            "parley models fetch small   (or set PARLEY_HEARING_BASE_URL)",
        )
    if choice.engine == "pocketsphinx":
        return Finding(
            choice.seam,
            Verdict.NOTE,
            "pocketsphinx, as no Whisper model is on disk: it understands simple English, with mistakes",
            "parley models fetch small",
        )
    if choice.engine == "rules" and settings.avatar.motion == "auto":
        return Finding(
            choice.seam,
            Verdict.NOTE,
            f"rules move the face, as the learned motion cannot: {choice.why}",
            "pip install --force-reinstall --no-deps parley",
        )
    return Finding(choice.seam, Verdict.OK, f"{choice.engine}: {choice.why}")


def _endpoint(settings: Settings, choice: Choice) -> Iterator[Finding]:
    if choice.engine != "openai":
        return
    sections: dict[str, HearingSection | ChatSection | SpeakingSection] = {
        "hearing": settings.hearing,
        "chat": settings.chat,
        "speaking": settings.speaking,
    }
    section = sections[choice.seam]
    variable = f"PARLEY_{choice.seam.upper()}"
    base_url = section.base_url or OPENAI_URL
    key = section.api_key.get_secret_value() if section.api_key else "none"
    try:
        answer = httpx2.get(
            base_url.rstrip("/") + "/models", headers={"Authorization": f"Bearer {key}"}, timeout=ENDPOINT_TIMEOUT_S
        )
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        yield Finding(
            choice.seam,
            Verdict.PROBLEM,
            f"{base_url} does not answer: {error or type(error).__name__}",
            f"Start it, or correct {variable}_BASE_URL (it usually ends in /v1).",
        )
        return
    status = answer.status_code
    if status in (401, 403):
        what = "the key" if section.api_key else "requests without a key"
        yield Finding(
            choice.seam, Verdict.PROBLEM, f"{base_url} refuses {what} ({status})", f"Correct {variable}_API_KEY."
        )
    elif status >= 400:
        yield Finding(
            choice.seam,
            Verdict.NOTE,
            f"{base_url} answers, but lists no models ({status} on /models)",
            f"If talking fails, look at {variable}_BASE_URL: it usually ends in /v1.",
        )
    else:
        yield _model_there(choice.seam, base_url, section.model, _model_names(answer), variable)


def _model_names(answer: Any) -> list[str]:
    try:
        return [str(entry["id"]) for entry in answer.json()["data"]]
    except (ValueError, LookupError, TypeError):
        return []


def _model_there(seam: str, base_url: str, model: str | None, names: list[str], variable: str) -> Finding:
    """Ollama lists "qwen3:latest" for what is asked for as "qwen3"."""
    if names and model and model not in names and f"{model}:latest" not in names:
        shown = ", ".join(names[:5]) + (" ..." if len(names) > 5 else "")
        # A note: many servers for speech take names that they do not list.
        verdict = Verdict.PROBLEM if seam == "chat" else Verdict.NOTE
        return Finding(
            seam,
            verdict,
            f"{base_url} has no model {model!r}; it lists {shown}",
            f"Set {variable}_MODEL to one of them.",
        )
    return Finding(seam, Verdict.OK, f"{base_url} answers")


def _voice_activity() -> Finding:
    from streaming.hearing.voice import find_model

    try:
        path = find_model()
    except StreamingError as error:
        return Finding(
            "voice activity", Verdict.PROBLEM, str(error), "pip install --force-reinstall --no-deps faster-whisper"
        )
    return Finding("voice activity", Verdict.OK, f"Silero VAD ({path.name})")


async def _tried(settings: Settings, engines: Engines) -> list[Finding]:
    """Loads the ears, speaks one word and shows it, as for a visitor."""
    try:
        return [finding async for finding in _trials(settings, engines)]
    finally:
        await engines.close()


async def _trials(settings: Settings, engines: Engines) -> AsyncIterator[Finding]:
    try:
        async with asyncio.timeout(TRIAL_TIMEOUT_S):
            await engines.transcriber.warm_up()
    except (StreamingError, TimeoutError) as error:
        cure = "Fetch the model again (`parley models fetch small --again`), or reinstall the engine."
        yield Finding("ears", Verdict.PROBLEM, str(error) or f"not ready within {TRIAL_TIMEOUT_S:.0f} s", cure)
    speech: list[SpeechChunk] = []
    language = settings.speaking.language
    try:
        async with asyncio.timeout(TRIAL_TIMEOUT_S):
            async for spoken in engines.synthesizer.speak(WORD, language=language, voice=settings.speaking.voice):
                speech.append(spoken.speech)
    except (StreamingError, TimeoutError) as error:
        yield Finding(
            "voice",
            Verdict.PROBLEM,
            str(error) or f"nothing was said within {TRIAL_TIMEOUT_S:.0f} s",
            "Look at the keys under [speaking] in docs/configuration.md.",
        )
        return
    patience_s = GPU_START_TIMEOUT_S if settings.avatar.renderer == "echomimic" else TRIAL_TIMEOUT_S
    try:
        async with asyncio.timeout(patience_s):
            millis = await _first_beat_ms(settings, engines, speech)
    except (StreamingError, AvatarError) as error:
        cure = "parley avatar list   shows the personas; PARLEY_AVATAR_PERSONA names the one that is shown first."
        yield Finding("face", Verdict.PROBLEM, str(error), cure)
    except TimeoutError:
        yield Finding(
            "face", Verdict.PROBLEM, f"no picture within {patience_s:.0f} s", "The machine may be overloaded."
        )
    else:
        yield Finding("face", Verdict.OK, f"{settings.avatar.persona} said a word; its picture took {millis:.0f} ms")


async def _first_beat_ms(settings: Settings, engines: Engines, speech: list[SpeechChunk]) -> float:
    """From the sound of a word to its first beat."""
    from avatar.persona import find_persona
    from server.conversations import worker_spec

    persona = find_persona(settings.avatar.persona, settings.data_dir / "personas")
    spec = worker_spec(settings, persona, settings.avatar.codec, settings.speaking.language)
    worker = await engines.worker_pool.acquire(spec)
    try:
        began = asyncio.get_running_loop().time()
        for chunk in speech:
            worker.speak(1, chunk)
        worker.finish(1)
        worker.grant(50)
        async for beat in worker.beats():
            if beat.utterance == 1:
                break
        return (asyncio.get_running_loop().time() - began) * 1000
    finally:
        await worker.close()
