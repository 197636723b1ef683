"""Any conversation at all: what users, clients and engines do in any order, on virtual time, and what must hold."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from avatar.speech import SpeechChunk
from llm_bridge.chat import ChatOptions, Message
from llm_bridge.errors import ModelBroken
from streaming import events
from streaming.conversation import Conversation
from streaming.errors import SynthesisFailed
from streaming.events import AgentState, Event
from streaming.settings import SessionSettings, TurnDetection
from streaming.sound_output import SoundOutput
from streaming.speaking.synthesizer import SpokenChunk
from tests.streaming.fakes import FakeTranscriber, FakeVoice, LoudnessActivity
from tests.virtual_time import run_virtually

ANSWERS = (
    "One two three four. Five six seven eight.",
    "Yes.",
    "",
    "🙂",
    "** **",
    "Hello 🙂 there. 🎉",
    "It is unspeakable.",
    "First this. Then what is unspeakable. And more.",
    " ".join(["Some more words here."] * 40),
    "你好，我是一个数字人。很高兴见到你！",
)
HEARD = ("what is your name", "stop", "mm-hmm", "", "green apples are", "停", None)

SETTINGS = (
    SessionSettings(instructions="Be brief."),
    SessionSettings(speak=False),
    SessionSettings(turn_detection=None),
    SessionSettings(turn_detection=TurnDetection(interrupt_response=False)),
    SessionSettings(turn_detection=TurnDetection(create_response=False)),
    SessionSettings(turn_detection=TurnDetection(kind="silence", silence_ms=200)),
)

Act = tuple[Any, ...]
seconds = st.sampled_from([0.02, 0.08, 0.16, 0.3, 0.62, 1.0, 2.5])
acts = st.one_of(
    st.tuples(st.just("voice"), seconds),
    st.tuples(st.just("silence"), seconds),
    st.tuples(st.just("pause"), seconds),
    st.tuples(st.just("settings"), st.sampled_from(SETTINGS)),
    st.tuples(st.just("say"), st.sampled_from([answer for answer in ANSWERS if answer])),
    st.tuples(st.just("partial"), st.sampled_from([text for text in HEARD if text])),
    st.tuples(st.just("truncate"), st.sampled_from([0, 350, 100_000])),
    st.sampled_from(
        [("typed",), ("create",), ("cancel",), ("clear_input",), ("clear_output",), ("commit",), ("delete",)]
    ),
)


@dataclass
class Plan:
    """What the engines do: each answer and transcript is drawn in turn."""

    answers: list[str]
    heard: list[str | None]
    chat_s: float
    transcribe_s: float
    voice_s: float
    fails_after: int
    asked: list[list[Message]] = field(default_factory=list)


class PlannedChat:
    name = "planned"

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    async def stream(self, messages: Sequence[Message], options: ChatOptions = ChatOptions()) -> AsyncIterator[str]:
        number = len(self.plan.asked)
        self.plan.asked.append(list(messages))
        await asyncio.sleep(self.plan.chat_s)
        for word in self.plan.answers[number % len(self.plan.answers)].split(" "):
            yield word + " "
            await asyncio.sleep(0.001)
        if number == self.plan.fails_after:
            raise ModelBroken("broke off")
        if number == self.plan.fails_after + 1:
            raise ZeroDivisionError("a fault of ours")

    async def warm_up(self) -> None: ...

    async def close(self) -> None: ...


class SlowVoice(FakeVoice):
    def __init__(self, wait_s: float) -> None:
        self.wait_s = wait_s

    async def speak(
        self, text: str, *, language: str, voice: str | None = None, speed: float = 1.0
    ) -> AsyncIterator[SpokenChunk]:
        await asyncio.sleep(self.wait_s)
        async for chunk in super().speak(text, language=language):
            half = len(chunk.speech.pcm48k) // 2
            yield SpokenChunk(SpeechChunk(chunk.speech.pcm48k[:half], language), chunk.words)
            await asyncio.sleep(self.wait_s)
            yield SpokenChunk(SpeechChunk(chunk.speech.pcm48k[half:], language), ())
            if "more" in text and self.wait_s > 1:
                raise SynthesisFailed("too slow")


class Stage:
    def __init__(self, plan: Plan, begin: SessionSettings) -> None:
        self.plan = plan
        self.log: list[Event] = []
        self.transcriber = FakeTranscriber(*plan.heard, delay_s=plan.transcribe_s)
        self.conversation = Conversation(
            transcriber=self.transcriber,
            chat_model=PlannedChat(plan),
            synthesizer=SlowVoice(plan.voice_s),
            activity=LoudnessActivity(),
            output=SoundOutput(),
            settings=begin,
            observe=self.log.append,
            sound_events=True,
        )

    async def act(self, kind: str, *details: Any) -> None:
        conversation = self.conversation
        try:
            match kind:
                case "voice" | "silence":
                    for _ in range(round(details[0] / 0.02)):
                        conversation.hear(np.full(320, 1000 if kind == "voice" else 0, np.int16))
                        await asyncio.sleep(0.02)
                case "pause":
                    await asyncio.sleep(details[0])
                case "settings":
                    conversation.update(details[0])
                case "say":
                    conversation.say(details[0])
                case "partial":
                    if self.transcriber.streams and (told := self.transcriber.streams[-1].on_partial):
                        told(details[0])
                case "truncate" | "delete":
                    answers = [event.item_id for event in self.log if isinstance(event, events.ResponseDelta)]
                    if answers and kind == "delete":
                        conversation.delete_item(answers[-1])
                    elif answers:
                        conversation.truncate_item(answers[-1], details[0])
                case "typed":
                    conversation.add_item(None, "user", "hello there")
                case "create":
                    conversation.create_response()
                case "cancel":
                    conversation.cancel_response()
                case "clear_input":
                    conversation.clear_input()
                case "clear_output":
                    conversation.clear_output()
                case "commit":
                    conversation.commit_input()
        except (ValueError, KeyError, RuntimeError):
            pass  # what the client asked for is not possible now: part of the contract


def run(plan: Plan, begin: SessionSettings, script: list[Act], *, abandon: bool) -> Stage:
    async def whole() -> Stage:
        stage = Stage(plan, begin)
        await stage.conversation.start()
        try:
            for act in script:
                await stage.act(*act)
            if not abandon:
                # A gathering push-to-talk turn stays open until its client ends it.
                stage.conversation.clear_input()
                await asyncio.sleep(150)
        finally:
            await stage.conversation.close()
        assert all(stream.closed for stream in stage.transcriber.streams)
        return stage

    return run_virtually(whole())


plans = st.builds(
    Plan,
    answers=st.lists(st.sampled_from(ANSWERS), min_size=1, max_size=3),
    heard=st.lists(st.sampled_from(HEARD), min_size=1, max_size=4),
    chat_s=st.sampled_from([0.0, 0.05, 1.5]),
    transcribe_s=st.sampled_from([0.0, 0.02, 2.0]),
    voice_s=st.sampled_from([0.0, 0.01, 1.2]),
    fails_after=st.sampled_from([0, 1, 99]),
)
scripts = st.lists(acts, max_size=25)
moderately = settings(
    max_examples=int(os.environ.get("PARLEY_EXAMPLES", "100")), deadline=None, suppress_health_check=list(HealthCheck)
)


@moderately
@given(plan=plans, begin=st.sampled_from(SETTINGS), script=scripts)
def test_every_conversation_comes_to_rest(plan: Plan, begin: SessionSettings, script: list[Act]) -> None:
    stage = run(plan, begin, script, abandon=False)
    log = stage.log
    responses_are_told_once(log)
    sound_is_told_once(log)
    captions_are_the_text(log)
    items_are_told_in_order(log)
    states = [event.state for event in log if isinstance(event, events.AgentStateChanged)]
    assert not states or states[-1] is AgentState.IDLE
    assert all(one is not other for one, other in itertools.pairwise(states))
    memory_holds_what_was_heard(stage)
    assert not [event for event in log if isinstance(event, events.Failed) and event.code == "server_error"] or (
        len(plan.asked) > plan.fails_after + 1
    )


@moderately
@given(plan=plans, begin=st.sampled_from(SETTINGS), script=scripts)
def test_any_conversation_can_be_left_at_any_moment(plan: Plan, begin: SessionSettings, script: list[Act]) -> None:
    run(plan, begin, script, abandon=True)  # which fails where a task is left running or a stream open


@pytest.fixture(autouse=True)
def quiet() -> Any:
    """The faults that these conversations are made to have need not be read."""
    logging.disable(logging.ERROR)
    yield
    logging.disable(logging.NOTSET)


def responses_are_told_once(log: list[Event]) -> None:
    created = [event.response_id for event in log if isinstance(event, events.ResponseCreated)]
    done = [event.response_id for event in log if isinstance(event, events.ResponseDone)]
    assert len(set(created)) == len(created)
    assert sorted(created) == sorted(done)
    making: str | None = None
    for event in log:
        match event:
            case events.ResponseCreated(response_id):
                assert making is None, "one answer is made at a time"
                making = response_id
            case events.ResponseDone(response_id):
                assert making == response_id
                making = None
            case events.ResponseDelta(response_id):
                assert making == response_id


def sound_is_told_once(log: list[Event]) -> None:
    playing: str | None = None
    seen: set[str] = set()
    for event in log:
        match event:
            case events.OutputStarted(response_id):
                assert playing is None and response_id not in seen
                playing = response_id
                seen.add(response_id)
            case events.OutputStopped(response_id) | events.OutputCleared(response_id):
                assert playing == response_id
                playing = None
            case events.ResponseAudio(response_id) | events.Caption(response_id):
                assert playing == response_id
    assert playing is None


def captions_are_the_text(log: list[Event]) -> None:
    text = {event.response_id: event.generated_text for event in log if isinstance(event, events.ResponseDone)}
    status = {event.response_id: event.status for event in log if isinstance(event, events.ResponseDone)}
    stopped = {event.response_id for event in log if isinstance(event, events.OutputStopped)}
    for response_id, whole in text.items():
        told = "".join(
            event.text for event in log if isinstance(event, events.Caption) and event.response_id == response_id
        )
        assert whole.startswith(told)
        if response_id in stopped and status[response_id] == "completed":
            assert told == whole


def items_are_told_in_order(log: list[Event]) -> None:
    open_items: set[str] = set()
    known: set[str] = set()
    for event in log:
        match event:
            case events.ItemAdded(item, previous):
                assert item.item_id not in known
                assert previous is None or previous in known
                known.add(item.item_id)
                open_items.add(item.item_id)
            case events.ItemDone(item, _):
                open_items.remove(item.item_id)
            case events.ItemDeleted(item_id):
                open_items.discard(item_id)
    assert not open_items, "every item that grew is complete"


def memory_holds_what_was_heard(stage: Stage) -> None:
    """Of an answer that was cut off, no word whose caption was not even due."""
    log = stage.log
    cleared = {event.response_id for event in log if isinstance(event, events.OutputCleared)}
    for response_id in cleared:
        item_id = next(
            event.item_id
            for event in log
            if isinstance(event, events.ResponseDelta) and event.response_id == response_id
        )
        told = "".join(
            event.text for event in log if isinstance(event, events.Caption) and event.response_id == response_id
        )
        try:
            item = stage.conversation.get_item(item_id)
        except KeyError:
            continue
        assert told.startswith(item.text)
