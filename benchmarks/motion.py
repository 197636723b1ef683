"""What moves the avatar, measured: ``parley motion evaluate``, or ``python -m benchmarks.motion``.

Each part is measured where its material is there and left out where it is not, and the report says so:

- lips on recordings: a folder of speech with ``aligned/NAME.json`` beside it (docs/benchmarks.md);
- lips on held-out synthetic voices, and baselines fitted on others: the working folder of ``parley motion synthesize``;
- one engine left out of training, and student against teacher: the training runs, and torch;
- head, eyes and hands: the recordings again.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from avatar.errors import AvatarError
from avatar.motion.evaluation.drive import MakeSource
from avatar.motion.evaluation.lips import LipScore
from avatar.motion.evaluation.material import Clip, aligned_clips, held_out_clips
from avatar.motion.generator.weights import SHIPPED_DIR
from avatar.motion.source import Mode
from avatar.persona import find_persona
from avatar.speech import SpeechChunk
from benchmarks import motion_body, motion_cost, motion_left_out, motion_lips, motion_sampling
from benchmarks.motion_lips import MODEL, shown_score
from benchmarks.report import Report

Tell = Callable[[str], None]

SPEAKING_HOP, SILENT_HOP = 5, 10
LONG_MINUTES = 60.0
FRECHET_FRAMES = 12_000
"""Rolled out by each sampler: 24 scenes, 5424 windows."""


@dataclass(frozen=True, slots=True)
class Material:
    """Where what is needed lies; None leaves the parts out that need it.

    Attributes:
        recordings: speech with alignments beside it.
        data: working folder of ``parley motion synthesize``.
        runs: folder of the training runs.
        weights: of the learned motion; None takes those that are shipped.
    """

    recordings: Path | None = None
    data: Path | None = None
    runs: Path | None = None
    weights: Path | None = None


PARTS = ("lips", "voices", "body", "pixels", "sampling", "cost")


def measure(material: Material, parts: tuple[str, ...] = PARTS, *, progress: Tell = lambda line: None) -> Report:
    """Args:
        material: what to measure on.
        parts: of ``PARTS``.

    Raises:
        AvatarError: weights that cannot be used, recordings that cannot be read.
    """
    report = Report("motion", "parley motion evaluate")
    make = learned(material.weights)
    clips = aligned_clips(material.recordings) if material.recordings is not None else []
    training = material.data / "speech" / "train" if material.data is not None else None
    if not clips:
        report.notes.append("Not measured: lips and body, for want of recordings with alignments.")
    if "lips" in parts and clips:
        _recordings(report, make, clips, training, progress)
    if "voices" in parts:
        if material.data is not None:
            _voices(report, make, material, progress)
        else:
            report.notes.append("Not measured: held-out voices, for want of the working folder (--data).")
    if "body" in parts and clips:
        _body(report, make, clips, material, progress)
    if "pixels" in parts and clips:
        _pixels(report, make, clips, progress)
    if "sampling" in parts:
        if material.runs is not None and material.data is not None:
            _sampling(report, material.runs, material.data, progress)
        else:
            report.notes.append(
                "Not measured: student against teacher, for want of the training runs (--runs, --data)."
            )
    if "cost" in parts:
        _cost(report, material.weights, progress)
    report.data = {name: _known(value) for name, value in report.data.items()}
    return report


def _known(value: Any) -> Any:
    """What could not be measured (a clip without rounded vowels, hands that were never shown) is null in JSON."""
    if isinstance(value, dict):
        return {key: _known(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_known(item) for item in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def learned(weights: Path | None) -> MakeSource:
    """The product's own source on these weights."""
    from avatar.motion.generator import weights as stored
    from avatar.motion.generator.source import LearnedMotionSource

    model = stored.load(weights) if weights is not None else stored.load()
    return lambda seed: LearnedMotionSource(model, seed)


