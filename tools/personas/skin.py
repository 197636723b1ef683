"""Background, neck, face and ears."""

from __future__ import annotations

from typing import Any

import numpy as np

from tools.personas.canvas import Canvas
from tools.personas.head import Face, head_height
from tools.personas.light import KEY, light_of
from tools.personas.numeric import bell, ramp, rgb, smooth


def paint_background(canvas: Canvas, look: dict[str, Any]) -> None:
    """Soft two-colour glow, no lines."""
    a, b = rgb(look["back"][0]), rgb(look["back"][1])
    g = np.exp(-(((canvas.u + 1.3) / 4.2) ** 2) - ((canvas.v + 0.6) / 4.0) ** 2)
    g = np.clip(g + 0.03 * canvas.noise(1.6), 0, 1)
    canvas.pixels[:] = b + (a - b) * g[..., None]


def skin_colour(canvas: Canvas, look: dict[str, Any], t, u, v, n, face=True):
    """Light value t to skin: five-colour ramp, red zones of a face, fine mottling."""
    col = ramp(look["skin"], np.clip(t, 0, 1))
    if face:
        red = sum(bell(side * u - 1.0, 0.45) * bell(v - 0.75, 0.38) for side in (-1, 1)) * look.get("blush", 0.5)
        red = red + 0.45 * bell(u, 0.3) * bell(v - 1.0, 0.22) + 0.25 * bell(u, 0.5) * bell(v - 2.4, 0.25)
        red = red + 0.22 * sum(bell(side * u - 0.8, 0.4) * bell(v - 0.2, 0.14) for side in (-1, 1))
        k = np.clip(red, 0, 1)[..., None]
        col = col * (1 - k * (1 - np.array(look.get("flush", (1.0, 0.86, 0.84)), np.float32)))
    mott = (0.5 * canvas.noise(0.16) + 0.5 * canvas.noise(0.06))[..., None] * look.get("mottle", 0.008)
    col = col * (1 + mott * np.array([0.5, 1.1, 1.2], np.float32))
    return col


def paint_neck(canvas: Canvas, face: Face, lift: float) -> None:
    """Neck and upper chest with the shadow the head throws."""
    look = face.look
    nw = look.get("neck", 0.92)
    s = look.get("shoulder", 1.0)
    L = [
        (-nw, 1.2),
        (-nw * 0.97, 2.2),
        (-nw * 1.0, 2.9),
        (-nw * 1.12, 3.4),
        (-1.6 * s, 4.1),
        (-1.7 * s, 5.2),
        (-1.2 * s, 6.8),
    ]
    pts = L + [(-a, b) for a, b in L[::-1]]
    m = canvas.mask(pts, 0.006)
    w = np.interp(canvas.v[:, 0], [1.2, 2.9, 3.4, 4.2], [nw, nw, nw * 1.25, nw * 2.6])[:, None]
    r = np.clip(np.abs(canvas.u) / w, 0, 1)
    z = np.sqrt(np.clip(1 - r**2.2, 0, 1)) * 0.9
    for side in (-1, 1):  # neck muscles, collar bones, pit
        d = side * canvas.u - np.interp(canvas.v, [1.8, 3.75], [nw * 0.86, 0.13])
        relief = look.get("neck_relief", 0.035)
        z += relief * bell(d, 0.15) * smooth(1.8, 2.6, canvas.v) * smooth(3.9, 3.6, canvas.v)
        d = canvas.v - 3.86 + 0.14 * np.clip(side * canvas.u - 0.2, 0, 2)
        z += 0.035 * bell(d, 0.10) * smooth(0.12, 0.4, side * canvas.u)
    z -= 0.045 * bell(canvas.u, 0.18) * bell(canvas.v - 3.78, 0.14)
    if look.get("adam"):
        z += 0.06 * bell(canvas.u, 0.15) * bell(canvas.v - 3.12, 0.17)
    t, n, _ = light_of(canvas, canvas.blur(z.astype(np.float32), 0.03), 1.0, 0.2)
    jaw = np.maximum(
        canvas.mask(face.outline() + np.array([0.14, 0.42 + lift]), 0.15, smoothed=False),
        0.9 * canvas.mask(face.outline() + np.array([0.02, 0.14 + lift]), 0.07, smoothed=False),
    )  # shadow of the head
    t = t * (1 - 0.66 * jaw) * look.get("neck_light", 0.93)
    canvas.cover(m, skin_colour(canvas, look, t, canvas.u, canvas.v, n, False))
    for vv in look.get("neck_lines", []):
        canvas.darken(
            canvas.mask(
                [(-0.6, vv - 0.06), (-0.1, vv), (0.35, vv - 0.02), (0.65, vv - 0.09)],
                0.012,
                False,
                True,
                0.012,
            ),
            rgb(look["skin"][1]),
            0.35,
        )


