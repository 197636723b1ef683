"""The avatar's side of a conversation: answers are begun, held, played, interrupted and remembered."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial

from llm_bridge.chat import ChatModel, ChatOptions
from streaming import events
from streaming.events import Event, Item
from streaming.history import History
from streaming.ids import new_id
from streaming.output import Output, Played
from streaming.response import Marks, Response
from streaming.settings import SessionSettings
from streaming.sound import Downsampler
from streaming.speaking.pipeline import speak_deltas
from streaming.speaking.synthesizer import Synthesizer

logger = logging.getLogger(__name__)

PLAYOUT_MS = 120.0
"""What network and jitter buffer hold on average: sound released is heard this much later."""

HEARD_KEPT = 32
"""Answers whose word times are kept, for a client that says late how much it played."""

SPECULATIONS = 3
"""Answers begun ahead of the end of one turn at most; each may cost a request to the model."""

WAITING_MOST = 100
"""Texts to be said that wait for their turn: an hour and more of speech, where each is as long as it may be."""


class Answerer:
    """Makes responses one after another and follows their playing.

    Args:
        history: read for the model, written with what was heard.
        output: plays them.
        settings: the conversation's, read when a response begins.
        observe: gets every event.
        changed: called when the answer to "does the avatar have something to say" may have changed.
        sound_events: tell released sound as ``ResponseAudio``.
    """

    def __init__(
        self,
        *,
        chat_model: ChatModel,
        synthesizer: Synthesizer,
        history: History,
        output: Output,
        settings: Callable[[], SessionSettings],
        observe: Callable[[Event], None],
        changed: Callable[[], None],
        history_tokens: int,
        sound_events: bool,
    ) -> None:
        self._chat_model, self._synthesizer = chat_model, synthesizer
        self._history, self._output = history, output
        self._settings, self._observe = settings, observe
        self._changed = changed
        self._history_tokens = history_tokens
        self._sound = Downsampler() if sound_events else None
        self._live: dict[int, Response] = {}
        self._heard: dict[str, Response] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._making: Response | None = None
        self._held: tuple[str, Response] | None = None
        self._speculated = 0
        self._waiting: deque[Callable[[], None]] = deque()
        self._utterances = 0

    @property
    def busy(self) -> bool:
        """An answer is being made or played."""
        return bool(self._live)

    @property
    def waiting(self) -> bool:
        """An answer is wanted, and has not looked at the history yet."""
        return self._making is not None and self._making.waiting

    @property
    def playing(self) -> bool:
        """Sound of an answer is leaving."""
        return any(response.playing for response in self._live.values())

    # beginning

    def create(self, instructions: str | None, ready: Callable[[], Awaitable[None]]) -> str:
        """Answer what is in the history once ``ready``; returns the response's id.

        Raises:
            RuntimeError: a response is being made.
        """
        if self._making is not None:
            raise RuntimeError(f"response {self._making.response_id} is still being made: wait for it or cancel it")
        self.discard_speculation()
        now = asyncio.get_running_loop().time()
        response = self._new(Marks(turn_end=now, transcript=now), held=False)
        self._begin(response, partial(self._answer, instructions), ready=ready)
        return response.response_id

    def say(self, text: str) -> str:
        """Speak ``text`` verbatim after whatever is being made. Returns the response's id.

        Raises:
            ValueError: too much waits to be said.
        """
        if len(self._waiting) >= WAITING_MOST:
            raise ValueError(f"{WAITING_MOST} texts are waiting to be said already")
        response_id = new_id("resp")

        def begin() -> None:
            now = asyncio.get_running_loop().time()
            response = self._new(Marks(turn_end=now, transcript=now), held=False, response_id=response_id)
            self._begin(response, partial(_only, text))

        if self._making is None:
            begin()
        else:
            self._waiting.append(begin)
        return response_id

    def turn_began(self) -> None:
        """A new turn may be speculated about afresh."""
        self._speculated = 0

    def speculate(self, text: str) -> None:
        """The user may be done: begin to answer ``text``, unseen and unheard."""
        if self.busy or (self._held is not None and self._held[0] == text):
            return
        self.discard_speculation()
        if self._speculated >= SPECULATIONS:
            return
        self._speculated += 1
        response = self._new(Marks(), held=True)
        self._held = (text, response)
        self._begin(response, partial(self._answer, None, unheard=text))

    def discard_speculation(self) -> None:
        if self._held is not None:
            response = self._held[1]
            self._held = None
            self._end(response)

    def answer_turn(self, text: str, marks: Marks) -> None:
        """The user's turn is over and in the history: answer it, with what was made ahead where it fits."""
        if self._held is not None and self._held[0] == text and self._making is None:
            (_, response), self._held = self._held, None
            marks.first_delta, marks.first_sound = response.marks.first_delta, response.marks.first_sound
            response.marks = marks
            self._go(response)
            response.release()
            return
        self.discard_speculation()

        def begin() -> None:
            self._begin(self._new(marks, held=False), partial(self._answer, None))

        detection = self._settings().turn_detection
        if self._making is None:
            begin()
        elif detection is not None and not detection.interrupt_response:
            self._waiting.append(begin)
        else:
            self.interrupt("turn_detected")
            begin()

    def _answer(self, instructions: str | None, *, unheard: str | None = None) -> AsyncIterator[str]:
        settings = self._settings()
        instructions = settings.instructions if instructions is None else instructions
        messages = self._history.messages(self._history_tokens, instructions, unheard=unheard)
        options = ChatOptions(temperature=settings.temperature, max_output_tokens=settings.max_output_tokens)
        return self._chat_model.stream(messages, options)

    def _new(self, marks: Marks, *, held: bool, response_id: str | None = None) -> Response:
        response = Response(
            response_id=response_id or new_id("resp"),
            item_id=new_id("item"),
            utterance=0,
            output=self._output if self._settings().speak else None,
            held=held,
            marks=marks,
            on_delta=self._on_delta,
            on_made=self._on_made,
            on_failed=self._on_failed,
        )
        if not held:
            self._go(response)
        return response

    def _go(self, response: Response) -> None:
        """The response becomes part of the conversation."""
        self._utterances += 1  # only now: outputs play utterances in the order of their numbers
        response.utterance = self._utterances
        self._making = response
        self._live[response.utterance] = response
        self._observe(events.ResponseCreated(response.response_id))
        self._changed()

    def _begin(
        self,
        response: Response,
        deltas: Callable[[], AsyncIterator[str]],
        ready: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        settings = self._settings()
        response.begin(
            deltas,
            lambda told: speak_deltas(
                told, self._synthesizer, language=settings.language, voice=settings.voice, speed=settings.speed
            ),
            ready=ready,
        )

    # making

    def _on_delta(self, response: Response, delta: str) -> None:
        if not response.item_told:  # once: the client may delete it while it grows
            response.item_told = True
            self._history.add(Item(response.item_id, "assistant", "", spoken=response.speaks, complete=False))
        self._observe(events.ResponseDelta(response.response_id, response.item_id, delta))

    def _on_made(self, response: Response) -> None:
        if response.track.words and not response.track.sound_ms and len(self._live) == 1:
            # Nothing of it can be said aloud (an emoji): whoever reads captions shall see it all the same.
            self.played(Played(response.utterance, 0, b"", last=True))
        if response.truncated:
            self._finish(response, "incomplete", reason="max_output_tokens")
        else:
            self._finish(response, "completed")

    def _on_failed(self, response: Response, error: Exception) -> None:
        code = str(getattr(error, "code", "server_error"))
        logger.warning("response %s failed: %s", response.response_id, code)
        self._observe(events.Failed(code, str(error), bool(getattr(error, "retryable", False))))
        if response.speaks and response.kept is None:
            response.kept = response.track.text  # nobody will hear the rest
        self._finish(response, "failed", reason=code, message=str(error))

    def _finish(
        self,
        response: Response,
        status: events.ResponseStatus,
        *,
        reason: str | None = None,
        message: str | None = None,
    ) -> None:
        """The response is made, failed or cancelled: tell it, and let the next one begin."""
        item_id = response.item_id if response.item_id in self._history else None
        self._history.settle(response.item_id, response.text if response.kept is None else response.kept)
        if self._making is response:
            self._making = None
        self._observe(
            events.ResponseDone(response.response_id, item_id, status, reason, message, generated_text=response.text)
        )
        if not response.audible:
            self._leave(response)
        if self._making is None and self._waiting:
            self._waiting.popleft()()

    def _leave(self, response: Response) -> None:
        """Nothing of the response is left to be made or played."""
        response.playing = False
        self._live.pop(response.utterance, None)
        self._changed()

    # playing

    def hold(self) -> None:
        """The user is speaking: an answer of which nothing was heard yet waits."""
        if self._making is not None and not self._making.playing:
            self._making.hold_sound()

    def release(self) -> None:
        """The user's voice was nothing: go on."""
        if self._making is not None:
            self._making.release()

    def played(self, played: Played) -> None:
        """The output released sound."""
        response = self._live.get(played.utterance)
        if response is None:
            return
        if not response.playing:
            response.playing = True
            response.marks.first_beat = asyncio.get_running_loop().time()
            self._heard[response.item_id] = response
            if len(self._heard) > HEARD_KEPT:
                del self._heard[next(iter(self._heard))]
            self._observe(events.OutputStarted(response.response_id))
            stages = response.marks.stages_ms()
            self._observe(events.TurnLatency(response.response_id, stages, round(sum(stages.values()), 1)))
            self._changed()
        for caption in response.played(played.position, last=played.last):
            self._observe(caption)
        if self._sound is not None and (pcm24k := self._sound.feed(played.pcm48k, last=played.last)):
            self._observe(events.ResponseAudio(response.response_id, response.item_id, pcm24k))
        if played.last:
            self._observe(events.OutputStopped(response.response_id))
            self._leave(response)

    def interrupt(self, reason: str) -> bool:
        """Stop making and playing; the history keeps what was heard. False when there was nothing to stop."""
        self.discard_speculation()
        self._waiting.clear()
        stopped = list(self._live.values())
        if stopped:
            self._output.stop()
            if self._sound is not None:
                self._sound.reset()
        for response in stopped:
            made, playing = not response.active, response.playing
            self._end(response)
            response.played_out = True
            if not made:
                self._finish(response, "cancelled", reason=reason)
            if playing:
                self._observe(events.OutputCleared(response.response_id))
            if response.speaks:
                self._cut(response, max(0.0, response.played_ms - PLAYOUT_MS))
            self._leave(response)
        return bool(stopped)

    def truncate(self, item_id: str, audio_end_ms: float) -> None:
        """The client says how much of an answer's sound it played.

        Raises:
            KeyError: no such item.
            ValueError: the item has no sound, or less than that.
        """
        self._history.get(item_id)
        response = self._heard.get(item_id)
        if response is None:
            raise ValueError(f"item {item_id!r} has no sound that could be cut")
        if audio_end_ms > response.track.sound_ms:
            raise ValueError(
                f"audio_end_ms {audio_end_ms:.0f} is beyond the item's sound ({response.track.sound_ms:.0f} ms)"
            )
        self._cut(response, min(audio_end_ms, response.played_ms))  # what never left cannot have been heard

    def _cut(self, response: Response, heard_ms: float) -> None:
        response.kept = response.track.heard(heard_ms)
        self._history.cut(response.item_id, response.kept, heard_ms)

    def _end(self, response: Response) -> None:
        response.cancel()
        task = asyncio.create_task(response.closed())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def close(self) -> None:
        """Returns when no response runs any more."""
        self._waiting.clear()
        self.discard_speculation()
        for response in self._live.values():
            self._end(response)
        await asyncio.gather(*self._ending)


async def _only(text: str) -> AsyncIterator[str]:
    yield text
