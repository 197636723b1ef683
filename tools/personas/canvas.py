"""A float picture that is painted on in units of the face, not in pixels.

Units: u to the right, v downward, 1 unit = ``UNIT`` picture pixels (about 39 mm of a head); the origin lies
between the eyes.
"""

from __future__ import annotations

import cv2
import numpy as np
import skia

from tools.personas.numeric import curve

SIZE, UNIT = 1024, 98.0
CX, CY = 512.0, 432.0
"""Side of the picture, pixels of a unit, and the origin in pixels."""


class Canvas:
    """Float RGB picture with unit-space vector painting."""

    def __init__(self, scale, seed):
        self.scale = scale
        self.side_px = SIZE * scale
        self.centre_y = CY
        self.face_mask = None
        self.rng = np.random.RandomState(seed)
        x = (np.arange(self.side_px, dtype=np.float32) + 0.5) / scale
        self.u, self.v = np.meshgrid((x - CX) / UNIT, (x - CY) / UNIT)
        self.pixels = np.zeros((self.side_px, self.side_px, 3), np.float32)

    def shift(self, dv):
        self.v = self.v + np.float32(dv)
        self.centre_y -= dv * UNIT  # move what follows up by dv

    def to_pixels(self, p):
        return (np.asarray(p, float) * UNIT + [CX, self.centre_y]) * self.scale

    def blur(self, a, r):  # r in units
        r *= UNIT * self.scale
        if r < 0.3:
            return a
        if r > 24:  # large blurs on a small copy
            f = 2 ** int(np.log2(r / 8))
            h, w = a.shape[:2]
            q = cv2.resize(a, (w // f, h // f), interpolation=cv2.INTER_AREA)
            return cv2.resize(cv2.GaussianBlur(q, (0, 0), r / f), (w, h), interpolation=cv2.INTER_CUBIC)
        return cv2.GaussianBlur(a, (0, 0), r)

    def noise(self, cell, aspect=1.0):  # smooth noise, -1..1-ish
        h = max(4, int(self.side_px / self.scale / (cell * UNIT)))
        w = max(4, int(h * aspect))
        return cv2.resize(
            self.rng.randn(h, w).astype(np.float32),
            (self.side_px, self.side_px),
            interpolation=cv2.INTER_CUBIC,
        )

    def path(self, pts, closed=True, smoothed=True, n=160):
        if smoothed:
            p = np.asarray(pts, float)
            pts = (
                curve(np.concatenate([p[-2:], p, p[:2]]), n * 2)[
                    int(2 * n * 1.5 / (len(p) + 3)) : int(2 * n * (len(p) + 2) / (len(p) + 3))
                ]
                if closed
                else curve(p, n)
            )
        q = skia.Path()
        q.addPoly([skia.Point(float(a), float(b)) for a, b in self.to_pixels(pts)], closed)
        return q

    def mask(self, pts, blur=0.0, closed=True, smoothed=True, width=0.0):
        sf = skia.Surface(self.side_px, self.side_px)
        c = sf.getCanvas()
        c.clear(skia.Color4f(0, 0, 0, 1))
        pa = skia.Paint(AntiAlias=True, Color=skia.ColorWHITE)
        if width:
            pa.setStyle(skia.Paint.kStroke_Style)
            pa.setStrokeWidth(width * UNIT * self.scale)
            pa.setStrokeCap(skia.Paint.kRound_Cap)
        c.drawPath(self.path(pts, closed and not width, smoothed), pa)
        return self.blur(sf.toarray()[..., 0].astype(np.float32) / 255, blur)

    def cover(self, m, col, a=1.0):
        m = (m * a)[..., None] if np.ndim(m) == 2 else m * a
        self.pixels += (np.asarray(col, np.float32) - self.pixels) * m.astype(np.float32)

    def darken(self, m, col, a=1.0):
        self.pixels *= 1 - (m * a)[..., None].astype(np.float32) * (1 - np.asarray(col, np.float32))

    def lighten(self, m, col, a=1.0):
        self.pixels += (1 - self.pixels) * (m * a)[..., None].astype(np.float32) * np.asarray(col, np.float32)

    def strands(self, lines, widths, colours, alphas, taper=(0.25, 1.0)):
        """Tapered strokes.  lines (N,P,2) units, colours (N,P,3), widths units."""
        sf = skia.Surface(self.side_px, self.side_px)
        c = sf.getCanvas()
        c.clear(0)
        P = lines.shape[1]
        t = np.linspace(0, 1, P)
        prof = np.minimum(1, taper[0] + t / 0.25) * np.clip((1 - t) / taper[1], 0, 1) ** 0.6
        X = self.to_pixels(lines)
        d = np.gradient(X, axis=1)
        d /= np.linalg.norm(d, axis=2, keepdims=True) + 1e-6
        nrm = (
            np.stack([-d[..., 1], d[..., 0]], -1)
            * prof[None, :, None]
            * (widths * UNIT * self.scale / 2)[:, None, None]
        )
        A, B = X + nrm, (X - nrm)[:, ::-1]
        sel = np.linspace(0, P - 1, 7).astype(int)
        for i in range(len(X)):
            q = skia.Path()
            q.addPoly([skia.Point(*map(float, z)) for z in np.concatenate([A[i], B[i]])], True)
            ch = X[i, -1] - X[i, 0]
            L = max(1e-6, ch @ ch)
            pos = np.maximum.accumulate(np.clip((X[i, sel] - X[i, 0]) @ ch / L, 0, 1))
            pos[0] = 0
            pos[-1] = 1
            cc = np.clip(colours[i, sel], 0, 1)
            cols = [skia.Color4f(float(r), float(g), float(b), float(alphas[i])).toColor() for r, g, b in cc]
            c.drawPath(
                q,
                skia.Paint(
                    AntiAlias=True,
                    Shader=skia.GradientShader.MakeLinear(
                        [skia.Point(*map(float, X[i, 0])), skia.Point(*map(float, X[i, -1]))],
                        cols,
                        [float(z) for z in pos],
                    ),
                ),
            )
        a = sf.toarray(colorType=skia.kRGBA_8888_ColorType).astype(np.float32) / 255  # unpremultiplied
        self.pixels += (a[..., :3] - self.pixels) * a[..., 3:]
        return a[..., 3]
