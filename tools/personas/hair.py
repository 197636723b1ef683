"""Hair as strands between guide curves: sheets, locks and loose hairs. The styles are in ``hairstyles``."""

from __future__ import annotations

from typing import Any

import numpy as np

from tools.personas.canvas import Canvas
from tools.personas.light import KEY
from tools.personas.numeric import curve, ramp, rgb, smooth


def hair_tone(look: dict[str, Any], L):
    """Light along strands L (n,P,2): Kajiya-Kay on a head-like volume, 0..1."""
    x, y = L[..., 0] / 2.3, (L[..., 1] + 0.35) / 2.9
    zz = 2.2 * np.sqrt(np.clip(1 - x**2 - np.where(y < 0, y, y * 0.55) ** 2, 0.02, 1))
    D3 = np.concatenate([np.gradient(L, axis=1), np.gradient(zz, axis=1)[..., None]], -1)
    D3 /= np.linalg.norm(D3, axis=2, keepdims=True) + 1e-9
    H = KEY + np.array([0, 0, 1])
    H /= np.linalg.norm(H)
    dl, dh = D3 @ KEY, D3 @ H
    nx = np.stack([x / 2.3, np.where(y < 0, y, y * 0.3) / 2.9, zz / 2.2**2], -1)
    nx /= np.linalg.norm(nx, axis=2, keepdims=True)
    front = np.clip(nx @ KEY * 0.55 + 0.48, 0.0, 1)
    return (
        0.10
        + look.get("hair_diff", 0.22) * np.sqrt(np.clip(1 - dl**2, 0, 1)) * front
        + look.get("hair_spec", 0.5) * np.clip(1 - dh**2, 0, 1) ** (look.get("hair_exp", 26) / 2) * front
    )


def hair_surface(look: dict[str, Any], guides):
    """Surface between ordered guide curves, 220 x 60 x 2, with the coherent waves of the style."""
    S = curve(np.stack([curve(g, 60) for g in guides]), 220)
    amp, fr = look.get("hair_wave", (0, 1))
    if amp:
        d = np.gradient(S, axis=1)
        d /= np.linalg.norm(d, axis=2, keepdims=True) + 1e-6
        T = np.linspace(0, 1, 60)[None]
        q = np.linspace(0, 1, 220)[:, None]
        S = (
            S
            + np.stack([-d[..., 1], d[..., 0]], -1)
            * (amp * np.sin(6.28 * fr * T + 2.2 * q + 0.6 * np.sin(9 * q)) * smooth(0, 0.3, T) * (0.45 + 0.55 * q))[
                ..., None
            ]
        )
    return S


