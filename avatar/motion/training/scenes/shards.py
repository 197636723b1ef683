"""Scene shards: the generator's training data, made from speech shards; seeded, resumable, one shard after the other."""

from __future__ import annotations

import importlib.metadata
import json
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from avatar.errors import AvatarError
from avatar.motion.generator.condition import ACTIVITY, AT, CONDITION, PHONES, C
from avatar.motion.generator.state import HANDS, MOUTH, SCORES, STATE, HandBasis, Normalisation
from avatar.motion.training.scenes import basis as hand_basis
from avatar.motion.training.scenes.answer import Utterance, read_shard
from avatar.motion.training.scenes.performance import perform
from avatar.motion.training.scenes.script import write

SPLITS = ("train", "valid", "test")
_HELD_OUT_HOURS = {"valid": 0.5, "test": 0.75}
SCENES_A_SHARD = 16
SHARD_HOURS = 0.2
"""Scenes last 48 s on average, with an answer that runs over the end of some."""
_NORMALISED_ON = 3
"""Shards that mean and deviation are taken from: 36 minutes; more change them by per cents."""

_MEASURED_ON = 12
"""Scenes of other gestures that the basis of the hands is measured on."""

_LEAST_STD = 0.02
"""Of residual and condition channels: what hardly varies is not blown up to unit variance."""

Progress = Callable[[int, int], None]

MANIFEST = "manifest.json"
_VERSION = 1


class ScenesFailed(AvatarError):
    """Scenes cannot be made; says why and what to do."""

    code = "synthesis_failed"


def make_scenes(
    data_dir: Path,
    hours: float,
    seed: int,
    workers: int = 1,
    progress: Progress = lambda done, total: None,
    splits: Sequence[str] = SPLITS,
) -> None:
    """Write ``data_dir``/scenes/{train,valid,test}/NNNN.npz from the speech shards in ``data_dir``/speech.

    What is there already is kept. ``hands.npz`` and ``normalisation.npz`` are written once, beside ``scenes``, after
    the first shards, and never changed. The same seed and the same speech shards give the same scenes; a shard of scenes is made of the
    speech shard of its own number, so scenes can be begun before all speech is there.

    Args:
        data_dir: working folder of the synthesis.
        hours: of training scenes; what is needed to choose and to test by is added, of held-out voices.
        seed: of all chance.
        workers: processes.
        progress: told how many shards of how many are there, at the start and after each.
        splits: which to make.

    Raises:
        ScenesFailed: a split has no speech shards, or the scenes that are there are of another seed or version.
    """
    basis = _begin(data_dir, seed)
    jobs: list[_Job] = []
    for split in splits:
        speech = sorted((data_dir / "speech" / split).glob("[0-9]*.npz"))
        if not speech:
            raise ScenesFailed(f"There is no speech in {data_dir / 'speech' / split}. Synthesise speech first.")
        folder = data_dir / "scenes" / split
        for number in range(math.ceil(_HELD_OUT_HOURS.get(split, hours) / SHARD_HOURS)):
            jobs.append((folder / f"{number:04d}.npz", speech[number % len(speech)], seed, number))
    missing = [job for job in jobs if not job[0].exists()]
    done = len(jobs) - len(missing)
    progress(done, len(jobs))
    for _ in _made(missing, basis, workers):
        done += 1
        progress(done, len(jobs))
        normalise(data_dir)
    normalise(data_dir)


_Job = tuple[Path, Path, int, int]


def _made(jobs: list[_Job], basis: HandBasis, workers: int) -> Iterator[None]:
    if workers <= 1:
        for job in jobs:
            make_shard(*job, basis)
            yield
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for future in as_completed([pool.submit(make_shard, *job, basis) for job in jobs]):
            future.result()
            yield


@lru_cache(maxsize=2)
def _voices(path: Path) -> dict[str, list[Utterance]]:
    return read_shard(path)