def _recordings(report: Report, make: MakeSource, clips: list[Clip], training: Path | None, tell: Tell) -> None:
    systems = motion_lips.systems(make, training, tell)
    table = motion_lips.table(systems, clips, tell)
    report.data["recordings"] = {name: score.as_dict() for name, score in table.items()}
    report.data["recordings, clip by clip"] = {
        name: score.as_dict() for name, score in motion_lips.by_clip(systems[MODEL], clips).items()
    }
    model = table[MODEL]
    report.add("lips on recordings: opening", _figure(model.opening), ">= .74; goal .78")
    report.add("lips on recordings: width", _figure(model.width), ">= .68; goal .70")
    report.add("lips on recordings: rounding", _figure(model.rounding), ">= .59; goal .65")
    report.add(
        "lips on recordings: p, b, m recalled", f"{_figure(model.recalled)} of {model.closures}", ">= .69; goal .80"
    )
    report.add("lips on recordings: false closures", _figure(model.false), "<= .30; goal .20")
    report.add("lips on recordings: largest lag", f"{_worst_lag(model):.0f} ms", "<= 25 ms")
    report.add("mean opening in pauses", f"{model.pause_opening or 0:.3f}", "<= .10")
    for name, score in table.items():
        if name != MODEL:
            report.add(f"... {name}", shown_score(score))
    worse = motion_lips.distorted(systems[MODEL], clips, tell)
    report.data["distorted"] = {name: score.as_dict() for name, score in worse.items()}
    for name, score in worse.items():
        lost = model.opening.value - score.opening.value
        report.add(f"opening lost to {name}", f"{lost:.2f} ({score.opening.value:.2f})", "<= .10; goal .05")
    noise = motion_lips.in_noise_alone(make)
    report.data["noise alone"] = noise
    report.add("mean opening on noise alone", ", ".join(f"{v:.3f} at {k}" for k, v in noise.items()), "<= .15")
    seeds = motion_lips.seeds_agree(make, clips)
    report.data["two seeds"] = seeds
    report.add("two seeds: lips", f"{seeds['opening']:.3f} opening, {seeds['width']:.3f} width", ">= .98")
    report.add(
        "two seeds: head and hands", ", ".join(f"{seeds[k]:.2f} {k}" for k in ("yaw", "pitch", "hand")), "about 0"
    )


def _voices(report: Report, make: MakeSource, material: Material, tell: Tell) -> None:
    assert material.data is not None
    speech = material.data / "speech"
    test = speech / "test"
    tell("lips: held-out voices")
    clips = [clip for clip in held_out_clips(test, most=motion_lips.HELD_OUT) if clip.group != "noise"]
    if not clips:
        report.notes.append(f"Not measured: held-out voices; {test} holds no shards.")
        return
    systems = motion_lips.systems(make, speech / "train", tell)
    found = {name: motion_lips.by_group(system, clips) for name, system in systems.items()}
    report.data["held-out voices"] = {
        name: {group: score.as_dict() for group, score in groups.items()} for name, groups in found.items()
    }
    model = found[MODEL]["all"]
    report.add("held-out voices: opening", _figure(model.opening), ">= .86; goal .88")
    report.add("held-out voices: width", _figure(model.width), ">= .79; goal .82")
    report.add("held-out voices: rounding", _figure(model.rounding), ">= .76; goal .78")
    report.add(
        "held-out voices: p, b, m recalled", f"{_figure(model.recalled)} of {model.closures}", ">= .88; goal .92"
    )
    report.add("held-out voices: false closures", _figure(model.false))
    for group, score in found[MODEL].items():
        if shown_group(group, score):
            report.add(f"... {group}", shown_score(score))
    for name, groups in found.items():
        if name != MODEL:
            report.add(f"... {name}", shown_score(groups["all"]))
    people = list(held_out_clips(speech / "people", most=motion_lips.HELD_OUT))
    if people:
        tell("lips: people held out")
        of_people = motion_lips.table(systems, people, tell, lags=False)
        report.data["people held out"] = {name: score.as_dict() for name, score in of_people.items()}
        for name, score in of_people.items():
            report.add("people held out" if name == MODEL else f"... {name}", shown_score(score))
    else:
        report.notes.append(f"Not measured: people held out; {speech / 'people'} holds no shards.")
    without = motion_left_out.encoders_without(material.runs) if material.runs is not None else []
    if not without:
        report.notes.append(
            "Not measured: one engine left out, for want of an encoder trained so (parley motion train encoder --leave-out)."
        )
    for run in without:
        tell(f"lips: {run.name}")
        groups, why = motion_left_out.score_left_out(run, material.data)
        report.data[run.name] = {group: score.as_dict() for group, score in groups.items()}
        report.data[f"{run.name}, closures"] = why
        for group, score in groups.items():
            if group == "all" or shown_group(group, score):
                report.add(f"{run.name}: {group}", shown_score(score), ">= .77/.52/.40; goal .60")
        if why:
            report.add(f"{run.name}: closures missed, made up", _shown_causes(why), "their cause")


def shown_group(group: str, score: LipScore) -> bool:
    """Engines, English and Mandarin are told; a language of a minute is in the JSON."""
    return group != "all" and score.seconds >= 60.0


