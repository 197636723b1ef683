"""One live conversation: the asyncio shell that joins listening, thinking, speaking and the output."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.motion.source import Gesture, Manner, Mode
from llm_bridge.chat import ChatModel, Role
from streaming import events
from streaming.answering import Answerer
from streaming.errors import StreamingError, TranscriptionFailed
from streaming.events import AgentState, Event, Item
from streaming.hearing.transcriber import Transcriber
from streaming.history import History
from streaming.ids import new_id
from streaming.listening import Listener, Segment, VoiceActivity
from streaming.output import Output
from streaming.response import Marks
from streaming.settings import SessionSettings
from streaming.speaking.synthesizer import Synthesizer
from streaming.turns import Duck, Effect, StopSpeaking, Unduck

logger = logging.getLogger(__name__)

DUCK_DB = -18.0
"""The avatar's loudness under a voice that is not confirmed: well over 12 dB lower, and still there."""

TICK_S = 0.1
"""How often stalled input is looked at."""

BROKEN = "Something went wrong inside the server; its log says what."

MODES = {
    AgentState.IDLE: Mode.IDLE,
    AgentState.LISTENING: Mode.LISTENING,
    AgentState.THINKING: Mode.THINKING,
    AgentState.SPEAKING: Mode.IDLE,
}


