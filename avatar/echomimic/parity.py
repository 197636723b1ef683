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

The denoiser takes 5.2 GB, the reference U-Net 3.3 GB; each is built once for all files and freed before the next.
Exit status: 0 all within tolerance, 1 some beyond it, 2 a file cannot be read or is no fixture.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import re
import sys
import zipfile
from collections.abc import Sequence
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
            with np.load(path, allow_pickle=False) as file:
                self._arrays = {name: file[name] for name in file.files}
        except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise ValueError(f"{path} is no fixture: {error}") from None
        self._asked = {name for name in self._arrays if name.startswith("meta|")}

    def __contains__(self, name: str) -> bool:
        return name in self._arrays

    def __getitem__(self, name: str) -> NDArray[Any]:
        if name not in self._arrays:
            raise ValueError(f"{self.path} lacks {name}, which its other arrays need.")
        self._asked.add(name)
        return self._arrays[name]

    def matching(self, pattern: str) -> list[re.Match[str]]:
        """Names that match a whole regular expression, in the file's order."""
        return [match for name in self._arrays if (match := re.fullmatch(pattern, name))]

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
    """

    fixture: Fixture
    results: list[Result] = field(default_factory=list)
    kept: dict[str, Any] = field(default_factory=dict)
    moved: dict[str, float] = field(default_factory=dict)

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


def check(paths: Sequence[Path], *, sensitivity: bool = False) -> list[Run]:
    """Run fixtures, network by network.

    Args:
        paths: of the files.
        sensitivity: also measure what each wrong behaviour that a file names changes.

    Raises:
        ValueError: a file is no fixture, or holds none of the arrays above.
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
    if chosen.threads:
        import torch

        torch.set_num_threads(chosen.threads)
    try:
        runs = check(chosen.files, sensitivity=chosen.sensitivity)
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
        "not_compared": run.fixture.unasked,
    }


def _print_table(run: Run) -> None:
    failed = sum(not result.passed for result in run.results)
    print(f"{run.fixture.path}: {len(run.results)} arrays compared, {failed} beyond tolerance")
    width = max(len(result.array) for result in run.results)
    for result in run.results:
        verdict = "" if result.passed else "  BEYOND TOLERANCE"
        print(f"  {result.array:<{width}}  {result.error:9.2e}  of {result.tolerance:.0e}{verdict}")
    if run.fixture.unasked:
        print(f"  not compared: {', '.join(run.fixture.unasked)}")


if __name__ == "__main__":
    sys.exit(main())