def hair_locks(
    canvas,
    look,
    guides,
    n,
    per=34,
    half=(0.02, 0.05),
    start=(0, 0.5),
    length=(0.35, 0.7),
    seed=1,
    wave=(0.03, 1.0),
    tone=0.0,
    alpha=0.8,
    shade=0.10,
):
    """Separate pointed locks over a sheet, each with a thrown shadow and a lit side."""
    random = np.random.RandomState(seed)
    P = 26
    S = hair_surface(look, guides)
    T1 = np.linspace(0, 1, P)
    lines, cols, wid, al = [], [], [], []
    for _ in range(n):
        s0, ds, t0 = random.uniform(0.03, 0.97), random.uniform(*half), random.uniform(*start)
        t1 = min(1.0, t0 + random.uniform(*length))
        sh = 8
        q = np.r_[random.uniform(-1.15, 1.15, sh), random.uniform(-1, 1, per)]
        T = t0 + (t1 - t0) * T1[None]
        body = (np.minimum(1, 0.35 + 2.2 * T1) * (1 - T1**3))[None]
        bend = random.randn() * 0.03 * T1[None] ** 2
        ss = np.clip(s0 + bend + ds * q[:, None] * body, 0, 1) * 219
        tt = np.repeat(T, len(q), 0) * 59
        i, j = np.minimum(ss.astype(int), 218), np.minimum(tt.astype(int), 58)
        fi, fj = (ss - i)[..., None], (tt - j)[..., None]
        L = (S[i, j] * (1 - fi) + S[i + 1, j] * fi) * (1 - fj) + (S[i, j + 1] * (1 - fi) + S[i + 1, j + 1] * fi) * fj
        d = np.gradient(L, axis=1)
        d /= np.linalg.norm(d, axis=2, keepdims=True) + 1e-6
        nr = np.stack([-d[..., 1], d[..., 0]], -1)
        L = L + nr * (wave[0] * np.sin(T * wave[1] * 6.28 + random.rand() * 6.28) * T1[None])[..., None]
        L[:sh] += [0.025, 0.03]
        side = np.sign(nr[sh:, P // 2] @ KEY[:2]).mean()
        t = (
            hair_tone(look, L)
            + tone
            + shade * random.randn()
            + np.where(
                np.arange(len(q)) < sh,
                look.get("lock_shadow", -0.30),
                (0.12 * side * q + 0.05 * random.randn(len(q))),
            )[:, None]
        )
        lines.append(L)
        cols.append(ramp(look["hair"], np.clip(t, 0, 1)))
        wid.append(np.r_[np.full(sh, 0.035), random.uniform(0.008, 0.022, per)])
        al.append(np.r_[np.full(sh, 0.30), random.uniform(0.5, 1, per) * alpha])
    canvas.strands(np.concatenate(lines), np.concatenate(wid), np.concatenate(cols), np.concatenate(al), (0.1, 0.8))


def hair_sheet(
    canvas,
    look,
    guides,
    n,
    clump=22,
    sub=None,
    width=0.022,
    jitter=0.012,
    wave=(0, 1),
    tone=0.0,
    seed=1,
    base=True,
    alpha=0.9,
    spread=0.05,
    clumpy=0.55,
    taper=(0.5, 0.6),
    fade=None,
):
    """Strands between ordered guide curves; sub=(min,max) draws pieces of them."""
    random = np.random.RandomState(seed)
    P = 30
    S = hair_surface(look, guides)
    if base:
        poly = np.concatenate([S[0], S[1:-1, -1], S[-1][::-1], S[1:-1, 0][::-1]])
        if canvas.face_mask is not None:
            canvas.darken(
                canvas.mask(poly + np.array([0.03, 0.07]), 0.06, smoothed=False) * canvas.face_mask,
                rgb(look["skin"][1]),
                0.55,
            )  # thrown on the skin
        canvas.cover(canvas.mask(poly, 0.022, smoothed=False), rgb(look["hair"][0]) * 0.9 + rgb(look["hair"][1]) * 0.1)
    s = random.rand(n)
    cl = np.floor(s * clump + 0.35 * random.randn(n))
    sc = np.clip((cl + 0.5) / clump, 0, 1)
    t0, t1 = np.zeros(n), np.ones(n) - spread * 3 * random.rand(n) ** 2
    if sub:
        ln = random.uniform(sub[0], sub[1], n)
        t0 = random.rand(n) * (1.0 - ln * 0.6) - ln * 0.2
        t1 = np.clip(t0 + ln, 0, 1.02)
        t0 = np.clip(t0, 0, 1)
    T = t0[:, None] + (t1 - t0)[:, None] * np.linspace(0, 1, P)[None]
    ss = s[:, None] + (sc - s)[:, None] * clumpy * T**1.5 + spread * 0.25 * random.randn(n, 1) * T
    ss = np.clip(ss, 0, 1) * 219
    tt = np.clip(T, 0, 1) * 59
    i, j = np.minimum(ss.astype(int), 218), np.minimum(tt.astype(int), 58)
    fi, fj = (ss - i)[..., None], (tt - j)[..., None]
    L = (S[i, j] * (1 - fi) + S[i + 1, j] * fi) * (1 - fj) + (S[i, j + 1] * (1 - fi) + S[i + 1, j + 1] * fi) * fj
    ph = (cl * 2.4 + random.randn(n) * 0.3)[:, None]
    d = np.gradient(L, axis=1)
    d /= np.linalg.norm(d, axis=2, keepdims=True) + 1e-6
    nr = np.stack([-d[..., 1], d[..., 0]], -1)
    L = L + nr * (wave[0] * np.sin(T * wave[1] * 6.28 + ph) * T + jitter * random.randn(n, 1) * (0.4 + T))[..., None]
    t = hair_tone(look, L) * (1 - look.get("end_dark", 0) * smooth(0.75, 1.0, T))
    cn = random.randn(clump + 40)[(cl.astype(int) % (clump + 40))]
    t = t * (1 + 0.20 * cn[:, None] + 0.22 * random.randn(n, 1)) + tone
    rimr = smooth(1.5, 2.1, L[..., 0]) * look.get("hair_rim", 0.12)
    t = t + rimr
    order = np.argsort(t.mean(1) + 0.15 * random.randn(n))
    w = width * (0.5 + 0.9 * random.rand(n))
    return canvas.strands(
        L[order],
        w[order],
        ramp(look["hair"], np.clip(t[order], 0, 1)),
        alpha * (0.55 + 0.45 * random.rand(n)) * (1 if fade is None else smooth(fade[0], fade[1], L[order, 0, 1])),
        taper,
    )


def fly_aways(canvas: Canvas, look: dict[str, Any], g, seed, n=70) -> None:
    """Thin loose hairs along a silhouette guide, so that the mass has no cut edge."""
    g = np.array(g, float)
    o = np.array([g[:, 0], (g[:, 1] + 0.3) * 1.0]).T
    o /= np.linalg.norm(o, axis=1, keepdims=True)
    k = np.linspace(0, 1, len(g))[:, None]
    hair_sheet(
        canvas,
        look,
        [g - o * 0.12, g + o * (0.01 + 0.05 * np.sin(np.pi * k))],
        n,
        clump=n,
        seed=seed + 40,
        sub=(0.15, 0.5),
        width=0.009,
        jitter=0.03,
        wave=(0.03, 1.2),
        base=False,
        alpha=0.55,
        tone=0.05,
        clumpy=0,
        spread=0.2,
        taper=(0.2, 0.9),
    )


def mirror(points):
    return [(-a, b) for a, b in points]
