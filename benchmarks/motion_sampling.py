"""Student against teacher: what a sampler costs, and how far the motion it makes is from held-out data's. Needs torch."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.motion.evaluation.frechet import WindowSpace, distance
from avatar.motion.evaluation.lips import Interval

Floats = NDArray[np.float32]
Tell = Callable[[str], None]

SCENE_FRAMES = 500
"""20 s a scene: long enough for a rollout to drift, short enough to have many."""
LEAST_WINDOWS = 5000
BATCH = 64


def scenes_of(folder: Path, *, most_frames: int | None = None) -> list[tuple[Floats, Floats]]:
    """(state, condition) of the scenes of all shards in a folder, physical units, cut into ``SCENE_FRAMES``."""
    out: list[tuple[Floats, Floats]] = []
    frames = 0
    for path in sorted(folder.glob("*.npz")):
        with np.load(path, allow_pickle=False) as shard:
            state, condition = shard["state"].astype(np.float32), shard["condition"].astype(np.float32)
            offsets = shard["scene_offset"].tolist()
        for start, end in pairwise(offsets):
            for at in range(start, end - SCENE_FRAMES + 1, SCENE_FRAMES):
                out.append((state[at : at + SCENE_FRAMES], condition[at : at + SCENE_FRAMES]))
                frames += SCENE_FRAMES
                if most_frames is not None and frames >= most_frames:
                    return out
    return out


def frechet_table(
    made: dict[str, list[Floats]], held_out: Sequence[Floats], training: Sequence[Floats]
) -> tuple[dict[str, Interval], dict[str, float]]:
    """Distances of each made set, and of training data itself (the floor), to held-out data.

    Returns:
        Distances by name, and what a reader must know: windows, components, variance explained.
    """
    space = WindowSpace.fitted(training)
    reference = space.project(held_out)
    half = len(held_out) // 2
    table = {name: distance(space.project(scenes), reference) for name, scenes in made.items()}
    table["training data"] = distance(space.project(training[: len(held_out)]), reference)
    table["held-out data, one half against the other"] = distance(reference[:half], reference[half:])
    windows = float(sum(len(rows) for rows in reference))
    return table, {"windows": windows, "components": float(len(space.components)), "explained": space.explained}


def sampler_seconds(draw: Callable[[], Any], *, rounds: int = 30) -> float:
    """CPU seconds of one draw: the median of some."""
    draw()
    spent = []
    for _ in range(rounds):
        begin = time.process_time()
        draw()
        spent.append(time.process_time() - begin)
    return float(np.median(spent))


def roll_outs(runs: Path, data: Path, tell: Tell, *, most_frames: int) -> dict[str, list[Floats]]:
    """Scenes made by teacher and students from held-out conditions, each from its own output, hop by hop.

    Args:
        runs: folder of the training runs: ``teacher``, ``student-4``, ``student-2``, ``student-1``.
        data: working folder with ``scenes/test`` and ``normalisation.npz``.

    Returns:
        Physical states by name, one array a scene.
    """
    import torch

    from avatar.motion.generator.state import Normalisation
    from avatar.motion.training.diffusion_training import trained_transformer
    from avatar.motion.training.sampling import roll_out

    torch.set_num_threads(1)
    normalisation = Normalisation.load(data / "normalisation.npz")
    scenes = scenes_of(data / "scenes" / "test", most_frames=most_frames)
    kinds = [("teacher, 40 steps", "teacher", 40), ("teacher, plain DDIM-4", "teacher", 4)]
    kinds += [(f"student, {n} step{'s' if n > 1 else ''}", f"student-{n}", n) for n in (4, 2, 1)]
    made: dict[str, list[Floats]] = {}
    for name, folder, steps in kinds:
        if not (runs / folder).is_dir():
            continue
        network = trained_transformer(runs / folder)
        out: list[Floats] = []
        for first in range(0, len(scenes), BATCH):
            batch = scenes[first : first + BATCH]
            tell(f"{name}: scenes {first} to {first + len(batch)} of {len(scenes)}")
            told = np.stack([normalisation.condition(condition) for _, condition in batch])
            begin = np.stack([normalisation.state(state[0]) for state, _ in batch])
            rng = np.random.default_rng(first)
            out += [normalisation.physical(each) for each in roll_out(network, steps, told, begin, rng)]
        made[name] = out
    return made


def torch_samplers(runs: Path) -> dict[str, float]:
    """CPU seconds of one hop's draw (seven new frames), one thread, by teacher and students."""
    import torch

    from avatar.distillation.scheduler import MultistepConsistencyScheduler
    from avatar.motion.generator.condition import C
    from avatar.motion.generator.sampler import PLAYED_FRAMES, PREFIX_FRAMES
    from avatar.motion.generator.state import D
    from avatar.motion.training.diffusion_training import trained_transformer
    from avatar.motion.training.sampling import AHEAD, HOP, sample

    torch.set_num_threads(1)
    new = HOP + AHEAD
    noise, played = torch.randn(1, new, D), torch.randn(1, PLAYED_FRAMES, D)
    condition = torch.randn(1, PREFIX_FRAMES + new, C)
    out = {}
    for name, folder, steps in (
        ("teacher, 40 steps", "teacher", 40),
        *((f"student, {n} step{'s' if n > 1 else ''}", f"student-{n}", n) for n in (4, 2, 1)),
    ):
        if (runs / folder).is_dir():
            network = trained_transformer(runs / folder)

            def draw(network: Any = network, steps: int = steps) -> Any:
                with torch.no_grad():
                    return sample(network, MultistepConsistencyScheduler(), steps, noise, played, condition)

            out[name] = sampler_seconds(draw)
    return out


GRAPHS = {
    "teacher, 40 steps": "teacher-40",
    "teacher, plain DDIM-4": "teacher-4",
    "student, 4 steps": "student-4",
    "student, 4 steps, int8": "student-4-int8",
    "student, 2 steps": "student-2",
    "student, 1 step": "student-1",
}


def onnx_samplers(folder: Path) -> dict[str, float]:
    """As ``torch_samplers``, in the runtime that serves: the graphs of ``parley motion export --comparison``."""
    from avatar.motion.generator import sampler
    from avatar.motion.generator.condition import C
    from avatar.motion.generator.network import OnnxNetwork
    from avatar.motion.generator.source import AHEAD_FRAMES, SPEAKING_HOP
    from avatar.motion.generator.state import D

    new = SPEAKING_HOP + AHEAD_FRAMES
    rng = np.random.default_rng(0)
    given = {
        "prefix": rng.standard_normal((1, sampler.PLAYED_FRAMES, D)).astype(np.float32),
        "condition": rng.standard_normal((1, sampler.PREFIX_FRAMES + new, C)).astype(np.float32),
        "noise": rng.standard_normal((1, new, D)).astype(np.float32),
    }
    out = {}
    for name, stem in GRAPHS.items():
        if (folder / f"{stem}.onnx").is_file():
            network = OnnxNetwork(folder / f"{stem}.onnx", sampler.INPUTS, sampler.OUTPUTS)
            out[name] = sampler_seconds(partial(network.run, given))
    return out
