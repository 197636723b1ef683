"""What the behaviours know of the present frame."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from avatar.motion.source import Mode
from avatar.motion.speech.track import SpeechMoment

FRAME_S = 0.04


class Activity(StrEnum):
    """What the avatar is doing; speech overrides the mode."""

    IDLE = "idle"
    LISTENING = "listening"
    THINKING = "thinking"
    SPEAKING = "speaking"


@dataclass(frozen=True, slots=True)
class Scene:
    """Attributes:
    activity: now.
    changed: the activity began with this frame.
    moment: the speech of this frame, None when silent.
    """

    activity: Activity
    changed: bool
    moment: SpeechMoment | None

    @property
    def turn_ends(self) -> bool:
        """Close to the end of what the avatar has to say."""
        return self.moment is not None and self.moment.complete and self.moment.remaining_ms < 900.0


def activity_of(mode: Mode, speaking: bool) -> Activity:
    return Activity.SPEAKING if speaking else Activity(mode.value)


PATIENCE_FRAMES = 15
"""A voice that is late by up to 600 ms in the middle of an utterance has not stopped speaking: eyes and head stay with it."""
