"""Lips of model, rules and baselines: on recordings with alignments, on held-out synthetic voices, distorted, and in pixels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from avatar.motion.evaluation.baselines import FOUR_BANDS, LOUDNESS, LinearMouth
from avatar.motion.evaluation.distortions import DISTORTIONS, noise_alone
from avatar.motion.evaluation.drive import MakeSource, lips_of, speak
from avatar.motion.evaluation.lips import Interval, LipScore, Mouth, correlation, lag, mouth_of, score
from avatar.motion.evaluation.material import Clip, held_out_clips
from avatar.motion.evaluation.pixels import rendered_mouth
from avatar.motion.rules import RuleMotionSource
from avatar.persona import Persona
from avatar.speech import SpeechChunk
from benchmarks.phone_loop import PhoneLoop

Tell = Callable[[str], None]
System = Callable[[Clip], Mouth]

MODEL, RULE, ACOUSTIC = "model", "rule, with timings", "acoustic rule"
PHONES, BANDS, ENERGY = "phone loop and rule", "linear, four bands", "energy"

FITTED_ON = 400
"""Training utterances that the linear baselines are fitted on: 9 numbers a measure need no more."""
HELD_OUT = 300
"""Held-out utterances judged at most, spread over all voices."""
NOISES_DB = (-60.0, -45.0, -30.0)


def systems(learned: MakeSource | None, training_shards: Path | None, tell: Tell) -> dict[str, System]:
    """All that are compared, by name; those that lack what they need are left out."""
    out: dict[str, System] = {}
    if learned is not None:
        out[MODEL] = lambda clip: lips_of(learned, clip.untimed)
    out[RULE] = lambda clip: lips_of(RuleMotionSource, clip.speech)
    loop = PhoneLoop()
    out[PHONES] = lambda clip: lips_of(RuleMotionSource, loop.timed(clip.speech))
    out[ACOUSTIC] = lambda clip: lips_of(RuleMotionSource, clip.untimed)
    if training_shards is not None and any(training_shards.glob("*.npz")):
        tell("fitting the linear baselines")
        clips = list(held_out_clips(training_shards, most=FITTED_ON))
        for name, bands in ((BANDS, FOUR_BANDS), (ENERGY, LOUDNESS)):
            out[name] = LinearMouth.fitted(clips, bands)
    return out


def table(named: Mapping[str, System], clips: Sequence[Clip], tell: Tell, *, lags: bool = True) -> dict[str, LipScore]:
    """Each system's score, all clips pooled."""
    scores = {}
    for name, system in named.items():
        tell(f"lips: {name}")
        scores[name] = score([(clip.name, system(clip), clip.reference) for clip in clips], lags=lags)
    return scores


def by_clip(system: System, clips: Sequence[Clip]) -> dict[str, LipScore]:
    """One score a clip."""
    return {clip.name: score([(clip.name, system(clip), clip.reference)]) for clip in clips}


def by_group(system: System, clips: Iterable[Clip]) -> dict[str, LipScore]:
    """One score an engine and language, and one of all; each utterance is judged once."""
    judged: dict[str, list[tuple[str, Mouth, Any]]] = defaultdict(list)
    for clip in clips:
        item = (clip.name, system(clip), clip.reference)
        for group in ("all", clip.group, clip.speech.language.split("-")[0]):
            judged[group].append(item)
    return {group: score(items, lags=False) for group, items in sorted(judged.items())}


def pooled_lag(system: System, clips: Sequence[Clip]) -> float:
    """Lag over many short utterances set end to end, milliseconds."""
    reference, judged = [], []
    for clip in clips:
        mouth = system(clip)
        frames = min(len(mouth), len(clip.reference.mouth))
        reference.append(clip.reference.mouth.opening[:frames])
        judged.append(mouth.opening[:frames])
    return lag(np.concatenate(reference), np.concatenate(judged))


