"""Motion in a file: what ``parley motion capture`` writes and ``parley render --motion`` plays.

An ordinary ``.npz`` (a ZIP of ``.npy`` arrays, nothing pickled):

=============  ===================  ==========================================================================
``format``     str                  ``"parley-motion/1"``
``channels``   str [C]              names of the columns, any of ``avatar.motion.motion.CHANNELS``, in any order
``values``     float32 [frames, C]  25 frames a second, units as in ``CHANNELS``; channels left out are zero
``about``      str                  one JSON object: where it came from; free, never needed to play it
=============  ===================  ==========================================================================

Files name their columns, so a later version with more channels still reads the older ones.
"""

from __future__ import annotations

import json
import os
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from avatar.errors import MediaFileError
from avatar.motion.motion import CHANNELS, INDEX, Motion

FORMAT = "parley-motion/1"
_FORMAT_FAMILY = "parley-motion/"

LARGEST_BYTES = 512 * 2**20
"""Of the values when unpacked: ten hours. A ZIP can claim anything."""


def check_motion_output(path: Path, *, overwrite: bool, not_over: Path | None = None) -> None:
    """Find out before the work whether the file can be written.

    Raises:
        MediaFileError: codes ``output_exists``, ``output_unwritable``.
    """
    unwritable = "output_unwritable"
    if path.suffix.lower() != ".npz":
        raise MediaFileError(f"The output {path} must end in .npz.", code=unwritable)
    if path.is_dir():
        raise MediaFileError(f"The output {path} is a folder; name a file in it.", code=unwritable)
    folder = path.absolute().parent
    if not folder.is_dir():
        raise MediaFileError(f"There is no folder {folder}; make it first.", code=unwritable)
    if not_over is not None and path.exists() and not_over.exists() and path.samefile(not_over):
        raise MediaFileError(f"{path} is the input; name another file for the output.", code=unwritable)
    if path.exists() and not overwrite:
        raise MediaFileError(f"{path} exists already. Add --force to replace it.", code="output_exists")
    if not os.access(folder, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
        raise MediaFileError(f"{path} may not be written by this user.", code=unwritable)


def save_motion(path: Path, motion: Motion, about: dict[str, Any] | None = None) -> None:
    """Write a motion file; it appears under its name only when it is whole.

    Args:
        path: replaced if it exists.
        motion: NaN and infinity are refused.
        about: JSON-able.

    Raises:
        MediaFileError: code ``output_unwritable``.
        ValueError: the motion holds numbers that are none.
    """
    if not np.isfinite(motion.values).all():
        raise ValueError("motion to be saved holds NaN or infinity")
    used = [name for name in CHANNELS if np.any(motion[name])] or [CHANNELS[0]]
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            np.savez_compressed(
                file,
                format=np.array(FORMAT),
                channels=np.array(used),
                values=np.ascontiguousarray(motion.values[:, [INDEX[name] for name in used]], np.float32),
                about=np.array(json.dumps(about or {}, ensure_ascii=False)),
            )
        partial.replace(path)
    except OSError as error:
        raise MediaFileError(
            f"{path} could not be written: {error.strerror or error}.", code="output_unwritable"
        ) from error
    finally:
        with suppress(OSError):
            partial.unlink()


def load_motion(path: Path) -> tuple[Motion, dict[str, Any]]:
    """Read a motion file.

    Returns:
        The motion, at least one frame, and what the file says about itself.

    Raises:
        MediaFileError: codes ``file_missing``, ``not_a_motion_file`` (the text says what is wrong with it).
    """
    if not path.is_file():
        raise MediaFileError(f"There is no file {path}.", code="file_missing")
    try:
        _check_size(path)
        with np.load(path, allow_pickle=False) as file:
            stated = str(file["format"])
            if stated != FORMAT:
                raise _refused(path, _of_another_format(stated))
            names = [str(name) for name in file["channels"]]
            values = np.asarray(file["values"])
            about = json.loads(str(file["about"])) if "about" in file.files else {}
    except PermissionError:
        raise MediaFileError(f"{path} may not be read by this user.", code="file_missing") from None
    except KeyError as error:
        raise _refused(path, f"it has no array {str(error.args[0]).split(' ')[0]!r}") from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError) as error:
        raise _refused(path, (str(error).splitlines() or ["it cannot be read"])[0][:120]) from None
    if values.ndim != 2 or values.shape[1] != len(names) or values.dtype.kind != "f":
        raise _refused(path, f"its values are {values.dtype} {values.shape} for {len(names)} channels")
    if len(values) == 0:
        raise _refused(path, "it holds no frame")
    if not np.isfinite(values).all():
        raise _refused(path, "it holds numbers that are none (NaN or infinity)")
    unknown = sorted(set(names) - set(CHANNELS))
    if unknown or len(set(names)) != len(names):
        raise _refused(path, f"its channels are not known: {', '.join(unknown[:5]) or 'one is named twice'}")
    motion = Motion.zeros(len(values))
    motion.values[:, [INDEX[name] for name in names]] = values
    return motion, about if isinstance(about, dict) else {}


def _check_size(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > LARGEST_BYTES:
            raise ValueError(f"it unpacks to more than {LARGEST_BYTES >> 20} MiB")


def _of_another_format(stated: str) -> str:
    if stated.startswith(_FORMAT_FAMILY):
        return f"it is of version {stated[len(_FORMAT_FAMILY) :][:20]}, and this Parley reads 1"
    return f"its format is {stated[:40]!r}"


def _refused(path: Path, reason: str) -> MediaFileError:
    return MediaFileError(
        f"{path} is not a motion file that can be played: {reason}. Make one with `parley motion capture`.",
        code="not_a_motion_file",
    )