def _body(report: Report, make: MakeSource, clips: list[Clip], material: Material, tell: Tell) -> None:
    tell("head, eyes and hands: speaking")
    said = [clip.speech for clip in clips] * 3
    timed, accents_s = motion_body.joined(said), motion_body.accents_of(said)
    joined = SpeechChunk(timed.pcm48k, timed.language, None)
    motion, levels = motion_body.speaking(make, [joined])
    speaking = motion_body.describe(motion, hop_frames=SPEAKING_HOP)
    coupled = motion_body.with_sound(motion, levels, accents_s)
    ahead = motion_body.with_sound(*motion_body.speaking(make, [timed]), accents_s)
    tell("head, eyes and hands: silent")
    silences = {mode: motion_body.silent(make, mode) for mode in (Mode.LISTENING, Mode.IDLE)}
    silent = {
        mode.value: {**motion_body.describe(m, hop_frames=SILENT_HOP), **motion_body.stillness(m)}
        for mode, m in silences.items()
    }
    tell("head, eyes and hands: an hour")
    long = motion_body.wandering(make, LONG_MINUTES)
    report.data["body"] = {
        "speaking": speaking,
        "with sound": coupled,
        "with sound, given phoneme times": ahead,
        **silent,
        "an hour": long,
    }
    data = motion_body.of_the_data(material.data) if material.data is not None else {}
    report.data["body of the data"] = data
    for name, what in (("speaking", speaking), *silent.items()):
        of_data = data.get(name)
        _body_rows(report, name, what, of_data)
    if "speaking" in data:
        theirs = data["speaking"]["jerk"]
        ratios = (f"{part} {speaking['jerk'][part] / theirs[part]:.2f}" for part in ("head", "hands") if part in theirs)
        report.add("jerk over the data's", ", ".join(ratios), "<= 1.2")
    report.add(
        "nods a minute while listening (idle)",
        f"{silent['listening']['nods_per_minute']:.0f} ({silent['idle']['nods_per_minute']:.0f})",
        "more than idle",
    )
    for name in ("head speed with loudness", "hand beats with accents"):
        report.add(name, _beside_chance(coupled[name]), "above chance")
        report.add(f"{name}, given phoneme times", _beside_chance(ahead[name]), "above chance")
    report.add("drift over an hour", f"{long['worst']:.2f} SD ({long['channel']})", "none")
    still = silent[Mode.IDLE.value]
    report.add("idle: mean opening; hands shown", f"{still['opening']:.3f}; {still['hands_shown']:.0%}", "still")


def _body_rows(report: Report, name: str, what: dict[str, Any], of_data: dict[str, Any] | None) -> None:
    """One activity's, each beside the held-out data's."""

    def add(measure: str, told: Callable[[dict[str, Any]], str], goal: str = "") -> None:
        beside = f"; data {told(of_data)}" if of_data else ""
        report.add(f"{name}: {measure}", told(what) + beside, goal)

    add("blinks a minute", lambda x: f"{x['blinks']['per_minute']:.1f}", "15 to 30")
    add("median gaze bout", lambda x: f"{x['moving']['gaze_bout_s']:.1f} s")
    add(
        "head, SD of pitch, yaw, roll", lambda x: ", ".join(f"{v:.1f}" for v in x["moving"]["head_sd_deg"]) + " degrees"
    )
    add("head speed, p50, p95", lambda x: ", ".join(f"{v:.1f}" for v in x["moving"]["head_speed_deg_s"]) + " degrees/s")
    if name == "speaking":
        add("hand speed, p50, p95", lambda x: ", ".join(f"{v:.2f}" for v in x["moving"]["hand_speed"]) + " canvas/s")
    for moved in ("jumps", "changes of speed", "jumps of the lips"):
        beyond = what[f"{moved} at seams"]["worst_share"]
        report.add(f"{name}: {moved} at a hop's edge beyond the 99th percentile", f"{beyond:.1%}", "about 1 %")


def _cost(report: Report, weights: Path | None, tell: Tell) -> None:
    tell("cost")
    costs = {cost.source: cost for cost in motion_cost.cost_report(weights or SHIPPED_DIR)}
    report.data["cost"] = [asdict(cost) for cost in costs.values()]
    model = costs["shipped"]
    report.add("one thread, speaking from sound", f"{model.heard_percent:.1f} % of a core", "<= 10 %; goal 5 %")
    report.add("first motion, from the sound that it needs", f"{model.first_ms:.0f} ms", "<= 60 ms")


