"""What can go wrong in this room.

StreamingError
├── EngineUnavailable     an engine (voice, transcriber) cannot be used on this machine or as configured
├── TranscriptionFailed   speech was heard and could not be transcribed
├── SynthesisFailed       text could not be spoken
├── WorkerLost            the avatar worker died; a new one can be acquired
├── Busy                  no capacity for another conversation
└── NegotiationFailed     the SDP offer cannot be answered
"""

from __future__ import annotations


class StreamingError(Exception):
    """Base of this room's errors. ``str(error)`` is fit for a user.

    Attributes:
        code: stable identifier, shared with the API and the JavaScript side.
        retryable: trying the same again later may help.
    """

    code = "streaming_error"
    retryable = False

    def __init__(self, message: str, *, code: str | None = None, retryable: bool | None = None) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code
        if retryable is not None:
            self.retryable = retryable


class EngineUnavailable(StreamingError):
    code = "engine_unavailable"


class TranscriptionFailed(StreamingError):
    code = "transcription_failed"
    retryable = True


class SynthesisFailed(StreamingError):
    code = "synthesis_failed"
    retryable = True


class WorkerLost(StreamingError):
    code = "worker_lost"
    retryable = True


class Busy(StreamingError):
    code = "busy"
    retryable = True


class NegotiationFailed(StreamingError):
    code = "invalid_sdp"
