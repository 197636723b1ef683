"""Whether these networks compute what the original code computes: run fixtures made with the original, compare.

    python -m avatar.echomimic.parity FILE.npz [FILE.npz ...] [--sensitivity] [--json] [--threads N]

A fixture is an ``.npz`` of inputs and outputs of upstream's own classes, filled with synthetic weights by a recipe
(``avatar.echomimic.recipe``), since trained weights are not needed to see whether two programs are one function. Here the
same networks are built at the released width, filled by the same recipe and given the same inputs; each array of the
file is then compared by relative L2 distance, ``|ours - theirs| / |theirs|``. Everything runs in float32 on the CPU.

A fixture may hold any of these arrays (``|`` parts names; ``parity_checks`` says what is done with each):

    audio|...           16 kHz sound, log-mel, Whisper features, windows of features
    pose_render|I|...   hand keypoints and the map drawn from them
    pose_encoder|...    maps and features
    windows|L...        which frames are denoised together in clips of some lengths
    ddim|...            timesteps, noise schedule, sampler steps
    ref|...             the reference U-Net: its bank and its last output
    den|...             the denoiser: without and with guidance, with a bank rounded to float16, traces of its layers
    in|..., step<K>|... a whole run: sound, picture and poses in, every sampler step, video out

Tolerances: 1e-5 for one network in float32 (the order of operations moves results by about 2e-6), 1e-4 for a whole run,
0 for indices, and a few pixels for drawings (OpenCV's releases differ in them). ``--sensitivity`` also does wrong what the
fixture names (no sound, no reference, ...) and holds the change against the original's: a check that cannot fail is none.
Sizes, seeds, lengths, timesteps and numbers of steps are the file's own. An array that none of this knows is named as not
compared.

The denoiser takes 5.2 GB, the reference U-Net 3.3 GB; each is built once for all files and freed before the next.
Exit status: 0 all within tolerance, 1 some beyond it, 2 a file cannot be read, is no fixture, or holds arrays that do not fit
together.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import re
import sys
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ONE_NETWORK = 1e-5
WHOLE_RUN = 1e-4
EXACT = 0.0
DRAWING = 0.05
"""Of a map's energy: some pixels of thin lines on black."""


@dataclass(frozen=True, slots=True)
class Result:
    """One array compared.

    Attributes:
        array: its name in the fixture.
        error: relative L2; infinite where the shapes differ.
        tolerance: what is allowed.
    """

    array: str
    error: float
    tolerance: float

    @property
    def passed(self) -> bool:
        return self.error <= self.tolerance


class Fixture:
    """A file's arrays, and which of them have been asked for.

    Raises:
        ValueError: it cannot be read as arrays without pickles.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open("rb") as opened:
                file = np.load(opened, allow_pickle=False)
                if not isinstance(file, np.lib.npyio.NpzFile):
                    raise ValueError("it is one array, not an .npz of several")
                self._arrays = {name: file[name] for name in file.files}
        except _UNREADABLE as error:
            raise ValueError(f"{path} is no fixture: {_line(error)}") from None
        if foreign := [name for name, array in self._arrays.items() if not isinstance(array, np.ndarray)]:
            raise ValueError(f"{path} is no fixture: {foreign[0]} in it is no array.")
        self._asked = {name for name in self._arrays if name.startswith("meta|")}

    def __contains__(self, name: str) -> bool:
        return name in self._arrays

    def __getitem__(self, name: str) -> NDArray[Any]:
        if name not in self._arrays:
            raise ValueError(f"{self.path} lacks {name}, which its other arrays need.")
        self._asked.add(name)
        return self._arrays[name]

    @property
    def names(self) -> list[str]:
        return list(self._arrays)

    def matching(self, pattern: str) -> list[re.Match[str]]:
        """Names that match a whole regular expression, in the file's order."""
        return [match for name in self._arrays if (match := re.fullmatch(pattern, name))]

    @contextlib.contextmanager
    def used_for(self, what: str) -> Iterator[None]:
        """Whatever goes wrong inside is told as the file's fault: its arrays are all that comes from outside.

        Raises:
            ValueError: with the file's name and ``what``.
        """
        try:
            yield
        except Exception as error:
            if isinstance(error, ValueError) and str(self.path) in str(error):
                raise
            raise ValueError(
                f"{self.path}: {what} could not be computed from its arrays: {type(error).__name__}: {_line(error)}"
            ) from error

    @property
    def unasked(self) -> list[str]:
        return sorted(self._arrays.keys() - self._asked)