def distorted(system: System, clips: Sequence[Clip], tell: Tell) -> dict[str, LipScore]:
    """The same clips with noise, in a room, by telephone; the reference stays."""
    out = {}
    for name, distortion in DISTORTIONS.items():
        tell(f"lips: {name}")
        worse = [
            Clip(
                clip.name,
                clip.group,
                SpeechChunk(distortion(clip.speech.pcm48k), clip.speech.language, clip.speech.phonemes),
                clip.reference,
            )
            for clip in clips
        ]
        out[name] = score([(clip.name, system(clip), clip.reference) for clip in worse])
    return out


def in_noise_alone(make: MakeSource) -> dict[str, float]:
    """Mean opening in ten seconds of nothing but noise, by its level."""
    return {
        f"{level:.0f} dB": float(lips_of(make, SpeechChunk(noise_alone(level), "en", None)).opening.mean())
        for level in NOISES_DB
    }


def in_pixels(make: MakeSource, clips: Sequence[Clip], persona: Persona, tell: Tell) -> dict[str, dict[str, float]]:
    """The model's rendered lips against the rule's rendered lips, and each against the rule's ``Motion``.

    Correlations of the gap and the width between tracked lips, and closures in the picture; the last row is what the picture
    and the mesh themselves lose.
    """
    pairs: dict[str, list[tuple[str, Mouth, Any]]] = {"model": [], "rule": []}
    seen: dict[str, list[Mouth]] = {"model": [], "rule": []}
    for clip in clips:
        tell(f"pixels: {clip.name}")
        for name, motion in (
            ("rule", speak(RuleMotionSource(0), clip.speech)),
            ("model", speak(make(0), clip.untimed)),
        ):
            mouth = rendered_mouth(motion, persona)
            seen[name].append(mouth)
            pairs[name].append((clip.name, mouth, clip.reference))
    out = {}
    for name, judged in pairs.items():
        result = score(judged)
        out[f"{name} in pixels against the rule's motion"] = {
            "gap": result.opening.value,
            "width": result.width.value,
            "recalled": result.recalled.value,
            "false": result.false.value,
            "lag_ms": float(np.nanmax(np.abs(list(result.lag_ms.values())))),
        }
    frames = [min(len(a), len(b)) for a, b in zip(seen["model"], seen["rule"], strict=True)]
    out["model in pixels against the rule in pixels"] = {
        name: correlation(
            np.concatenate([getattr(m, field)[:n] for m, n in zip(seen["model"], frames, strict=True)]),
            np.concatenate([getattr(m, field)[:n] for m, n in zip(seen["rule"], frames, strict=True)]),
        )
        for name, field in (("gap", "opening"), ("width", "width"))
    }
    return out


def seeds_agree(make: MakeSource, clips: Sequence[Clip]) -> dict[str, float]:
    """Two seeds on the same sound: correlation of lips, and of head and hands."""
    lips: dict[str, list[np.ndarray]] = defaultdict(list)
    for clip in clips:
        for seed in (1, 2):
            values = speak(make(seed), clip.untimed)
            mouth = mouth_of(values.values)
            lips[f"opening{seed}"].append(mouth.opening)
            lips[f"width{seed}"].append(mouth.width)
            lips[f"yaw{seed}"].append(values["headYaw"])
            lips[f"pitch{seed}"].append(values["headPitch"])
            lips[f"hand{seed}"].append(values["handRight0Y"])
    joined = {name: np.concatenate(parts) for name, parts in lips.items()}
    return {
        name: correlation(joined[f"{name}1"], joined[f"{name}2"])
        for name in ("opening", "width", "yaw", "pitch", "hand")
    }


def shown_score(result: LipScore) -> str:
    """``opening .74 (.70-.78), width ..., closures .69 of 64, false .20``"""

    def one(name: str, interval: Interval) -> str:
        return f"{name} {_two(interval.value)} ({_two(interval.low)}-{_two(interval.high)})"

    parts = [one(name, getattr(result, name)) for name in ("opening", "width", "rounding")]
    parts.append(f"{one('closures', result.recalled)} of {result.closures}")
    parts.append(one("false", result.false))
    return ", ".join(parts)


def _two(value: float) -> str:
    return "-" if not np.isfinite(value) else f"{value:.2f}".replace("0.", ".", 1) if abs(value) < 1 else f"{value:.2f}"
