"""Lights a height field the way a portrait painter would: one key light from the upper left."""

from __future__ import annotations

import cv2
import numpy as np

from tools.personas.canvas import UNIT, Canvas

KEY = np.array([-0.48, -0.56, 0.68])
KEY /= np.linalg.norm(KEY)
"""Direction to the key light."""


def light_of(canvas: Canvas, z, relief=1.0, cast=0.6, bounce=0.0):
    """Wrapped key light x occlusion x cast shadow, for height field z; bounce is what clothes throw up.

    Returns light, normals and occlusion.
    """
    gx, gy = (np.gradient(z, axis=a) * UNIT * canvas.scale * relief for a in (1, 0))
    n = np.stack([-gx, -gy, np.ones_like(z)], -1).astype(np.float32)
    n /= np.linalg.norm(n, axis=2, keepdims=True)
    ndl = n @ KEY.astype(np.float32)
    lam = np.clip((ndl + 0.42) / 1.42, 0, 1) ** 1.25
    occ = np.zeros_like(z)
    for r, k in ((0.05, 1.8), (0.12, 1.3), (0.3, 0.75)):
        occ += np.clip((canvas.blur(z, r) - z) * k, -0.05, 0.5)
    occ = np.exp(-np.clip(occ, -0.06, 1.4))
    q = 4 * canvas.scale
    zs = cv2.resize(z, (canvas.side_px // q, canvas.side_px // q), interpolation=cv2.INTER_AREA)
    pxu = UNIT / 4
    d = KEY[:2] / np.linalg.norm(KEY[:2])
    sl = KEY[2] / np.linalg.norm(KEY[:2])
    sh = np.zeros_like(zs)
    for i in range(1, 40):
        M = np.float32([[1, 0, -d[0] * i], [0, 1, -d[1] * i]])
        zz = cv2.warpAffine(zs, M, zs.shape[::-1], borderMode=cv2.BORDER_REPLICATE)
        sh = np.maximum(sh, np.clip((zz - zs - sl * i / pxu) / (0.03 + 0.012 * i), 0, 1))
    sh = cv2.resize(cv2.GaussianBlur(sh, (0, 0), 1.6), (canvas.side_px, canvas.side_px), interpolation=cv2.INTER_CUBIC)
    fill = 0.13 * np.clip(n @ np.array([0.75, -0.1, 0.65], np.float32), 0, 1)
    fill += bounce * np.clip(n @ np.array([0.0, 0.88, 0.30], np.float32) - 0.25, 0, 1)
    return lam * occ * (1 - cast * np.clip(sh, 0, 1)) + fill * occ, n, occ
