"""Short back and sides."""

from __future__ import annotations

import numpy as np

from tools.personas.canvas import Canvas
from tools.personas.hair import hair_locks, hair_sheet
from tools.personas.head import Face
from tools.personas.numeric import curve, rgb, smooth


def hair_short(canvas: Canvas, face: Face, part: str) -> None:
    """Short back and sides, textured top, broken hairline."""
    look = face.look
    if part == "back":
        return
    inner = [
        (1.58, 0.05),
        (1.50, -0.45),
        (1.39, -0.85),
        (1.34, -1.10),
        (1.24, -1.38),
        (1.04, -1.66),
        (0.66, -1.83),
        (0.15, -1.84),
        (-0.38, -1.85),
        (-0.80, -1.80),
        (-1.12, -1.56),
        (-1.28, -1.30),
        (-1.35, -1.08),
        (-1.39, -0.85),
        (-1.50, -0.45),
        (-1.58, 0.05),
    ]
    outer = [
        (-1.66, 0.02),
        (-1.75, -0.5),
        (-1.80, -1.2),
        (-1.73, -1.95),
        (-1.36, -2.62),
        (-0.7, -3.02),
        (0.1, -3.16),
        (0.85, -3.0),
        (1.45, -2.5),
        (1.74, -1.9),
        (1.80, -1.2),
        (1.75, -0.5),
        (1.66, 0.02),
    ]
    m = (
        canvas.mask([*outer, (1.6, 0.3), (0, 1), (-1.6, 0.3)], 0.012)
        * (1 - canvas.mask([*inner, (-1.55, 1.5), (1.55, 1.5)], 0.07))
        * (0.35 + 0.65 * smooth(0.05, -0.8, canvas.v))
        * smooth(0.16, -0.1, canvas.v)
    )
    canvas.cover(m, rgb(look["hair"][0]) * 0.7 + rgb(look["hair"][1]) * 0.3, 0.97)
    for side in (-1, 1):
        g = [
            [(side * x, y) for x, y in q]
            for q in (
                [(1.26, -1.36), (1.40, -1.05), (1.49, -0.6), (1.62, 0.10)],
                [(1.3, -2.1), (1.62, -1.5), (1.70, -0.7), (1.66, 0.12)],
                [(1.42, -2.45), (1.78, -1.7), (1.81, -0.8), (1.70, 0.0)],
            )
        ]
        hair_sheet(
            canvas,
            look,
            g,
            2600,
            clump=60,
            sub=(0.06, 0.16),
            width=0.013,
            seed=6 + side,
            base=False,
            tone=-0.04,
            alpha=0.8,
            taper=(0.2, 0.9),
            fade=(0.10, -0.65),
        )
        if look.get("temple_grey"):
            hair_sheet(
                canvas,
                dict(look, hair=look["temple_grey"]),
                g[:2],
                170,
                clump=60,
                sub=(0.05, 0.11),
                width=0.008,
                seed=16 + side,
                base=False,
                alpha=0.34,
                taper=(0.2, 0.9),
            )
    g = [
        [(-1.27, -1.36), (-1.44, -1.72), (-1.55, -2.0), (-1.48, -2.32)],
        [(-1.02, -1.66), (-1.20, -2.12), (-1.18, -2.55), (-0.85, -2.92)],
        [(-0.62, -1.83), (-0.74, -2.35), (-0.52, -2.84), (0.02, -3.12)],
        [(-0.05, -1.84), (-0.08, -2.4), (0.22, -2.90), (0.76, -3.02)],
        [(0.50, -1.84), (0.60, -2.35), (0.90, -2.74), (1.28, -2.72)],
        [(0.98, -1.70), (1.18, -2.10), (1.42, -2.38), (1.62, -2.30)],
        [(1.24, -1.38), (1.44, -1.76), (1.60, -1.98), (1.74, -1.96)],
    ]
    hair_sheet(
        canvas,
        look,
        g,
        4200,
        clump=40,
        sub=(0.22, 0.5),
        width=0.018,
        seed=9,
        base=False,
        jitter=0.03,
        spread=0.12,
        taper=(0.25, 0.9),
        wave=(0.03, 0.7),
    )
    hair_locks(
        canvas,
        look,
        g,
        60,
        half=(0.015, 0.04),
        start=(0.0, 0.55),
        length=(0.3, 0.5),
        seed=9,
        wave=(0.03, 0.8),
        alpha=0.75,
        shade=0.08,
    )
    hl = curve(inner[3:13], 500)
    random = np.random.RandomState(3)
    i = random.randint(0, 499, 520)  # soft broken hairline
    root = hl[i] + random.randn(520, 2) * [0.02, 0.035] - [0, 0.01]
    d = np.stack([root[:, 0] * 0.35 + 0.12 * random.randn(520), -1 + 0.15 * random.randn(520)], 1)
    tt = np.linspace(0, 1, 8)[None, :, None]
    canvas.strands(
        root[:, None] + d[:, None] * random.uniform(0.12, 0.34, (520, 1, 1)) * tt,
        np.full(520, 0.011),
        np.tile(rgb(look["hair"][1]), (520, 8, 1)),
        0.35 + 0.4 * random.rand(520),
        (0.1, 0.9),
    )
    hair_sheet(
        canvas,
        look,
        g,
        500,
        clump=46,
        sub=(0.2, 0.4),
        width=0.011,
        seed=12,
        base=False,
        jitter=0.05,
        spread=0.15,
        tone=0.10,
        alpha=0.6,
        taper=(0.2, 0.9),
    )
