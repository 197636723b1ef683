"""What a client asks of a conversation: typed text, push-to-talk, items, announcements, settings."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from avatar.motion.source import Gesture, Manner
from streaming import events
from streaming.answering import WAITING_MOST
from streaming.conversation import DUCK_DB
from streaming.errors import WorkerLost
from streaming.events import AgentState
from streaming.settings import SessionSettings, TurnDetection
from tests.streaming.fakes import FakeTranscriber
from tests.streaming.scene import Scene, ask, play


def test_push_to_talk() -> None:
    async def act(scene: Scene) -> None:
        with pytest.raises(ValueError, match="nothing to commit"):
            scene.conversation.commit_input()
        await scene.voice(1.0)
        await scene.silence(3.0)
        assert not scene.all(events.InputCommitted)
        scene.conversation.commit_input()
        await asyncio.sleep(1.0)
        assert scene.one(events.TranscriptCompleted).text == "what is your name"
        assert not scene.all(events.ResponseCreated), "without turn detection the client asks for the answer"
        scene.conversation.create_response()
        await asyncio.sleep(5.0)

    scene = play(Scene(settings=SessionSettings(turn_detection=None)), act)
    assert scene.one(events.OutputStopped)


def test_commit_with_turn_detection_ends_the_turn_at_once() -> None:
    async def act(scene: Scene) -> None:
        await scene.voice(0.5)
        scene.conversation.commit_input()
        await asyncio.sleep(5.0)

    assert play(Scene(), act).one(events.ResponseDone).status == "completed"


def test_clear_input_forgets_the_turn() -> None:
    async def act(scene: Scene) -> None:
        await scene.voice(0.5)
        await scene.silence(0.2)
        scene.conversation.clear_input()
        await scene.silence(4.0)

    scene = play(Scene(), act)
    assert scene.all(events.InputCleared) and not scene.all(events.InputCommitted)


def test_typed_text_is_answered_and_a_second_answer_must_wait() -> None:
    async def act(scene: Scene) -> None:
        conversation = scene.conversation
        item = conversation.add_item(None, "user", "hello there")
        assert conversation.get_item(item.item_id).text == "hello there"
        response_id = conversation.create_response(instructions="Answer in rhyme.")
        with pytest.raises(RuntimeError, match=response_id):
            conversation.create_response()
        await asyncio.sleep(5.0)

    scene = play(Scene(), act)
    assert [m.text for m in scene.chat.requests[0]] == ["Answer in rhyme.", "hello there"]
    assert list(scene.one(events.TurnLatency).stages) == ["transcription", "thinking", "synthesis", "rendering"]


def test_items_are_checked() -> None:
    async def act(scene: Scene) -> None:
        conversation = scene.conversation
        conversation.add_item("item_a", "user", "a")
        conversation.add_item("item_b", "assistant", "b", after="root")
        with pytest.raises(ValueError):
            conversation.add_item("item_a", "user", "again")
        with pytest.raises(ValueError):
            conversation.add_item("item_c", "user", "c", after="item_z")
        with pytest.raises(KeyError):
            conversation.delete_item("item_z")
        with pytest.raises(KeyError):
            conversation.truncate_item("item_z", 0)
        with pytest.raises(ValueError, match="no sound"):
            conversation.truncate_item("item_b", 0)
        conversation.delete_item("item_b")

    scene = play(Scene(), act)
    assert scene.remembered() == [("user", "a")]
    assert [added.previous_item_id for added in scene.all(events.ItemAdded)] == [None, None]


def test_say_is_verbatim_and_waits_its_turn() -> None:
    async def act(scene: Scene) -> None:
        with pytest.raises(ValueError, match="empty"):
            scene.conversation.say("  ")
        first = scene.conversation.say("Welcome to the museum.")
        second = scene.conversation.say("Please come in.")
        assert first != second
        await asyncio.sleep(5.0)

    scene = play(Scene(), act)
    assert not scene.chat.requests
    assert scene.remembered() == [("assistant", "Welcome to the museum."), ("assistant", "Please come in.")]
    assert [utterance for _, utterance, _ in scene.output.released] == sorted(u for _, u, _ in scene.output.released)


def test_what_waits_to_be_said_is_bounded() -> None:
    async def act(scene: Scene) -> None:
        for _ in range(WAITING_MOST + 1):
            scene.conversation.say("Welcome to the museum.")
        with pytest.raises(ValueError, match="waiting to be said"):
            scene.conversation.say("Please come in.")
        scene.conversation.cancel_response()

    play(Scene(), act)


def test_cancel_stops_everything_that_waits() -> None:
    async def act(scene: Scene) -> None:
        assert not scene.conversation.cancel_response()
        scene.conversation.say("Welcome to the museum.")
        scene.conversation.say("Please come in.")
        await asyncio.sleep(0.5)
        assert scene.conversation.cancel_response()
        await asyncio.sleep(3.0)

    scene = play(Scene(), act)
    assert scene.one(events.OutputCleared) and len(scene.all(events.ResponseCreated)) <= 2
    assert scene.all(events.AgentStateChanged)[-1].state is AgentState.IDLE


def test_clear_output_silences() -> None:
    async def act(scene: Scene) -> None:
        scene.conversation.say("Welcome to the museum.")
        await asyncio.sleep(0.5)
        scene.conversation.clear_output()
        await asyncio.sleep(2.0)

    scene = play(Scene(), act)
    assert scene.one(events.OutputCleared) and not scene.all(events.OutputStopped)


def test_text_answers_make_no_sound() -> None:
    async def act(scene: Scene) -> None:
        scene.conversation.add_item(None, "user", "hello")
        scene.conversation.create_response()
        await asyncio.sleep(2.0)

    scene = play(Scene(settings=SessionSettings(speak=False)), act)
    assert scene.one(events.ResponseDone).generated_text == scene.chat.answer
    assert not scene.output.released and scene.remembered()[-1][1] == scene.chat.answer


def test_sound_is_told_where_the_client_has_no_peer() -> None:
    scene = play(Scene(sound_events=True), ask)
    told = sum(len(event.pcm24k) for event in scene.all(events.ResponseAudio)) / 2 / 24_000
    spoken = 8 * 0.3
    assert told == pytest.approx(spoken, abs=0.01)


def test_settings_change_in_the_middle() -> None:
    async def act(scene: Scene) -> None:
        settings = replace(scene.conversation.settings, turn_detection=TurnDetection(create_response=False))
        scene.conversation.update(settings)
        await ask(scene)

    scene = play(Scene(), act)
    assert scene.one(events.TranscriptCompleted) and not scene.all(events.ResponseCreated)


def test_an_item_deleted_while_it_is_transcribed_is_not_answered() -> None:
    async def act(scene: Scene) -> None:
        await scene.voice(1.0)
        scene.conversation.commit_input()
        scene.conversation.delete_item(scene.one(events.InputCommitted).item_id)
        await asyncio.sleep(3.0)

    scene = play(Scene(transcriber=FakeTranscriber("what is your name", delay_s=0.5)), act)
    assert not scene.all(events.ResponseCreated) and scene.remembered() == []


def test_gestures_and_lost_outputs_are_passed_on() -> None:
    async def act(scene: Scene) -> None:
        scene.conversation.gesture(Gesture.NOD)
        scene.conversation.set_manner(Manner(mood=0.5))
        scene.output.on_failed(WorkerLost("the worker died"))
        scene.output.on_failed(RuntimeError("secrets of the house"))

    scene = play(Scene(), act)
    assert scene.output.gestures == [Gesture.NOD]
    assert scene.output.manners == [Manner(mood=0.5)]
    lost, broken = scene.all(events.OutputLost)
    assert (lost.code, lost.message, lost.retryable) == ("worker_lost", "the worker died", True)
    assert broken.code == "server_error" and "secrets" not in broken.message


def test_push_to_talk_asks_for_the_answer_at_once() -> None:
    """Commit and response.create in one breath, as the protocol's guide does it: what was said is answered."""

    async def act(scene: Scene) -> None:
        await scene.voice(1.0)
        scene.conversation.commit_input()
        response_id = scene.conversation.create_response()
        assert scene.one(events.ResponseCreated).response_id == response_id
        await asyncio.sleep(5.0)

    for settings in (SessionSettings(turn_detection=None), SessionSettings()):
        scene = play(Scene(settings=settings, transcriber=FakeTranscriber("what is your name", delay_s=0.8)), act)
        assert [request[-1].text for request in scene.chat.requests] == ["what is your name"]
        assert scene.one(events.ResponseDone).status == "completed"
        assert next(iter(scene.one(events.TurnLatency).stages)) == "transcription"


