"""Whole conversations on virtual time: what is heard, said, interrupted and remembered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import pytest

from avatar.motion.source import Gesture, Manner, Mode
from llm_bridge.chat import ChatOptions, Message
from llm_bridge.errors import ModelBroken, ModelUnavailable
from streaming import events
from streaming.answering import WAITING_MOST
from streaming.conversation import DUCK_DB, Conversation
from streaming.errors import WorkerLost
from streaming.events import AgentState, Event
from streaming.settings import SessionSettings, TurnDetection
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


def test_a_spoken_turn_is_answered_in_the_protocols_order() -> None:
    scene = play(Scene(), ask)
    assert [kind for kind in scene.kinds() if kind not in ("AgentStateChanged", "Caption", "TurnLatency")] == [
        "SpeechStarted", "SpeechStopped", "InputCommitted", "ItemAdded", "TranscriptDelta", "TranscriptCompleted",
        "ItemDone", "ResponseCreated", "ItemAdded", "ResponseDelta", "ItemDone", "ResponseDone", "OutputStarted",
        "OutputStopped",
    ]  # fmt: skip
    assert scene.one(events.TranscriptCompleted).text == "what is your name"
    done = scene.one(events.ResponseDone)
    assert (done.status, done.generated_text) == ("completed", scene.chat.answer)
    assert scene.remembered() == [("user", "what is your name"), ("assistant", scene.chat.answer)]
    states = [change.state for change in scene.all(events.AgentStateChanged)]
    assert states == [AgentState.LISTENING, AgentState.THINKING, AgentState.SPEAKING, AgentState.IDLE]
    assert scene.output.modes == [Mode.LISTENING, Mode.THINKING, Mode.IDLE, Mode.IDLE]


def test_captions_are_the_answers_words_when_they_are_heard() -> None:
    scene = play(Scene(), ask)
    captions = [(at, event) for at, event in scene.log if isinstance(event, events.Caption)]
    assert "".join(caption.text for _, caption in captions) == scene.chat.answer
    began = scene.at(events.OutputStarted)
    for at, caption in captions:
        assert 0 <= (at - began) * 1000 - caption.start_ms + 40 <= 80


def test_the_answer_is_made_while_the_turn_may_be_ending() -> None:
    slow = FakeChat(delay_s=0.15)
    scene = play(Scene(chat=slow), ask)
    assert len(slow.requests) == 1
    latency = scene.one(events.TurnLatency)
    assert latency.stages["endpointing"] == pytest.approx(320, abs=50)
    assert latency.stages["transcription"] <= 5
    assert latency.stages["thinking"] + latency.stages["synthesis"] <= 30
    assert latency.total_ms == pytest.approx(sum(latency.stages.values()), abs=0.2)


def test_what_was_made_from_half_a_turn_is_thrown_away() -> None:
    async def act(scene: Scene) -> None:
        await scene.voice(0.8)
        await scene.silence(0.25)
        await scene.voice(0.8)
        await scene.silence(4.0)

    scene = play(Scene(chat=FakeChat(delay_s=0.5)), act)
    assert len(scene.chat.requests) == 2 and scene.chat.cancelled == 1
    assert len(scene.all(events.ResponseCreated)) == 1
    assert scene.remembered()[0] == ("user", "what is your name")


def test_speculation_is_bounded() -> None:
    async def act(scene: Scene) -> None:
        for _ in range(8):
            await scene.voice(0.4)
            await scene.silence(0.3)
        await scene.silence(4.0)

    scene = play(Scene(), act)
    assert len(scene.chat.requests) <= 4


def test_interruption_ducks_then_stops_and_remembers_what_was_heard() -> None:
    async def act(scene: Scene) -> None:
        await scene.voice(1.0)
        await scene.silence(0.5)
        while not scene.output.released:
            await scene.silence(0.02)
        await scene.silence(0.86)
        await scene.voice(1.0)
        await scene.silence(0.2)

    scene = play(Scene("what is your name", "another question please"), act)
    assert scene.output.gains[:2] == [DUCK_DB, 0.0]
    assert scene.output.stops == 1
    cut = scene.one(events.ItemTruncated)
    heard = scene.chat.answer[: len(cut.text)]
    assert cut.text == heard and 1 <= len(cut.text.split()) <= 6
    assert ("assistant", cut.text) in scene.remembered()
    kinds = scene.kinds()
    assert kinds.index("OutputCleared") < kinds.index("ItemTruncated")
    assert "OutputStopped" not in kinds
    told = [event for _, event in scene.log if isinstance(event, events.VolumeChanged | events.OutputCleared)]
    assert [getattr(event, "gain_db", None) for event in told] == [
        DUCK_DB,
        0.0,
        None,
    ]  # who mutes on the last stays mute


def test_a_model_still_answering_is_cancelled_by_interruption() -> None:
    chat = FakeChat(" ".join(["word"] * 4000) + ".")

    async def act(scene: Scene) -> None:
        await scene.voice(1.0)
        await scene.silence(1.5)
        await scene.voice(0.8)
        await scene.silence(0.1)

    scene = play(Scene(chat=chat), act)
    done = scene.one(events.ResponseDone)
    assert (done.status, done.reason) == ("cancelled", "turn_detected")
    assert chat.cancelled >= 1


def test_a_backchannel_does_not_stop_the_avatar() -> None:
    async def act(scene: Scene) -> None:
        await scene.voice(1.0)
        await scene.silence(1.2)
        await scene.voice(0.3)
        await scene.silence(6.0)

    scene = play(Scene("what is your name", "mm-hmm"), act)
    assert scene.output.gains == [DUCK_DB, 0.0] and scene.output.stops == 0
    assert len(scene.all(events.OutputStopped)) == 1
    assert scene.all(events.InputCleared) and len(scene.remembered()) == 2


def test_speaking_on_before_the_answer_is_heard_joins_both_turns() -> None:
    async def act(scene: Scene) -> None:
        await scene.voice(1.0)
        await scene.silence(0.62)
        await scene.voice(1.0)
        await scene.silence(5.0)

    scene = play(Scene("what is your name", "and your age please", chat=FakeChat(delay_s=0.9)), act)
    assert scene.chat.requests[-1][-1].text == "what is your name and your age please"
    done = scene.all(events.ResponseDone)
    assert [response.status for response in done] == ["cancelled", "completed"]


def test_nothing_understood_is_not_answered() -> None:
    scene = play(Scene(""), ask)
    assert scene.one(events.TranscriptCompleted).text == ""
    assert not scene.all(events.ResponseCreated) and not scene.chat.requests


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


def test_a_click_is_dropped() -> None:
    async def act(scene: Scene) -> None:
        await scene.voice(0.08)
        await scene.silence(2.0)

    scene = play(Scene(), act)
    assert [kind for kind in scene.kinds() if kind != "AgentStateChanged"] == [
        "SpeechStarted",
        "SpeechStopped",
        "InputCleared",
    ]


def test_a_stream_that_stops_in_mid_sentence_still_ends_the_turn() -> None:
    async def act(scene: Scene) -> None:
        await scene.voice(1.0)
        await asyncio.sleep(6.0)

    assert play(Scene(), act).one(events.ResponseDone).status == "completed"


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


def test_the_client_may_say_how_much_it_played() -> None:
    async def act(scene: Scene) -> None:
        await ask(scene)
        item_id = scene.all(events.ItemDone)[-1].item.item_id
        with pytest.raises(ValueError, match="beyond"):
            scene.conversation.truncate_item(item_id, 60_000)
        scene.conversation.truncate_item(item_id, 700)

    scene = play(Scene(), act)
    assert scene.remembered()[-1] == ("assistant", "One two")


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


def test_closing_in_the_middle_of_everything_leaves_nothing() -> None:
    async def act(scene: Scene) -> None:
        await scene.voice(1.0)
        await scene.silence(0.2)
        scene.conversation.say("Welcome to the museum.")
        await scene.voice(0.5)

    play(Scene(), act)


def test_an_hour_of_conversation() -> None:
    async def act(scene: Scene) -> None:
        for _ in range(120):
            await scene.voice(2.0)
            await scene.silence(10.0)

    scene = play(Scene(), act)
    assert len(scene.all(events.OutputStopped)) == 120
    assert len(scene.conversation._tasks) <= 1


def test_partial_transcripts_grow_and_never_shrink() -> None:
    async def act(scene: Scene) -> None:
        await scene.voice(0.5)
        stream = scene.transcriber.streams[0]
        assert stream.on_partial is not None
        for text in ("what", "what is", "what is", "that is not a continuation"):
            stream.on_partial(text)
        await scene.voice(0.5)
        await scene.silence(5.0)
        stream.on_partial("too late")

    scene = play(Scene(), act)
    assert [delta.delta for delta in scene.all(events.TranscriptDelta)] == ["what", " is"]
    assert scene.one(events.TranscriptCompleted).text == "what is your name"


def test_a_partial_transcript_can_stop_the_avatar() -> None:
    async def act(scene: Scene) -> None:
        scene.conversation.say("Welcome to the museum of unusual things and people.")
        await scene.silence(0.5)
        await scene.voice(0.3)
        stream = scene.transcriber.streams[0]
        assert stream.on_partial is not None
        stream.on_partial("stop")
        assert scene.output.stops == 1

    play(Scene(), act)


def test_an_answer_waits_while_the_voice_over_it_may_be_nothing() -> None:
    """A click just as the answer is due holds it back and lets it go again, full loud."""

    async def act(scene: Scene) -> None:
        await scene.voice(1.0)
        await scene.silence(0.62)
        await scene.voice(0.16)
        await scene.silence(6.0)

    scene = play(Scene("what is your name", "", chat=FakeChat(delay_s=0.6)), act)
    assert scene.output.gains == [DUCK_DB, 0.0]
    assert all(gain == 0.0 for _, _, gain in scene.output.released)
    assert scene.one(events.ResponseDone).status == "completed"


def test_a_long_answer_is_not_synthesized_far_ahead() -> None:
    chat = FakeChat(" ".join(["Some more words here."] * 40))

    async def act(scene: Scene) -> None:
        scene.conversation.add_item(None, "user", "tell me a story")
        scene.conversation.create_response()
        await asyncio.sleep(5.0)
        (response,) = scene.conversation._answerer._live.values()
        assert response.track.sound_ms - response.played_ms <= 8000 + 4 * 300
        scene.conversation.cancel_response()

    play(Scene(chat=chat), act)


def test_only_the_latest_answers_can_be_cut() -> None:
    async def act(scene: Scene) -> None:
        for _ in range(40):
            scene.conversation.say("Hello.")
            await asyncio.sleep(1.0)

    scene = play(Scene(), act)
    assert len(scene.conversation._answerer._heard) == 32


def test_a_fault_inside_is_told_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(FakeTranscriber):
        def text(self) -> str | None:
            raise ZeroDivisionError

    scene = play(Scene(transcriber=Broken("x")), ask)
    assert scene.all(events.Failed)[-1].code == "server_error"
    assert "Something went wrong" in scene.all(events.Failed)[-1].message


def test_turns_that_a_slow_transcriber_understands_late_are_answered_once() -> None:
    async def act(scene: Scene) -> None:
        for _ in range(3):
            await scene.voice(1.0)
            await scene.silence(0.8)
        await scene.silence(20.0)

    scene = play(Scene(transcriber=FakeTranscriber("green apples", delay_s=3.0)), act)
    assert len(scene.all(events.TranscriptCompleted)) == 3
    assert len(scene.all(events.ResponseCreated)) == 1
    assert scene.chat.requests[-1][-1].text == "green apples green apples green apples"


def test_a_turn_understood_while_a_click_is_heard_is_answered_after_it() -> None:
    async def act(scene: Scene) -> None:
        await scene.voice(1.0)
        await scene.silence(1.0)
        await scene.voice(0.08)
        await scene.silence(8.0)

    scene = play(Scene(transcriber=FakeTranscriber("green apples", delay_s=1.2)), act)
    assert scene.all(events.InputCleared) and scene.one(events.ResponseDone).status == "completed"


def test_an_answer_cut_by_its_length_says_so() -> None:
    class Limited(FakeChat):
        def stream(self, messages: Sequence[Message], options: ChatOptions = ChatOptions()) -> AsyncIterator[str]:
            return Cut(super().stream(messages, options))

    class Cut(AsyncIterator[str]):
        truncated = True

        def __init__(self, deltas: AsyncIterator[str]) -> None:
            self._deltas = deltas

        async def __anext__(self) -> str:
            return await anext(self._deltas)

    done = play(Scene(chat=Limited()), ask).one(events.ResponseDone)
    assert (done.status, done.reason) == ("incomplete", "max_output_tokens")


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


def test_clearing_the_input_under_a_ducked_avatar_lets_it_speak_up_again() -> None:
    async def act(scene: Scene) -> None:
        scene.conversation.say("Welcome to the museum.")
        await scene.silence(0.3)
        await scene.voice(0.2)
        scene.conversation.clear_input()
        await scene.silence(3.0)

    scene = play(Scene(), act)
    assert scene.output.gains == [DUCK_DB, 0.0] and scene.one(events.OutputStopped)
    assert [event.gain_db for event in scene.all(events.VolumeChanged)] == [DUCK_DB, 0.0]


def test_clearing_the_input_lets_an_answer_go_that_it_held() -> None:
    async def act(scene: Scene) -> None:
        scene.conversation.add_item(None, "user", "hello")
        scene.conversation.create_response()
        await scene.voice(0.2)
        scene.conversation.clear_input()
        await scene.silence(5.0)

    assert play(Scene(chat=FakeChat(delay_s=0.5)), act).one(events.OutputStopped)


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


def test_an_announcement_over_a_pause_does_not_silence_the_answer() -> None:
    """What was begun ahead of the turn's end is played under the number it gets when it is let out."""

    async def act(scene: Scene) -> None:
        await scene.voice(1.0)
        await scene.silence(0.2)
        assert len(scene.chat.requests) == 1
        scene.conversation.say("Hi.")
        await scene.silence(6.0)

    scene = play(Scene("green apples and"), act)
    assert len(scene.all(events.OutputStopped)) == 2
    utterances = [utterance for _, utterance, _ in scene.output.released]
    assert utterances == sorted(utterances)


