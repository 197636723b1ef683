"""All shards of the data, by several processes, resumable; and the manifest that says what they are."""

from __future__ import annotations

import importlib.metadata
import json
import multiprocessing
import os
import signal
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from avatar.errors import AvatarError
from avatar.motion.training.people import recordings
from avatar.motion.training.people.shards import PeopleMade, PeoplePlan, make_people_shard
from avatar.motion.training.people.shards import plans as people_plans
from avatar.motion.training.synthesis.corpus import Split, cast, engines_of
from avatar.motion.training.synthesis.espeak import EspeakEngine
from avatar.motion.training.synthesis.festival import FestivalEngine
from avatar.motion.training.synthesis.flite import FliteEngine
from avatar.motion.training.synthesis.shards import ShardMade, ShardPlan, make_shard
from avatar.motion.training.synthesis.voices import ESPEAK, FESTIVAL, FLITE, RECORDED, Engine, EngineFailed, Voice

SHARD_S = 800.0
"""Seconds of clean sound in a shard: some 200 utterances."""
MANIFEST = "manifest.json"
_VERSION = 1
_FIRST_TRAIN = 4
"""Shards of train that are made before the other splits, so that training can begin."""
_OTHER_SHARDS = {Split.VALID: 2, Split.TEST: 2, Split.LEFT_OUT: 1}


class SynthesisFailed(AvatarError):
    """The data cannot be made; says why and what to do."""

    code = "synthesis_failed"


@dataclass(frozen=True, slots=True)
class Wanted:
    """The data that is asked for.

    Attributes:
        out: folder; ``speech/`` is made in it.
        hours: of clean speech in train.
        renditions: augmented ones of each utterance, besides the clean one.
        seed: of everything.
        workers: processes.
        espeak: command that starts the helper process of espeak-ng (``espeak.EspeakEngine``); empty for none.
        shard_s: seconds of clean speech in a shard.
        share: where recordings of people are looked for (``training.people.recordings``).
    """

    out: Path
    hours: float = 12.0
    renditions: int = 2
    seed: int = 1
    workers: int = 2
    espeak: tuple[str, ...] = ()
    shard_s: float = SHARD_S
    share: Path = recordings.SHARE


Plan = ShardPlan | PeoplePlan


def total_s(wanted: Wanted) -> float:
    """Seconds of clean sound in all shards, about."""
    return sum(plan.seconds for plan in _all_plans(wanted))


def plans(wanted: Wanted) -> list[ShardPlan]:
    """Every synthetic shard, in the order of making."""
    train = max(round(wanted.hours * 3600 / wanted.shard_s), 1)
    order = [(Split.TRAIN, number) for number in range(min(_FIRST_TRAIN, train))]
    order += [(split, number) for split, count in _OTHER_SHARDS.items() for number in range(count)]
    order += [(Split.TRAIN, number) for number in range(_FIRST_TRAIN, train)]
    return [ShardPlan(split, number, wanted.seed, wanted.shard_s, wanted.renditions) for split, number in order]


def synthesize(
    wanted: Wanted, *, on_seconds: Callable[[float], None], on_note: Callable[[str], None]
) -> dict[str, Any]:
    """Make what is missing of the data.

    Args:
        wanted: what.
        on_seconds: called with the seconds of sound that are done, of ``total_s(wanted)``.
        on_note: called with a line for people, where a voice is left out.

    Returns:
        The manifest, as written.

    Raises:
        SynthesisFailed: no voice is installed or works, the folder holds other data, or it cannot be written.
    """
    folder = wanted.out / "speech"
    voices = installed_voices(wanted.espeak)
    if not voices:
        raise SynthesisFailed(
            "No synthesizer with timed phones is installed. espeak-ng comes with Parley (pip install espeakng-loader); recorded"
            " voices come with Debian (apt install flite festival festvox-kallpc16k festival-czech ...; docs/motion.md lists them)."
        )
    if not any(voice.engine in RECORDED for voice in voices):
        on_note(
            "neither flite nor festival is installed: all voices are espeak-ng's, and what learns from them knows no others"
        )
    todo = _all_plans(wanted)
    if not any(isinstance(plan, PeoplePlan) for plan in todo):
        on_note(
            "no recordings of people are installed (apt install asterisk-core-sounds-en-g722 tuxpaint-stamps-default ...;"
            " docs/motion.md lists them): natural speech will be read less well"
        )
    manifest = _begin(folder, wanted, voices)
    done_s = 0.0
    told: set[str] = set()
    try:
        for plan, notes in _made(todo, folder, wanted, voices):
            done_s += plan.seconds
            on_seconds(done_s)
            for note in notes:
                if note.split(" is ")[0] not in told:
                    told.add(note.split(" is ")[0])
                    on_note(note)
    except EngineFailed as error:
        raise SynthesisFailed(f"The speech cannot be made: {error}") from error
    except BrokenProcessPool as error:
        raise SynthesisFailed(
            "A worker process died, perhaps for want of memory. What is finished is kept: run the same command again, with fewer --workers."
        ) from error
    except OSError as error:
        raise SynthesisFailed(f"The data cannot be written to {folder}: {error}. What is finished is kept.") from error
    manifest["contents"] = contents(folder)
    _write(folder / MANIFEST, manifest)
    return manifest


def installed_voices(espeak: Sequence[str]) -> list[Voice]:
    """Every voice of every engine that is here."""
    found: list[Voice] = []
    with tempfile.TemporaryDirectory(prefix="parley-synthesis-") as scratch:
        for engine in _engines(espeak, Path(scratch)).values():
            try:
                found += engine.voices()
            finally:
                engine.close()
    return found