def paint_face(canvas: Canvas, face: Face) -> None:
    """Skin of the face: form light, gloss, cool rim, shaved beard, freckles, creases."""
    look = face.look
    z, r = head_height(canvas, face)
    t, n, occ = light_of(canvas, z, bounce=look.get("bounce", 0.20))
    u, v = canvas.u, canvas.v
    t = t * (1 - 0.07 * smooth(1.4, 2.6, v)) * (1 - 0.06 * smooth(-0.6, -1.9, v))
    t = t * (1 - 0.10 * smooth(0.22, 0.0, 1 - r) * smooth(1.2, 0.4, v))
    col = skin_colour(canvas, look, t * look.get("expose", 1.0), u, v, n)
    half = KEY + np.array([0, 0, 1])
    half /= np.linalg.norm(half)
    nh = np.clip(n @ half.astype(np.float32), 0, 1)
    oil = 0.35 + 0.65 * np.clip(
        bell(u, 0.28) * bell(v - 0.75, 0.55)
        + bell(u, 0.8) * bell(v + 1.2, 0.45)
        + sum(bell(side * u - 0.95, 0.35) * bell(v - 0.45, 0.25) for side in (-1, 1)),
        0,
        1,
    )
    gl = (nh**22 * 0.26 + nh**90 * 0.34) * oil * occ * look.get("gloss", 0.8) * (1 + 0.22 * canvas.noise(0.022))
    col = col + (1 - col) * np.clip(gl, 0, 1)[..., None] * rgb(look.get("gloss_colour", (255, 244, 232)))
    rim = np.clip(n[..., 0], 0, 1) ** 2.2 * (1 - n[..., 2]) ** 1.2 * look.get("rim", 0.5)  # cool bounce, right
    col = col + (1 - col) * rim[..., None] * rgb(look.get("rim_colour", (150, 170, 205))) * 0.55
    if look.get("beard"):  # shaved beard shadow
        b = (
            smooth(0.85, 1.75, v + 0.18 * np.abs(u) - 0.25 * bell(np.abs(u) - 0.75, 0.35))
            * smooth(0.0, 0.35, 1 - r)
            * (1 - 0.6 * bell(u, 0.8) * bell(v - 1.68, 0.22))
        )
        b = b * (1 - 0.5 * sum(bell(side * u - 0.9, 0.4) * bell(v - 0.95, 0.5) for side in (-1, 1)))
        b = np.clip(b, 0, 1) * look["beard"] * (1 + 0.25 * canvas.noise(0.016))
        col = col * (1 - b[..., None] * np.array([0.32, 0.27, 0.22], np.float32))
    m = canvas.face_mask = canvas.mask(face.outline(), 0.006, smoothed=False)
    canvas.cover(m, col)
    random = np.random.RandomState(look["seed"])
    for x, y, r_, a in [
        (
            random.randn() * 0.85,
            0.55 + 0.5 * random.randn(),
            random.uniform(0.012, 0.034),
            random.uniform(0.03, 0.10),
        )
        for _ in range(look.get("freckles", 0))
    ]:
        canvas.darken(bell(np.hypot(u - x, v - y), r_) * m, rgb(look["skin"][1]) * 0.8, a)
    # creases (nostril, wings, folds)
    nb, nw = look.get("nose_v", 1.14), look.get("nose_w", 1.0)
    dark = rgb(look["skin"][0])
    sh = rgb(look["skin"][1])

    def crease(side, pts, width, blur, colour, strength) -> None:
        canvas.darken(canvas.mask([(side * x, y) for x, y in pts], blur, False, True, width), colour, strength)

    for side in (-1, 1):
        canvas.darken(
            canvas.mask(
                [
                    (side * x * nw, nb + y)
                    for x, y in [
                        (0.085, 0.012),
                        (0.13, -0.028),
                        (0.20, -0.040),
                        (0.25, -0.022),
                        (0.245, 0.0),
                        (0.17, 0.012),
                        (0.12, 0.026),
                    ]
                ],
                0.014,
            ),
            dark * 0.7,
            0.70,
        )
        crease(
            side,
            [
                (0.37 * nw, nb - 0.25),
                (0.425 * nw, nb - 0.16),
                (0.41 * nw, nb - 0.06),
                (0.34 * nw, nb - 0.005),
                (0.27 * nw, nb + 0.0),
            ],
            0.016,
            0.016,
            sh,
            0.55,
        )
        crease(side, [(0.0, nb + 0.055), (0.08, nb + 0.06), (0.15, nb + 0.04)], 0.02, 0.025, sh, 0.5)
        for pts, w, a in look.get("wrinkles", []):
            crease(side, pts, w, w * 0.8, sh, a)
            canvas.lighten(
                canvas.mask([(side * x, y + w * 1.3) for x, y in pts], w, False, True, w),
                rgb(look["skin"][4]),
                a * 0.35,
            )
    return z