def _pixels(report: Report, make: MakeSource, clips: list[Clip], tell: Tell) -> None:
    try:
        found = motion_lips.in_pixels(make, clips, find_persona("helen"), tell)
    except AvatarError as error:
        report.notes.append(f"Not measured: rendered lips ({error}).")
        return
    report.data["pixels"] = found
    for name, values in found.items():
        report.add(name, ", ".join(f"{key} {value:.2f}" for key, value in values.items()))


def _sampling(report: Report, runs: Path, data: Path, tell: Tell) -> None:
    for runtime, seconds in (
        ("onnxruntime", motion_sampling.onnx_samplers(runs / "comparison")),
        ("torch", motion_sampling.torch_samplers(runs)),
    ):
        report.data[f"sampler in {runtime}, CPU seconds a hop"] = seconds
        teacher, student = (seconds.get(name) for name in ("teacher, 40 steps", "student, 4 steps"))
        if teacher and student:
            told = f"{1000 * teacher:.1f} ms to {1000 * student:.1f} ms, {teacher / student:.1f} times faster"
            report.add(f"sampler, 40 calls to 4, one thread of {runtime}", told, ">= 9 times")
    made = motion_sampling.roll_outs(runs, data, tell, most_frames=FRECHET_FRAMES)
    held_out = [state for state, _ in motion_sampling.scenes_of(data / "scenes" / "test")]
    training = [
        state for state, _ in motion_sampling.scenes_of(data / "scenes" / "train", most_frames=8 * FRECHET_FRAMES)
    ]
    if (data / "hands.npz").is_file():
        scenes = motion_sampling.scenes_of(data / "scenes" / "test", most_frames=FRECHET_FRAMES)
        conditions = [condition for _, condition in scenes]
        of_data = motion_body.beats_of_scenes([state for state, _ in scenes], conditions, data)
        report.data["beats in held-out scenes"] = {"data": of_data}
        report.add("hand beats with accents, held-out scenes: data", _beside_chance(of_data), "above chance")
        for name, states in made.items():
            found = motion_body.beats_of_scenes(states, conditions, data)
            report.data["beats in held-out scenes"][name] = found
            report.add(f"hand beats with accents, held-out scenes: {name}", _beside_chance(found), "above chance")
    tell("Frechet distances")
    table, about = motion_sampling.frechet_table(made, held_out, training)
    report.data["frechet"] = {
        "about": about, **{name: {"value": d.value, "low": d.low, "high": d.high} for name, d in table.items()}
    }  # fmt: skip
    reference = table.get("teacher, 40 steps")
    for name, distance in table.items():
        beside = f"; {distance.value / reference.value:.2f} of the teacher's" if reference else ""
        goal = "<= 1.10 of the teacher's" if name == "student, 4 steps" else ""
        report.add(
            f"Frechet distance: {name}", f"{distance.value:.2f} ({distance.low:.2f}-{distance.high:.2f}){beside}", goal
        )
    report.notes.append(
        f"Frechet distances to {about['windows']:.0f} held-out windows of two seconds and their velocity, "
        f"{about['components']:.0f} principal components of training windows ({about['explained']:.0%} of their variance)."
    )


def _shown_causes(why: dict[str, dict[str, int]]) -> str:
    missed = ", ".join(f"{name} {why['missed'].get(name, 0)} of {count}" for name, count in why["wanted"].items())
    made_up = ", ".join(f"{name} {count}" for name, count in list(why["made up"].items())[:6])
    return f"missed: {missed}; made up on {made_up or 'nothing'}"


def _beside_chance(found: dict[str, float]) -> str:
    return f"{found['value']:.2f}; by chance {found['chance_95']:.2f} (95th percentile)"


def _figure(interval: Any) -> str:
    return f"{interval.value:.2f} ({interval.low:.2f}-{interval.high:.2f})"


def _worst_lag(score: LipScore) -> float:
    return float(np.nanmax(np.abs(list(score.lag_ms.values()))))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for name in ("recordings", "data", "runs", "weights"):
        parser.add_argument(f"--{name}", type=Path)
    parser.add_argument("--only", choices=PARTS, action="append", help="may be repeated; all by default")
    parser.add_argument("--out", type=Path, default=Path("results"))
    given = parser.parse_args(arguments)
    material = Material(given.recordings, given.data, given.runs, given.weights)
    report = measure(
        material,
        tuple(given.only or PARTS),
        progress=lambda line: print(f"{line} ...", file=sys.stderr, flush=True),
    )
    report.write(given.out)
    print(report.text())
    return 0


if __name__ == "__main__":
    sys.exit(main())
