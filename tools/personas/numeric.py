"""Curves, ramps and soft steps that everything is drawn with."""

from __future__ import annotations

import numpy as np


def smooth(a, b, x):
    t = np.clip((x - a) / (b - a), 0, 1)
    return t * t * (3 - 2 * t)


def bell(x, s):
    return np.exp(-((x / s) ** 2))


def rgb(c):
    return np.array(c, np.float32) / 255


def spline(knots, x):
    """Monotone-ish cubic (Catmull-Rom tangents limited) through (x, y) knots."""
    k = np.array(sorted(knots), float)
    xs, ys = k[:, 0], k[:, 1]
    d = np.diff(ys) / np.diff(xs)
    m = np.r_[d[0], (d[1:] + d[:-1]) / 2, d[-1]]
    m[1:-1][d[1:] * d[:-1] <= 0] = 0
    lim = 3 * np.minimum(np.r_[np.abs(d), np.inf], np.r_[np.inf, np.abs(d)])
    m = np.clip(m, -lim, lim)
    x = np.clip(x, xs[0], xs[-1])
    i = np.clip(np.searchsorted(xs, x) - 1, 0, len(d) - 1)
    h = xs[i + 1] - xs[i]
    t = (x - xs[i]) / h
    return (
        (2 * t**3 - 3 * t**2 + 1) * ys[i]
        + (t**3 - 2 * t**2 + t) * h * m[i]
        + (3 * t**2 - 2 * t**3) * ys[i + 1]
        + (t**3 - t**2) * h * m[i + 1]
    )


def curve(points, n=60):
    """Smooth open curve through points (Catmull-Rom), n samples, any dimension."""
    p = np.asarray(points, float)
    p = np.concatenate([2 * p[:1] - p[1:2], p, 2 * p[-1:] - p[-2:-1]])
    t = np.linspace(0, len(p) - 3 - 1e-6, n)
    i = t.astype(int)
    f = (t - i).reshape(-1, *([1] * (p.ndim - 1)))
    a, b, c, d = p[i], p[i + 1], p[i + 2], p[i + 3]
    return 0.5 * (2 * b + (c - a) * f + (2 * a - 5 * b + 4 * c - d) * f**2 + (3 * b - a - 3 * c + d) * f**3)


def ramp(stops, t):
    """Colour ramp: stops are evenly spaced RGB 0-255, t in 0..1."""
    s = np.array(stops, np.float32) / 255
    x = np.linspace(0, 1, len(s))
    return np.stack([np.interp(t, x, s[:, k]) for k in range(3)], -1).astype(np.float32)