def test_an_answer_that_waits_for_the_users_words_can_be_cancelled() -> None:
    async def act(scene: Scene) -> None:
        await scene.voice(1.0)
        scene.conversation.commit_input()
        scene.conversation.create_response()
        await asyncio.sleep(0.1)
        assert scene.conversation.cancel_response()
        await asyncio.sleep(5.0)

    settings = SessionSettings(turn_detection=None)
    scene = play(Scene(settings=settings, transcriber=FakeTranscriber("what is your name", delay_s=0.8)), act)
    assert not scene.chat.requests and scene.one(events.ResponseDone).status == "cancelled"


def test_push_to_talk_may_be_switched_on_and_off_in_the_middle() -> None:
    async def act(scene: Scene) -> None:
        conversation = scene.conversation
        conversation.say("Welcome to the museum.")
        await scene.silence(0.1)
        await scene.voice(0.3)
        conversation.update(replace(conversation.settings, turn_detection=None))
        assert scene.output.gains == [DUCK_DB, 0.0]
        await scene.voice(20.0)
        conversation.update(replace(conversation.settings, turn_detection=TurnDetection()))
        assert scene.all(events.InputCleared), "what push-to-talk had gathered is dropped"
        await ask(scene)

    scene = play(Scene(), act)
    assert scene.one(events.TranscriptCompleted).duration_ms < 3000
    start_ms = scene.all(events.SpeechStarted)[-1].audio_start_ms
    assert start_ms == pytest.approx(20_700 - 300, abs=64)


