"""CONDITION: what the generator is told of each frame, at 25 Hz."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from avatar.motion.behaviour.scene import Activity
from avatar.motion.generator import phones
from avatar.motion.generator.features import HOPS_PER_FRAME, SoundFeatures
from avatar.motion.speech.mouth import COUNT, PARAMETERS
from avatar.motion.speech.prosody import Accent
from avatar.speech import FRAME_RATE_HZ

_ACTIVITIES = (Activity.IDLE, Activity.LISTENING, Activity.THINKING, Activity.SPEAKING)

CONDITION = (
    *(f"demand_{name}" for name in PARAMETERS),     # the mouth that speech asks for, before contacts
    "sealed", "touching",                           # contacts, 0 or 1
    *(f"phone_{name}" for name in phones.NAMES),    # probabilities; all zero where they are not told
    "f0", "voicing", "energy",                      # of the sound, against this voice's own; see SoundLevels
    "accent", "accent_ahead", "pause",              # prosody; see accent_channels
    "remaining",                                    # speech to come, 1 is REMAINING_S or more or not known, 0 none
    *(f"is_{activity.value}" for activity in _ACTIVITIES),
    "mood", "gesture_strength",                     # -1..1, 0..1
)  # fmt: skip
C = len(CONDITION)
AT = {name: i for i, name in enumerate(CONDITION)}

DEMAND = slice(AT["demand_jaw"], AT["demand_tongue"] + 1)
PHONES = slice(AT["phone_silence"], AT["phone_silence"] + phones.COUNT)
SOUND = slice(AT["f0"], AT["energy"] + 1)
ACTIVITY = slice(AT["is_idle"], AT["is_speaking"] + 1)

REMAINING_S = 2.0
"""Hands and eyes prepare for the end of what is said within about this."""

FRAME_MS = 1000.0 / FRAME_RATE_HZ


@dataclass(frozen=True, slots=True)
class Notice:
    """How early prosody is known.

    Attributes:
        accent_ms: an accent may be told this long before its vowel begins (negative: after).
        pause_ms: a pause is told this long after it begins.
    """

    accent_ms: float
    pause_ms: float


TIMED = Notice(600.0, 0.0)
"""Phoneme times are known ahead of playing; a hand needs about this long to be ready for an accent."""
HEARD = Notice(-20.0, 40.0)
"""A peak of loudness shows once it has passed, a pause after 120 ms of quiet; of which 80 ms are looked ahead (100
from a frame's middle)."""

_ACCENT_AT_MS, _ACCENT_SHAPE = (-60.0, -20.0, 60.0, 140.0), (0.0, 1.0, 1.0, 0.0)
_MOST_PROMINENT = 1.5


@dataclass(frozen=True, slots=True, eq=False)
class Sound:
    """How the sound of some frames is told: float32 [frames] each.

    Attributes:
        f0: octaves from the voice's ordinary pitch, -1..1; 0 where unvoiced.
        voicing: 0..1.
        energy: 1 at the level of the voice's ordinary vowels, 0 from 25 dB below.
    """

    f0: NDArray[np.float32]
    voicing: NDArray[np.float32]
    energy: NDArray[np.float32]


class SoundLevels:
    """Sound features at 100 Hz to ``Sound`` at 25 Hz, against the voice's running pitch and loudness.

    Causal, with carried state: an avatar keeps one for as long as it keeps its voice.
    """

    _PITCH_HZ, _LEVEL_DB = 165.0, -24.0
    """Before anything is heard: between men's and women's ordinary pitch; speech of usual level."""
    _QUIET_BELOW_DB = 25.0
    _PRIOR_FRAMES, _MEMORY_FRAMES = 6, 100
    """What the prior counts for, and four seconds of voiced speech remembered."""

    def __init__(self) -> None:
        self._octave = float(np.log2(self._PITCH_HZ))
        self._level_db = self._LEVEL_DB
        self._frames = self._PRIOR_FRAMES

    def push(self, features: SoundFeatures) -> Sound:
        """Channels of the frames that whole groups of ``HOPS_PER_FRAME`` hops cover.

        Raises:
            ValueError: a number of hops that is no whole number of frames.
        """
        if len(features) % HOPS_PER_FRAME:
            raise ValueError(f"{len(features)} hops are no whole number of frames")
        frames = len(features) // HOPS_PER_FRAME
        f0_hz = features.f0_hz.reshape(frames, HOPS_PER_FRAME)
        voiced = f0_hz > 0.0
        count = voiced.sum(axis=1)
        octaves = np.where(voiced, np.log2(np.maximum(f0_hz, 1.0)), 0.0).sum(axis=1) / np.maximum(count, 1)
        energy_db = features.energy_db.reshape(frames, HOPS_PER_FRAME).mean(axis=1)
        f0, energy = np.zeros(frames, np.float32), np.zeros(frames, np.float32)
        for i in range(frames):
            if count[i] >= HOPS_PER_FRAME // 2:
                self._frames = min(self._frames + 1, self._MEMORY_FRAMES)
                self._octave += (float(octaves[i]) - self._octave) / self._frames
                self._level_db += (float(energy_db[i]) - self._level_db) / self._frames
                f0[i] = octaves[i] - self._octave
            energy[i] = 1.0 + (energy_db[i] - self._level_db) / self._QUIET_BELOW_DB
        voicing = features.voicing.reshape(frames, HOPS_PER_FRAME).mean(axis=1)
        return Sound(np.clip(f0, -1.0, 1.0), voicing.astype(np.float32), np.clip(energy, 0.0, 1.5))


@dataclass(frozen=True, slots=True, eq=False)
class Cues:
    """Prosody of some frames, float32 [frames] each, as ``CONDITION`` names them."""

    accent: NDArray[np.float32]
    accent_ahead: NDArray[np.float32]
    pause: NDArray[np.float32]
    remaining: NDArray[np.float32]


def cues(
    first_ms: float,
    frames: int,
    accents: Sequence[Accent],
    pauses: Sequence[tuple[float, float]],
    end_ms: float | None,
    notice: Notice,
) -> Cues:
    """Prosody on the frame grid, each frame told no more than it could know.

    Args:
        first_ms: middle of the first frame, on the clock of accents and pauses.
        frames: how many.
        accents: in order of time. ``accent`` is an accent's prominence about its vowel's start, ``accent_ahead`` rises
            to it over ``TIMED.accent_ms`` before the next known one.
        pauses: (start_ms, end_ms).
        end_ms: where the speech ends, None while that is not known.
        notice: how early accents and pauses are told.
    """
    times = first_ms + FRAME_MS * np.arange(frames)
    accent, ahead, pause = np.zeros(frames), np.zeros(frames), np.zeros(frames)
    for a in accents:
        tau = times - a.at_ms
        if frames == 0 or tau[-1] < -TIMED.accent_ms or tau[0] > _ACCENT_AT_MS[-1]:
            continue
        told = tau >= -notice.accent_ms
        prominence = min(a.prominence, _MOST_PROMINENT)
        accent = np.maximum(accent, told * prominence * np.interp(tau, _ACCENT_AT_MS, _ACCENT_SHAPE))
        ramp = np.where(tau <= 0.0, 1.0 + tau / TIMED.accent_ms, 0.0)
        ahead = np.maximum(ahead, told * min(prominence, 1.0) * np.maximum(ramp, 0.0))
    for begin, end in pauses:
        pause[(times >= begin + notice.pause_ms) & (times < end)] = 1.0
    remaining = np.ones(frames) if end_ms is None else np.clip((end_ms - times) / (REMAINING_S * 1000.0), 0.0, 1.0)
    return Cues(*(channel.astype(np.float32) for channel in (accent, ahead, pause, remaining)))


def build(
    demand: NDArray[np.float32],
    sealed: NDArray[np.bool_],
    touching: NDArray[np.bool_],
    activity: Activity | Sequence[Activity],
    *,
    phones_told: NDArray[np.float32] | None = None,
    sound: Sound | None = None,
    prosody: Cues | None = None,
    mood: float = 0.0,
    gesture_strength: float = 0.5,
) -> NDArray[np.float32]:
    """The condition of some frames.

    Args:
        demand: the mouth shown before residual and contacts, with its easing into and out of speech, [frames, COUNT].
        sealed, touching: contacts, bool [frames].
        activity: of each frame, or of all.
        phones_told: probabilities of the phone classes, [frames, phones.COUNT]; None where neither phonemes nor an encoder tell.
        sound: None where nothing sounds.
        prosody: None where nothing is said.
        mood: -1 sad or grave .. 1 cheerful.
        gesture_strength: 0 keeps the hands still .. 1 lively.

    Returns:
        float32 [frames, C], physical units.
    """
    frames = len(demand)
    if demand.shape != (frames, COUNT):
        raise ValueError(f"mouth demand has shape {demand.shape}, expected [frames, {COUNT}]")
    condition = np.zeros((frames, C), np.float32)
    condition[:, DEMAND] = demand
    condition[:, AT["sealed"]], condition[:, AT["touching"]] = sealed, touching
    if phones_told is not None:
        condition[:, PHONES] = phones_told
    if sound is not None:
        condition[:, SOUND] = np.stack((sound.f0, sound.voicing, sound.energy), axis=1)
    if prosody is not None:
        for name in ("accent", "accent_ahead", "pause", "remaining"):
            condition[:, AT[name]] = getattr(prosody, name)
    of_frames = [activity] * frames if isinstance(activity, Activity) else activity
    for i, what in enumerate(of_frames):
        condition[i, ACTIVITY.start + _ACTIVITIES.index(what)] = 1.0
    condition[:, AT["mood"]] = min(max(mood, -1.0), 1.0)
    condition[:, AT["gesture_strength"]] = min(max(gesture_strength, 0.0), 1.0)
    return condition


def phone_probabilities(classes: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Shares of the phone classes in each frame, from one class a hop (100 Hz): [hops] to [hops // 4, phones.COUNT]."""
    frames = len(classes) // HOPS_PER_FRAME
    told = np.zeros((frames, phones.COUNT), np.float32)
    for hop in range(HOPS_PER_FRAME):
        told[np.arange(frames), classes[hop : frames * HOPS_PER_FRAME : HOPS_PER_FRAME]] += 1.0 / HOPS_PER_FRAME
    return told
