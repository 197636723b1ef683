"""Lips."""

from __future__ import annotations

import cv2
import numpy as np

from tools.personas.canvas import Canvas
from tools.personas.head import Face
from tools.personas.numeric import bell, rgb, smooth


def paint_lips(canvas: Canvas, face: Face) -> None:
    """Lips with a dark contact line, fine furrows and moist light."""
    look = face.look
    u, v = canvas.u, canvas.v
    a = u / face.mouth_half_width
    top, mid, bot = (np.interp(a, face.lip_x, q) for q in (face.lip_top, face.lip_line, face.lip_bottom))
    ok = np.abs(a) < 1
    m = (smooth(-0.012, 0.022, v - top) * smooth(-0.012, 0.030, bot - v) * ok).astype(np.float32)
    m = canvas.blur(m, 0.010)
    tint = rgb(look["lip_c"])
    upper = smooth(0.01, -0.01, v - mid)
    lum = canvas.pixels.mean(2, keepdims=True) / max(1e-3, np.mean(rgb(look["skin"][2])))
    col = tint * np.clip(0.30 + 0.72 * lum, 0, 1.35) * (1 - 0.16 * upper[..., None])
    fur = np.repeat(
        cv2.GaussianBlur(canvas.rng.randn(1, canvas.side_px).astype(np.float32), (0, 0), 1.1 * canvas.scale),
        canvas.side_px,
        0,
    )
    fur = fur / (fur.std() + 1e-6)
    col = col * (1 - 0.022 * np.clip(fur, -1.5, 2)[..., None])
    canvas.cover(m, col, look.get("lip_a", 0.88))
    q = (v - mid) / np.maximum(bot - mid, 0.03)  # moist light on the lower lip, thin one on the bow
    hl = bell(q - 0.46, 0.20) * bell(a + 0.12, 0.42) * ok * (1 + 0.35 * fur * 0.6)
    canvas.lighten(np.clip(hl, 0, 1), rgb((255, 235, 225)), look.get("lip_gloss", 0.22))
    hl = bell(v - top + 0.012, 0.014) * bell(np.abs(a) - 0.2, 0.16) * ok
    canvas.lighten(hl, rgb(look["skin"][4]), 0.35)
    line = np.stack([face.lip_x * face.mouth_half_width * 0.985, face.lip_line], 1)
    dk = rgb(look["skin"][0]) * np.array([0.75, 0.5, 0.5])
    canvas.darken(canvas.mask(line, 0.022, False, True, 0.035), rgb(look["lip_c"]) * 0.75, 0.75)
    wdt = 0.010 + 0.010 * (1 - np.abs(face.lip_x) ** 3)
    poly = np.concatenate([line - [0, 1] * wdt[:, None] * 0.5, (line + [0, 1] * wdt[:, None] * 0.5)[::-1]])
    canvas.cover(canvas.mask(poly, 0.005, smoothed=False), dk, 0.92)
    for side in (-1, 1):
        canvas.darken(
            np.exp(-(((u - side * face.mouth_half_width * 0.99) / 0.05) ** 2) - ((v - face.lip_line[0]) / 0.035) ** 2),
            dk + 0.35,
            0.6,
        )
    canvas.darken(bell(v - bot - 0.045, 0.05) * smooth(0.75, 0.2, np.abs(a)), rgb(look["skin"][1]), 0.28)
