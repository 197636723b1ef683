"""STATE: the vector that is diffused, one a frame at 25 Hz, and its way to and from ``Motion``.

What speech fixes is not in it: the mouth is told to the generator as a *demand*, and the state holds only the residual,
mouth shown minus mouth demanded (how this person articulates). Everything else is absolute, in physical units.
Contacts of the lips are enforced after sampling, so no noise of a sampler can open a closed mouth.

The eyes are held as a direction in the room, (0, 0) the person on the other side of the camera: subtracting the head when
``Motion`` is made keeps them on their target while the head moves (vestibulo-ocular reflex), also under a nod laid over it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from avatar.motion.behaviour.gaze import EYE_RANGE_DEG
from avatar.motion.motion import CHANNELS, HAND_POINTS, INDEX
from avatar.motion.speech import coarticulation
from avatar.motion.speech.mouth import (
    COUNT,
    FUNNEL,
    JAW,
    LOWER,
    PARAMETERS,
    PRESS,
    PUCKER,
    ROLL_LOWER,
    ROLL_UPPER,
    SEAL,
    SPREAD,
    TONGUE,
    UPPER,
    to_channels,
)

HAND_COMPONENTS = 24
"""Principal components of both hands' keypoints together."""

STATE = (
    *(f"residual_{name}" for name in PARAMETERS),  # mouth shown minus mouth demanded
    "smile", "press",                              # 0..1, added to the speaking mouth
    "brow_inner", "brow_outer", "brow_down",       # 0..1
    "blink",                                       # 0 open .. 1 shut, without the lids' following of the gaze
    "gaze_yaw", "gaze_pitch",                      # degrees in the room; +yaw to the avatar's left, +pitch up
    "head_pitch", "head_yaw", "head_roll",         # degrees, as Motion's
    "head_x", "head_y", "head_z",                  # face heights, as Motion's
    "breath",                                      # 0..1
    "shoulder_left", "shoulder_right",             # -1..1
    *(f"hands_{i}" for i in range(HAND_COMPONENTS)),
    "hand_left_score", "hand_right_score",         # 0..1, 0: not drawn
)  # fmt: skip
D = len(STATE)
AT = {name: i for i, name in enumerate(STATE)}

MOUTH = slice(AT["residual_jaw"], AT["residual_tongue"] + 1)
HANDS = slice(AT["hands_0"], AT[f"hands_{HAND_COMPONENTS - 1}"] + 1)
SCORES = slice(AT["hand_left_score"], AT["hand_right_score"] + 1)
HEAD = slice(AT["head_pitch"], AT["head_z"] + 1)

RESIDUAL_LIMIT = 0.15
"""Read back from a shown mouth, a larger difference from the demand is an enforced contact or a gesture, not a manner."""

SCORE_FLOOR = 0.1
"""Scores below this are a sampler's noise about 0 and draw no ghost of a hand."""

LID_DROP = 0.012
"""Closure of the upper lid per degree of downward look: lids follow the eye (as behaviour.blinks.lid_drop)."""

_SMILE_MOST = 0.8
_SMILE_LOST_TO_ROUNDING = 0.7
_PRESS_TUCKS = 0.6
_CHEEKS, _SQUINT = 0.6, 0.35

_HAND_VALUES = 2 * HAND_POINTS * 2
_FIRST_HAND = INDEX["handLeft0X"]
_HAND_POINTS = slice(_FIRST_HAND, _FIRST_HAND + _HAND_VALUES)
_HAND_SCORES = [INDEX["handLeftScore"], INDEX["handRightScore"]]