def paint_ear(canvas: Canvas, face: Face, side: int, before=False) -> None:
    """One ear (side -1 left in the picture, +1 right), optional pearl; before: over hair, after the face."""
    look = face.look
    w0 = np.interp(0.3, face.width_v, face.width)

    def E(pts):  # from the ear's own measures to the head's
        return [(side * (w0 - 0.03 + x * 1.1), y * 1.12 + 0.04) for x, y in pts]

    outer = [
        (-0.05, -0.28),
        (0.06, -0.52),
        (0.22, -0.56),
        (0.33, -0.40),
        (0.34, -0.1),
        (0.28, 0.25),
        (0.2, 0.55),
        (0.1, 0.80),
        (0.0, 0.86),
        (-0.08, 0.7),
        (-0.1, 0.2),
    ]
    m = canvas.mask(E(outer), 0.005)
    if before:
        canvas.darken(canvas.mask(np.array(E(outer)) + np.array([side * 0.05, 0.04]), 0.05), rgb(look["hair"][0]), 0.7)
        m = m * (1 - canvas.face_mask)
    d = canvas.blur(m, 0.05) * 0.6 + canvas.blur(m, 0.1) * 0.4
    z = np.sqrt(np.clip(d - 0.35, 0, 1)) * 0.35
    helix = canvas.mask(
        E(
            [
                (0.02, -0.15),
                (0.06, -0.38),
                (0.17, -0.47),
                (0.26, -0.38),
                (0.28, -0.1),
                (0.24, 0.22),
                (0.19, 0.42),
            ]
        ),
        0.022,
        False,
        True,
        0.07,
    )
    anti = canvas.mask(
        E([(0.07, -0.26), (0.15, -0.12), (0.16, 0.12), (0.12, 0.34), (0.04, 0.46)]), 0.025, False, True, 0.065
    )
    conch = canvas.mask(E([(-0.02, -0.05), (0.06, -0.08), (0.11, 0.08), (0.08, 0.30), (0.0, 0.34)]), 0.03)
    groove = canvas.mask(
        E([(0.06, -0.30), (0.16, -0.36), (0.215, -0.22), (0.21, 0.05), (0.18, 0.25)]),
        0.022,
        False,
        True,
        0.04,
    )
    z += 0.10 * helix + 0.06 * anti - 0.12 * conch - 0.05 * groove
    t, n, _ = light_of(canvas, canvas.blur(z, 0.012), 1.0, 0.2)
    t = (
        t
        * (0.86 if side < 0 else 0.66)
        * (1 - 0.50 * conch)
        * (1 - 0.38 * groove)
        * (1 - 0.35 * smooth(0.06, -0.10, side * canvas.u - w0))
    )
    col = skin_colour(canvas, look, t, canvas.u, canvas.v, n, False) * np.array([1, 0.93, 0.91], np.float32)
    canvas.cover(m, col)
    if look.get("pearl"):
        d = np.hypot(canvas.u - side * (w0 + 0.05), canvas.v - 1.02) / 0.075
        canvas.darken(
            bell(np.hypot(canvas.u - side * (w0 + 0.05) - 0.03, canvas.v - 1.06), 0.08),
            rgb(look["skin"][0]),
            0.5,
        )
        t = np.clip(
            1.05 - 0.5 * np.hypot((canvas.u - side * (w0 + 0.05) + 0.025) / 0.075, (canvas.v - 0.99) / 0.075) ** 1.5,
            0,
            1,
        )
        canvas.cover(
            np.clip((1 - d) * 8, 0, 1),
            ramp([(120, 110, 108), (206, 196, 190), (240, 234, 228), (255, 255, 252)], t),
        )
