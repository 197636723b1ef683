"""The head as a height field, by the proportions of the drawing canon: z grows towards the viewer."""

from __future__ import annotations

import numpy as np

from tools.personas.canvas import Canvas
from tools.personas.numeric import bell, smooth, spline

OUTLINE = [
    (-2.9, 0),
    (-2.84, 0.5),
    (-2.5, 1.08),
    (-2.0, 1.44),
    (-1.5, 1.61),
    (-1.0, 1.69),
    (-0.5, 1.71),
    (0, 1.69),
    (0.5, 1.65),
    (1.0, 1.57),
    (1.5, 1.43),
    (1.9, 1.25),
    (2.2, 1.02),
    (2.42, 0.80),
    (2.58, 0.61),
    (2.68, 0.45),
    (2.74, 0.32),
    (2.775, 0.19),
    (2.787, 0.09),
    (2.79, 0),
]


DEPTH = [
    (-2.9, 0.1),
    (-2.8, 0.9),
    (-2.5, 1.55),
    (-2, 1.98),
    (-1.5, 2.2),
    (-1, 2.31),
    (-0.5, 2.33),
    (0, 2.24),
    (0.6, 2.24),
    (1.2, 2.32),
    (1.8, 2.36),
    (2.1, 2.34),
    (2.35, 2.33),
    (2.55, 2.29),
    (2.68, 2.16),
    (2.75, 1.80),
    (2.79, 0.9),
]


class Face:
    """Curves of one person that several painters need: outline, lids, lips."""

    def __init__(self, p):
        self.look = p
        jw, cw = p.get("jaw", 1), p.get("cheek", 1)
        self.chin = p.get("chin", 2.62)
        self.table_v = lambda v: np.where(
            v > 1.1, 1.1 + (v - 1.1) * (2.79 - 1.1) / (self.chin - 1.1), v
        )  # picture v -> table v
        self.width_v = np.r_[
            np.linspace(-2.9, self.chin - 0.4, 400),
            self.chin - 0.4 * (1 - np.sin(np.linspace(0, np.pi / 2, 200))),
        ]
        tv = self.table_v(self.width_v)
        self.width = spline(OUTLINE, tv) * (cw + (jw - cw) * smooth(0.6, 2.1, tv)) + p.get("square", 0) * (
            bell(tv - 1.85, 0.60) + 0.7 * bell(tv - 2.56, 0.16)
        )
        self.eye_u, self.eye_half_width, self.tilt = (
            p.get("eye_u", 0.765),
            p.get("eye_w", 0.415),
            p.get("tilt", 0.03),
        )
        o = p.get("eye_open", 1.0) * 1.16
        e = np.linspace(-1, 1, 81)
        self.lid_x = e
        self.upper_lid = (
            spline(
                [
                    (-1, 0.045),
                    (-0.84, -0.012),
                    (-0.5, -0.105 * o),
                    (-0.05, -0.158 * o),
                    (0.4, -0.137 * o),
                    (0.75, -0.07 * o),
                    (1, 0),
                ],
                e,
            )
            - self.tilt * (e + 1) / 2
        )
        self.lower_lid = (
            spline(
                [(-1, 0.045), (-0.8, 0.066), (-0.35, 0.092 * o), (0.15, 0.108 * o), (0.6, 0.083 * o), (1, 0)],
                e,
            )
            - self.tilt * (e + 1) / 2
        )
        self.mouth_v, self.mouth_half_width = p.get("mouth_v", 1.665), p.get("mouth_w", 0.62)
        f = p.get("lip", 1.0)
        a = np.linspace(-1, 1, 121)
        b = np.abs(a)
        self.lip_x = a
        self.lip_line = self.mouth_v - p.get("smile", 0.05) * b**1.8 + 0.014 * bell(b, 0.16) + 0.02 * smooth(0.9, 1, b)
        self.lip_top = self.lip_line - f * p.get("lip_up", 1) * spline(
            [(0, 0.135), (0.09, 0.148), (0.22, 0.170), (0.45, 0.125), (0.75, 0.058), (1, 0.004)], b
        )
        self.lip_bottom = self.lip_line + f * spline(
            [(0, 0.215), (0.25, 0.215), (0.5, 0.172), (0.75, 0.092), (0.9, 0.035), (1, 0.004)], b
        )

    def outline(self):
        return np.concatenate([np.stack([self.width, self.width_v], 1), np.stack([-self.width, self.width_v], 1)[::-1]])

    def eye_curves(self, side: int, u):
        """v of the upper and lower lid at u, and the local abscissa -1 inner..1 outer."""
        e = (side * u - self.eye_u) / self.eye_half_width
        return np.interp(e, self.lid_x, self.upper_lid), np.interp(e, self.lid_x, self.lower_lid), e


