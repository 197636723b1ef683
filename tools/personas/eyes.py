"""Eyes with lashes and lid crease, and brows."""

from __future__ import annotations

import numpy as np

from tools.personas.canvas import Canvas
from tools.personas.head import Face
from tools.personas.numeric import bell, curve, ramp, rgb, smooth, spline


def paint_eye(canvas: Canvas, face: Face, side: int) -> None:
    """Eyeball, iris, catchlights, lash line, lashes and lid crease of one eye."""
    look = face.look
    u, v = canvas.u, canvas.v
    up, lo, e = face.eye_curves(side, u)
    soft = 0.010
    ins = smooth(0, 1, (v - up) / soft + 0.5) * smooth(0, 1, (lo - v) / soft + 0.5) * (np.abs(e) < 1)
    ins = canvas.blur(ins.astype(np.float32), 0.004)
    cu, cv_, R = (
        side * (face.eye_u + look.get("gaze_in", -0.012)),
        -0.024 - face.tilt * 0.5,
        look.get("iris_r", 0.168),
    )
    dx, dy = u - cu, v - cv_
    d = np.hypot(dx, dy)
    ball = np.clip(1 - (np.abs(e) * 0.95) ** 2.6 * 0.55 - np.clip((v - cv_) / 0.25, 0, 1) ** 2 * 0.25, 0, 1)
    sc = rgb(look.get("sclera", (234, 226, 221)))[None, None] * (ball[..., None] * 0.5 + 0.5) ** np.array(
        [0.8, 1.0, 1.0], np.float32
    )
    lid = smooth(0.13, 0.0, v - up)  # shadow the upper lid throws on the ball
    eye = sc * (1 - 0.50 * lid[..., None] * np.array([0.75, 0.95, 1.0], np.float32))
    th = np.arctan2(dy, dx)
    rn = d / R
    random = np.random.RandomState(7 + side)
    fib = np.zeros_like(u)
    for k in range(1, 7):
        fr = int(9 * k + random.randint(0, 6))
        fib += np.cos(th * fr + random.rand() * 6.3 + 1.6 * random.randn() * rn) / k**0.5
    fib *= 0.16 * smooth(0.3, 0.6, rn)
    depth = 0.62 + 0.42 * np.clip(0.55 * dy / R - 0.25 * dx / R + 0.15, -0.5, 1)  # lower right glows
    t = np.clip(
        (depth + 0.5 * fib * 0.6) * (1 - 0.75 * smooth(0.78, 1.02, rn)) * (1 - 0.35 * bell(rn - 0.42, 0.12)),
        0,
        1,
    )
    iris = ramp(look["iris"], t)
    iris *= 1 - 0.62 * lid[..., None]
    mi = smooth(1.03, 0.94, rn)[..., None]
    eye = eye * (1 - mi) + iris * mi
    mp = smooth(0.46, 0.38, rn)[..., None]
    eye = eye * (1 - mp) + rgb((12, 8, 8)) * mp
    car = bell(e + 0.95, 0.10) * bell(v - 0.04, 0.05)  # tear duct
    eye = eye + (rgb(look.get("duct", (205, 132, 120))) - eye) * np.clip(car * 0.9, 0, 1)[..., None]
    wl = smooth(0.028, 0.0, lo - v)  # wet lower lid edge
    eye = eye + (rgb(look.get("water", (226, 176, 164))) - eye) * (wl * 0.75 * smooth(1, 0.8, np.abs(e)))[..., None]
    canvas.cover(ins, eye)
    # catchlights: soft window upper left, small bounce lower right
    hl = smooth(1.0, 0.55, np.hypot((dx + 0.40 * R) / (0.24 * R), (dy + 0.36 * R) / (0.27 * R)))
    canvas.cover(hl * ins, rgb((255, 253, 250)), 0.93)
    hl = smooth(1.0, 0.2, np.hypot((dx - 0.42 * R) / (0.22 * R), (dy - 0.45 * R) / (0.16 * R)))
    canvas.lighten(hl * ins, rgb((220, 225, 235)), 0.35)
    hl = canvas.mask(
        [
            (side * (face.eye_u + x * face.eye_half_width), np.interp(x, face.lid_x, face.lower_lid) - 0.012)
            for x in np.linspace(-0.3, 0.6, 9)
        ],
        0.006,
        False,
        True,
        0.007,
    )
    canvas.lighten(hl, rgb((255, 255, 255)), 0.35)
    # lash line: dark band hugging the upper lid, thicker outward
    lash = rgb(look.get("lash", (34, 20, 17)))
    es = np.linspace(-0.96, 1.0, 60)
    y = np.interp(es, face.lid_x, face.upper_lid)
    X = side * (face.eye_u + es * face.eye_half_width)
    th_ = look.get("liner", 0.030) * (0.35 + 0.65 * smooth(-1, 0.6, es)) * smooth(-1.0, -0.75, es)
    wing = look.get("wing", 0.03)
    band = np.concatenate(
        [
            np.stack([X, y - th_ * 0.75], 1),
            [[side * (face.eye_u + face.eye_half_width + wing * 1.4), y[-1] - wing * 0.9]],
            np.stack([X, y + th_ * 0.45], 1)[::-1],
        ]
    )
    canvas.cover(canvas.mask(band, 0.006, smoothed=False), lash, 0.92)
    ys = np.interp(es, face.lid_x, face.lower_lid)
    canvas.darken(
        canvas.mask(np.stack([X, ys + 0.006], 1), 0.010, False, True, 0.012),
        rgb(look["skin"][0]),
        look.get("lower_line", 0.55),
    )
    # lashes
    random = np.random.RandomState(11)
    N = look.get("lashes", 70)
    e0 = np.linspace(-0.45, 1.0, N) + random.randn(N) * 0.04
    ln = look.get("lash_len", 0.10) * (0.30 + 0.70 * smooth(-0.6, 0.75, e0)) * (0.7 + 0.6 * random.rand(N))
    x0 = face.eye_u + e0 * face.eye_half_width
    y0 = np.interp(e0, face.lid_x, face.upper_lid) - 0.010
    dirx = 0.15 + 0.85 * np.clip(e0 + 0.15, -1, 1)
    tt = np.linspace(0, 1, 8)[None]
    lx = x0[:, None] + ln[:, None] * (dirx[:, None] * tt * 0.75)
    ly = y0[:, None] + ln[:, None] * (0.18 * tt - 0.95 * tt**2 * 0.85)
    canvas.strands(
        np.stack([side * lx, ly], -1),
        np.full(N, 0.009),
        np.tile(lash, (N, 8, 1)),
        np.full(N, look.get("lash_a", 0.6)),
        (1.0, 1.0),
    )
    N2 = N // 2
    e0 = np.linspace(-0.5, 0.9, N2) + random.randn(N2) * 0.02
    ln = look.get("lash_len", 0.1) * 0.42 * (0.6 + 0.5 * random.rand(N2))
    x0 = face.eye_u + e0 * face.eye_half_width
    y0 = np.interp(e0, face.lid_x, face.lower_lid) + 0.012
    lx = x0[:, None] + ln[:, None] * tt * (e0[:, None] * 0.8)
    ly = y0[:, None] + ln[:, None] * (tt * 0.9 - 0.25 * tt**2)
    canvas.strands(
        np.stack([side * lx, ly], -1),
        np.full(N2, 0.009),
        np.tile(lash, (N2, 8, 1)),
        np.full(N2, look.get("lower_lash", 0.28)),
        (1.0, 1.0),
    )
    # lid crease
    off = look.get("crease", 0.085)
    es = np.linspace(-0.82, 1.08, 40)
    yc = np.interp(es, face.lid_x, face.upper_lid) - off * (0.55 + 0.45 * np.sin(np.pi * np.clip((es + 1) / 2.1, 0, 1)))
    pts = np.stack([side * (face.eye_u + es * face.eye_half_width), yc], 1)
    canvas.darken(canvas.mask(pts, 0.016, False, True, 0.020), rgb(look["skin"][1]), look.get("crease_a", 0.75))
    canvas.darken(canvas.mask(pts, 0.005, False, True, 0.008), rgb(look["skin"][0]), look.get("crease_a", 0.75) * 0.55)
    pts = pts + np.array([0, off * 0.5])
    canvas.lighten(canvas.mask(pts[8:30], 0.025, False, True, 0.03), rgb(look["skin"][4]), 0.22)


