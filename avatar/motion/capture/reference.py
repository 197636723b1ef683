"""A level head to compare others with: where points that skin barely moves over the skull lie in it.

Mean of MediaPipe's own answers for the built-in portraits, which look into the camera, mirrored onto themselves. What
MediaPipe calls depth is thus compared with its own idea of it. Eye spans (between the outer corners), from the middle
between the eyes; x to the picture's right, y down, depth towards the camera.
"""

from __future__ import annotations

import numpy as np

_POINTS = {
    33: (-0.500, 0.000, 0.000), 263: (0.500, 0.000, 0.000),
    133: (-0.185, 0.042, 0.057), 362: (0.185, 0.042, 0.057),
    127: (-0.725, 0.010, -0.524), 356: (0.725, 0.010, -0.524),
    162: (-0.709, -0.146, -0.399), 389: (0.709, -0.146, -0.399),
    21: (-0.676, -0.274, -0.249), 251: (0.676, -0.274, -0.249),
    54: (-0.619, -0.392, -0.110), 284: (0.619, -0.392, -0.110),
    103: (-0.525, -0.483, 0.031), 332: (0.525, -0.483, 0.031),
    67: (-0.373, -0.540, 0.153), 297: (0.373, -0.540, 0.153),
    109: (-0.203, -0.566, 0.222), 338: (0.203, -0.566, 0.222),
    234: (-0.720, 0.161, -0.590), 454: (0.720, 0.161, -0.590),
    93: (-0.707, 0.317, -0.615), 323: (0.707, 0.317, -0.615),
    116: (-0.667, 0.179, -0.147), 345: (0.667, 0.179, -0.147),
    143: (-0.660, 0.044, -0.154), 372: (0.660, 0.044, -0.154),
    193: (-0.083, -0.022, 0.187), 417: (0.083, -0.022, 0.187),
    122: (-0.061, 0.088, 0.241), 351: (0.061, 0.088, 0.241),
    10: (0.000, -0.570, 0.238), 151: (0.000, -0.397, 0.258),
    9: (0.000, -0.230, 0.263), 168: (0.000, -0.032, 0.230),
    6: (0.000, 0.072, 0.267), 197: (0.000, 0.160, 0.315),
    195: (0.000, 0.241, 0.364), 5: (0.000, 0.327, 0.416),
    4: (0.000, 0.429, 0.433),
}  # fmt: skip

RIGID = tuple(_POINTS)
"""Indices in MediaPipe's face mesh."""
RIGID_POINTS = np.array(list(_POINTS.values()))
"""float64 [len(RIGID), 3]."""

_SURE = (33, 263, 133, 362, 168, 6, 197, 195, 5, 4)
"""Eye corners and the nose's ridge are found better than the forehead and the outline, which hair covers and yaw shifts."""
WEIGHTS = np.array([2.0 if i in _SURE else 1.0 for i in RIGID])

PIVOT = np.array([0.0, 0.786, -0.491])
"""What the portrait renderer turns a head about: as high as the mouth, a little in front of the ears."""

FACE_HEIGHT = 1.75
"""Forehead to chin."""
