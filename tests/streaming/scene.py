"""A conversation on virtual time, with engines that do what the test says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import numpy as np

from streaming.conversation import Conversation
from streaming.events import Event
from streaming.settings import SessionSettings
from tests.streaming.fakes import FakeChat, FakeOutput, FakeTranscriber, FakeVoice, LoudnessActivity
from tests.virtual_time import run_virtually

E = TypeVar("E")
VOICE, SILENCE = 1000, 0


class Scene:
    def __init__(
        self,
        *texts: str | None,
        chat: FakeChat | None = None,
        settings: SessionSettings | None = None,
        transcriber: FakeTranscriber | None = None,
        sound_events: bool = False,
    ) -> None:
        self.transcriber = transcriber or FakeTranscriber(*(texts or ("what is your name",)))
        self.chat = chat or FakeChat()
        self.output = FakeOutput()
        self.log: list[tuple[float, Event]] = []
        self.conversation = Conversation(
            transcriber=self.transcriber,
            chat_model=self.chat,
            synthesizer=FakeVoice(),
            activity=LoudnessActivity(),
            output=self.output,
            settings=settings or SessionSettings(instructions="Be brief."),
            observe=lambda event: self.log.append((asyncio.get_running_loop().time(), event)),
            sound_events=sound_events,
        )

    async def play(self, level: int, seconds: float) -> None:
        """The user's sound in real time, 20 ms after 20 ms."""
        for _ in range(round(seconds / 0.02)):
            self.conversation.hear(np.full(320, level, np.int16))
            await asyncio.sleep(0.02)

    async def voice(self, seconds: float) -> None:
        await self.play(VOICE, seconds)

    async def silence(self, seconds: float) -> None:
        await self.play(SILENCE, seconds)

    def all(self, kind: type[E]) -> list[E]:
        return [event for _, event in self.log if isinstance(event, kind)]

    def one(self, kind: type[E]) -> E:
        (event,) = self.all(kind)
        return event

    def at(self, kind: type[Any]) -> float:
        return next(at for at, event in self.log if isinstance(event, kind))

    def kinds(self) -> list[str]:
        """Names of events; runs of one kind are told once."""
        names = [type(event).__name__ for _, event in self.log]
        return [name for at, name in enumerate(names) if at == 0 or names[at - 1] != name]

    def remembered(self) -> list[tuple[str, str]]:
        messages = self.conversation._history.messages(10_000, "")
        return [(message.role, message.text) for message in messages]


def play(scene: Scene, act: Callable[[Scene], Coroutine[Any, Any, None]]) -> Scene:
    async def run() -> None:
        await scene.conversation.start()
        try:
            await act(scene)
        finally:
            await scene.conversation.close()
        assert scene.output.closed
        assert all(stream.closed for stream in scene.transcriber.streams)

    run_virtually(run())
    return scene


async def ask(scene: Scene) -> None:
    await scene.silence(0.3)
    await scene.voice(1.0)
    await scene.silence(5.0)
