"""Windows of motion for the diffusion transformer, cut from the scene shards."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from avatar.motion.generator.condition import PHONES, C
from avatar.motion.generator.sampler import PLAYED_FRAMES, PREFIX_FRAMES
from avatar.motion.generator.state import D, Normalisation
from avatar.motion.training.learning import TrainingError

_PHONES_UNTOLD = 0.25
"""Share of windows whose phones are not told: a voice without phoneme times, and no encoder's word for them either."""
_UNSURE_SHARE = 0.3
"""Share of windows whose played frames are a little off: at run time they are the model's own."""


@dataclass(frozen=True, slots=True)
class MotionWindows:
    """A batch, normalised: ``played`` [rows, PLAYED_FRAMES, D], ``state`` [rows, N, D], ``condition`` [rows, PREFIX_FRAMES + N, C]."""

    played: Tensor
    state: Tensor
    condition: Tensor


class SceneLibrary:
    """Scenes of the shards in a folder, normalised; ``refresh`` reads those that came since."""

    def __init__(self, folder: Path, normalisation: Normalisation) -> None:
        self.folder = folder
        self.normalisation = normalisation
        self.states: list[NDArray[np.float32]] = []
        self.conditions: list[NDArray[np.float32]] = []
        self._read: set[str] = set()
        self._ends = np.zeros(0, np.int64)
        self._untold = normalisation.condition(np.zeros(C, np.float32))[PHONES]

    def refresh(self) -> int:
        """Read new shards, in the order of their names; returns how many."""
        fresh = [path for path in sorted(self.folder.glob("*.npz")) if path.name not in self._read]
        for path in fresh:
            self._read.add(path.name)
            with np.load(path, allow_pickle=False) as file:
                state, condition, offset = (file[name] for name in ("state", "condition", "scene_offset"))
            if state.shape[1] != D or condition.shape[1] != C:
                raise TrainingError(
                    f"{path} holds {state.shape[1]} state and {condition.shape[1]} condition channels, expected {D} and {C}:"
                    " it was made by another version; make it again"
                )
            for a, b in zip(offset[:-1].tolist(), offset[1:].tolist(), strict=True):
                self.states.append(self.normalisation.state(state[a:b].astype(np.float32)))
                self.conditions.append(self.normalisation.condition(condition[a:b].astype(np.float32)))
        self._ends = np.cumsum([len(s) for s in self.states], dtype=np.int64)
        return len(fresh)

    @property
    def hours(self) -> float:
        return float(self._ends[-1]) / 25 / 3600 if len(self._ends) else 0.0

    def draw(
        self, rows: int, new: int, rng: np.random.Generator, unsure: NDArray[np.float32] | None = None
    ) -> MotionWindows:
        """A batch of windows of ``new`` frames, every frame of every scene equally likely to be the first of them.

        Args:
            unsure: how far played frames may be off, float32 [D] (``Innovations.unsure``); None leaves everything as it is,
                and told, for measuring.

        Raises:
            TrainingError: no shard was read.
        """
        if not self.states:
            raise TrainingError(f"no scene shards in {self.folder}: make some with `parley motion synthesize`")
        played = np.empty((rows, PLAYED_FRAMES, D), np.float32)
        state = np.empty((rows, new, D), np.float32)
        condition = np.empty((rows, PREFIX_FRAMES + new, C), np.float32)
        for row in range(rows):
            place = int(rng.integers(self._ends[-1]))
            scene = int(np.searchsorted(self._ends, place, side="right"))
            states, conditions = self.states[scene], self.conditions[scene]
            at = min(place - int(self._ends[scene]) + len(states), len(states) - new)
            at = max(at, 0)
            # What was before a scene is its first frame, as what was before a conversation is the picture at rest.
            played[row] = states[np.maximum(np.arange(at - PLAYED_FRAMES, at), 0)]
            index = np.minimum(np.arange(at, at + new), len(states) - 1)
            state[row] = states[index]
            condition[row] = conditions[np.clip(np.arange(at - PREFIX_FRAMES, at + new), 0, len(conditions) - 1)]
            if unsure is None:
                continue
            if rng.random() < _PHONES_UNTOLD:
                condition[row, :, PHONES] = self._untold
            if rng.random() < _UNSURE_SHARE:
                played[row] += unsure * rng.standard_normal(played[row].shape, np.float32)
        return MotionWindows(torch.from_numpy(played), torch.from_numpy(state), torch.from_numpy(condition))
