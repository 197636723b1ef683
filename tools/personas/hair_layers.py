"""A layered cut."""

from __future__ import annotations

from tools.personas.canvas import Canvas
from tools.personas.hair import fly_aways, hair_locks, hair_sheet
from tools.personas.head import Face
from tools.personas.numeric import rgb, smooth


def hair_layers(canvas: Canvas, face: Face, part: str) -> None:
    """Layered silver cut tucked at the ears, side part."""
    look = face.look
    if part == "back":
        canvas.cover(
            canvas.mask(
                [
                    (-1.6, -1.5),
                    (-1.86, 0.2),
                    (-1.72, 1.0),
                    (-1.32, 1.7),
                    (0, 1.9),
                    (1.32, 1.7),
                    (1.72, 1.0),
                    (1.86, 0.2),
                    (1.6, -1.5),
                ],
                0.03,
            ),
            rgb(look["hair"][0]) * 0.8,
        )
        for side in (-1, 1):
            hair_sheet(
                canvas,
                look,
                [
                    [(side * 1.3, -0.3), (side * 1.35, 0.8), (side * 1.02, 1.85)],
                    [(side * 1.7, -0.3), (side * 1.72, 0.7), (side * 1.30, 1.70)],
                    [(side * 1.9, -0.3), (side * 1.90, 0.7), (side * 1.52, 1.55)],
                ],
                500,
                base=False,
                tone=-0.16,
                seed=2 + side,
                spread=0.15,
            )
        return
    L = [
        [
            (-0.42, -1.98),
            (-0.80, -1.84),
            (-1.17, -1.34),
            (-1.39, -0.78),
            (-1.53, -0.32),
            (-1.68, 0.14),
            (-1.80, 0.62),
            (-1.72, 1.14),
        ],
        [
            (-0.42, -2.50),
            (-1.0, -2.42),
            (-1.50, -1.75),
            (-1.74, -0.9),
            (-1.86, -0.1),
            (-1.92, 0.5),
            (-1.86, 1.0),
            (-1.62, 1.46),
        ],
        [
            (-0.40, -3.10),
            (-1.08, -3.02),
            (-1.70, -2.35),
            (-1.98, -1.25),
            (-2.08, -0.25),
            (-2.08, 0.55),
            (-1.92, 1.2),
            (-1.50, 1.74),
        ],
    ]
    R = [
        [
            (-0.42, -1.98),
            (0.05, -1.88),
            (0.66, -1.72),
            (1.14, -1.32),
            (1.38, -0.78),
            (1.53, -0.30),
            (1.68, 0.16),
            (1.80, 0.64),
            (1.72, 1.14),
        ],
        [
            (-0.42, -2.50),
            (0.2, -2.50),
            (0.98, -2.22),
            (1.50, -1.6),
            (1.75, -0.8),
            (1.87, 0),
            (1.92, 0.55),
            (1.86, 1.0),
            (1.64, 1.46),
        ],
        [
            (-0.40, -3.10),
            (0.28, -3.20),
            (1.16, -2.94),
            (1.78, -2.1),
            (2.02, -1.0),
            (2.10, -0.1),
            (2.08, 0.6),
            (1.92, 1.2),
            (1.52, 1.74),
        ],
    ]
    for g, side in ((L, 3), (R, 4)):
        hair_sheet(
            canvas,
            look,
            g,
            2600,
            clump=26,
            seed=side,
            wave=(0.05, 1.1),
            spread=0.14,
            jitter=0.025,
            taper=(0.5, 0.8),
        )
        hair_sheet(
            canvas,
            look,
            g,
            700,
            clump=18,
            seed=side + 10,
            base=False,
            sub=(0.3, 0.7),
            wave=(0.07, 1.1),
            width=0.016,
            jitter=0.04,
            tone=0.10,
            alpha=0.7,
        )
        hair_locks(
            canvas,
            look,
            g,
            64,
            half=(0.02, 0.06),
            start=(0.0, 0.5),
            length=(0.45, 0.8),
            seed=side,
            wave=(0.03, 1.1),
            alpha=0.8,
            shade=0.07,
        )
        canvas.cover(
            canvas.mask([(-0.42, -1.98), (-0.44, -2.4), (-0.40, -2.9)], 0.02, False, True, 0.03)
            * smooth(-3.0, -2.2, canvas.v),
            rgb(look["skin"][2]),
            0.20,
        )
        fly_aways(canvas, look, g[2], side, 260)
        # ends of uneven length that swing away from the mass, so that it has no cut edge
        swing = [[(x * (1 + 0.012 * k), y + 0.07 * k) for k, (x, y) in enumerate(guide[-5:])] for guide in g]
        hair_locks(
            canvas,
            look,
            swing,
            60,
            per=16,
            half=(0.02, 0.05),
            start=(0.25, 0.6),
            length=(0.35, 0.6),
            seed=side + 60,
            wave=(0.045, 1.0),
            alpha=0.6,
            shade=0.06,
            tone=0.14,
        )
    fr = [
        [
            (-0.40, -2.02),
            (0.10, -1.80),
            (0.68, -1.56),
            (1.10, -1.18),
            (1.34, -0.66),
            (1.47, -0.25),
            (1.58, 0.1),
        ],
        [(-0.40, -2.3), (0.2, -2.05), (0.92, -1.78), (1.38, -1.14), (1.56, -0.5), (1.68, 0), (1.76, 0.4)],
    ]
    hair_sheet(
        canvas,
        look,
        fr,
        420,
        clump=16,
        seed=31,
        base=False,
        width=0.018,
        jitter=0.03,
        spread=0.2,
        alpha=0.85,
        taper=(0.3, 0.8),
        wave=(0.05, 1.1),
    )
    fr = [
        [(-0.44, -2.02), (-0.74, -1.80), (-1.08, -1.32), (-1.32, -0.76), (-1.45, -0.3), (-1.57, 0.1)],
        [(-0.44, -2.3), (-0.9, -2.0), (-1.28, -1.45), (-1.52, -0.8), (-1.64, -0.1), (-1.74, 0.4)],
    ]
    hair_sheet(
        canvas,
        look,
        fr,
        260,
        clump=12,
        seed=32,
        base=False,
        width=0.018,
        jitter=0.03,
        spread=0.2,
        alpha=0.85,
        taper=(0.3, 0.8),
        wave=(0.05, 1.1),
    )