def contents(folder: Path) -> dict[str, Any]:
    """What the finished shards of a folder hold: seconds by split, engine, language and voice."""
    found: dict[str, Any] = {}
    for split in Split:
        seconds: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
        utterances = 0
        speakers: set[str] = set()
        for path in sorted((folder / split.value).glob("*.npz")):
            with np.load(path, allow_pickle=False) as shard:
                lengths = np.diff(shard["pcm_offset"]) / 16_000
                utterances += len(lengths)
                speakers |= {f"{e}:{s}" for e, s in zip(shard["engine"], shard["speaker"], strict=True) if e != "noise"}
                for key in ("engine", "language", "voice"):
                    names = shard[key] if key != "voice" else np.char.add(np.char.add(shard["engine"], ":"), shard[key])
                    for name, length in zip(names, lengths, strict=True):
                        seconds[key][str(name) or "none"] += float(length)
        found[split.value] = {
            "utterances": utterances,
            "speakers": len(speakers),
            "hours": round(sum(seconds["engine"].values()) / 3600, 3),
            **{f"seconds_by_{key}": {n: round(s, 1) for n, s in sorted(c.items())} for key, c in seconds.items()},
        }
    return found


def _all_plans(wanted: Wanted) -> list[Plan]:
    """Those of people last; without espeak-ng nobody can tell how their words are pronounced."""
    found = recordings.installed(wanted.share) if wanted.espeak else []
    return [*plans(wanted), *people_plans(found, wanted.seed, wanted.renditions)]


def _engines(espeak: Sequence[str], scratch: Path) -> dict[str, Engine]:
    engines: dict[str, Engine] = {FLITE: FliteEngine(scratch), FESTIVAL: FestivalEngine(scratch)}
    return {ESPEAK: EspeakEngine(espeak), **engines} if espeak else engines


def _begin(folder: Path, wanted: Wanted, voices: list[Voice]) -> dict[str, Any]:
    """The manifest of a folder that is new, or was begun with the same settings."""
    settings = {"version": _VERSION, "seed": wanted.seed, "renditions": wanted.renditions, "shard_s": wanted.shard_s}
    path = folder / MANIFEST
    try:
        folder.mkdir(parents=True, exist_ok=True)
        before = json.loads(path.read_text("utf-8")) if path.exists() else None
        if before is not None and (found := {key: before.get(key) for key in settings}) != settings:
            raise SynthesisFailed(
                f"{folder} holds data of other settings ({_words(found)}; asked for: {_words(settings)}). Name another folder,"
                " or remove that one."
            )
        manifest = {
            **settings,
            "hours": wanted.hours,
            "parley": importlib.metadata.version("parley"),
            "engines": list(engines_of(voices)),
            "voices": _described(voices),
            "people": [
                asdict(speaker) for speaker in dict.fromkeys(r.speaker for r in recordings.installed(wanted.share))
            ],
            "text": "of synthetic voices generated from templates and word lists written for this project; nothing is copied",
        }
        _write(path, manifest)
    except (OSError, json.JSONDecodeError) as error:
        raise SynthesisFailed(f"{folder} cannot be used: {error}") from error
    return manifest


def _described(voices: list[Voice]) -> list[dict[str, Any]]:
    """Recorded voices one by one; espeak-ng's by speaker, with the languages each speaks."""
    described = [asdict(voice) for voice in voices if voice.engine in RECORDED]
    speakers: dict[str, list[str]] = defaultdict(list)
    for voice in voices:
        if voice.engine == ESPEAK:
            speakers[voice.speaker].append(voice.name.partition("+")[0])
    licence = next((voice.licence for voice in voices if voice.engine == ESPEAK), "")
    return described + [
        {"engine": ESPEAK, "speaker": speaker, "languages": sorted(set(languages)), "licence": licence}
        for speaker, languages in speakers.items()
    ]


def _write(path: Path, manifest: dict[str, Any]) -> None:
    part = path.with_suffix(".part")
    part.write_text(json.dumps(manifest, ensure_ascii=False, indent=1) + "\n", "utf-8")
    part.replace(path)


def _words(settings: dict[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in settings.items())


def _made(
    todo: list[Plan], folder: Path, wanted: Wanted, voices: list[Voice]
) -> Iterator[tuple[Plan, tuple[str, ...]]]:
    """Each shard as it is finished, with its notes; at once what was there, or nobody can speak (left-out, without recorded voices)."""
    missing = []
    for plan in todo:
        if plan.path(folder).exists() or (isinstance(plan, ShardPlan) and not cast(voices, plan.split)):
            yield plan, ()
        else:
            missing.append(plan)
    if not missing:
        return
    context = multiprocessing.get_context("spawn")  # a fork would share the helpers' pipes
    with (
        tempfile.TemporaryDirectory(prefix="parley-synthesis-") as scratch,
        ProcessPoolExecutor(wanted.workers, context, _start_worker, (wanted.espeak, Path(scratch))) as pool,
    ):
        futures: list[Future[ShardMade | PeopleMade]] = [
            pool.submit(partial(_work, plan, folder, voices)) for plan in missing
        ]
        try:
            for future in as_completed(futures):
                made = future.result()
                yield made.plan, made.notes
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


_worker_engines: dict[str, Engine] = {}


def _start_worker(espeak: tuple[str, ...], scratch: Path) -> None:
    """In a worker process: its own engines, whose processes end when their pipes close with it."""
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))  # at once: a half-made shard is made again anyway
    _worker_engines.update(_engines(espeak, scratch))


def _work(plan: Plan, folder: Path, voices: list[Voice]) -> ShardMade | PeopleMade:
    if isinstance(plan, PeoplePlan):
        espeak = _worker_engines[ESPEAK]
        espeak.renew()
        return make_people_shard(plan, folder, espeak)
    return make_shard(plan, folder, voices, lambda voice: _worker_engines[voice.engine])