def test_an_answer_without_a_sound_blocks_nothing() -> None:
    async def act(scene: Scene) -> None:
        scene.conversation.say("🙂")
        scene.conversation.say("Welcome.")
        await asyncio.sleep(3.0)

    scene = play(Scene(), act)
    assert [event.status for event in scene.all(events.ResponseDone)] == ["completed", "completed"]
    assert {utterance for _, utterance, _ in scene.output.released} == {2}
    assert [caption.text for caption in scene.all(events.Caption)] == ["🙂", "Welcome."]
    assert len(scene.all(events.OutputStopped)) == 2


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


def test_a_guess_made_before_the_client_changed_something_is_not_used() -> None:
    async def act(scene: Scene) -> None:
        await scene.voice(1.0)
        await scene.silence(0.2)
        assert len(scene.chat.requests) == 1
        scene.conversation.update(replace(scene.conversation.settings, instructions="Answer in rhyme."))
        await scene.silence(5.0)

    scene = play(Scene(), act)
    assert scene.chat.requests[-1][0].text == "Answer in rhyme."


def test_an_avatar_that_may_not_be_interrupted_answers_afterwards() -> None:
    chat = FakeChat(" ".join(["word"] * 60) + ".")

    async def act(scene: Scene) -> None:
        scene.conversation.say(" ".join(["Welcome to the museum of things."] * 10))
        await ask(scene)
        await scene.silence(60)

    settings = SessionSettings(turn_detection=TurnDetection(interrupt_response=False))
    scene = play(Scene(chat=chat, settings=settings), act)
    assert [event.status for event in scene.all(events.ResponseDone)] == ["completed", "completed"]