def test_a_guess_made_before_the_client_changed_something_is_not_used() -> None:
    async def act(scene: Scene) -> None:
        await scene.voice(1.0)
        await scene.silence(0.2)
        assert len(scene.chat.requests) == 1
        scene.conversation.update(replace(scene.conversation.settings, instructions="Answer in rhyme."))
        await scene.silence(5.0)

    scene = play(Scene(), act)
    assert scene.chat.requests[-1][0].text == "Answer in rhyme."


def test_an_answer_deleted_while_it_grows_does_not_come_back() -> None:
    async def act(scene: Scene) -> None:
        scene.conversation.create_response()
        await asyncio.sleep(0.052)
        scene.conversation.delete_item(scene.all(events.ItemAdded)[-1].item.item_id)
        await asyncio.sleep(5.0)

    scene = play(Scene(), act)
    assert len(scene.all(events.ItemAdded)) == 1 and scene.remembered() == []


def test_what_nobody_commits_does_not_grow() -> None:
    async def act(scene: Scene) -> None:
        await scene.voice(130)
        assert scene.transcriber.streams[0].samples == 60 * 16_000
        assert scene.one(events.InputFull).duration_ms == 60_000
        scene.conversation.commit_input()
        await scene.voice(2)
        scene.conversation.commit_input()
        await scene.silence(1)

    scene = play(Scene(settings=SessionSettings(turn_detection=None)), act)
    assert [round(done.duration_ms) for done in scene.all(events.TranscriptCompleted)] == [60_000, 2000]
