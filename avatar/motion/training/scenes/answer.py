"""What is said in a scene: utterances of a speech shard put together to an answer, on the frame grid."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from avatar.motion.generator import condition
from avatar.motion.generator.condition import FRAME_MS, HEARD, TIMED, Cues, Notice, Sound, SoundLevels
from avatar.motion.generator.features import FeatureStream
from avatar.motion.speech import coarticulation
from avatar.motion.speech.coarticulation import Segment
from avatar.motion.speech.loudness import VoiceLevel
from avatar.motion.speech.prosody import Accent, listen
from avatar.motion.speech.segments import plan_chunk, silence
from avatar.motion.speech.track import NOTICE_MS, SpeechMoment
from avatar.speech import SPEECH_RATE_HZ, Phoneme, SpeechChunk

_RATE_HZ = 16_000
_FRAME = _RATE_HZ // 25
_FADE_MS = 440.0
"""Silence planned behind the last sound, as far as a segment's dominance reaches."""
_HEARD_NOTICE_MS = 0.0
"""Head and brows cannot prepare for an accent that is not known beforehand."""


@dataclass(frozen=True, slots=True, eq=False)
class Utterance:
    """Attributes:
    pcm16k: int16 [samples].
    phonemes: in order of time.
    classes: phone class of every 10 ms, uint8 [hops].
    language: BCP 47 tag.
    """

    pcm16k: NDArray[np.int16]
    phonemes: tuple[Phoneme, ...]
    classes: NDArray[np.uint8]
    language: str

    @property
    def seconds(self) -> float:
        return len(self.pcm16k) / _RATE_HZ


def read_shard(path: Path) -> dict[str, list[Utterance]]:
    """Utterances of a speech shard by their voices, in the shard's order."""
    with np.load(path, allow_pickle=False) as file:
        names = (
            "pcm16k", "pcm_offset", "phone", "hop_offset", "phoneme_symbol", "phoneme_start_ms", "phoneme_end_ms",
            "phoneme_stressed", "phoneme_offset", "voice", "language",
        )  # fmt: skip
        a = {name: file[name] for name in names}
    phonemes = [
        Phoneme(str(symbol), float(start), float(end), bool(stressed))
        for symbol, start, end, stressed in zip(
            a["phoneme_symbol"], a["phoneme_start_ms"], a["phoneme_end_ms"], a["phoneme_stressed"], strict=True
        )
    ]
    voices: dict[str, list[Utterance]] = defaultdict(list)
    for u, voice in enumerate(a["voice"]):
        pcm, phone, said = (slice(*a[name][u : u + 2]) for name in ("pcm_offset", "hop_offset", "phoneme_offset"))
        voices[str(voice)].append(
            Utterance(a["pcm16k"][pcm], tuple(phonemes[said]), a["phone"][phone], str(a["language"][u]))
        )
    return dict(voices)


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """Some utterances, one after the other, frame by frame.

    Attributes:
        mouth, sealed, touching: what the rules ask for, [frames, 11] and bool [frames].
        phones: probabilities [frames, phones.COUNT]; None: nobody tells.
        sound: features against the voice's own.
        accents, pauses: on the clock of the answer.
        notice: how early they are known.
        end_ms: of the sound.
        streamed: its end is not known until shortly before.
    """

    mouth: NDArray[np.float32]
    sealed: NDArray[np.bool_]
    touching: NDArray[np.bool_]
    phones: NDArray[np.float32] | None
    sound: Sound
    accents: tuple[Accent, ...]
    pauses: tuple[tuple[float, float], ...]
    notice: Notice
    end_ms: float
    streamed: bool

    def __len__(self) -> int:
        return len(self.mouth)

    @property
    def timed(self) -> bool:
        return self.notice is TIMED

    def cues(self) -> Cues:
        """Prosody as the generator is told it."""
        known = condition.cues(FRAME_MS / 2, len(self), self.accents, self.pauses, self.end_ms, self.notice)
        if self.streamed:
            late = max(len(self) - _STREAMED_FRAMES, 0)
            known.remaining[:late] = 1.0
        return known

    def moments(self) -> list[SpeechMoment]:
        """Prosody as the behaviours are told it (``SpeechTrack``'s way)."""
        lead = NOTICE_MS if self.timed else _HEARD_NOTICE_MS
        accents, pauses = list(self.accents), list(self.pauses)
        told, out = -1.0, []
        for i in range(len(self)):
            now = FRAME_MS * (i + 0.5)
            due = []
            while accents and accents[0].at_ms - now <= lead:
                accent = accents.pop(0)
                due.append((accent, max(accent.at_ms - now, 0.0)))
            while pauses and pauses[0][1] <= now:
                pauses.pop(0)
            pausing = bool(pauses) and pauses[0][0] + self.notice.pause_ms <= now
            begins = pausing and pauses[0][0] != told
            if begins:
                told = pauses[0][0]
            remaining = max(self.end_ms - FRAME_MS * (i + 1), 0.0)
            complete = not self.streamed or i >= len(self) - _STREAMED_FRAMES
            out.append(SpeechMoment(tuple(due), pausing, begins, remaining, complete))
        return out


