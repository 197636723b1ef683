"""From finished runs to the folder of weights that Parley serves, with its card."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from avatar.motion.generator.contacts import Threshold
from avatar.motion.generator.hindsight import Hindsight
from avatar.motion.generator.weights import SHIPPED_DIR
from avatar.motion.speech.mouth import COUNT
from avatar.motion.training.diffusion_training import trained_transformer
from avatar.motion.training.encoder_measures import fit_thresholds, listen, score
from avatar.motion.training.encoder_network import EncoderNetwork
from avatar.motion.training.encoder_training import measured, trained_encoder
from avatar.motion.training.export import export_encoder, export_sampler, quantise, write_card
from avatar.motion.training.hindsight import fit_hindsight, in_conversation
from avatar.motion.training.learning import Tell, TrainingError, checkpoint_of
from avatar.motion.training.speech_windows import Rendition, SpeechLibrary, read_shard

_FITTED_ON = 4
"""Training shards, spread over all: 250,000 frames for 740 numbers a parameter; twice as many change nothing."""

TEACHER_STEPS = 40
STUDENT_STEPS = 4


@dataclass(frozen=True, slots=True)
class Runs:
    """Where the trainings of one model are: folders in one."""

    folder: Path

    @property
    def encoder(self) -> Path:
        return self.folder / "encoder"

    @property
    def teacher(self) -> Path:
        return self.folder / "teacher"

    def student(self, steps: int) -> Path:
        return self.folder / f"student-{steps}"

    def encoder_without(self, engine: str) -> Path:
        return self.folder / f"encoder-without-{engine}"


@dataclass(frozen=True, slots=True)
class Reading:
    """What is chosen once an encoder is trained.

    Attributes:
        hindsight: fitted on training voices, its amplitude on held-out ones.
        thresholds: of sealed and touching, chosen on held-out voices, heard as in a conversation.
        held_out_voices: see ``encoder_measures.score``.
    """

    hindsight: Hindsight
    thresholds: tuple[Threshold, Threshold]
    held_out_voices: dict[str, dict[str, float]]


def fit_reading(
    network: EncoderNetwork, data: Path, held_out: list[Rendition], leave_out: frozenset[str] = frozenset()
) -> Reading:
    """Args:
    data: whose ``speech/train`` is read in part.
    held_out: renditions of ``speech/valid``.
    leave_out: engines that the encoder was trained without.
    """
    shards = sorted((data / "speech" / "train").glob("*.npz"))
    training = [r for path in shards[:: -(-len(shards) // _FITTED_ON)] for r in read_shard(path)]
    heard = listen(network, measured(held_out))
    hindsight = fit_hindsight(listen(network, [r for r in training if r.engine not in leave_out]), heard)
    shown = list(in_conversation(heard, hindsight))
    as_it_is = np.ones(COUNT, np.float32)
    thresholds = fit_thresholds(shown, as_it_is)
    return Reading(hindsight, thresholds, score(shown, as_it_is, thresholds))


def export_weights(data: Path, runs: Runs, out: Path, tell: Tell, *, int8: bool = True) -> None:
    """Export the encoder and the four-step student, choose the contacts' thresholds on held-out voices, write the card.

    Args:
        data: the shards; ``speech/train`` fits the hindsight, ``speech/valid`` chooses amplitude and thresholds.
        runs: with an encoder, and a student (or, while it is not distilled, its teacher).
        out: folder of weights, ``SHIPPED_DIR`` to ship them.
        int8: the sampler's weights in 8 bits.

    Raises:
        TrainingError: nothing is trained yet, or the data is gone.
    """
    out.mkdir(parents=True, exist_ok=True)
    network = trained_encoder(runs.encoder)
    valid = SpeechLibrary(data / "speech" / "valid")
    valid.refresh()
    if not valid.renditions:
        raise TrainingError(f"no speech shards in {valid.folder}: gain and thresholds are chosen on them")
    reading = fit_reading(network, data, valid.renditions)
    export_encoder(network, out / "encoder.onnx")
    reading.hindsight.save(out / "hindsight.npz")
    tell(f"encoder.onnx: {_megabytes(out / 'encoder.onnx')}")
    student = runs.student(STUDENT_STEPS)
    source = student if checkpoint_of(student) else runs.teacher
    export_graph(source, STUDENT_STEPS, out / "student.onnx", int8=int8)
    tell(f"student.onnx: {_megabytes(out / 'student.onnx')}")
    for name in ("hands.npz", "normalisation.npz"):
        shutil.copyfile(data / name, out / name)
    about = {
        "encoder": {
            "run": _progress(runs.encoder),
            "held_out_voices": _rounded(reading.held_out_voices),
        },
        "student": {
            "run": _progress(source),
            "teacher": _progress(runs.teacher),
            "weights": "int8" if int8 else "float32",
        },
        "data": _manifest(data),
    }
    write_card(out, reading.thresholds, about)


def export_comparison(runs: Runs, out: Path, tell: Tell) -> None:
    """Every sampler of the comparison as a graph of one interface, in float32: the teacher of forty steps and of four plain ones,
    and the students there are."""
    out.mkdir(parents=True, exist_ok=True)
    wanted = [("teacher-40", runs.teacher, TEACHER_STEPS), ("teacher-4", runs.teacher, STUDENT_STEPS)]
    wanted += [
        (f"student-{steps}", runs.student(steps), steps) for steps in (4, 2, 1) if checkpoint_of(runs.student(steps))
    ]
    for name, run, steps in wanted:
        export_graph(run, steps, out / f"{name}.onnx", int8=False)
        tell(f"{name}.onnx: {_megabytes(out / f'{name}.onnx')}")
    student = out / "student-4.onnx"
    if student.exists():
        quantise(student, out / "student-4-int8.onnx")


def export_graph(run: Path, steps: int, path: Path, *, int8: bool) -> None:
    """One sampler of a run's averaged network."""
    network = trained_transformer(run)
    if not int8:
        export_sampler(network, steps, path)
        return
    exact = path.with_suffix(".float32.onnx")
    export_sampler(network, steps, exact)
    quantise(exact, path)
    exact.unlink()


def _progress(run: Path) -> dict[str, Any]:
    found = checkpoint_of(run)
    if found is None:
        return {}
    state = json.loads((found / "progress.json").read_text())
    return {"what": state["about"]["what"], "steps": state["step"], "minutes": round(state["seconds"] / 60)}


def _manifest(data: Path) -> dict[str, Any]:
    """What the data is, without the list of seconds of every voice: each voice's licence is in the list of voices."""
    path = data / "speech" / "manifest.json"
    if not path.is_file():
        return {}
    speech: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    for held in speech.get("contents", {}).values():
        held.pop("seconds_by_voice", None)
    return {"speech": speech}


def _megabytes(path: Path) -> str:
    return f"{path.stat().st_size / 1e6:.1f} MB"


def _rounded(table: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    return {name: {key: float(np.round(value, 3)) for key, value in row.items()} for name, row in table.items()}


__all__ = ["SHIPPED_DIR", "Runs", "export_comparison", "export_graph", "export_weights"]
