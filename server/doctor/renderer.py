"""What the ``echomimic`` renderer needs: packages, a GPU, weights, pose sequences."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from server.config import Settings
from server.doctor.finding import Finding, Verdict
from server.renderer_options import renderer_options

SUBJECT = "echomimic"
_ASK_DEVICE = (
    "import torch; p = torch.cuda.get_device_properties(0) if torch.cuda.is_available() else None; "
    "print(f'{p.name}, {p.total_memory / 2**30:.0f} GiB' if p else '')"
)
DEVICE_TIMEOUT_S = 60.0
"""PyTorch takes seconds to load, from a slow disk many; a process of its own keeps it out of this one."""


def examine(settings: Settings) -> Iterator[Finding]:
    """Nothing where another renderer draws."""
    if settings.avatar.renderer != "echomimic":
        return
    from avatar.echomimic.options import RANDOM_WEIGHTS, Options, need_gpu_extra
    from avatar.errors import AvatarError

    options = Options.from_dict(renderer_options(settings))
    try:
        need_gpu_extra()
    except AvatarError as error:
        yield Finding(SUBJECT, Verdict.PROBLEM, str(error), 'pip install "parley[gpu]"')
        return
    random = options.weights == RANDOM_WEIGHTS
    yield _device(random)
    if random:
        yield Finding(
            SUBJECT,
            Verdict.NOTE,
            "weights are random: the picture is noise, and says so",
            "parley echomimic fetch v2-accelerated FOLDER, and PARLEY_ECHOMIMIC_WEIGHTS=FOLDER",
        )
    else:
        yield _weights(Path(options.weights), options.variant)
    yield from _poses([path for path in (options.poses, options.idle_poses) if path])


def _device(random: bool) -> Finding:
    try:
        asked = subprocess.run(
            [sys.executable, "-c", _ASK_DEVICE], capture_output=True, text=True, timeout=DEVICE_TIMEOUT_S, check=False
        )
        found, said = asked.stdout.strip(), asked.stderr.strip().splitlines()
    except subprocess.TimeoutExpired:
        found, said = "", [f"PyTorch did not load within {DEVICE_TIMEOUT_S:.0f} s"]
    if found:
        return Finding(SUBJECT, Verdict.OK, f"draws on {found}")
    why = f" ({said[-1]})" if said else ""
    return Finding(
        SUBJECT,
        Verdict.NOTE if random else Verdict.PROBLEM,
        f"PyTorch finds no CUDA GPU here{why}; on a CPU the released networks draw a frame in minutes",
        "Install the GPU's driver, or a PyTorch built for it; or set PARLEY_AVATAR_RENDERER=portrait.",
    )


def _weights(folder: Path, wanted: str) -> Finding:
    from avatar.echomimic.released import Variant, missing_files
    from avatar.echomimic.variant import choose_variant

    variant = choose_variant(folder, wanted)
    missing = missing_files(folder, variant)
    if missing:
        listed = "; ".join(f"{file.path} from {file.where()}" for file in missing)
        return Finding(
            SUBJECT,
            Verdict.PROBLEM,
            f"{folder} lacks files of {variant.value}: {listed}",
            f"parley echomimic fetch {variant.value} {folder}",
        )
    if variant in (Variant.V2, Variant.V1_AUDIO):
        return Finding(
            SUBJECT,
            Verdict.NOTE,
            f"{folder} holds {variant.value}, made for 30 steps with guidance; live frames get few steps without",
            f"parley echomimic fetch {variant.value}-accelerated {folder}",
        )
    return Finding(SUBJECT, Verdict.OK, f"{folder} holds {variant.value} whole")


def _poses(paths: list[str]) -> Iterator[Finding]:
    from avatar.echomimic.poses import PoseSequence
    from avatar.errors import AvatarError

    for path in paths:
        try:
            frames = len(PoseSequence.load(Path(path)))
        except AvatarError as error:
            yield Finding(SUBJECT, Verdict.PROBLEM, str(error), "parley echomimic poses FOLDER -o poses.npz")
        else:
            yield Finding(SUBJECT, Verdict.OK, f"{path}: {frames} poses")
