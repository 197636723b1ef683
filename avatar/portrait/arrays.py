"""Array types of this package, and the OpenCV calls it uses with types that mypy can follow."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Pixels = NDArray[np.uint8]
FixedMaps = tuple[NDArray[np.int16], NDArray[np.uint16]]
"""A map in OpenCV's fixed-point form: 5 bits of fraction, resampled about a fifth faster than floats."""


def smoothstep(start: Floats | float, end: Floats | float, x: Floats | float) -> Any:
    """0 at ``start``, 1 at ``end`` (either order), smooth between."""
    t = np.clip((x - start) / (end - start), 0, 1)
    return t * t * (3 - 2 * t)


def blurred(picture: NDArray[Any], sigma: float) -> Any:
    """Gaussian blur, edges replicated."""
    return cv2.GaussianBlur(picture, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)


def gray_of(picture: Pixels) -> Pixels:
    """Luminance of a BGR picture."""
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8)


def to_pixels(values: Floats) -> Pixels:
    """Rounded and limited to 0..255."""
    return np.clip(values + 0.5, 0, 255).astype(np.uint8)  # type: ignore[no-any-return]


def resample(picture: NDArray[Any], at: Floats) -> Any:
    """``picture`` at float positions ``at`` [rows, columns, 2] (x, y), bilinear, edges replicated."""
    where = np.ascontiguousarray(at, np.float32)
    return cv2.remap(picture, where, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[call-overload]


def fixed(at: Floats) -> FixedMaps:
    """Float positions [rows, columns, 2] as fixed-point maps."""
    return cv2.convertMaps(np.ascontiguousarray(at, np.float32), None, cv2.CV_16SC2)  # type: ignore[call-overload,no-any-return]


def resample_fixed(picture: Pixels, maps: FixedMaps, out: Pixels | None = None) -> Pixels:
    """``picture`` at fixed-point positions, bilinear, edges replicated."""
    return cv2.remap(picture, *maps, cv2.INTER_LINEAR, dst=out, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[return-value]
