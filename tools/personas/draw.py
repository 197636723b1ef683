"""Draws the built-in personas: original frontal portraits, made by code only.

    python -m tools.personas.draw --out FOLDER [--names helen,mei] [--scale 1]

No photograph, tracing, downloaded picture or trained model is used. Each head is a height field that is lit like
a painting (wrapped light on a five-colour skin ramp, soft occlusion, cast shadow, a cool rim); eyes, lips, brows,
hair strands and clothes are painted on top. Fixed seeds: the same numbers give the same picture.
Needs ``skia-python`` besides what Parley itself needs.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from tools.personas.canvas import CX, SIZE, Canvas
from tools.personas.clothes import paint_clothes
from tools.personas.eyes import paint_brow, paint_eye
from tools.personas.hair_bob import hair_bob
from tools.personas.hair_layers import hair_layers
from tools.personas.hair_short import hair_short
from tools.personas.head import Face
from tools.personas.lips import paint_lips
from tools.personas.numeric import smooth
from tools.personas.people import PEOPLE
from tools.personas.skin import paint_background, paint_ear, paint_face, paint_neck

HAIR = {"bob": hair_bob, "short": hair_short, "layers": hair_layers}


def draw(name, scale=2):
    """Whole picture of one persona, uint8 RGB, SIZE x SIZE; scale is the supersampling."""
    look = PEOPLE[name]
    canvas = Canvas(scale, look["seed"])
    face = Face(look)
    paint_background(canvas, look)
    HAIR[look["hair_style"]](canvas, face, "back")
    lift = look.get("lift", 0.0)
    canvas.shift(lift)
    paint_neck(canvas, face, lift)
    paint_clothes(canvas, face)
    canvas.shift(-lift)
    if look["hair_style"] != "bob":
        for side in (-1, 1):
            paint_ear(canvas, face, side)
    paint_face(canvas, face)
    paint_lips(canvas, face)
    for side in (-1, 1):
        paint_eye(canvas, face, side)
        paint_brow(canvas, face, side)
    HAIR[look["hair_style"]](canvas, face, "front")
    img = cv2.resize(np.clip(canvas.pixels, 0, 1), (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    random = np.random.RandomState(look["seed"] + 100)
    y, x = np.mgrid[:SIZE, :SIZE].astype(np.float32)  # no face is symmetric
    wob = [
        cv2.resize(
            cv2.GaussianBlur(random.randn(12, 12).astype(np.float32), (0, 0), 0.9),
            (SIZE, SIZE),
            interpolation=cv2.INTER_CUBIC,
        )
        * 7.0
        for _ in range(2)
    ]
    roll = np.radians(look.get("roll", 0.0)) * smooth(850, 640, y)  # the head leans a little
    x, y = x + roll * (y - 700), y - roll * (x - CX)
    img = cv2.remap(
        img,
        (x + wob[0]).astype(np.float32),
        (y + wob[1]).astype(np.float32),
        cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )
    glow = cv2.GaussianBlur(img, (0, 0), 22)
    img = 1 - (1 - img) * (1 - 0.10 * glow)
    img = img - 0.035 * (1 - img)
    img = img * (1 - 0.10 * smooth(0.75, 1.5, np.hypot(x / SIZE - 0.5, y / SIZE - 0.45) * 2))[..., None]
    g = np.random.RandomState(1)
    grain = cv2.GaussianBlur(g.randn(SIZE, SIZE, 1).astype(np.float32), (0, 0), 0.7)[..., None] * 0.010
    img = np.clip(img + grain * (0.4 + img * (1 - img) * 3), 0, 1)
    return (img * 255 + 0.5).astype(np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--names", default=",".join(PEOPLE))
    parser.add_argument("--scale", type=int, default=2, help="supersampling: 1 for previews, 2 for the real ones")
    wanted = parser.parse_args()
    wanted.out.mkdir(parents=True, exist_ok=True)
    for name in wanted.names.split(","):
        cv2.imwrite(str(wanted.out / f"{name}.png"), draw(name, wanted.scale)[..., ::-1])


if __name__ == "__main__":
    main()