@dataclass(slots=True)
class Run:
    """One fixture on its way through the networks.

    Attributes:
        fixture: the file.
        results: so far.
        kept: what one network leaves for the next.
        moved: relative change of the output by wrong behaviour, where that was asked for.
        unknown: what the fixture names that is not known here.
    """

    fixture: Fixture
    results: list[Result] = field(default_factory=list)
    kept: dict[str, Any] = field(default_factory=dict)
    moved: dict[str, float] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)

    @property
    def not_compared(self) -> list[str]:
        return [*self.fixture.unasked, *self.unknown]

    def compare(self, name: str, ours: Any, tolerance: float) -> None:
        """Hold an array or tensor against the fixture's of this name."""
        theirs = self.fixture[name]
        self.results.append(Result(name, relative_l2(np.asarray(ours), theirs), tolerance))


def relative_l2(ours: NDArray[Any], theirs: NDArray[Any]) -> float:
    """``|ours - theirs| / |theirs|``; 0 for equal arrays (names too), infinite where shapes differ or values are not finite."""
    if ours.shape != theirs.shape:
        return float("inf")
    if theirs.dtype.kind in "US":
        return 0.0 if np.array_equal(ours, theirs) else float("inf")
    mine, wanted = ours.astype(np.float64), theirs.astype(np.float64)
    distance, size = float(np.linalg.norm(mine - wanted)), float(np.linalg.norm(wanted))
    if distance == 0:
        return 0.0
    error = distance / size if size else float("inf")
    return error if np.isfinite(error) else float("inf")


_UNREADABLE = (
    OSError, ValueError, EOFError, KeyError, SyntaxError, NotImplementedError, MemoryError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
"""What numpy and zipfile raise for files that are damaged or something else."""


def _line(error: BaseException) -> str:
    said = str(error).strip().splitlines()
    return said[0] if said else type(error).__name__


def check(paths: Sequence[Path], *, sensitivity: bool = False) -> list[Run]:
    """Run fixtures, network by network.

    Args:
        paths: of the files.
        sensitivity: also measure what each wrong behaviour that a file names changes.

    Raises:
        ValueError: a file is no fixture, holds none of the arrays above, or arrays that do not fit together.
        ImportError: the packages of the ``gpu`` extra are not installed.
    """
    from avatar.echomimic import parity_checks

    runs = [Run(Fixture(path)) for path in paths]
    parity_checks.run_all(runs, sensitivity=sensitivity)
    for run in runs:
        if not run.results:
            raise ValueError(f"{run.fixture.path} holds nothing that could be compared.")
    return runs


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m avatar.echomimic.parity", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE.npz")
    parser.add_argument(
        "--sensitivity", action="store_true", help="also do wrong what the file names, and see it noticed"
    )
    parser.add_argument("--json", action="store_true", help="print a JSON object instead of a table")
    parser.add_argument("--threads", type=int, default=0, help="of PyTorch (default: its own choice)")
    chosen = parser.parse_args(arguments)
    try:
        if chosen.threads:
            import torch

            torch.set_num_threads(chosen.threads)
        runs = check(chosen.files, sensitivity=chosen.sensitivity)
    except ImportError as error:
        print(f'parity: {error}. The networks need the extra "gpu": pip install "parley[gpu]"', file=sys.stderr)
        return 2
    except ValueError as error:
        print(f"parity: {error}", file=sys.stderr)
        return 2
    passed = all(result.passed for run in runs for result in run.results)
    if chosen.json:
        print(json.dumps({"passed": passed, "files": [_as_json(run) for run in runs]}, indent=2))
    else:
        for run in runs:
            _print_table(run)
    return 0 if passed else 1


def _as_json(run: Run) -> dict[str, Any]:
    return {
        "file": str(run.fixture.path),
        "arrays": [{**dataclasses.asdict(result), "passed": result.passed} for result in run.results],
        "not_compared": run.not_compared,
    }


def _print_table(run: Run) -> None:
    failed = sum(not result.passed for result in run.results)
    print(f"{run.fixture.path}: {len(run.results)} arrays compared, {failed} beyond tolerance")
    width = max(len(result.array) for result in run.results)
    for result in run.results:
        verdict = "" if result.passed else "  BEYOND TOLERANCE"
        print(f"  {result.array:<{width}}  {result.error:9.2e}  of {result.tolerance:.0e}{verdict}")
    if run.not_compared:
        print(f"  not compared: {', '.join(run.not_compared)}")


if __name__ == "__main__":
    sys.exit(main())
