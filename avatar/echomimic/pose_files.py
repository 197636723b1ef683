"""EchoMimicV2's own pose files: one pickled dict a frame, read without running anything that a pickle can ask for.

``np.load(..., allow_pickle=True)`` runs whatever the file names. Here the pickle's opcodes are followed by Python's
own unpickler, but the only names it may resolve are four of numpy's, and they lead to the plain classes below: they
hold what they are given and check it. Nothing of numpy is constructed until shapes and lengths were seen to agree.
"""

from __future__ import annotations

import codecs
import math
import pickle
import re
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from avatar.echomimic.poses import PoseSequence
from avatar.errors import MediaFileError
from avatar.motion.motion import HAND_POINTS

MAX_FILE_BYTES = 1 << 20
"""The released files have 6 kB."""
_MAX_VALUES = 1 << 16
_KIND = re.compile(r"[fiub][1248]")
_OBJECT = "O8"
_NAMES = {"_reconstruct", "scalar"}


class Refused(pickle.UnpicklingError):
    """The file asks for something that no array of numbers needs."""


class _Dtype:
    """What ``numpy.dtype`` pickles to: a kind such as "f8", then its byte order."""

    def __init__(self, kind: str, align: bool = False, copy: bool = True) -> None:
        if not isinstance(kind, str) or not (kind == _OBJECT or _KIND.fullmatch(kind)):
            raise Refused(f"the data type {str(kind)[:20]!r}")
        self.kind, self.order = kind, "<"

    def __setstate__(self, state: Any) -> None:
        match state:
            case (int(), str() as order, None, None, None, *_) if order in ("<", ">", "|", "="):
                self.order = order
            case _:
                raise Refused("a data type with fields")

    @property
    def numpy(self) -> np.dtype[Any]:
        return np.dtype(self.kind if self.order == "|" else self.order + self.kind)


class _Array:
    """What ``numpy.ndarray`` pickles to: shape, data type, order of axes, and the bytes (or objects)."""

    value: Any = None

    def __setstate__(self, state: Any) -> None:
        match state:
            case (int(), tuple() as shape, _Dtype() as dtype, bool() | int() as fortran, data):
                pass
            case _:
                raise Refused("an array of an unknown layout")
        if not all(isinstance(side, int) and 0 <= side <= _MAX_VALUES for side in shape):
            raise Refused("an array of an impossible shape")
        count = math.prod(shape)
        if dtype.kind == _OBJECT:
            if not isinstance(data, list) or len(data) != count or count != 1:
                raise Refused("an array of several objects")
            self.value = data[0]
            return
        if not isinstance(data, bytes) or count > _MAX_VALUES or len(data) != count * dtype.numpy.itemsize:
            raise Refused("an array whose length does not fit its shape")
        self.value = np.frombuffer(data, dtype.numpy).reshape(shape, order="F" if fortran else "C")


def _reconstruct(kind: Any, shape: Any, code: Any) -> _Array:
    if kind is not _Array:
        raise Refused("a subclass of an array")
    return _Array()


def _scalar(dtype: Any, data: Any) -> Any:
    if not isinstance(dtype, _Dtype) or dtype.kind == _OBJECT or not isinstance(data, bytes):
        raise Refused("a scalar of an unknown kind")
    if len(data) != dtype.numpy.itemsize:
        raise Refused("a scalar whose length does not fit its kind")
    return np.frombuffer(data, dtype.numpy)[0]


def _encode(text: Any, encoding: Any = "latin1") -> bytes:
    """How Python 3 writes bytes into an old pickle protocol."""
    if not isinstance(text, str) or encoding != "latin1":
        raise Refused("text in an encoding of its own")
    return codecs.encode(text, "latin1")


_KNOWN: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _encode,
    **{
        (f"numpy.{core}.multiarray", name): _reconstruct if name == "_reconstruct" else _scalar
        for core in ("core", "_core")
        for name in _NAMES
    },
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _KNOWN[module, name]
        except KeyError:
            raise Refused(f"{module}.{name}"[:80]) from None

    def persistent_load(self, pid: Any) -> NoReturn:
        raise Refused("an object stored elsewhere")


