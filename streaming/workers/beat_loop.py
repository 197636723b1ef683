"""``BeatLoop``: what a worker does, without the process and the socket. Commands go in, beats come out."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from avatar.beats import Beats
from avatar.speech import SpeechChunk
from streaming.beat import Beat
from streaming.encoding.video import VideoEncoder
from streaming.workers.messages import (
    Clear,
    Command,
    Finish,
    Grant,
    MakeGesture,
    RequestKeyframe,
    SetBitrate,
    SetManner,
    SetMode,
    Speak,
)


@dataclass(slots=True)
class _Utterance:
    number: int
    chunks: list[SpeechChunk] = field(default_factory=list)
    finished: bool = False
    position: int = 0


class BeatLoop:
    """Makes beats while it has credit. The beat maker knows one utterance at a time; the next one waits here
    until the one before is over.

    A beat stands alone (is a keyframe) where frames before it may never be sent: the first beat, the first
    after ``Clear``, and the first of speech after idle ones, which the gateway then drops.
    """

    def __init__(self, maker: Beats, encoder: VideoEncoder) -> None:
        self._maker = maker
        self._encoder = encoder
        self._utterances: deque[_Utterance] = deque()
        self._epoch = 0
        self._keyframe = True
        self._spoke = False
        self.credit = 0
        """Beats that may be made now."""

    def handle(self, command: Command) -> None:
        match command:
            case Grant(beats):
                self.credit += beats
            case Speak(utterance, chunk):
                self._speak(utterance, chunk)
            case Finish(utterance):
                self._finish(utterance)
            case Clear(epoch):
                self._utterances.clear()
                self._maker.clear()
                self._epoch = epoch
                self._keyframe = True
            case SetMode(mode):
                self._maker.set_mode(mode)
            case SetManner(manner):
                self._maker.set_manner(manner)
            case MakeGesture(gesture, strength):
                self._maker.gesture(gesture, strength)
            case RequestKeyframe():
                self._keyframe = True
            case SetBitrate(bitrate_bps):
                self._encoder.set_bitrate(bitrate_bps)

    def make(self) -> Beat:
        """The next beat, for one credit."""
        self.credit -= 1
        rendered = self._maker.next()
        speaking = rendered.speech_samples > 0
        picture = self._encoder.encode(rendered.frame, keyframe=self._keyframe or speaking > self._spoke)
        self._keyframe, self._spoke = False, speaking
        utterance = self._utterances[0] if self._utterances else None
        over = utterance is not None and utterance.finished and self._maker.queued_samples == 0
        number = utterance.number if utterance and (speaking or over) else 0
        position = utterance.position if utterance and number else 0
        if utterance and speaking:
            utterance.position += rendered.speech_samples
        if over:
            self._begin_next()
        return Beat(
            pcm48k=rendered.pcm48k.astype("<i2", copy=False).tobytes(),
            picture=picture.data,
            keyframe=picture.keyframe,
            utterance=number,
            position=position,
            speech_samples=rendered.speech_samples,
            last=over,
            epoch=self._epoch,
        )

    def _speak(self, number: int, chunk: SpeechChunk) -> None:
        utterance = self._find(number)
        if utterance is self._utterances[0]:
            self._maker.push(chunk)
        else:
            utterance.chunks.append(chunk)

    def _finish(self, number: int) -> None:
        utterance = self._find(number)  # one without a sound begins and is over at once
        utterance.finished = True
        if utterance is self._utterances[0]:
            self._maker.finish()

    def _find(self, number: int) -> _Utterance:
        for utterance in self._utterances:
            if utterance.number == number:
                return utterance
        self._utterances.append(_Utterance(number))
        return self._utterances[-1]

    def _begin_next(self) -> None:
        self._utterances.popleft()
        if self._utterances:
            for chunk in self._utterances[0].chunks:
                self._maker.push(chunk)
            self._utterances[0].chunks.clear()
            if self._utterances[0].finished:
                self._maker.finish()
