"""Chooses the engines that work on this machine, and says which and why."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
from dataclasses import dataclass

from pydantic import SecretStr

from avatar.errors import MotionWeightsError
from avatar.motion.sources import choose_motion
from llm_bridge.chat import ChatModel
from server.config import Settings
from server.renderer_options import weights_folder
from streaming.errors import EngineUnavailable
from streaming.hearing.transcriber import Transcriber
from streaming.hearing.voice import VoiceDetector
from streaming.speaking.synthesizer import Synthesizer
from streaming.workers.pool import WorkerPool

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Choice:
    """Which engine stands behind a seam.

    Attributes:
        seam: "hearing", "chat", "speaking" or "motion".
        engine: the value of that section's ``engine`` key after "auto" was resolved.
        why: for people.
    """

    seam: str
    engine: str
    why: str


@dataclass(frozen=True, slots=True)
class Engines:
    """Everything conversations share. Close it once, at shutdown."""

    transcriber: Transcriber
    chat_model: ChatModel
    synthesizer: Synthesizer
    worker_pool: WorkerPool
    choices: tuple[Choice, ...] = ()

    async def warm_up(self) -> None:
        """Load what would make the first visitor wait."""
        await self.transcriber.warm_up()
        await self.chat_model.warm_up()
        await self.synthesizer.warm_up()
        await self.worker_pool.start()
        await asyncio.to_thread(VoiceDetector)  # 0.2 s: the network is loaded once for all

    async def close(self) -> None:
        for engine in (self.transcriber, self.chat_model, self.synthesizer, self.worker_pool):
            try:
                await engine.close()
            except Exception:
                logger.exception("closing %s failed", type(engine).__name__)


def choose(settings: Settings) -> tuple[Choice, ...]:
    """Resolve every "auto" without loading anything.

    Raises:
        EngineUnavailable: an engine is asked for by name that this machine or configuration cannot give.
    """
    return (_choose_hearing(settings), _choose_chat(settings), _choose_speaking(settings), _choose_motion(settings))


def build_engines(settings: Settings) -> Engines:
    """Make the chosen engines; heavy packages are imported only here, and only where chosen.

    Raises:
        EngineUnavailable: see ``choose``.
    """
    hearing, chat, speaking, _ = choices = choose(settings)
    return Engines(
        transcriber=_build_transcriber(settings, hearing),
        chat_model=_build_chat_model(settings, chat),
        synthesizer=_build_synthesizer(settings, speaking),
        worker_pool=_build_pool(settings),
        choices=choices,
    )


def build_synthesizer(settings: Settings) -> Synthesizer:
    """Only the voice, for speech without a conversation.

    Raises:
        EngineUnavailable: see ``choose``.
    """
    return _build_synthesizer(settings, _choose_speaking(settings))


def _installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def _choose_hearing(settings: Settings) -> Choice:
    from server.models import find_whisper_model

    section = settings.hearing
    if section.engine == "openai" and section.base_url is None:
        raise EngineUnavailable("hearing.engine is openai, but hearing.base_url is not set")
    if section.engine == "openai" or (section.engine == "auto" and section.base_url):
        return Choice("hearing", "openai", f"hearing.base_url is set ({section.base_url})")
    model = find_whisper_model(settings.data_dir, section.model)
    if section.engine == "faster-whisper" and model is None:
        name = section.model or "small"
        raise EngineUnavailable(
            f"hearing.engine is faster-whisper, but model {name!r} is not on disk: run `parley models fetch {name}`"
        )
    if model is not None and section.engine in ("auto", "faster-whisper"):
        return Choice("hearing", "faster-whisper", f"its model is on disk ({model})")
    if not _installed("pocketsphinx"):
        raise EngineUnavailable(
            "pocketsphinx is not installed: run `pip install pocketsphinx`, or `parley models fetch small`"
        )
    return Choice(
        "hearing", "pocketsphinx", "no Whisper model on disk; English only (`parley models fetch small` is better)"
    )


def _choose_chat(settings: Settings) -> Choice:
    section = settings.chat
    if section.engine == "openai" or (section.engine == "auto" and (section.base_url or section.api_key)):
        where = section.base_url or "OpenAI"
        return Choice("chat", "openai", f"{section.model} at {where}")
    return Choice("chat", "offline", "no chat.base_url or chat.api_key is set; answers come from a folder of Markdown")


def _choose_speaking(settings: Settings) -> Choice:
    section = settings.speaking
    if section.engine == "openai" and section.base_url is None:
        raise EngineUnavailable("speaking.engine is openai, but speaking.base_url is not set")
    if section.engine == "openai" or (section.engine == "auto" and section.base_url):
        return Choice("speaking", "openai", f"speaking.base_url is set ({section.base_url})")
    if not _installed("espeakng_loader"):
        raise EngineUnavailable(
            "no voice: espeakng-loader is not installed (`pip install espeakng-loader`) and speaking.base_url is not set"
        )
    return Choice(
        "speaking", "espeak", "no speaking.base_url is set; espeak-ng gives phoneme timings and needs no download"
    )


def _choose_motion(settings: Settings) -> Choice:
    try:
        kind, why = choose_motion(settings.avatar.motion)
    except MotionWeightsError as error:
        raise EngineUnavailable(f"avatar.motion is learned. {error}") from error
    return Choice("motion", kind, why)


def _build_transcriber(settings: Settings, choice: Choice) -> Transcriber:
    section = settings.hearing
    if choice.engine == "openai":
        from streaming.hearing.openai_transcriber import OpenAITranscriber

        assert section.base_url is not None
        return OpenAITranscriber(
            base_url=section.base_url, api_key=_secret(section.api_key), model=section.model or "whisper-1"
        )
    if choice.engine == "faster-whisper":
        from server.models import find_whisper_model
        from streaming.hearing.whisper import WhisperTranscriber

        path = find_whisper_model(settings.data_dir, section.model)
        assert path is not None
        return WhisperTranscriber(path)
    from streaming.hearing.sphinx import SphinxTranscriber

    return SphinxTranscriber()


def _build_chat_model(settings: Settings, choice: Choice) -> ChatModel:
    section = settings.chat
    if choice.engine == "openai":
        from llm_bridge.openai_chat import OpenAIChat

        return OpenAIChat(
            base_url=section.base_url,
            api_key=_secret(section.api_key),
            model=section.model,
            timeout_s=section.timeout_seconds,
        )
    from llm_bridge.offline.answerer import OfflineAnswerer

    return OfflineAnswerer(section.knowledge)


def _build_synthesizer(settings: Settings, choice: Choice) -> Synthesizer:
    section = settings.speaking
    if choice.engine == "openai":
        from streaming.speaking.openai_speech import OpenAISpeech

        assert section.base_url is not None
        return OpenAISpeech(
            base_url=section.base_url, api_key=_secret(section.api_key), model=section.model, voice=section.voice
        )
    from streaming.speaking.espeak import EspeakSynthesizer

    return EspeakSynthesizer()


GPU_START_TIMEOUT_S = 900.0
"""Reading 8 GB of weights from a slow disk, and compiling, take minutes; only the first conversation waits for it."""


def _build_pool(settings: Settings) -> WorkerPool:
    from streaming.workers.local import HOST, LocalWorkerPool

    if settings.avatar.renderer != "echomimic":
        return LocalWorkerPool(settings.server.max_conversations)
    from avatar.echomimic.options import need_gpu_extra
    from avatar.echomimic.variant import need_weights
    from avatar.errors import AvatarError

    try:
        need_gpu_extra()
        need_weights(weights_folder(settings), settings.echomimic.variant)
    except AvatarError as error:
        raise EngineUnavailable(f"avatar.renderer is echomimic. {error}") from None
    return LocalWorkerPool(settings.server.max_conversations, starter=HOST, start_timeout_s=GPU_START_TIMEOUT_S)


def _secret(key: SecretStr | None) -> str | None:
    return key.get_secret_value() if key is not None else None
