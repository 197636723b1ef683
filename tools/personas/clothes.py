"""Clothes, layer by layer."""

from __future__ import annotations

from typing import Any

import numpy as np

from tools.personas.canvas import Canvas
from tools.personas.hair import mirror
from tools.personas.head import Face
from tools.personas.light import light_of
from tools.personas.numeric import bell, curve, ramp, rgb, smooth


def cloth(canvas: Canvas, pts, stops, z, shadow=0.45, bevel=0.03, weave=0.008, smoothed=True):
    """One layer of cloth: thrown shadow, bevelled edge, lit height field."""
    m = canvas.mask(pts, 0.005, smoothed=smoothed)
    if shadow:
        canvas.darken(
            canvas.mask(np.asarray(pts) + np.array([0.05, 0.07]), 0.07, smoothed=smoothed), rgb(stops[0]) * 0.5, shadow
        )
    t, _, _ = light_of(canvas, (z + bevel * canvas.blur(m, 0.03)).astype(np.float32), 1.0, 0)
    t = t * (1 + weave * canvas.rng.randn(canvas.side_px, canvas.side_px).astype(np.float32))
    canvas.cover(m, ramp(stops, np.clip(t, 0, 1)))


def paint_clothes(canvas: Canvas, face: Face) -> None:
    """What the person wears: a knitted pullover, or a shirt, with or without a coat over it."""
    look = face.look
    z = _body(canvas, look)
    outline = _shoulders(look.get("shoulder", 1.0))
    if "knit" in look:
        _paint_knit(canvas, look, z, outline)
        return
    _paint_shirt(canvas, look, z, outline)
    if "coat" in look:
        _paint_coat(canvas, look, z, outline)


def _body(canvas: Canvas, look: dict[str, Any]):
    """Chest and shoulders as a height field, with soft pulls of cloth from shoulder and arm."""
    s = look.get("shoulder", 1.0)
    u, v = canvas.u, canvas.v
    z = (
        1.6 * np.sqrt(np.clip(1 - (u / (5.6 * s)) ** 2, 0.02, 1))
        - 0.25 * np.clip(4.6 - v, 0, 2) ** 1.5 * smooth(0.8, 2.5, np.abs(u))
        + 0.25 * np.exp(-(((np.abs(u) - 1.5) / 1.4) ** 2) - ((v - 6.3) / 1.2) ** 2)
    )
    z = z + 0.04 * canvas.noise(0.9) * smooth(3.6, 5.5, v)
    for side in (-1, 1):  # drapery: soft pulls from shoulder and arm
        for pts, a, b in (
            ([(3.6, 4.5), (3.1, 5.2), (2.9, 6.2), (2.8, 7)], 0.16, 0.16),
            ([(4.1, 5.0), (3.75, 5.7), (3.6, 6.8)], 0.16, 0.12),
            ([(2.2, 4.4), (2.5, 5.2), (2.4, 6.4)], 0.10, 0.22),
        ):
            z = z - a * canvas.mask([(side * s * x, y) for x, y in pts], b, False, True, 0.07)
    return canvas.blur(z.astype(np.float32), 0.04)


def _shoulders(s: float) -> list[tuple[float, float]]:
    """The left outline from the neck over the shoulder to the picture's lower edge."""
    line = [
        (-1.22, 3.52),
        (-1.9 * s, 3.86),
        (-3.1 * s, 4.22),
        (-4.05 * s, 4.56),
        (-4.62 * s, 5.15),
        (-4.86 * s, 6.0),
        (-5.0 * s, 7.2),
    ]
    return [(-1.02, 3.30), *(tuple(point) for point in curve(line, 50))]


def _paint_knit(canvas: Canvas, look: dict[str, Any], z, outline) -> None:
    """A fine-knit pullover with a round, ribbed neckline."""
    knit, u, v = look["knit"], canvas.u, canvas.v
    side_neck, depth = look.get("neck", 0.92) * 1.30, look.get("neckline", 4.02)
    ring = curve([(-side_neck, 3.36), (-side_neck * 0.80, 3.72), (-side_neck * 0.42, depth - 0.09), (0.0, depth)], 40)
    ring = np.concatenate([ring, ring[::-1][1:] * [-1, 1]])
    left = outline[1:]
    body = [*ring, *mirror(left), *left[::-1]]
    ribs = 0.0013 * np.sin(2 * np.pi * 13 * (u + 0.06 * np.sin(v))) * smooth(5.2, 3.0, np.abs(u))
    cloth(canvas, body, knit, z + ribs.astype(np.float32), 0.3, 0.03, 0.020, smoothed=False)
    s = look.get("shoulder", 1.0)
    for side in (-1, 1):  # the seam where the sleeve is set in
        seam = [(side * x * s, y) for x, y in [(2.95, 4.17), (3.02, 4.6), (2.90, 5.2), (2.78, 5.9), (2.86, 6.8)]]
        canvas.darken(canvas.mask(seam, 0.02, False, True, 0.02), rgb(knit[0]), 0.35)
    down = np.gradient(ring, axis=0)
    down = np.stack([-down[:, 1], down[:, 0]], 1) / np.linalg.norm(down, axis=1, keepdims=True)
    band = [*(ring - 0.03 * down), *(ring + 0.20 * down)[::-1]]
    angle = np.arctan2(u, v - (depth - 1.35))
    stitches = (0.0045 * np.sin(angle * 95)).astype(np.float32)
    cloth(canvas, band, knit, z + 0.06 + stitches, 0.4, 0.05, 0.016, smoothed=False)
    canvas.darken(canvas.mask(ring + 0.20 * down, 0.012, False, False, 0.018), rgb(knit[0]), 0.45)


