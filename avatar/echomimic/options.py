"""What can be chosen about this renderer. Plain values: it crosses processes, and needs none of the networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from importlib.util import find_spec
from typing import Any

from avatar.errors import ToolMissing

AUTO = "auto"
RANDOM_WEIGHTS = "random"
"""In place of a folder of weights: tiny networks with random ones, to show that everything around them works."""


MOST_ROLLING_STEPS = 12
"""A frame of each level in a window of 12."""


class Continuity(StrEnum):
    """How a window takes up the one before it; see ``avatar.echomimic.streaming`` and, for the last, ``rolling``."""

    STORED = "stored"
    RENOISED = "renoised"
    CARRIED = "carried"
    ROLLING = "rolling"


class Drive(StrEnum):
    """What moves the picture."""

    SOUND = "sound"
    """The sound moves the face, ``Motion`` the hands."""
    POSES = "poses"
    """A pose sequence moves the hands; the face keeps silent whatever is heard."""
    SOUND_AND_POSES = "sound+poses"
    """The sound moves the face, a pose sequence the hands."""


class LiveDecoder(StrEnum):
    TAESD = "taesd"
    VAE = "vae"


class Precision(StrEnum):
    BF16 = "bf16"
    FP16 = "fp16"
    FP32 = "fp32"


class Speedup(StrEnum):
    """What is done to the denoiser beyond calling it. All but ``NONE`` need a CUDA device, and windows of one shape:
    ``STORED`` or ``RENOISED``."""

    NONE = "none"
    GRAPHS = "graphs"
    """Each batch size is recorded once as a CUDA graph: a window is one launch."""
    COMPILE = "compile"
    """``torch.compile`` first, then graphs. Minutes at the first start."""


@dataclass(frozen=True, slots=True)
class Options:
    """Attributes:
    weights: folder in the released layout, or ``RANDOM_WEIGHTS``.
    cache: folder where prepared personas are kept; empty keeps none.
    variant: of the weights ("v2-accelerated", see ``avatar.echomimic.released``); ``AUTO`` takes the best that is whole.
    steps: of denoising, live: 6 with the released accelerated weights; fewer with weights distilled for them.
    continuity: see ``Continuity``.
    drive: see ``Drive``.
    poses: pose sequence (.npz) played while the avatar speaks; empty leaves the hands to ``Motion``.
    idle_poses: the same while it does not; empty goes on with ``poses``.
    decoder: of live frames.
    precision: of the networks on a GPU; a CPU always computes in fp32.
    speedup: see ``Speedup``.
    max_batch: windows of different conversations that are drawn together, at most.
    """

    weights: str = RANDOM_WEIGHTS
    cache: str = ""
    variant: str = AUTO
    steps: int = 6
    continuity: Continuity = Continuity.STORED
    drive: Drive = Drive.SOUND
    poses: str = ""
    idle_poses: str = ""
    decoder: LiveDecoder = LiveDecoder.TAESD
    precision: Precision = Precision.BF16
    speedup: Speedup = Speedup.GRAPHS
    max_batch: int = 4

    def __post_init__(self) -> None:
        if not 1 <= self.steps <= 30:
            raise ValueError(f"EchoMimic takes 1 to 30 steps, not {self.steps}.")
        if self.continuity is Continuity.ROLLING and self.steps > MOST_ROLLING_STEPS:
            raise ValueError(f"Rolling windows of 12 frames take up to {MOST_ROLLING_STEPS} steps, not {self.steps}.")
        if not 1 <= self.max_batch <= 16:
            raise ValueError(f"1 to 16 windows are drawn together, not {self.max_batch}.")
        if self.drive is not Drive.SOUND and not self.poses:
            raise ValueError(f'Driving by "{self.drive}" needs a pose sequence; set poses to a file.')

    def to_dict(self) -> dict[str, Any]:
        return {name: value.value if isinstance(value, StrEnum) else value for name, value in asdict(self).items()}

    @staticmethod
    def from_dict(given: Mapping[str, Any]) -> Options:
        """What ``to_dict`` made.

        Raises:
            ValueError: an unknown name or value.
        """
        kinds = {
            "continuity": Continuity, "drive": Drive, "decoder": LiveDecoder,
            "precision": Precision, "speedup": Speedup,
        }  # fmt: skip
        known = {field.name for field in fields(Options)}
        if unknown := sorted(set(given) - known):
            raise ValueError(f"EchoMimic has no option {unknown[0]!r}.")
        values: dict[str, Any] = {name: kinds[name](value) if name in kinds else value for name, value in given.items()}
        return Options(**values)


def need_gpu_extra() -> None:
    """Raises:
    ToolMissing: the packages of the ``gpu`` extra are not installed.
    """
    lacking = [name for name in ("torch", "diffusers", "safetensors") if find_spec(name) is None]
    if lacking:
        raise ToolMissing(f'EchoMimic needs {", ".join(lacking)}, not installed here: pip install "parley[gpu]"')
