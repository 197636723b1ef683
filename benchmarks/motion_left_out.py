"""Lips on engines that an encoder never heard: what a voice of another kind may expect. Needs torch."""

from __future__ import annotations

import tempfile
from pathlib import Path

from avatar.motion.evaluation.drive import encoder_lips
from avatar.motion.evaluation.lips import LipScore
from avatar.motion.evaluation.material import held_out_clips
from benchmarks import motion_lips


def encoders_without(runs: Path) -> list[Path]:
    """Runs of ``parley motion train encoder --leave-out ENGINE``."""
    return sorted(runs.glob("encoder-without-*"))


def score_left_out(run: Path, data: Path) -> dict[str, LipScore]:
    """Scores of the engines in the run's name, by engine and language, on the split made for it.

    Amplitude and thresholds are chosen on the held-out voices of the engines that were heard.

    Raises:
        TrainingError: the run has no checkpoint.
    """
    from avatar.motion.generator.encoder import INPUTS, OUTPUTS, ContactThresholds, SoundEncoder
    from avatar.motion.generator.network import OnnxNetwork
    from avatar.motion.training.encoder_measures import fit_gain, fit_thresholds, listen
    from avatar.motion.training.encoder_training import measured, trained_encoder
    from avatar.motion.training.export import export_encoder
    from avatar.motion.training.speech_windows import SpeechLibrary

    clips = [
        clip
        for clip in held_out_clips(data / "speech" / "left-out", most=motion_lips.HELD_OUT)
        if clip.group in run.name
    ]
    if not clips:
        return {}
    network = trained_encoder(run)
    valid = SpeechLibrary(data / "speech" / "valid", frozenset(clip.group for clip in clips))
    valid.refresh()
    heard = listen(network, measured(valid.renditions))
    with tempfile.TemporaryDirectory() as scratch:
        graph = Path(scratch) / "encoder.onnx"
        gain = fit_gain(heard)
        export_encoder(network, gain, graph)
        encoder = SoundEncoder(OnnxNetwork(graph, INPUTS, OUTPUTS), ContactThresholds(*fit_thresholds(heard, gain)))
        return motion_lips.by_group(lambda clip: encoder_lips(encoder, clip.speech), clips)
