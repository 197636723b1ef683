"""``Motion``: the contract inside ``avatar``. Whatever moves a face makes it; whatever draws one reads it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FACE_CHANNELS = (
    # The 52 ARKit blendshape names (Apple ARKit, ARFaceAnchor.BlendShapeLocation), weights 0..1.
    "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight",
    "cheekPuff", "cheekSquintLeft", "cheekSquintRight",
    "eyeBlinkLeft", "eyeBlinkRight", "eyeLookDownLeft", "eyeLookDownRight", "eyeLookInLeft", "eyeLookInRight",
    "eyeLookOutLeft", "eyeLookOutRight", "eyeLookUpLeft", "eyeLookUpRight", "eyeSquintLeft", "eyeSquintRight",
    "eyeWideLeft", "eyeWideRight",
    "jawForward", "jawLeft", "jawOpen", "jawRight",
    "mouthClose", "mouthDimpleLeft", "mouthDimpleRight", "mouthFrownLeft", "mouthFrownRight", "mouthFunnel",
    "mouthLeft", "mouthLowerDownLeft", "mouthLowerDownRight", "mouthPressLeft", "mouthPressRight", "mouthPucker",
    "mouthRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper",
    "mouthSmileLeft", "mouthSmileRight", "mouthStretchLeft", "mouthStretchRight",
    "mouthUpperUpLeft", "mouthUpperUpRight", "noseSneerLeft", "noseSneerRight", "tongueOut",
)  # fmt: skip

BODY_CHANNELS = (
    "headPitch", "headYaw", "headRoll",      # degrees; +pitch looks up, +yaw turns to the avatar's left, +roll tilts to its left
    "headX", "headY", "headZ",               # translation in face heights; +x to the avatar's left, +y up, +z to the camera
    "tongueUp",                              # 0..1, tip to the upper teeth (l, n, t, d, th)
    "breath",                                # 0 breathed out .. 1 breathed in
    "shoulderLeft", "shoulderRight",         # -1..1, +1 raised
)  # fmt: skip

HAND_POINTS = 21
HAND_CHANNELS = (
    *(f"hand{side}{point}{axis}" for side in ("Left", "Right") for point in range(HAND_POINTS) for axis in "XY"),
    "handLeftScore",
    "handRightScore",
)
"""2x21 keypoints (DWPose/OpenPose hand order) as fractions of EchoMimicV2's 768x768 pose canvas,
x to the picture's right, y down, and one visibility score 0..1 a hand (0: not drawn)."""

CHANNELS = FACE_CHANNELS + BODY_CHANNELS + HAND_CHANNELS
INDEX = {name: i for i, name in enumerate(CHANNELS)}


@dataclass(frozen=True, slots=True)
class Motion:
    """Motion at 25 Hz.

    Attributes:
        values: float32, shape [frames, len(CHANNELS)]; all zeros is the picture as it is, hands hidden.
    """

    values: NDArray[np.float32]

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or self.values.shape[1] != len(CHANNELS):
            raise ValueError(f"Motion needs shape [frames, {len(CHANNELS)}], got {self.values.shape}")

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, name: str) -> NDArray[np.float32]:
        """One channel by its name, shape [frames] (a view)."""
        return self.values[:, INDEX[name]]

    @staticmethod
    def zeros(frames: int) -> Motion:
        """The picture at rest for ``frames`` frames."""
        return Motion(np.zeros((frames, len(CHANNELS)), np.float32))
