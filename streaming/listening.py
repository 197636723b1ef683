"""The user's side of a conversation: their sound becomes segments, transcripts and turns."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from streaming.hearing.transcriber import Transcriber, TranscriptionStream
from streaming.settings import TurnDetection
from streaming.turns import Effect, Resumed, SpeechBegan, SpeechDropped, TranscribeNow, TurnEnded, TurnTaker, UserState

logger = logging.getLogger(__name__)

INPUT_RATE_HZ = 16_000

KEPT_MS = 1000.0
"""Sound kept from before a segment begins: the longest padding plus the time in which an onset is recognised."""

PIECE_SAMPLES = INPUT_RATE_HZ // 10
"""Sound that comes in one piece (a recording in one event) is heard in pieces of this length, so that a turn in it ends where it ends."""

GAP_S = 0.35
"""A stream this late has stopped (a muted client that sends nothing); silence is heard in its place, so turns end."""


class VoiceActivity(Protocol):
    """Voice probabilities of one conversation's sound."""

    def feed(self, pcm16k: NDArray[np.int16]) -> list[float]:
        """One probability for every 32 ms window completed by ``pcm16k``."""

    def reset(self) -> None: ...


class Segment:
    """One stretch of the user's speech, from its first sound to the end of the turn.

    Attributes:
        item_id: of the conversation item that it becomes.
        start_ms: on the input's audio clock.
        partial: text told so far while the segment is open.
        full: it has its greatest length, and takes no more sound.
        voice_end_at: the event loop's time when the latest voiced sound arrived.
    """

    def __init__(self, item_id: str, stream: TranscriptionStream, start_ms: float) -> None:
        self.item_id = item_id
        self.start_ms = start_ms
        self.partial = ""
        self.full = False
        self.voice_end_at = asyncio.get_running_loop().time()
        self._stream = stream
        self._transcribing: asyncio.Task[str] | None = None
        self._fed_ms = 0.0

    @property
    def fed_ms(self) -> float:
        """How much sound it holds."""
        return self._fed_ms

    def feed(self, pcm16k: NDArray[np.int16]) -> None:
        self._fed_ms += len(pcm16k) * 1000 / INPUT_RATE_HZ
        self._stream.feed(pcm16k)

    def void(self) -> None:
        """The voice went on: a transcript asked for earlier does not cover the segment any more."""
        if self._transcribing is not None:
            self._transcribing.cancel()
            self._transcribing = None

    def transcribe(self) -> asyncio.Task[str]:
        """The text of all that was fed; asked once for every pause, and again after a failure.

        Raises (when awaited):
            TranscriptionFailed
        """
        if self._transcribing is None or _failed(self._transcribing):
            self._transcribing = asyncio.create_task(self._text(), name=f"transcribe {self.item_id}")
        return self._transcribing

    async def _text(self) -> str:
        return (await self._stream.transcribe()).text.strip()

    async def close(self) -> None:
        self.void()
        await self._stream.close()


class ListeningObserver(Protocol):
    """What a ``Listener`` tells its conversation, in the event loop."""

    def segment_began(self, segment: Segment) -> None: ...

    def segment_partial(self, segment: Segment, text: str) -> None:
        """The engine's growing text while the user speaks."""

    def segment_heard(self, segment: Segment, text: str) -> None:
        """A speculative transcript at a pause; void when ``segment_resumed`` follows."""

    def segment_resumed(self, segment: Segment) -> None: ...

    def segment_ended(self, segment: Segment, end_ms: float) -> None:
        """The turn is over. The observer discards the segment."""

    def segment_dropped(self, segment: Segment, end_ms: float) -> None:
        """It was nothing that asks for an answer. The observer discards the segment."""

    def segment_full(self, segment: Segment) -> None:
        """Under push-to-talk: what follows is not heard until the segment is committed or cleared."""

    def floor_changed(self, effect: Effect) -> None:
        """``Duck``, ``Unduck`` or ``StopSpeaking``."""


