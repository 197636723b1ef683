"""What the trainers share: the learning rate, the averaged weights, checkpoints that a later run goes on from, a log."""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from avatar.errors import AvatarError

Tell = Callable[[str], None]


class TrainingError(AvatarError):
    """Training cannot begin or go on: no data, or a checkpoint of something else."""

    code = "training_error"


def learning_rate(step: int, steps: int, peak: float, *, warmup: int = 200, last: float = 0.05) -> float:
    """Linear warm-up, then half a cosine down to ``last`` of the peak at ``steps``."""
    if step < warmup:
        return peak * (step + 1) / warmup
    share = min((step - warmup) / max(steps - warmup, 1), 1.0)
    return peak * (last + (1.0 - last) * 0.5 * (1.0 + math.cos(math.pi * share)))


@cache
def fast_precision() -> torch.dtype:
    """bfloat16 where this processor multiplies matrices faster in it by a third at least, else float32; weights are float32 in
    either. (Measured on an AVX512-BF16 core: the transformer's step takes 0.23 s instead of 0.45.)"""
    a, b = torch.randn(1024, 256), torch.randn(256, 1024)
    seconds = {}
    for dtype in (torch.float32, torch.bfloat16):
        x, y = a.to(dtype), b.to(dtype)
        times = []
        for _ in range(7):
            began = time.thread_time()
            x @ y
            times.append(time.thread_time() - began)
        seconds[dtype] = min(times)
    return torch.bfloat16 if seconds[torch.bfloat16] * 1.33 < seconds[torch.float32] else torch.float32


def fast() -> torch.autocast:
    """Context for a network's forward pass in ``fast_precision``."""
    return torch.autocast("cpu", torch.bfloat16, enabled=fast_precision() is torch.bfloat16)


class Average:
    """Exponential moving average of a network's weights; what is measured and shipped.

    Young averages forget faster, so that the random beginning is gone early (decay ``(1 + n) / (10 + n)`` until ``decay``).
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.weights = {name: value.detach().clone() for name, value in network.state_dict().items()}

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        share = 1.0 - min(self.decay, (1 + step) / (10 + step))
        for name, value in network.state_dict().items():
            kept = self.weights[name]
            if kept.is_floating_point():
                kept.lerp_(value, share)
            else:
                kept.copy_(value)

    def copy_to(self, network: nn.Module) -> None:
        network.load_state_dict(self.weights)


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run is.

    Attributes:
        step: updates done.
        seconds: of training, over all sessions.
        about: what the run trains (shape, options): a checkpoint of another thing is refused.
    """

    step: int
    seconds: float
    about: dict[str, Any]


def save_checkpoint(
    folder: Path,
    network: nn.Module,
    average: Average,
    optimizer: torch.optim.Optimizer,
    rng: np.random.Generator,
    progress: Progress,
) -> None:
    """Write ``folder/checkpoint`` whole or not at all; an interrupted write leaves the one before."""
    fresh, final, old = (folder / name for name in ("checkpoint.new", "checkpoint", "checkpoint.old"))
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    save_file({k: v.contiguous() for k, v in network.state_dict().items()}, fresh / "network.safetensors")
    save_file({k: v.contiguous() for k, v in average.weights.items()}, fresh / "average.safetensors")
    torch.save({"optimizer": optimizer.state_dict(), "torch_rng": torch.get_rng_state()}, fresh / "optimizer.pt")
    state = {"step": progress.step, "seconds": round(progress.seconds), "about": progress.about}
    (fresh / "progress.json").write_text(json.dumps({**state, "rng": rng.bit_generator.state}, indent=1) + "\n")
    shutil.rmtree(old, ignore_errors=True)
    if final.exists():
        final.rename(old)
    fresh.rename(final)
    shutil.rmtree(old, ignore_errors=True)


def checkpoint_of(folder: Path) -> Path | None:
    """The newest whole checkpoint of a run, if it has one."""
    for name in ("checkpoint", "checkpoint.old"):
        if (folder / name / "progress.json").is_file():
            return folder / name
    return None


def load_checkpoint(
    folder: Path,
    network: nn.Module,
    average: Average,
    optimizer: torch.optim.Optimizer,
    rng: np.random.Generator,
    about: dict[str, Any],
) -> Progress:
    """Go on where ``save_checkpoint`` left; a folder without a checkpoint is the beginning.

    Raises:
        TrainingError: the checkpoint is of another network or other options.
    """
    found = checkpoint_of(folder)
    if found is None:
        return Progress(0, 0.0, about)
    state = json.loads((found / "progress.json").read_text())
    if state["about"] != about:
        raise TrainingError(
            f"{found} holds a run of {state['about']}, and this one is of {about}: choose another folder, or remove it"
        )
    network.load_state_dict(load_file(found / "network.safetensors"))
    average.weights = load_file(found / "average.safetensors")
    kept = torch.load(found / "optimizer.pt", weights_only=True)
    optimizer.load_state_dict(kept["optimizer"])
    torch.set_rng_state(kept["torch_rng"])
    rng.bit_generator.state = state["rng"]
    return Progress(state["step"], state["seconds"], about)


def about_run(folder: Path) -> dict[str, Any]:
    """What a run trains, as its trainer described it.

    Raises:
        TrainingError: the run has no checkpoint.
    """
    found = checkpoint_of(folder)
    if found is None:
        raise TrainingError(f"{folder} holds no checkpoint: train first")
    about: dict[str, Any] = json.loads((found / "progress.json").read_text())["about"]
    return about


def load_average(folder: Path, network: nn.Module) -> None:
    """Put a run's averaged weights into ``network``, which has its shape (``about_run``).

    Raises:
        TrainingError: the run has no checkpoint.
    """
    found = checkpoint_of(folder)
    if found is None:
        raise TrainingError(f"{folder} holds no checkpoint: train first")
    network.load_state_dict(load_file(found / "average.safetensors"))


class Log:
    """Appends one JSON object a line to ``folder/log.jsonl``, and tells it."""

    def __init__(self, folder: Path, tell: Tell) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "log.jsonl"
        self._tell = tell

    def write(self, **values: Any) -> None:
        line = json.dumps({"at": time.strftime("%H:%M:%S"), **_rounded(values)}, ensure_ascii=False)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
        self._tell(line)


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return value