def make_shard(path: Path, speech: Path, seed: int, number: int, basis: HandBasis) -> None:
    """Write one shard of scenes in which the voices of ``speech`` speak."""
    split = SPLITS.index(path.parent.name)
    conditions: list[NDArray[np.float16]] = []
    states: list[NDArray[np.float16]] = []
    offsets = [0]
    for scene in range(SCENES_A_SHARD):
        rng = np.random.default_rng([seed, split, number, scene])
        acted = perform(write(rng, _voices(speech)), rng, basis)
        conditions.append(acted.condition.astype(np.float16))
        states.append(acted.state.astype(np.float16))
        offsets.append(offsets[-1] + len(acted.state))
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".part")
    with partial.open("wb") as file:
        np.savez(
            file,
            condition=np.concatenate(conditions),
            state=np.concatenate(states),
            scene_offset=np.array(offsets, np.int64),
        )
    partial.replace(path)


def _begin(data_dir: Path, seed: int) -> HandBasis:
    """The hand basis, fitted if it is not there; and the manifest, refused if it is of other scenes."""
    folder, path = data_dir / "scenes", data_dir / "hands.npz"
    folder.mkdir(parents=True, exist_ok=True)
    settings = {"version": _VERSION, "seed": seed, "state": list(STATE), "condition": list(CONDITION)}
    manifest = folder / MANIFEST
    try:
        before = json.loads(manifest.read_text("utf-8")) if manifest.exists() else settings
    except json.JSONDecodeError as error:
        raise ScenesFailed(f"{manifest} is damaged ({error}). Remove it, and the scenes beside it.") from None
    if {name: before.get(name) for name in settings} != settings:
        raise ScenesFailed(
            f"{folder} holds scenes of another seed or version of Parley (seed {before.get('seed')}, asked for: {seed})."
            " Name another folder, or remove that one with hands.npz and normalisation.npz beside it."
        )
    if not path.exists():
        partial = path.with_suffix(".part")
        hand_basis.fit(*hand_basis.sample_gestures(seed, hand_basis.SCENES)).save(partial)
        partial.replace(path)
    basis = HandBasis.load(path)
    if not manifest.exists():
        held_out = hand_basis.measure(basis, *hand_basis.sample_gestures(seed + 1, _MEASURED_ON))
        told = {**settings, "parley": importlib.metadata.version("parley"), "hands": asdict(held_out)}
        manifest.write_text(json.dumps(told, indent=1) + "\n", "utf-8")
    return basis


def normalise(data_dir: Path) -> None:
    """Write ``normalisation.npz`` once there are training shards enough, if it is not there."""
    path = data_dir / "normalisation.npz"
    first = [data_dir / "scenes" / "train" / f"{number:04d}.npz" for number in range(_NORMALISED_ON)]
    if path.exists() or not all(shard.exists() for shard in first):
        return
    states, conditions = [], []
    for shard in first:
        with np.load(shard, allow_pickle=False) as file:
            states.append(file["state"].astype(np.float64))
            conditions.append(file["condition"].astype(np.float64))
    partial = path.with_suffix(".part")
    statistics(np.concatenate(states), np.concatenate(conditions)).save(partial)
    partial.replace(path)


def statistics(state: NDArray[np.float64], condition: NDArray[np.float64]) -> Normalisation:
    """Mean and deviation of every channel, [frames, D] and [frames, C].

    Deviations of the mouth's residual are one number for all of them, so that loud parameters count as such; flags and
    phone probabilities are left as they are.
    """
    state_mean, state_std = state.mean(axis=0), state.std(axis=0)
    state_mean[MOUTH] = 0.0
    state_std[MOUTH] = max(float(np.sqrt(np.square(state[:, MOUTH]).mean())), _LEAST_STD)
    # Trailing components move keypoints by less than the first by orders of magnitude: half-way to their own scale.
    largest = state_std[HANDS].max()
    state_std[HANDS] = np.maximum(state_std[HANDS], 0.02 * largest)
    state_std[SCORES] = np.maximum(state_std[SCORES], 0.2)
    mean, std = condition.mean(axis=0), np.maximum(condition.std(axis=0), _LEAST_STD)
    flags = np.zeros(C, bool)
    flags[PHONES] = flags[ACTIVITY] = True
    for name in ("sealed", "touching", "pause", "accent_ahead", "remaining", "mood", "gesture_strength", "voicing"):
        flags[AT[name]] = True
    mean[flags], std[flags] = 0.0, 1.0
    return Normalisation(*(a.astype(np.float32) for a in (state_mean, np.maximum(state_std, 1e-3), mean, std)))