@dataclass(frozen=True, slots=True, eq=False)
class HandBasis:
    """Principal components of the keypoints of both hands, left hand first, in canvas fractions.

    Attributes:
        mean: float32 [84].
        components: orthonormal rows, float32 [HAND_COMPONENTS, 84].
        hidden: both hands hanging below the picture, float32 [84].
    """

    mean: NDArray[np.float32]
    components: NDArray[np.float32]
    hidden: NDArray[np.float32]

    def __post_init__(self) -> None:
        shapes = self.mean.shape, self.components.shape, self.hidden.shape
        if shapes != ((_HAND_VALUES,), (HAND_COMPONENTS, _HAND_VALUES), (_HAND_VALUES,)):
            raise ValueError(f"a hand basis needs [84], [{HAND_COMPONENTS}, 84] and [84] values, got {shapes}")

    def encode(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """Keypoints [frames, 2, 21, 2] or [frames, 84] to coefficients [frames, HAND_COMPONENTS]."""
        flat = np.asarray(points, np.float32).reshape(-1, _HAND_VALUES)
        coefficients: NDArray[np.float32] = np.matmul(flat - self.mean, self.components.T, dtype=np.float32)
        return coefficients

    def decode(self, coefficients: NDArray[np.float32]) -> NDArray[np.float32]:
        """Coefficients [frames, HAND_COMPONENTS] to keypoints [frames, 84]."""
        points: NDArray[np.float32] = coefficients @ self.components + self.mean
        return points

    def save(self, path: Path) -> None:
        with path.open("wb") as file:
            np.savez(file, mean=self.mean, components=self.components, hidden=self.hidden)

    @staticmethod
    def load(path: Path) -> HandBasis:
        with np.load(path, allow_pickle=False) as file:
            return HandBasis(*(file[name].astype(np.float32) for name in ("mean", "components", "hidden")))


@dataclass(frozen=True, slots=True, eq=False)
class Normalisation:
    """Mean and standard deviation of every channel, over the training scenes; float32 [D] and [C]."""

    state_mean: NDArray[np.float32]
    state_std: NDArray[np.float32]
    condition_mean: NDArray[np.float32]
    condition_std: NDArray[np.float32]

    def __post_init__(self) -> None:
        if self.state_mean.shape != (D,) or self.state_std.shape != (D,):
            raise ValueError(f"normalisation of {self.state_mean.shape} state channels, expected ({D},)")
        if self.condition_mean.shape != self.condition_std.shape or self.condition_mean.ndim != 1:
            raise ValueError(f"normalisation of {self.condition_mean.shape} and {self.condition_std.shape} conditions")
        if not (np.all(self.state_std > 0) and np.all(self.condition_std > 0)):
            raise ValueError("a standard deviation of the normalisation is not positive")

    def state(self, state: NDArray[np.float32]) -> NDArray[np.float32]:
        """Physical units to zero mean and unit variance, [..., D]."""
        out: NDArray[np.float32] = (state - self.state_mean) / self.state_std
        return out

    def physical(self, normal: NDArray[np.float32]) -> NDArray[np.float32]:
        """Inverse of ``state``."""
        out: NDArray[np.float32] = normal * self.state_std + self.state_mean
        return out

    def condition(self, condition: NDArray[np.float32]) -> NDArray[np.float32]:
        """Condition channels to zero mean and unit variance, [..., C]."""
        out: NDArray[np.float32] = (condition - self.condition_mean) / self.condition_std
        return out

    def save(self, path: Path) -> None:
        with path.open("wb") as file:
            np.savez(
                file,
                state_mean=self.state_mean,
                state_std=self.state_std,
                condition_mean=self.condition_mean,
                condition_std=self.condition_std,
            )

    @staticmethod
    def load(path: Path) -> Normalisation:
        names = ("state_mean", "state_std", "condition_mean", "condition_std")
        with np.load(path, allow_pickle=False) as file:
            return Normalisation(*(file[name].astype(np.float32) for name in names))


def from_parts(frames: int, parts: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
    """A state of ``frames`` frames from channels by their names in ``STATE``; what is not given is 0.

    ``"mouth"`` [frames, COUNT], ``"hands"`` [frames, HAND_COMPONENTS] name the groups.

    Raises:
        KeyError: no such channel.
    """
    state = np.zeros((frames, D), np.float32)
    for name, values in parts.items():
        state[:, MOUTH if name == "mouth" else HANDS if name == "hands" else AT[name]] = values
    return state


def to_motion_values(
    state: NDArray[np.float32],
    demand: NDArray[np.float32],
    sealed: NDArray[np.bool_],
    touching: NDArray[np.bool_],
    hands: HandBasis,
) -> NDArray[np.float32]:
    """What the state looks like.

    Args:
        state: physical units, [frames, D].
        demand: the mouth that speech asks for, before contacts, [frames, COUNT].
        sealed, touching: the contacts, bool [frames].
        hands: the basis that the state's coefficients are of.

    Returns:
        ``Motion.values``, float32 [frames, len(CHANNELS)].
    """
    mouth = (demand + state[:, MOUTH]).astype(np.float32)
    np.clip(mouth, 0.0, 1.0, out=mouth)
    coarticulation.enforce(mouth, sealed, touching)
    values = to_channels(mouth)
    _put_face(values, state, _rounding(mouth))
    _put_eyes(values, state)
    for name in ("headPitch", "headYaw", "headRoll", "headX", "headY", "headZ"):
        values[:, INDEX[name]] = state[:, AT["head_" + name[4:].lower()]]
    values[:, INDEX["breath"]] = np.clip(state[:, AT["breath"]], 0.0, 1.0)
    for side in ("left", "right"):
        values[:, INDEX["shoulder" + side.capitalize()]] = np.clip(state[:, AT["shoulder_" + side]], -1.0, 1.0)
    values[:, _HAND_POINTS] = hands.decode(state[:, HANDS])
    scores = np.clip(state[:, SCORES], 0.0, 1.0)
    values[:, _HAND_SCORES] = np.where(scores < SCORE_FLOOR, 0.0, scores)
    return values


def _rounding(mouth: NDArray[np.float32]) -> NDArray[np.float32]:
    rounding: NDArray[np.float32] = (mouth[:, PUCKER] + mouth[:, FUNNEL]) * (1.0 - mouth[:, SEAL])
    return np.minimum(rounding, 1.0)


def _put_face(values: NDArray[np.float32], state: NDArray[np.float32], rounding: NDArray[np.float32]) -> None:
    """Expression on top of the speaking mouth, in the shares of ``behaviour.body``."""
    smile = np.clip(state[:, AT["smile"]], 0.0, _SMILE_MOST) * (1.0 - _SMILE_LOST_TO_ROUNDING * rounding)
    press = np.clip(state[:, AT["press"]], 0.0, 1.0)
    outer, down = (np.clip(state[:, AT[name]], 0.0, 1.0) for name in ("brow_outer", "brow_down"))
    for side in ("Left", "Right"):
        for channel, added in (("mouthSmile", smile), ("mouthPress", press)):
            at = INDEX[channel + side]
            values[:, at] = np.minimum(values[:, at] + added, 1.0)
        values[:, INDEX["cheekSquint" + side]] = _CHEEKS * smile
        values[:, INDEX["eyeSquint" + side]] = _SQUINT * smile
        values[:, INDEX["browOuterUp" + side]] = outer
        values[:, INDEX["browDown" + side]] = down
    tuck = INDEX["mouthRollLower"]
    values[:, tuck] = np.minimum(values[:, tuck] + _PRESS_TUCKS * press, 1.0)
    values[:, INDEX["browInnerUp"]] = np.clip(state[:, AT["brow_inner"]], 0.0, 1.0)


def _put_eyes(values: NDArray[np.float32], state: NDArray[np.float32]) -> None:
    yaw = (state[:, AT["gaze_yaw"]] - state[:, AT["head_yaw"]]) / EYE_RANGE_DEG
    pitch = (state[:, AT["gaze_pitch"]] - state[:, AT["head_pitch"]]) / EYE_RANGE_DEG
    for names, weight in (
        (("eyeLookOutLeft", "eyeLookInRight"), yaw),
        (("eyeLookInLeft", "eyeLookOutRight"), -yaw),
        (("eyeLookUpLeft", "eyeLookUpRight"), pitch),
        (("eyeLookDownLeft", "eyeLookDownRight"), -pitch),
        (("eyeBlinkLeft", "eyeBlinkRight"), np.maximum(state[:, AT["blink"]], -LID_DROP * EYE_RANGE_DEG * pitch)),
    ):
        for name in names:
            values[:, INDEX[name]] = np.clip(weight, 0.0, 1.0)


def from_motion(values: NDArray[np.float32], demand: NDArray[np.float32], hands: HandBasis) -> NDArray[np.float32]:
    """The state that looks like ``values``: after a gesture was laid over it, or of a driving video.

    Args:
        values: ``Motion.values``, [frames, len(CHANNELS)].
        demand: the mouth that speech asked for at these frames, [frames, COUNT]; zeros where nothing is said.
        hands: the basis of the state wanted.

    Returns:
        float32 [frames, D]. What cannot be told apart is given to one side: pressed lips beyond the demand are
        ``press``, and a residual stays within ``RESIDUAL_LIMIT``. A hand without points hangs below the picture.
    """
    if values.shape[1:] != (len(CHANNELS),) or demand.shape != (len(values), COUNT):
        raise ValueError(f"motion {values.shape} and mouth demand {demand.shape} do not belong together")

    def both(name: str) -> NDArray[np.float32]:
        mean: NDArray[np.float32] = values[:, [INDEX[name + "Left"], INDEX[name + "Right"]]].mean(axis=1)
        return mean

    mouth = _mouth_of(values, demand)
    rounding = _rounding(mouth)
    spread_smile = to_channels(mouth)[:, INDEX["mouthSmileLeft"]]
    smile = (both("mouthSmile") - spread_smile) / (1.0 - _SMILE_LOST_TO_ROUNDING * rounding)
    yaw = EYE_RANGE_DEG * (values[:, INDEX["eyeLookOutLeft"]] - values[:, INDEX["eyeLookInLeft"]])
    pitch = EYE_RANGE_DEG * (both("eyeLookUp") - both("eyeLookDown"))
    parts = {
        "mouth": np.clip(mouth - demand, -RESIDUAL_LIMIT, RESIDUAL_LIMIT),
        "smile": np.clip(smile, 0.0, _SMILE_MOST),
        "press": np.maximum(both("mouthPress") - np.clip(demand[:, PRESS], 0.0, 1.0), 0.0),
        "brow_inner": values[:, INDEX["browInnerUp"]],
        "brow_outer": both("browOuterUp"),
        "brow_down": both("browDown"),
        "blink": both("eyeBlink"),
        "gaze_yaw": yaw + values[:, INDEX["headYaw"]],
        "gaze_pitch": pitch + values[:, INDEX["headPitch"]],
        "breath": values[:, INDEX["breath"]],
        "shoulder_left": values[:, INDEX["shoulderLeft"]],
        "shoulder_right": values[:, INDEX["shoulderRight"]],
        "hands": hands.encode(_points_of(values, hands)),
        "hand_left_score": values[:, INDEX["handLeftScore"]],
        "hand_right_score": values[:, INDEX["handRightScore"]],
    }
    # Lids that only follow the gaze are no blink.
    dropped = parts["blink"] <= LID_DROP * np.maximum(-pitch, 0.0) + 0.02
    parts["blink"] = np.where(dropped, 0.0, parts["blink"])
    for name in ("headPitch", "headYaw", "headRoll", "headX", "headY", "headZ"):
        parts["head_" + name[4:].lower()] = values[:, INDEX[name]]
    return from_parts(len(values), parts)


def _mouth_of(values: NDArray[np.float32], demand: NDArray[np.float32]) -> NDArray[np.float32]:
    """Inverse of ``to_channels`` as far as there is one; a sealed mouth's hidden parameters are the demand's."""

    def mean(name: str) -> NDArray[np.float32]:
        sides = (name,) if name in INDEX else (name + "Left", name + "Right")
        mean: NDArray[np.float32] = values[:, [INDEX[side] for side in sides]].mean(axis=1)
        return mean

    mouth = np.clip(demand, 0.0, 1.0).astype(np.float32)
    jaw = mean("jawOpen")
    seal = np.where(jaw > 0.02, mean("mouthClose") / np.maximum(jaw, 0.02), mouth[:, SEAL])
    mouth[:, JAW], mouth[:, SEAL] = jaw, np.clip(seal, 0.0, 1.0)
    parted = mouth[:, SEAL] < 0.8
    stretch = mean("mouthStretch") / float(
        to_channels(np.eye(COUNT, dtype=np.float32))[SPREAD, INDEX["mouthStretchLeft"]]
    )
    for parameter, shown, undone in (
        (PUCKER, mean("mouthPucker"), 0.3),
        (SPREAD, stretch, 0.3),
        (FUNNEL, mean("mouthFunnel"), 1.0),
        (UPPER, mean("mouthUpperUp"), 1.0),
        (LOWER, mean("mouthLowerDown"), 1.0),
    ):
        mouth[parted, parameter] = shown[parted] / (1.0 - undone * mouth[parted, SEAL])
    press = np.maximum(mean("mouthPress") - mouth[:, PRESS], 0.0)
    mouth[:, ROLL_LOWER] = mean("mouthRollLower") - _PRESS_TUCKS * press
    mouth[:, ROLL_UPPER] = mean("mouthRollUpper")
    mouth[:, TONGUE] = values[:, INDEX["tongueUp"]]
    return np.clip(mouth, 0.0, 1.0)


def _points_of(values: NDArray[np.float32], hands: HandBasis) -> NDArray[np.float32]:
    points = values[:, _HAND_POINTS].reshape(len(values), 2, -1).copy()
    hidden = hands.hidden.reshape(2, -1)
    for hand in range(2):
        absent = ~points[:, hand].any(axis=1)
        points[absent, hand] = hidden[hand]
    return points.reshape(len(values), -1)