def paint_brow(canvas: Canvas, face: Face, side: int) -> None:
    """One brow: soft underpaint and single hairs."""
    look = face.look
    b = curve(look.get("brow", [(0.36, -0.47), (0.62, -0.57), (0.95, -0.63), (1.2, -0.56), (1.36, -0.44)]), 80)
    th = look.get("brow_w", 0.085) * spline(
        [(0, 0.42), (0.18, 0.95), (0.5, 1.0), (0.75, 0.7), (1, 0.08)], np.linspace(0, 1, 80)
    )
    col = rgb(look["brow_c"])
    d = np.gradient(b, axis=0)
    d /= np.linalg.norm(d, axis=1, keepdims=True)
    nrm = np.stack([d[:, 1], -d[:, 0]], 1)
    poly = np.concatenate([b + nrm * th[:, None] * 0.8, (b - nrm * th[:, None] * 0.8)[::-1]]) * [side, 1]
    canvas.darken(
        canvas.mask(poly, 0.04, smoothed=False),
        col * 0.5 + 0.5 * rgb(look["skin"][1]),
        look.get("brow_fill", 0.55),
    )
    random = np.random.RandomState(5 + side)
    N = look.get("brow_n", 900)
    s = random.rand(N) ** 0.9
    i = (s * 79).astype(int)
    q = random.uniform(-1, 1, N)
    root = b[i] + nrm[i] * (th[i] * q)[:, None]
    lean = spline([(0, 1.25), (0.2, 0.75), (0.5, 0.30), (1, 0.05)], s) * np.where(q < 0, 1, 0.35) - 0.35 * smooth(
        0.2, 0.9, s
    ) * (q > 0)
    dr = d[i] + nrm[i] * lean[:, None]
    dr /= np.linalg.norm(dr, axis=1, keepdims=True)
    ln = (0.09 + 0.08 * random.rand(N)) * (1 - 0.35 * s)
    t = np.linspace(0, 1, 10)[None, :, None]
    L = root[:, None] + dr[:, None] * ln[:, None, None] * t + (d[i] - dr)[:, None] * ln[:, None, None] * 0.35 * t**2
    C = col * (0.75 + 0.6 * random.rand(N, 1, 1)) * np.ones((1, 10, 1))
    C = C + look.get("brow_grey", 0) * random.rand(N, 1, 1) * 0.3
    canvas.strands(L * [side, 1], np.full(N, 0.0095), C, np.full(N, look.get("brow_a", 0.5)), (0.15, 1.0))