_STREAMED_FRAMES = 10
"""A voice that streams says that it has ended about 400 ms before its last sound is played."""


class Voice:
    """One person's voice through a scene: what it usually sounds like is learned as it speaks.

    Args:
        gain: of its sound, a factor.
    """

    def __init__(self, gain: float) -> None:
        self._gain = gain
        self._levels = SoundLevels()
        self._plan_level, self._heard_level = VoiceLevel(), VoiceLevel()

    def say(
        self, utterances: list[Utterance], gaps_ms: list[float], *, timed: bool, phones: bool, streamed: bool
    ) -> Answer:
        """Args:
        utterances: at least one.
        gaps_ms: silence after each.
        timed: phoneme times are known ahead; else accents and pauses are heard.
        phones: phone classes are told.
        streamed: see ``Answer``.
        """
        pcm, classes = [], []
        segments: list[Segment] = []
        accents: list[Accent] = []
        pauses: list[tuple[float, float]] = []
        at = 0
        for utterance, gap_ms in zip(utterances, gaps_ms, strict=True):
            quiet = np.zeros(round(gap_ms / 1000 * _RATE_HZ) // 160 * 160 + -len(utterance.pcm16k) % 160, np.int16)
            sound = np.concatenate((utterance.pcm16k, quiet))
            hops = len(sound) // 160
            line = np.zeros(hops, np.uint8)
            line[: len(utterance.classes)] = utterance.classes[:hops]
            pcm48k = soxr.resample(sound, _RATE_HZ, SPEECH_RATE_HZ, quality="QQ")
            start_ms = at * 1000 / _RATE_HZ
            chunk = SpeechChunk(pcm48k, utterance.language, utterance.phonemes)
            plan = plan_chunk(chunk, start_ms, self._plan_level)
            prosody = plan.prosody if timed else listen(pcm48k, start_ms, self._heard_level)
            segments += plan.segments
            accents += prosody.accents
            for begin, end in prosody.pauses:
                if pauses and begin - pauses[-1][1] < 1.0:  # one pause, cut by the seam of two utterances
                    begin = pauses.pop()[0]
                pauses.append((begin, end))
            pcm.append(sound)
            classes.append(line)
            at += len(sound)
        frames = -(-at // _FRAME)
        end_ms = at * 1000 / _RATE_HZ
        segments.append(silence(end_ms, end_ms + _FADE_MS))
        padded = np.zeros(frames * _FRAME, np.float32)
        padded[:at] = np.concatenate(pcm) * (self._gain / 32768.0)
        line = np.zeros(frames * 4, np.uint8)
        line[: at // 160] = np.concatenate(classes)
        first_ms = FRAME_MS / 2
        return Answer(
            coarticulation.blend(segments, first_ms, frames),
            coarticulation.contact_frames(segments, first_ms, frames, seals=True),
            coarticulation.contact_frames(segments, first_ms, frames, seals=False),
            condition.phone_probabilities(line) if phones else None,
            self._levels.push(FeatureStream(_RATE_HZ).push(padded)),
            tuple(accents),
            tuple(pauses),
            TIMED if timed else HEARD,
            end_ms,
            streamed,
        )