class Listener:
    """Feeds voice activity, turn-taking and the transcriber with the user's sound.

    Args:
        transcriber: shared engine.
        activity: this conversation's own.
        detection: None for push-to-talk: sound is one segment until ``commit``.
        language: of the user's speech; None lets the engine decide.
        new_item_id: makes ids for segments.
        observer: told what happens.
        longest_ms: the greatest length of a turn: it is then committed. Under push-to-talk, where only the client
            commits, it takes no more sound.
    """

    def __init__(
        self,
        transcriber: Transcriber,
        activity: VoiceActivity,
        *,
        detection: TurnDetection | None,
        language: str | None,
        new_item_id: Callable[[], str],
        observer: ListeningObserver,
        longest_ms: float = 60_000.0,
    ) -> None:
        self._longest_ms = longest_ms
        self._transcriber = transcriber
        self._activity = activity
        self._detection = detection
        self._language = language
        self._new_item_id = new_item_id
        self._observer = observer
        self._turns = TurnTaker(
            detection or TurnDetection(), brief_words_count=transcriber.believed_when_brief, longest_ms=longest_ms
        )
        self._segment: Segment | None = None
        self._kept: set[Segment] = set()
        self._recent: deque[NDArray[np.int16]] = deque()
        self._recent_samples = 0
        self._samples = 0
        self._last_sound_at = 0.0
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def segment(self) -> Segment | None:
        """The open segment."""
        return self._segment

    @property
    def now_ms(self) -> float:
        """The input's audio clock."""
        return self._samples * 1000 / INPUT_RATE_HZ

    def configure(self, detection: TurnDetection | None, language: str | None) -> None:
        """Change how turns are found. An open segment goes on under push-to-talk; one that push-to-talk has
        gathered is dropped: nobody knows where in it a turn began."""
        before, self._detection = self._detection, detection
        self._language = language
        self._turns.configure(detection or TurnDetection())
        if (before is None) == (detection is None):
            return
        self._apply(self._turns.clear())
        self._forget_recent()
        self._activity.reset()
        if detection is not None and self._segment is not None:
            self._apply([SpeechDropped(self.now_ms)])

    def hear(self, pcm16k: NDArray[np.int16]) -> None:
        """Mono int16 at 16 kHz, in order."""
        if not len(pcm16k):
            return
        self._last_sound_at = asyncio.get_running_loop().time()
        for first in range(0, len(pcm16k), PIECE_SAMPLES):
            self._take(pcm16k[first : first + PIECE_SAMPLES])

    def fill_gap(self) -> None:
        """Call a few times a second: hears silence where a stream stopped in the middle of a segment."""
        late = asyncio.get_running_loop().time() - self._last_sound_at
        if self._segment is not None and self._detection is not None and late > GAP_S:
            self._take(np.zeros(INPUT_RATE_HZ // 5, np.int16))

    def output(self, playing: bool) -> None:
        """The avatar has, or no longer has, something to say."""
        self._apply(self._turns.output(playing))

    def commit(self) -> None:
        """End the segment now. Raises ValueError when there is none."""
        if self._segment is None:
            raise ValueError("no sound was received since the last turn, so there is nothing to commit")
        if self._turns.user is UserState.QUIET:
            self._end(self.now_ms)
        else:
            self._apply(self._turns.commit())

    def clear(self) -> None:
        """Forget the segment and what was kept from before it."""
        segment, self._segment = self._segment, None
        if segment is not None:
            self.discard(segment)
        self._forget_recent()
        self._apply(self._turns.clear())

    def discard(self, segment: Segment) -> None:
        """Close a segment that is done with."""
        self._kept.discard(segment)
        self._spawn(segment.close())

    async def close(self) -> None:
        """Returns when all segments are closed, those too that nobody discarded."""
        self.clear()
        for segment in list(self._kept):
            self.discard(segment)
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _take(self, pcm16k: NDArray[np.int16]) -> None:
        self._samples += len(pcm16k)
        if self._detection is None:
            if self._segment is None:
                self._open(self.now_ms - len(pcm16k) * 1000 / INPUT_RATE_HZ, [])
            assert self._segment is not None
            self._feed_up_to_full(self._segment, pcm16k)
            self._turns.skip(len(pcm16k) * 1000 / INPUT_RATE_HZ)
            return
        self._remember(pcm16k)
        if self._segment is not None:
            self._segment.feed(pcm16k)
        for probability in self._activity.feed(pcm16k):
            self._apply(self._turns.voice(probability))
            if self._segment is not None and self._turns.voice_is_now:
                self._segment.voice_end_at = self._last_sound_at

    def _feed_up_to_full(self, segment: Segment, pcm16k: NDArray[np.int16]) -> None:
        room = round((self._longest_ms - segment.fed_ms) * INPUT_RATE_HZ / 1000)
        if room > 0:
            segment.feed(pcm16k[:room])
        if room < len(pcm16k) and not segment.full:
            segment.full = True
            self._observer.segment_full(segment)

    def _remember(self, pcm16k: NDArray[np.int16]) -> None:
        self._recent.append(pcm16k)
        self._recent_samples += len(pcm16k)
        while self._recent_samples - len(self._recent[0]) >= KEPT_MS * INPUT_RATE_HZ / 1000:
            self._recent_samples -= len(self._recent.popleft())

    def _forget_recent(self) -> None:
        self._recent.clear()
        self._recent_samples = 0

    def _apply(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case SpeechBegan(start_ms):
                    self._open(start_ms, list(self._recent))
                case TranscribeNow(until_ms):
                    self._speculate(until_ms)
                case Resumed():
                    if self._segment is not None:
                        self._segment.void()
                        self._observer.segment_resumed(self._segment)
                case TurnEnded(end_ms):
                    self._end(end_ms)
                case SpeechDropped(end_ms):
                    segment, self._segment = self._segment, None
                    if segment is not None:
                        self._observer.segment_dropped(segment, end_ms)
                case _:
                    self._observer.floor_changed(effect)

    def _open(self, start_ms: float, recent: list[NDArray[np.int16]]) -> None:
        item_id = self._new_item_id()
        stream = self._transcriber.open(language=self._language, on_partial=lambda text: self._partial(item_id, text))
        segment = self._segment = Segment(item_id, stream, start_ms)
        self._kept.add(segment)
        if recent:
            sound = np.concatenate(recent)
            wanted = round((self.now_ms - start_ms) * INPUT_RATE_HZ / 1000)
            segment.feed(sound[-wanted:] if wanted < len(sound) else sound)
        self._observer.segment_began(segment)

    def _end(self, end_ms: float) -> None:
        segment, self._segment = self._segment, None
        if segment is not None:
            self._observer.segment_ended(segment, end_ms)

    def _partial(self, item_id: str, text: str) -> None:
        segment = self._segment
        if segment is None or segment.item_id != item_id:
            return
        self._observer.segment_partial(segment, text)
        segment.partial = text
        self._apply(self._turns.heard(text, until_ms=0.0))

    def _speculate(self, until_ms: float) -> None:
        if self._segment is not None:
            self._spawn(self._hear_text(self._segment, self._segment.transcribe(), until_ms))

    async def _hear_text(self, segment: Segment, transcript: asyncio.Task[str], until_ms: float) -> None:
        try:
            text = await transcript
        except Exception:
            return  # the end of the turn asks again, and reports
        if self._segment is segment:
            self._observer.segment_heard(segment, text)
            self._apply(self._turns.heard(text, until_ms))

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _failed(task: asyncio.Task[str]) -> bool:
    return task.done() and not task.cancelled() and task.exception() is not None
