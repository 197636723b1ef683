"""Who has the floor. Sans-I/O: voice probabilities, texts and output states go in, effects come out.

Time is the input's own audio clock: every voice window moves it on by 32 ms, so hours of conversation can be
replayed in milliseconds, and a stalled event loop cannot end anybody's turn.

User and avatar are two coupled states, since both may speak:

    user     QUIET -> SPEAKING <-> PAUSING -> QUIET
    avatar   silent, or playing (full -> ducked -> stopped, or full again)

Barge-in is duck, then confirm, then stop. A voice over the avatar's lowers the avatar at once; it stops when the
voice has gone on for longer than listeners' "mm-hm" lasts, or when the words say so; otherwise it comes back.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum

from streaming.completeness import Completeness, completeness, is_backchannel, is_stop_phrase, words_of
from streaming.settings import TurnDetection

WINDOW_MS = 32
"""Silero's window: 512 samples at 16 kHz."""

ONSET_WINDOWS = 3
ONSET_SPAN = 4
"""3 voiced windows of 4 (96 ms) begin a segment: clicks are shorter, the first syllable is not."""

DUCK_WINDOWS = 2
"""Voiced windows in a row that lower the avatar, before it is known whether a segment begins: the avatar yields 32 ms sooner, and comes back
after as many windows without voice. No synthesized cough, knock or keystroke (of 60 each) has two in a row."""

HYSTERESIS = 0.15
"""A voice that has begun is believed down to this much below the threshold (as Silero's own iterator does)."""

SOFT_SILENCE_MS = 96
"""First silence after which a transcript is asked for, speculatively; shorter gaps are stop consonants."""

SILENCE_MS = {Completeness.COMPLETE: 320.0, Completeness.UNKNOWN: 512.0, Completeness.INCOMPLETE: 1600.0}
"""How long a silence ends a turn. Gaps between speakers are about 0.2 s (Stivers et al. 2009), those inside turns mostly
below 0.5 s (Heldner & Edlund 2010); after an unfinished phrase people search for words for a second and more. A wait
that was too short is mended: the answer is held back when the voice goes on, and both parts are answered together."""

EAGERNESS = {"low": 1.6, "medium": 1.0, "auto": 1.0, "high": 0.7}

MIN_VOICE_MS = 128
"""A segment with less voice than this in all was a click or a breath."""

CONFIRM_VOICE_MS = 544
"""A voice over the avatar's that goes on this long takes the floor: backchannels and coughs last 200-500 ms, and an
interrupted avatar shall be silent within 800 ms, of which noticing, network and playing take some 200."""

CONFIRM_SHARE = 0.6
"""Of that time, at least this much must be voiced: speech has stops and breaths in it, a row of knocks is mostly pauses."""

CONFIRM_WAIT_MS = 704
"""How long the avatar stays ducked after a short sound, waiting for its transcript."""

CUT_OFF_MS = 2000.0
"""A speaker who takes the floor back this soon after their turn had not finished: the pause was theirs."""

LATE_SHARE = 5 / 6
LATE_PAUSE_MS = 192
"""In the last sixth of the longest turn a pause of this length ends it: speakers breathe more often than every ten seconds, so nobody is cut
off in mid-word. What is cut at the very end is therefore hardly speech."""

RUN_ON_MS = 10_000.0
"""A voice that went on without a pause over the end of the longest turn is taken for noise until it pauses, or for this long: an avatar
that answers meanwhile is heard to the end. Whoever speaks over the noise is not heard by then; they were not understood before either."""

PAUSE_SMOOTHING = 0.4
PAUSE_MARGIN = 1.25
LONGEST_LEARNED_MS = 1200.0
"""A speaker's own pauses stretch the wait: exponential mean of pauses they resumed from, times a margin."""


@dataclass(frozen=True, slots=True)
class SpeechBegan:
    """A segment opens; sound from ``start_ms`` (padding included) belongs to it."""

    start_ms: float


@dataclass(frozen=True, slots=True)
class TranscribeNow:
    """A good moment to learn the words: answer with ``TurnTaker.heard(text, until_ms)``."""

    until_ms: float


@dataclass(frozen=True, slots=True)
class TurnEnded:
    """The user is done, or has spoken for as long as one turn may last."""

    end_ms: float


@dataclass(frozen=True, slots=True)
class SpeechDropped:
    """The segment was nothing that asks for an answer: a click, a cough, or a listener's "mm-hm"."""

    end_ms: float


@dataclass(frozen=True, slots=True)
class Resumed:
    """The voice went on after a pause: what was made from the transcript so far is void."""


@dataclass(frozen=True, slots=True)
class Duck:
    pass


@dataclass(frozen=True, slots=True)
class Unduck:
    pass


