"""Whole conversations on virtual time: what is heard, said, interrupted and remembered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import numpy as np
import pytest

from avatar.motion.source import Mode
from llm_bridge.chat import ChatOptions, Message
from streaming import events
from streaming.events import AgentState
from streaming.settings import SessionSettings
from tests.streaming.fakes import FakeChat, FakeTranscriber
from tests.streaming.scene import SILENCE, VOICE, Scene, ask, play


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


def test_nothing_understood_is_not_answered() -> None:
    scene = play(Scene(""), ask)
    assert scene.one(events.TranscriptCompleted).text == ""
    assert not scene.all(events.ResponseCreated) and not scene.chat.requests


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


def test_turns_inside_one_piece_of_sound_are_told_apart() -> None:
    async def act(scene: Scene) -> None:
        piece = np.concatenate([np.full(16_000, level, np.int16) for level in (VOICE, SILENCE, VOICE, SILENCE)])
        scene.conversation.hear(piece)
        await asyncio.sleep(5)

    scene = play(Scene("one", "two"), act)
    assert len(scene.all(events.TranscriptCompleted)) == 2
    assert all(done.duration_ms < 2000 for done in scene.all(events.TranscriptCompleted))