def test_an_answer_deleted_while_it_grows_does_not_come_back() -> None:
    async def act(scene: Scene) -> None:
        scene.conversation.create_response()
        await asyncio.sleep(0.052)
        scene.conversation.delete_item(scene.all(events.ItemAdded)[-1].item.item_id)
        await asyncio.sleep(5.0)

    scene = play(Scene(), act)
    assert len(scene.all(events.ItemAdded)) == 1 and scene.remembered() == []


def test_a_cut_while_the_answer_is_made_stands() -> None:
    async def act(scene: Scene) -> None:
        scene.conversation.create_response()
        await asyncio.sleep(1.0)
        scene.conversation.truncate_item(scene.one(events.ItemAdded).item.item_id, 700)
        await asyncio.sleep(60.0)

    scene = play(Scene(chat=FakeChat(" ".join(["One two three four."] * 40))), act)
    assert scene.remembered() == [("assistant", "One two")]


def test_hanging_up_at_the_end_of_a_turn_leaves_nothing() -> None:
    async def act(scene: Scene) -> None:
        await scene.voice(1.0)
        scene.conversation.commit_input()

    play(Scene(), act)  # which looks whether the transcriber's stream was closed


def test_no_sound_is_no_turn() -> None:
    async def act(scene: Scene) -> None:
        for _ in range(1000):
            scene.conversation.hear(np.zeros(0, np.int16))
        with pytest.raises(ValueError, match="nothing to commit"):
            scene.conversation.commit_input()

    play(Scene(settings=SessionSettings(turn_detection=None)), act)


def test_endless_noise_is_answered_and_the_microphone_is_heard_again() -> None:
    async def act(scene: Scene) -> None:
        await scene.voice(70)
        assert scene.one(events.OutputStopped), "the answer is heard to its end, although the noise goes on"
        await scene.silence(0.3)
        await scene.voice(1.0)
        await scene.silence(5.0)

    scene = play(Scene("there is a noise", "what is your name"), act)
    assert [done.text for done in scene.all(events.TranscriptCompleted)] == ["there is a noise", "what is your name"]
    assert len(scene.all(events.OutputStopped)) == 2
    assert max(stream.samples for stream in scene.transcriber.streams) <= 61 * 16_000


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


def test_turns_inside_one_piece_of_sound_are_told_apart() -> None:
    async def act(scene: Scene) -> None:
        piece = np.concatenate([np.full(16_000, level, np.int16) for level in (VOICE, SILENCE, VOICE, SILENCE)])
        scene.conversation.hear(piece)
        await asyncio.sleep(5)

    scene = play(Scene("one", "two"), act)
    assert len(scene.all(events.TranscriptCompleted)) == 2
    assert all(done.duration_ms < 2000 for done in scene.all(events.TranscriptCompleted))
