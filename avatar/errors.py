"""What can go wrong in this room.

AvatarError
├── PhotoRefused        the picture cannot become a persona; ``code`` says why
├── PersonaError        a persona folder is missing, damaged or of an unknown version
├── MediaFileError      a sound or video file cannot be read, or holds nothing
├── WeightsError        weights of a renderer are missing, or are not what they should be
├── RendererFailed      a renderer cannot draw (any more)
├── RendererBusy        a renderer draws as many conversations as it can
├── MotionWeightsError  the learned motion's weights are missing, damaged or of another version
└── ToolMissing         an optional tool (MediaPipe) is not installed or cannot load
"""

from __future__ import annotations


class AvatarError(Exception):
    """Base of this room's errors. ``str(error)`` is fit for a user: what happened and what to do.

    Attributes:
        code: stable identifier, shared with the API and the JavaScript side.
    """

    code = "avatar_error"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code


class PhotoRefused(AvatarError):
    """The picture cannot become a persona."""

    code = "photo_refused"


class PersonaError(AvatarError):
    """A persona folder is missing, damaged or of an unknown version."""

    code = "persona_error"


class MediaFileError(AvatarError):
    """A sound or video file cannot be read, or holds nothing."""

    code = "media_file_error"


class MotionWeightsError(AvatarError):
    """The learned motion's weights are missing, damaged or of another version."""

    code = "motion_weights_damaged"


class ToolMissing(AvatarError):
    """An optional tool is not installed or cannot load on this machine."""

    code = "tool_missing"


class WeightsError(AvatarError):
    """Weights of a renderer are missing (``weights_missing``), damaged or not those of the network they are for."""

    code = "weights_error"


class RendererFailed(AvatarError):
    """A renderer cannot draw, or cannot any more: its device failed, or is too slow."""

    code = "renderer_failed"


class RendererBusy(AvatarError):
    """A renderer draws as many conversations as it can in time; one that ends makes room."""

    code = "busy"
