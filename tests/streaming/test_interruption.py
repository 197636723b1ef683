"""Interruptions on virtual time: who yields, when, and what is remembered of what was said."""

from __future__ import annotations

import asyncio

import pytest

from streaming import events
from streaming.conversation import DUCK_DB
from streaming.settings import SessionSettings, TurnDetection
from tests.streaming.fakes import FakeChat
from tests.streaming.scene import Scene, ask, play


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


def test_the_client_may_say_how_much_it_played() -> None:
    async def act(scene: Scene) -> None:
        await ask(scene)
        item_id = scene.all(events.ItemDone)[-1].item.item_id
        with pytest.raises(ValueError, match="beyond"):
            scene.conversation.truncate_item(item_id, 60_000)
        scene.conversation.truncate_item(item_id, 700)

    scene = play(Scene(), act)
    assert scene.remembered()[-1] == ("assistant", "One two")


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


def test_only_the_latest_answers_can_be_cut() -> None:
    async def act(scene: Scene) -> None:
        for _ in range(40):
            scene.conversation.say("Hello.")
            await asyncio.sleep(1.0)

    scene = play(Scene(), act)
    assert len(scene.conversation._answerer._heard) == 32


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


def test_an_avatar_that_may_not_be_interrupted_answers_afterwards() -> None:
    chat = FakeChat(" ".join(["word"] * 60) + ".")

    async def act(scene: Scene) -> None:
        scene.conversation.say(" ".join(["Welcome to the museum of things."] * 10))
        await ask(scene)
        await scene.silence(60)

    settings = SessionSettings(turn_detection=TurnDetection(interrupt_response=False))
    scene = play(Scene(chat=chat, settings=settings), act)
    assert [event.status for event in scene.all(events.ResponseDone)] == ["completed", "completed"]


def test_a_cut_while_the_answer_is_made_stands() -> None:
    async def act(scene: Scene) -> None:
        scene.conversation.create_response()
        await asyncio.sleep(1.0)
        scene.conversation.truncate_item(scene.one(events.ItemAdded).item.item_id, 700)
        await asyncio.sleep(60.0)

    scene = play(Scene(chat=FakeChat(" ".join(["One two three four."] * 40))), act)
    assert scene.remembered() == [("assistant", "One two")]