class Conversation:
    """Hears, takes turns, answers, speaks. Every method is called in the event loop and returns at once
    unless it is a coroutine.

    Args:
        transcriber, chat_model, synthesizer: engines, shared with other conversations.
        activity: voice activity of this conversation.
        output: this conversation's own; started and closed with it.
        settings: replaced by ``update``.
        observe: gets every event, in order, in the event loop; must not raise.
        history_tokens: how much of the past the model is shown.
        sound_events: tell the answer's sound as ``ResponseAudio`` (conversations without a peer).
        longest_turn_ms: of the user; see ``Listener``.
    """

    def __init__(
        self,
        *,
        transcriber: Transcriber,
        chat_model: ChatModel,
        synthesizer: Synthesizer,
        activity: VoiceActivity,
        output: Output,
        settings: SessionSettings,
        observe: Callable[[Event], None],
        history_tokens: int = 6000,
        sound_events: bool = False,
        longest_turn_ms: float = 60_000.0,
    ) -> None:
        self.settings = settings
        self._output, self._observe = output, observe
        self._history = History(observe)
        self._answerer = Answerer(
            chat_model=chat_model,
            synthesizer=synthesizer,
            history=self._history,
            output=output,
            settings=lambda: self.settings,
            observe=observe,
            changed=self._floor_may_have_changed,
            history_tokens=history_tokens,
            sound_events=sound_events,
        )
        self._listener = Listener(
            transcriber,
            activity,
            detection=settings.turn_detection,
            language=_spoken_language(settings),
            new_item_id=partial(new_id, "item"),
            observer=self,
            longest_ms=longest_turn_ms,
        )
        self._turn_order = asyncio.Lock()
        self._turns_pending = 0
        self._understood = asyncio.Event()
        self._understood.set()
        self._owed: tuple[str, Marks] | None = None
        self._state = AgentState.IDLE
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    # life

    async def start(self) -> None:
        """Begin: output runs, hearing is open.

        Raises:
            Busy, WorkerLost: no output could be had.
        """
        self._output.on_played = self._answerer.played
        self._output.on_failed = self._output_failed
        await self._output.start()
        self._spawn(self._tick())

    async def close(self) -> None:
        """End everything this conversation started; returns when it is gone."""
        self._closed = True  # from what hears to what speaks, so that nothing begins an answer any more
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._listener.close()
        await self._answerer.close()
        await self._output.close()

    # what the client asks

    def hear(self, pcm16k: NDArray[np.int16]) -> None:
        """The user's sound, mono int16 16 kHz, any length, in order."""
        if not self._closed:
            self._listener.hear(pcm16k)

    def commit_input(self) -> None:
        """End the user's turn now (push-to-talk). Raises ValueError when no sound is buffered."""
        self._listener.commit()

    def clear_input(self) -> None:
        """Forget the sound of the open turn."""
        self._listener.clear()
        self._answerer.discard_speculation()
        self._observe(events.InputCleared())
        self._answer_what_is_owed()
        self._show_state()

    def add_item(self, item_id: str | None, role: Role, text: str, *, after: str | None = None) -> Item:
        """Put a message into the conversation (typed text).

        Args:
            after: the item to stand behind; ``"root"`` for the beginning, None for the end.

        Raises:
            ValueError: unknown ``after``, or an id that is taken.
        """
        item = Item(item_id or new_id("item"), role, text, spoken=False)
        self._history.add(item, after)
        self._answerer.discard_speculation()  # it did not know of this
        return item

    def delete_item(self, item_id: str) -> None:
        """Raises KeyError: no such item."""
        self._history.delete(item_id)
        self._answerer.discard_speculation()

    def truncate_item(self, item_id: str, audio_end_ms: int) -> None:
        """Cut the avatar's item to what was heard. Raises KeyError, ValueError (no sound, or beyond it)."""
        self._answerer.truncate(item_id, float(audio_end_ms))
        self._answerer.discard_speculation()

    def get_item(self, item_id: str) -> Item:
        """Raises KeyError."""
        return self._history.get(item_id)

    def create_response(self, *, instructions: str | None = None) -> str:
        """Answer, as soon as what the user said so far is understood; returns the response's id.

        Raises:
            RuntimeError: a response is being made.
        """
        return self._answerer.create(instructions, self._all_understood)

    def say(self, text: str) -> str:
        """Speak ``text`` verbatim after whatever is being said. Returns the response's id.

        Raises:
            ValueError: there is nothing to say, or too much waits to be said.
        """
        if not text.strip():
            raise ValueError("text is empty: there is nothing to say")
        return self._answerer.say(text)

    def cancel_response(self) -> bool:
        """Stop making and speaking the current response; False when there is none."""
        return self._answerer.interrupt("client_cancelled")

    def clear_output(self) -> None:
        """Drop the sound not yet played; an answer still being made is cancelled with it."""
        self._answerer.interrupt("client_cancelled")

    def gesture(self, gesture: Gesture, strength: float = 1.0) -> None:
        """Nod, smile, ...; strength 0..1."""
        self._output.gesture(gesture, strength)

    def set_manner(self, manner: Manner) -> None:
        """The avatar's mood, and how much its hands take part, until set otherwise."""
        self._output.set_manner(manner)

    def update(self, settings: SessionSettings) -> None:
        """Replace the settings; what is being said or heard already is not touched."""
        self.settings = settings
        self._answerer.discard_speculation()
        self._listener.configure(settings.turn_detection, _spoken_language(settings))

    # listening (ListeningObserver)

    def segment_began(self, segment: Segment) -> None:
        self._answerer.turn_began()
        self._observe(events.SpeechStarted(segment.item_id, round(segment.start_ms)))
        self._show_state()

    def segment_partial(self, segment: Segment, text: str) -> None:
        if text.startswith(segment.partial) and text != segment.partial:
            self._observe(events.TranscriptDelta(segment.item_id, text[len(segment.partial) :]))

    def segment_heard(self, segment: Segment, text: str) -> None:
        if text and self._answers_by_itself and not self._turns_pending and self._owed is None:
            self._answerer.speculate(text)

    def segment_resumed(self, segment: Segment) -> None:
        self._answerer.discard_speculation()

    def segment_dropped(self, segment: Segment, end_ms: float) -> None:
        self._answerer.discard_speculation()
        self._observe(events.SpeechStopped(segment.item_id, round(end_ms)))
        self._observe(events.InputCleared())
        self._listener.discard(segment)
        self._answer_what_is_owed()
        self._show_state()

    def segment_ended(self, segment: Segment, end_ms: float) -> None:
        now = asyncio.get_running_loop().time()
        marks = Marks(voice_end=segment.voice_end_at, turn_end=now)
        self._observe(events.SpeechStopped(segment.item_id, round(end_ms)))
        self._observe(events.InputCommitted(segment.item_id, self._history.last_id()))
        self._history.add(Item(segment.item_id, "user", "", spoken=True, complete=False))
        self._turns_pending += 1
        self._understood.clear()
        self._show_state()
        self._spawn(self._understand(segment, marks))

    def segment_full(self, segment: Segment) -> None:
        self._observe(events.InputFull(segment.item_id, segment.fed_ms))

    def floor_changed(self, effect: Effect) -> None:
        match effect:
            case Duck():
                self._output.duck(DUCK_DB)
                self._observe(events.VolumeChanged(DUCK_DB))
                self._answerer.hold()
            case Unduck():
                self._output.duck(0.0)
                self._observe(events.VolumeChanged(0.0))
                self._answerer.release()
            case StopSpeaking():
                # Told before the sound is cleared: a client that then falls silent stays silent.
                self._observe(events.VolumeChanged(0.0))
                self._answerer.interrupt("turn_detected")
                self._output.duck(0.0)

    async def _understand(self, segment: Segment, marks: Marks) -> None:
        """From the end of a turn to the beginning of its answer."""
        async with self._turn_order:
            text = await self._words_of(segment)
        self._listener.discard(segment)
        marks.transcript = asyncio.get_running_loop().time()
        wanted = segment.item_id in self._history  # the client may have deleted it meanwhile
        self._history.settle(segment.item_id, text)
        self._turns_pending -= 1
        if not self._turns_pending:
            self._understood.set()
        if text and wanted and self._answers_by_itself and not self._answerer.waiting:
            self._owed = text, marks
        self._answer_what_is_owed()
        self._show_state()

    async def _words_of(self, segment: Segment) -> str:
        """What was said in a segment that is over, told as its transcript; "" where it could not be understood."""
        try:
            text = await segment.transcribe()
        except Exception as error:
            if not isinstance(error, TranscriptionFailed):
                logger.exception("transcribing broke")
            failure = (
                error if isinstance(error, TranscriptionFailed) else TranscriptionFailed(BROKEN, code="server_error")
            )
            self._observe(events.TranscriptFailed(segment.item_id, failure.code, str(failure)))
            self._observe(events.Failed(failure.code, str(failure), failure.retryable))
            return ""
        if text and not segment.partial:
            self._observe(events.TranscriptDelta(segment.item_id, text))
        self._observe(events.TranscriptCompleted(segment.item_id, text, segment.fed_ms))
        return text

    async def _all_understood(self) -> None:
        await self._understood.wait()

    def _answer_what_is_owed(self) -> None:
        """Answer the latest turn, unless the user went on meanwhile: then what follows is answered with it."""
        if self._turns_pending or self._listener.segment is not None:
            return
        if self._owed is None:
            self._answerer.discard_speculation()
            return
        (text, marks), self._owed = self._owed, None
        self._answerer.answer_turn(text, marks)

    @property
    def _answers_by_itself(self) -> bool:
        detection = self.settings.turn_detection
        return detection is not None and detection.create_response

    # the rest

    def _output_failed(self, error: Exception) -> None:
        if isinstance(error, StreamingError):
            self._observe(events.OutputLost(error.code, str(error), error.retryable))
        else:
            self._observe(events.OutputLost("server_error", BROKEN, retryable=True))

    def _floor_may_have_changed(self) -> None:
        self._listener.output(self._answerer.busy)
        self._show_state()

    def _show_state(self) -> None:
        if self._answerer.playing:
            state = AgentState.SPEAKING
        elif self._answerer.busy or self._turns_pending:
            state = AgentState.THINKING
        elif self._listener.segment is not None:
            state = AgentState.LISTENING
        else:
            state = AgentState.IDLE
        if state is not self._state and not self._closed:
            self._state = state
            self._output.set_mode(MODES[state])
            self._observe(events.AgentStateChanged(state))

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            self._listener.fill_gap()

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("a task of the conversation failed", exc_info=error)
            self._observe(events.Failed("server_error", BROKEN, retryable=True))


def _spoken_language(settings: SessionSettings) -> str | None:
    return settings.transcription.language if settings.transcription else None