def _paint_shirt(canvas: Canvas, look: dict[str, Any], z, S) -> None:
    """A shirt with an open collar."""
    u, v = canvas.u, canvas.v
    shirt = look["shirt"]
    vee = look.get("vee", 4.45)
    front = [(-1.25, 3.5), *S[1:], (0, 7.2), (0.0, vee), (-0.55, 3.95)]
    for side in (-1, 1):
        cloth(canvas, [(side * a, b) for a, b in front], shirt, z, 0.25, smoothed=False)
    canvas.darken(canvas.mask([(0.0, vee), (0.02, 5.4), (0.02, 7)], 0.02, False, True, 0.026), rgb(shirt[1]), 0.7)
    for b in (vee + 0.55, vee + 1.45):
        canvas.cover(np.clip(1.5 - np.hypot(u - 0.08, v - b) / 0.05, 0, 1), rgb(shirt[3]) * 0.9)
        canvas.darken(
            bell(np.hypot(u - 0.10, v - b - 0.03), 0.06) * (np.hypot(u - 0.08, v - b) > 0.06),
            rgb(shirt[0]),
            0.6,
        )
    ck, nk = look.get("collar", 1.0), look.get("neck", 0.92) * 1.02
    for side in (1, -1):
        C = np.concatenate(
            [
                curve(
                    [
                        (nk * 1.0, 3.02),
                        (nk * 1.12 + 0.02, 3.22),
                        (nk * 1.12 + 0.26 * ck, 3.72),
                        (nk * 1.12 + 0.36 * ck, 4.12),
                        (1.02 * ck, vee + 0.46),
                    ],
                    30,
                ),
                curve([(1.02 * ck, vee + 0.46), (0.5, vee + 0.24), (0.0, vee)], 12)[1:],
                curve([(0.0, vee), (0.30, 3.98), (0.62, 3.55), (nk * 0.93, 3.08)], 20)[1:],
            ]
        )
        cloth(canvas, [(side * a, b) for a, b in C], shirt, z + 0.05, 0.45, 0.035, smoothed=False)
    if "coat" not in look:
        _paint_shirt_seams(canvas, look)


def _paint_shirt_seams(canvas: Canvas, look: dict[str, Any]) -> None:
    """Yoke, sleeve seams, a second edge of the placket and a pocket: what a coat would hide."""
    shirt, s, vee = look["shirt"], look.get("shoulder", 1.0), look.get("vee", 4.45)

    def stitch(line, width=0.014, strength=0.55) -> None:
        canvas.darken(canvas.mask(line, 0.010, False, True, width), rgb(shirt[0]), strength)
        raised = np.asarray(line) + np.array([0.02, 0.025])
        canvas.lighten(canvas.mask(raised, 0.014, False, True, width), rgb(shirt[4]), 0.16)

    for side in (-1, 1):
        stitch([(side * x * s, y) for x, y in [(3.05, 4.22), (3.14, 4.7), (3.02, 5.3), (2.86, 5.9), (2.94, 7.0)]])
        stitch([(side * x * s, y) for x, y in [(1.72, 4.28), (2.3, 4.42), (3.1, 4.55)]], strength=0.4)
    stitch([(0.24, vee + 0.42), (0.25, 5.6), (0.26, 7.1)], strength=0.45)
    pocket = [(1.32, 5.86), (2.42, 5.80), (2.44, 7.1)]
    canvas.darken(canvas.mask([(1.32, 5.80), (1.34, 7.1)], 0.010, False, False, 0.014), rgb(shirt[0]), 0.5)
    canvas.darken(canvas.mask(pocket, 0.010, False, False, 0.014), rgb(shirt[0]), 0.5)


def _paint_coat(canvas: Canvas, look: dict[str, Any], z, S) -> None:
    """A jacket with notched lapels."""
    coat, s = look["coat"], look.get("shoulder", 1.0)
    for side in (1, -1):
        B = [(1.22, 3.42), *mirror(S[1:]), (0.0, 7.2), (0.32, 6.3), (0.78, 5.1), (1.08, 4.2)]
        cloth(
            canvas,
            [(side * a, b) for a, b in B],
            coat,
            z + 0.06,
            0.5,
            0.03,
            look.get("coat_weave", 0.016),
            smoothed=False,
        )
        lap = [
            (1.20, 3.40),
            (1.52, 3.62),
            (2.02, 4.35),
            (1.80, 4.52),
            (2.32, 4.70),
            (2.0, 5.3),
            (1.1, 6.3),
            (0.25, 7.2),
            (0.1, 7.2),
            (0.30, 6.3),
            (0.74, 5.1),
            (1.04, 4.2),
        ]
        cloth(
            canvas,
            [(side * a, b) for a, b in lap],
            coat,
            z + 0.12,
            0.55,
            0.035,
            look.get("coat_weave", 0.016),
            smoothed=False,
        )
        seam = [(3.02 * s, 4.24), (3.12 * s, 4.7), (2.98 * s, 5.3), (2.78 * s, 5.9), (2.9 * s, 6.6)]
        # sleeve seam and the notch of the collar
        canvas.darken(canvas.mask([(side * a, b) for a, b in seam], 0.012, False, True, 0.016), rgb(coat[0]), 0.40)
        canvas.darken(
            canvas.mask([(side * 1.80, 4.52), (side * 1.4, 4.42), (side * 1.06, 4.2)], 0.008, False, False, 0.014),
            rgb(coat[0]) * 0.5,
            0.8,
        )