def head_height(canvas: Canvas, face: Face):
    """Height field of head without neck, ears and hair."""
    look = face.look
    u, v = canvas.u, canvas.v
    w = np.interp(v, face.width_v, face.width).astype(np.float32)
    D = spline(DEPTH, face.table_v(v[:, 0]))[:, None].astype(np.float32)
    r = np.clip(np.abs(u) / np.maximum(w, 0.02), 0, 1)
    z = D * np.sqrt(np.clip(1 - r**2.5, 0, 1))

    def bump(du, dv, su, sv, rot):
        if rot:
            cs, sn = np.cos(rot), np.sin(rot)
            du, dv = du * cs + dv * sn, -du * sn + dv * cs
        return np.exp(-((du / su) ** 2) - (dv / sv) ** 2)

    def pair(u0, v0, su, sv, rot=0.0):
        return sum(bump(side * u - u0, v - v0, su, sv, rot) for side in (-1, 1))

    ec, nb, nw, nl = face.eye_u, look.get("nose_v", 1.14), look.get("nose_w", 1.0), look.get("nose_h", 1.0)
    # brow ridge, sockets, eyeballs, lids
    z += look.get("brow_ridge", 0.055) * pair(0.68, -0.52, 0.55, 0.22) + 0.02 * bell(u, 0.3) * bell(v + 0.6, 0.3)
    z -= (
        look.get("socket", 0.20) * pair(ec - 0.02, -0.12, 0.46, 0.27)
        + look.get("socket_in", 0.085) * pair(0.38, -0.08, 0.20, 0.26)
        + 0.05 * pair(1.25, 0.05, 0.2, 0.3)
    )
    eyeball = sum(
        np.sqrt(np.clip(1 - ((side * u - ec) / 0.58) ** 2 - ((v + 0.03) / 0.42) ** 2, 0, 1)) for side in (-1, 1)
    )
    z += look.get("ball", 0.085) * canvas.blur(eyeball.astype(np.float32), 0.11)
    z -= look.get("trough", 0.012) * pair(0.55, 0.36, 0.30, 0.07, 0.35)
    z += look.get("bag", 0.0) * pair(ec, 0.25, 0.3, 0.09)
    # cheeks, temples, folds, muzzle, chin
    z += (
        0.10 * pair(1.08, 0.55, 0.42, 0.40)
        + look.get("apple", 0.075) * pair(0.86, 0.86, 0.34, 0.30)
        - 0.10 * pair(1.5, -0.55, 0.25, 0.45)
    )
    z -= look.get("hollow", 0.05) * pair(1.12, 1.45, 0.3, 0.4)
    z += 0.12 * bump(u, v - face.mouth_v, 0.80, 0.60, 0)
    fold = np.clip((v - nb + 0.18) / 0.62, 0, 1)
    fu = (0.46 + 0.36 * fold) * nw**0.4
    ends = smooth(-0.25, 0.12, v - nb) * smooth(0.62, 0.25, v - nb)
    z -= look.get("fold", 0.008) * ends * sum(bell(side * u - fu, 0.055) for side in (-1, 1))
    z += look.get("fold", 0.008) * 1.2 * ends * sum(bell(side * u - fu - 0.13, 0.12) for side in (-1, 1))
    z -= 0.06 * bump(u, v - (face.lip_bottom[60] + 0.13), 0.38, 0.12, 0)
    z += 0.10 * bump(u, v - face.chin + 0.34, 0.42, 0.26, 0)
    # nose: ridge, rounded tip, columella, wings, nostrils
    ridge = (
        spline(
            [
                (-1.0, 0),
                (-0.55, 0.04),
                (-0.2, 0.10 + look.get("bridge", 0)),
                (0.2, 0.24 + look.get("bridge", 0)),
                (0.6, 0.40),
                (0.9, 0.47),
                (1.1, 0.44),
                (1.3, 0.36),
            ],
            v[:, 0] - nb + 1.2,
        )[:, None]
        * nl
    )
    sig = spline([(-1, 0.3), (-0.4, 0.21), (0.1, 0.20), (0.5, 0.22), (0.9, 0.26), (1.2, 0.28)], v[:, 0] - nb + 1.2)[
        :, None
    ] * (0.4 + 0.6 * nw)
    au = np.abs(u)
    under = smooth(0.06, -0.26, v - nb + 0.10 * (au / 0.3) ** 2 * smooth(0, 0.3, au))
    nose = ridge * np.exp(-(np.abs(u / (1.08 * sig)) ** 2.5)) * under
    nose += 0.23 * nl * bump(u, v - nb + 0.20, 0.215 * nw, 0.185, 0)
    nose += 0.07 * bump(u, v - nb - 0.01, 0.06, 0.10, 0)  # columella
    nose += 0.21 * pair(0.30 * nw, nb - 0.14, 0.115, 0.135) * smooth(0.06, -0.05, v - nb)
    for side in (-1, 1):  # crease round the wing
        d = np.hypot(side * u - 0.28 * nw, (v - nb + 0.13) / 1.15)
        nose -= 0.030 * bell(d - 0.185, 0.035) * smooth(0.30 * nw, 0.40 * nw, side * u) * smooth(-0.36, -0.2, v - nb)
    nose -= 0.12 * pair(0.155 * nw, nb - 0.005, 0.065, 0.035, -0.35)
    z += canvas.blur(nose.astype(np.float32), 0.022)
    # philtrum and lips
    ph = bell(v - (nb + 0.28), 0.16)
    z += ph * (0.012 * sum(bell(side * u - 0.105, 0.05) for side in (-1, 1)) - 0.018 * bell(u, 0.07))
    a = u / face.mouth_half_width
    top, mid, bot = (np.interp(a, face.lip_x, q) for q in (face.lip_top, face.lip_line, face.lip_bottom))
    inside = np.abs(a) < 1
    lat = np.clip(1 - np.abs(a) ** 2.4, 0, 1)
    q = np.clip((v - top) / np.maximum(mid - top, 0.02), 0, 1)
    z += inside * np.where(v < mid, 0.085 * lat * q**0.8 * smooth(-0.1, 0.25, q), 0)
    q = np.clip((v - mid) / np.maximum(bot - mid, 0.02), 0, 1)
    z += inside * np.where(
        v >= mid,
        0.115 * lat * np.sin(np.pi * np.clip(q, 0, 1) ** 0.72) ** 0.8 + 0.085 * lat * (1 - q) ** 3,
        0,
    )
    z -= 0.06 * np.exp(-(((v - mid) / 0.022) ** 2)) * smooth(1.02, 0.85, np.abs(a))
    z -= 0.022 * pair(face.mouth_half_width + 0.04, face.lip_line[0], 0.09, 0.09)
    return canvas.blur(z.astype(np.float32), 0.012), r
