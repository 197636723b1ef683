"""A persona's face in every shape, on one picture to be looked at: ``python -m benchmarks.contact_sheet PERSONA -o sheet.jpg``.

The first rows are the mouth shapes of speech as the viseme rules make them, then whatever else a face does, at amplitudes a
conversation reaches or goes a little beyond: what looks right here looks right live.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from avatar.motion.motion import INDEX, Motion
from avatar.persona import Persona, find_persona
from avatar.portrait.renderer import PortraitRenderer
from avatar.portrait.rig import Rig

Frame = NDArray[np.uint8]

SHAPES: dict[str, dict[str, float]] = {
    "rest": {},
    "aa": {"jawOpen": 0.5},
    "eh": {"jawOpen": 0.32, "mouthStretch": 0.2, "mouthLowerDown": 0.2},
    "ee": {"jawOpen": 0.16, "mouthSmile": 0.3, "mouthStretch": 0.4, "mouthLowerDown": 0.3, "mouthUpperUp": 0.15},
    "oo": {"jawOpen": 0.15, "mouthPucker": 0.75, "mouthFunnel": 0.2},
    "oh": {"jawOpen": 0.38, "mouthFunnel": 0.6, "mouthPucker": 0.2},
    "m b p": {"jawOpen": 0.1, "mouthClose": 0.1, "mouthPress": 0.28, "mouthRollLower": 0.14},
    "f v": {"jawOpen": 0.13, "mouthClose": 0.03, "mouthRollLower": 0.75, "mouthUpperUp": 0.4},
    "sh": {"jawOpen": 0.09, "mouthFunnel": 0.45, "mouthPucker": 0.32, "mouthLowerDown": 0.12, "mouthUpperUp": 0.12},
    "s": {"jawOpen": 0.08, "mouthStretch": 0.21, "mouthSmile": 0.13, "mouthLowerDown": 0.28, "mouthUpperUp": 0.14},
    "l n": {"jawOpen": 0.25, "tongueUp": 0.9},
    "th": {"jawOpen": 0.17, "tongueUp": 0.95, "mouthLowerDown": 0.14},
    "smile": {"mouthSmile": 0.7, "cheekSquint": 0.4},
    "blink, half": {"eyeBlink": 0.5},
    "blink": {"eyeBlink": 1.0},
    "looks left": {"eyeLookOutLeft": 0.6, "eyeLookInRight": 0.6},
    "looks right": {"eyeLookInLeft": 0.6, "eyeLookOutRight": 0.6},
    "looks down": {"eyeLookDown": 0.6},
    "brows up": {"browInnerUp": 0.8, "browOuterUp": 0.8, "eyeWide": 0.4},
    "brows down": {"browDown": 0.8, "eyeSquint": 0.4},
    "turns left": {"headYaw": 12.0},
    "turns right": {"headYaw": -12.0},
    "nods": {"headPitch": -9.0},
    "tilts": {"headRoll": 7.0, "headPitch": 4.0},
}

TILE = 256
COLUMNS = 6
STRIP = 22
FACE_MARGIN = 0.62
"""Half the width of a tile, in face heights."""


def contact_sheet(persona: Persona, *, size: int = 512) -> Frame:
    """All ``SHAPES`` of a persona's face, BGR, six to a row.

    Raises:
        PersonaError: the folder is damaged.
    """
    renderer = PortraitRenderer(persona.picture(), Rig.load(persona.rig_path), size=size)
    tiles = [_tile(renderer, name, channels) for name, channels in SHAPES.items()]
    rows = [np.hstack(tiles[i : i + COLUMNS]) for i in range(0, len(tiles), COLUMNS)]
    return np.vstack(rows)


def _tile(renderer: PortraitRenderer, name: str, channels: dict[str, float]) -> Frame:
    (frame,) = renderer.render(_motion(channels))
    points = renderer.points
    face = float(np.linalg.norm(points[10, :2] - points[152, :2]))
    x, y = points[:468, :2].mean(0)
    scale = TILE / (2 * FACE_MARGIN * face)
    matrix = np.array([[scale, 0, TILE / 2 - scale * x], [0, scale, TILE / 2 - scale * y]], np.float32)
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    tile = cv2.warpAffine(frame, matrix, (TILE, TILE), flags=method, borderMode=cv2.BORDER_REPLICATE)
    strip = np.full((STRIP, TILE, 3), 245, np.uint8)
    cv2.putText(strip, name, (8, STRIP - 7), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (60, 60, 60), 1, cv2.LINE_AA)
    return np.vstack([tile, strip]).astype(np.uint8)


def _motion(channels: dict[str, float]) -> Motion:
    """One frame; a name without its side means both."""
    motion = Motion.zeros(1)
    for name, value in channels.items():
        for full in (name,) if name in INDEX else (name + "Left", name + "Right"):
            motion.values[0, INDEX[full]] = value
    return motion


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("persona", help="a persona's name or folder")
    parser.add_argument("-o", "--output", type=Path, required=True, help=".jpg or .png")
    options = parser.parse_args(arguments)
    path = Path(options.persona)
    persona = Persona.load(path) if path.is_dir() else find_persona(options.persona)
    sheet = contact_sheet(persona)
    kind = options.output.suffix.lower()
    if kind not in (".jpg", ".png"):
        parser.error(f"the output must end in .jpg or .png, got {options.output.name}")
    encoded = cv2.imencode(kind, sheet, [cv2.IMWRITE_JPEG_QUALITY, 84] if kind == ".jpg" else [])[1]
    options.output.write_bytes(encoded.tobytes())
    return 0


if __name__ == "__main__":
    sys.exit(main())
