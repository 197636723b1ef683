"""A chin-length bob."""

from __future__ import annotations

from tools.personas.canvas import Canvas
from tools.personas.hair import fly_aways, hair_locks, hair_sheet
from tools.personas.head import Face
from tools.personas.numeric import rgb, smooth
from tools.personas.skin import paint_ear


def hair_bob(canvas: Canvas, face: Face, part: str) -> None:
    """Straight chin-length bob, side part, swept fringe, tucked behind the ear on the picture's right."""
    look = face.look
    if part == "back":
        pts = [
            (-1.5, -1.5),
            (-1.8, 0.5),
            (-1.62, 1.6),
            (-1.22, 2.16),
            (0, 2.24),
            (1.22, 2.16),
            (1.62, 1.6),
            (1.8, 0.5),
            (1.5, -1.5),
        ]
        canvas.cover(canvas.mask(pts, 0.010), rgb(look["hair"][0]) * 0.85)
        hair_sheet(
            canvas,
            look,
            [
                [(-1.8, 0), (-1.72, 1.2), (-1.16, 2.22)],
                [(0, 0), (0, 1.2), (0, 2.30)],
                [(1.8, 0), (1.72, 1.2), (1.16, 2.22)],
            ],
            900,
            base=False,
            tone=-0.14,
            seed=2,
            width=0.016,
        )
        return
    L = [
        [
            (0.34, -1.98),
            (-0.16, -1.96),
            (-0.76, -1.64),
            (-1.22, -0.98),
            (-1.44, -0.1),
            (-1.52, 0.8),
            (-1.44, 1.55),
            (-1.16, 2.06),
        ],
        [
            (0.34, -2.50),
            (-0.35, -2.46),
            (-1.10, -2.02),
            (-1.56, -1.1),
            (-1.70, 0),
            (-1.74, 1.0),
            (-1.62, 1.72),
            (-1.28, 2.20),
        ],
        [
            (0.32, -3.00),
            (-0.42, -3.10),
            (-1.28, -2.66),
            (-1.78, -1.5),
            (-1.94, -0.1),
            (-1.98, 1.0),
            (-1.86, 1.75),
            (-1.48, 2.24),
        ],
    ]
    R = [
        [
            (0.34, -1.98),
            (0.66, -1.92),
            (1.06, -1.58),
            (1.36, -1.02),
            (1.60, -0.42),
            (1.72, 0.3),
            (1.66, 1.2),
            (1.24, 1.98),
        ],
        [
            (0.34, -2.50),
            (0.80, -2.42),
            (1.34, -1.95),
            (1.66, -1.1),
            (1.80, -0.1),
            (1.84, 0.9),
            (1.72, 1.66),
            (1.32, 2.14),
        ],
        [
            (0.32, -3.00),
            (0.86, -2.98),
            (1.52, -2.45),
            (1.86, -1.4),
            (1.97, -0.1),
            (2.00, 1.0),
            (1.88, 1.75),
            (1.52, 2.22),
        ],
    ]
    for g, side in ((R, 4), (L, 3)):
        hair_sheet(canvas, look, g, 2600, clump=34, seed=side, wave=(0.03, 0.8), spread=0.06, taper=(0.5, 0.25))
        hair_sheet(
            canvas,
            look,
            g,
            500,
            clump=60,
            seed=side + 10,
            base=False,
            width=0.012,
            jitter=0.035,
            tone=0.08,
            alpha=0.6,
            spread=0.1,
        )
        hair_locks(
            canvas,
            look,
            g,
            36,
            start=(0.0, 0.5),
            length=(0.45, 0.8),
            seed=side,
            wave=(0.02, 0.8),
            alpha=0.6,
            shade=0.06,
        )
        fly_aways(canvas, look, g[2], side)
    fr = [
        [(0.33, -2.00), (-0.12, -1.88), (-0.70, -1.50), (-1.14, -0.92), (-1.37, -0.15), (-1.45, 0.6)],
        [(0.33, -2.3), (-0.25, -2.05), (-0.88, -1.60), (-1.34, -0.85), (-1.52, 0), (-1.56, 0.8)],
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
    )
    fr = [
        [(0.35, -2.00), (0.64, -1.86), (1.0, -1.48), (1.30, -0.94), (1.54, -0.46), (1.66, -0.30)],
        [(0.35, -2.3), (0.75, -2.0), (1.16, -1.52), (1.46, -0.86), (1.68, -0.48), (1.78, -0.36)],
    ]
    hair_sheet(
        canvas,
        look,
        fr,
        220,
        clump=12,
        seed=32,
        base=False,
        width=0.018,
        jitter=0.02,
        spread=0.1,
        alpha=0.85,
        taper=(0.3, 0.8),
    )
    paint_ear(canvas, face, 1, before=True)
    fr = [
        [(0.34, -2.04), (-0.10, -1.74), (-0.62, -1.34), (-1.08, -0.90), (-1.38, -0.36), (-1.48, 0.3)],
        [(0.34, -2.30), (-0.30, -2.08), (-0.90, -1.62), (-1.34, -0.95), (-1.52, -0.1), (-1.57, 0.7)],
    ]
    hair_locks(
        canvas,
        look,
        fr,
        22,
        per=30,
        half=(0.06, 0.14),
        start=(0, 0.12),
        length=(0.55, 0.95),
        seed=33,
        wave=(0.02, 0.8),
        alpha=0.75,
        shade=0.05,
    )
    canvas.cover(
        canvas.mask([(0.34, -1.98), (0.35, -2.3), (0.34, -2.62)], 0.012, False, True, 0.014)
        * smooth(-2.75, -2.1, canvas.v),
        rgb(look["skin"][1]) * 0.9,
        0.4,
    )