def read_pose_file(path: Path) -> dict[str, Any]:
    """One frame's dict, its arrays as numpy arrays.

    Raises:
        MediaFileError: codes ``file_missing``, ``pose_file_damaged``, ``pose_file_refused`` (it asks for code to be
            run, or for anything but arrays of numbers).
    """
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise _damaged(path, f"it has more than {MAX_FILE_BYTES} bytes")
        with path.open("rb") as file:
            version = np.lib.format.read_magic(file)
            if version not in ((1, 0), (2, 0)):
                raise _damaged(path, f"it has the unknown format {version}")
            read_header = (
                np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            )
            shape, _, dtype = read_header(file)
            if shape != () or dtype != np.dtype(object):
                raise _damaged(path, "it holds no pose")
            found = _plain(_Unpickler(file).load())
    except Refused as refused:
        raise MediaFileError(
            f"{path} is not a pose file that is safe to read: it asks for {refused}. Only arrays of numbers are read.",
            code="pose_file_refused",
        ) from None
    except OSError as error:
        raise MediaFileError(f"{path} cannot be read: {error.strerror}.", code="file_missing") from None
    except MediaFileError:
        raise
    except Exception as error:  # a damaged pickle may end in any error at all
        raise _damaged(path, str(error) or type(error).__name__) from None
    if not isinstance(found, dict):
        raise _damaged(path, "it holds no pose")
    return found


def read_poses(folder: Path) -> PoseSequence:
    """A folder of ``0.npy``, ``1.npy`` ... as one sequence.

    Raises:
        MediaFileError: codes as ``read_pose_file``; ``pose_file_damaged`` too where a number is missing or a frame
            holds no hands.
    """
    if not folder.is_dir():
        raise MediaFileError(f"There is no folder {folder}.", code="file_missing")
    paths = {int(path.stem): path for path in folder.glob("*.npy") if path.stem.isdecimal()}
    if not paths:
        raise MediaFileError(f"{folder} holds no pose files (0.npy, 1.npy, ...).", code="file_missing")
    missing = sorted(set(range(max(paths) + 1)) - set(paths))
    if missing:
        raise _damaged(folder / f"{missing[0]}.npy", "it is missing in the sequence")
    hands, scores, canvas = [], [], []
    for number in sorted(paths):
        frame = read_pose_file(paths[number])
        hands.append(_field(paths[number], frame, "hands", (2, HAND_POINTS, 2)))
        scores.append(_field(paths[number], frame, "hands_score", (2, HAND_POINTS)))
        canvas.append(_field(paths[number], frame, "draw_pose_params", (6,)))
    return PoseSequence(
        np.stack(hands).astype(np.float32), np.stack(scores).astype(np.float32), np.stack(canvas).astype(np.int32)
    )


def _field(path: Path, frame: dict[str, Any], name: str, shape: tuple[int, ...]) -> Any:
    try:
        value = np.asarray(frame[name], np.float64)
    except KeyError:
        raise _damaged(path, f"it has no {name!r}") from None
    except (TypeError, ValueError):
        raise _damaged(path, f"its {name!r} holds no numbers") from None
    if value.shape != shape:
        raise _damaged(path, f"its {name!r} has the shape {list(value.shape)}, not {list(shape)}")
    if not np.isfinite(value).all() or np.abs(value).max() > 1e6:
        raise _damaged(path, f"its {name!r} holds impossible numbers")
    return value


def _plain(value: Any) -> Any:
    """The placeholders replaced by what they hold."""
    if isinstance(value, _Array):
        return _plain(value.value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items() if isinstance(key, str)}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def _damaged(path: Path, why: str) -> MediaFileError:
    return MediaFileError(f"{path} is not a pose file of EchoMimicV2: {why}.", code="pose_file_damaged")
