"""Conversations in which something fails or ends in the middle: what is told, and what goes on."""

from __future__ import annotations

import asyncio

import pytest

from llm_bridge.errors import ModelBroken, ModelUnavailable
from streaming import events
from streaming.events import AgentState
from tests.streaming.fakes import FakeChat, FakeTranscriber
from tests.streaming.scene import Scene, ask, play


def test_a_transcriber_that_fails_is_told_and_the_next_turn_works() -> None:
    async def act(scene: Scene) -> None:
        await ask(scene)
        await ask(scene)

    scene = play(Scene(None, "what is your name"), act)
    assert scene.one(events.TranscriptFailed).code == scene.one(events.Failed).code == "transcription_failed"
    assert scene.one(events.ResponseDone).status == "completed"


@pytest.mark.parametrize("error", [ModelUnavailable("no answer from the endpoint"), ModelBroken("broke off")])
def test_a_model_that_fails_is_told_and_what_it_said_stands(error: Exception) -> None:
    scene = play(Scene(chat=FakeChat("Some words. More words.", error=error)), ask)
    done = scene.one(events.ResponseDone)
    assert (done.status, done.message) == ("failed", str(error))
    assert scene.one(events.Failed).message == str(error)
    assert scene.all(events.OutputStopped), "the sound made before the failure is played out"
    assert scene.all(events.AgentStateChanged)[-1].state is AgentState.IDLE


def test_a_voice_that_fails_ends_the_response() -> None:
    scene = play(Scene(chat=FakeChat("It is unspeakable.")), ask)
    assert scene.one(events.ResponseDone).reason == "synthesis_failed"
    assert scene.all(events.AgentStateChanged)[-1].state is AgentState.IDLE


def test_closing_in_the_middle_of_everything_leaves_nothing() -> None:
    async def act(scene: Scene) -> None:
        await scene.voice(1.0)
        await scene.silence(0.2)
        scene.conversation.say("Welcome to the museum.")
        await scene.voice(0.5)

    play(Scene(), act)


def test_a_fault_inside_is_told_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(FakeTranscriber):
        def text(self) -> str | None:
            raise ZeroDivisionError

    scene = play(Scene(transcriber=Broken("x")), ask)
    assert scene.all(events.Failed)[-1].code == "server_error"
    assert "Something went wrong" in scene.all(events.Failed)[-1].message


def test_a_model_that_breaks_in_an_unknown_way_ends_its_response_only(caplog: pytest.LogCaptureFixture) -> None:
    async def act(scene: Scene) -> None:
        await ask(scene)
        scene.chat.error = None
        scene.conversation.create_response()
        await asyncio.sleep(5.0)

    scene = play(Scene(chat=FakeChat("Some words.", error=ZeroDivisionError())), act)
    first, second = scene.all(events.ResponseDone)
    assert (first.status, first.reason, second.status) == ("failed", "server_error", "completed")
    assert scene.one(events.Failed).retryable and "broke" in caplog.text
    assert scene.all(events.AgentStateChanged)[-1].state is AgentState.IDLE


def test_memory_holds_what_a_failing_voice_spoke() -> None:
    scene = play(Scene(chat=FakeChat("It is this. Then unspeakable things. And more.")), ask)
    assert scene.one(events.ResponseDone).generated_text.startswith("It is this. Then unspeakable")
    assert scene.remembered()[-1] == ("assistant", "It is this.")


def test_a_transcript_that_fails_at_a_pause_is_asked_for_again() -> None:
    class Flaky(FakeTranscriber):
        def text(self) -> str | None:
            return None if self.asked == 1 else "what is your name"

    scene = play(Scene(transcriber=Flaky("x")), ask)
    assert scene.one(events.TranscriptCompleted).text == "what is your name" and not scene.all(events.Failed)


def test_a_fault_in_hearing_leaves_the_avatar_idle() -> None:
    class Broken(FakeTranscriber):
        def text(self) -> str | None:
            raise ZeroDivisionError

    scene = play(Scene(transcriber=Broken("x")), ask)
    assert scene.all(events.AgentStateChanged)[-1].state is AgentState.IDLE
    assert [event.item.complete for event in scene.all(events.ItemDone)] == [True]


def test_hanging_up_at_the_end_of_a_turn_leaves_nothing() -> None:
    async def act(scene: Scene) -> None:
        await scene.voice(1.0)
        scene.conversation.commit_input()

    play(Scene(), act)  # which looks whether the transcriber's stream was closed