@dataclass(frozen=True, slots=True)
class StopSpeaking:
    """The user takes the floor."""


Effect = SpeechBegan | TranscribeNow | TurnEnded | SpeechDropped | Resumed | Duck | Unduck | StopSpeaking


class UserState(Enum):
    QUIET = "quiet"
    SPEAKING = "speaking"
    PAUSING = "pausing"


class TurnTaker:
    """Decides when a turn begins, ends, and who stops.

    Args:
        detection: thresholds; replaced by ``configure``.
        brief_words_count: words of a sound shorter than ``CONFIRM_VOICE_MS`` can be believed. Where they cannot, such a
            sound interrupts only as a stop phrase and nothing else.
        longest_ms: no turn lasts longer; what follows is another one.
    """

    def __init__(
        self, detection: TurnDetection, *, brief_words_count: bool = True, longest_ms: float = 60_000.0
    ) -> None:
        self._detection = detection
        self._brief_words_count = brief_words_count
        self._longest_ms = longest_ms
        self._now_ms = 0.0
        self._user = UserState.QUIET
        self._playing = False
        self._ducked = False
        self._recent: deque[bool] = deque(maxlen=ONSET_SPAN)
        self._voice_ms = 0.0
        self._voice_end_ms = 0.0
        self._asked = False
        self._text: str | None = None
        self._learned_pause_ms = 0.0
        self._segment_start_ms = 0.0
        self._turn_voice_end_ms: float | None = None
        self._run_on_since_ms: float | None = None
        self._run_on_pause_ms = 0.0

    @property
    def now_ms(self) -> float:
        """The input's audio clock."""
        return self._now_ms

    @property
    def user(self) -> UserState:
        return self._user

    @property
    def voice_is_now(self) -> bool:
        """The latest window of an open segment was voiced."""
        return self._user is not UserState.QUIET and self._voice_end_ms == self._now_ms

    def configure(self, detection: TurnDetection) -> None:
        """Change thresholds; takes effect with the next window."""
        self._detection = detection

    def voice(self, probability: float) -> list[Effect]:
        """One 32 ms window of the user's sound with the probability that it is voice."""
        self._now_ms += WINDOW_MS
        in_segment = self._user is not UserState.QUIET
        threshold = self._detection.threshold - (HYSTERESIS if in_segment else 0.0)
        voiced = probability >= threshold
        self._recent.append(voiced)
        if not in_segment:
            return [] if self._runs_on(voiced) else self._onset()
        return self._voiced() if voiced else self._silent()

    def heard(self, text: str, until_ms: float) -> list[Effect]:
        """Words of the segment up to ``until_ms`` are known (partial while speaking, or asked for)."""
        if self._user is UserState.QUIET:
            return []
        if until_ms >= self._voice_end_ms:
            self._text = text
        return self._confirm_by_words(text)

    def output(self, playing: bool) -> list[Effect]:
        """The avatar began or ended playing."""
        self._playing = playing
        if not playing and self._ducked:
            self._ducked = False
            return [Unduck()]
        return []

    def commit(self) -> list[Effect]:
        """The client ends the turn itself."""
        if self._user is UserState.QUIET:
            return []
        return self._end()

    def clear(self) -> list[Effect]:
        """Forget the segment."""
        effects: list[Effect] = [Unduck()] if self._ducked else []
        self._reset()
        return effects

    def skip(self, sound_ms: float) -> None:
        """Sound went by that was not looked at: the clock goes on."""
        self._now_ms += sound_ms

    # the user's side

    def _onset(self) -> list[Effect]:
        effects = self._duck_early()
        if sum(self._recent) < ONSET_WINDOWS:
            return effects
        first = len(self._recent) - list(self._recent).index(True)
        start_ms = self._now_ms - first * WINDOW_MS
        self._user = UserState.SPEAKING
        self._segment_start_ms = start_ms
        self._voice_ms = float(sum(self._recent) * WINDOW_MS)
        self._voice_end_ms = self._now_ms
        effects.append(SpeechBegan(max(0.0, start_ms - self._detection.prefix_padding_ms)))
        if not self._ducked and self._playing and self._detection.interrupt_response:
            self._ducked = True
            effects.append(Duck())
        return effects

    def _duck_early(self) -> list[Effect]:
        latest = list(self._recent)[-DUCK_WINDOWS:]
        if self._ducked and not any(latest):
            self._ducked = False
            return [Unduck()]
        if not self._ducked and self._playing and self._detection.interrupt_response:
            self._ducked = len(latest) == DUCK_WINDOWS and all(latest)
            return [Duck()] if self._ducked else []
        return []

    def _runs_on(self, voiced: bool) -> bool:
        """The voice is still the one that outlasted its turn."""
        if self._run_on_since_ms is None:
            return False
        self._run_on_pause_ms = 0.0 if voiced else self._run_on_pause_ms + WINDOW_MS
        waited = self._now_ms - self._run_on_since_ms >= RUN_ON_MS and not self._playing
        if waited or self._run_on_pause_ms >= SOFT_SILENCE_MS:
            self._run_on_since_ms = None
            self._recent.clear()
        return True

    def _voiced(self) -> list[Effect]:
        effects: list[Effect] = []
        if self._user is UserState.PAUSING:
            self._learn(self._now_ms - WINDOW_MS - self._voice_end_ms)
            self._user = UserState.SPEAKING
            effects.append(Resumed())
        self._voice_ms += WINDOW_MS
        self._voice_end_ms = self._now_ms
        self._asked = False
        self._text = None
        lasted_ms = self._now_ms - self._segment_start_ms
        if self._ducked and lasted_ms >= CONFIRM_VOICE_MS and self._voice_ms >= CONFIRM_SHARE * lasted_ms:
            effects += self._stop_avatar()
        if lasted_ms >= self._longest_ms:
            effects += self._end_or_drop()
            self._run_on_since_ms, self._run_on_pause_ms = self._now_ms, 0.0
        return effects

    def _silent(self) -> list[Effect]:
        silence_ms = self._now_ms - self._voice_end_ms
        effects: list[Effect] = []
        if silence_ms >= SOFT_SILENCE_MS:
            self._user = UserState.PAUSING
            if not self._asked:
                self._asked = True
                effects.append(TranscribeNow(self._now_ms))
        lasted_ms = self._now_ms - self._segment_start_ms
        if lasted_ms >= self._longest_ms or (
            lasted_ms >= LATE_SHARE * self._longest_ms and silence_ms >= LATE_PAUSE_MS
        ):
            return effects + self._end_or_drop()
        if self._ducked:
            return effects + (self._drop() if silence_ms >= CONFIRM_WAIT_MS else [])
        if self._voice_ms < MIN_VOICE_MS and silence_ms >= SILENCE_MS[Completeness.COMPLETE]:
            return effects + self._drop()
        if silence_ms >= self.silence_needed_ms():
            return effects + self._end()
        return effects

    def silence_needed_ms(self) -> float:
        """The silence that would end the turn now, from what was said and how this speaker pauses."""
        if self._detection.kind == "silence":
            return self._detection.silence_ms
        finished = Completeness.UNKNOWN if self._text is None else completeness(self._text)
        needed = SILENCE_MS[finished] * EAGERNESS[self._detection.eagerness]
        learned = min(self._learned_pause_ms * PAUSE_MARGIN, LONGEST_LEARNED_MS)
        return max(needed, learned) if finished is not Completeness.COMPLETE else needed

    def _learn(self, pause_ms: float) -> None:
        if pause_ms > SOFT_SILENCE_MS:
            self._learned_pause_ms += PAUSE_SMOOTHING * (pause_ms - self._learned_pause_ms)

    def _end(self) -> list[Effect]:
        ended = TurnEnded(self._now_ms)
        self._turn_voice_end_ms = self._voice_end_ms
        effects = self._stop_avatar() if self._ducked else []
        self._reset()
        return [*effects, ended]

    def _end_or_drop(self) -> list[Effect]:
        """The longest turn is over; one that could not take the floor in all that time was nothing."""
        return self._drop() if self._ducked else self._end()

    def _drop(self) -> list[Effect]:
        effects: list[Effect] = [SpeechDropped(self._now_ms)]
        if self._ducked:
            effects.insert(0, Unduck())
        self._reset()
        return effects

    def _reset(self) -> None:
        self._user = UserState.QUIET
        self._ducked = False
        self._recent.clear()
        self._voice_ms = 0.0
        self._asked = False
        self._text = None

    # the avatar's side

    def _confirm_by_words(self, text: str) -> list[Effect]:
        if not self._ducked:
            return []
        brief = self._voice_end_ms - self._segment_start_ms < CONFIRM_VOICE_MS
        guessed = brief and not self._brief_words_count
        if is_stop_phrase(text, whole=guessed):
            return self._stop_avatar()
        if is_backchannel(text):
            return self._drop() if self._user is UserState.PAUSING else []
        if guessed:
            return []
        # One misheard word is not enough to fall silent for: a cough becomes "the".
        return self._stop_avatar() if len(words_of(text)) >= 2 or len(text) >= 6 else []

    def _stop_avatar(self) -> list[Effect]:
        self._ducked = False
        if self._turn_voice_end_ms is not None:
            gap_ms = self._segment_start_ms - self._turn_voice_end_ms
            if gap_ms <= CUT_OFF_MS:
                self._learn(gap_ms)
        return [StopSpeaking()]
