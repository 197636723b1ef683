"""Lips on engines that an encoder never heard: what a voice of another kind may expect. Needs torch."""

from __future__ import annotations

import tempfile
from pathlib import Path

from avatar.motion.evaluation.closures import causes
from avatar.motion.evaluation.drive import encoder_lips
from avatar.motion.evaluation.lips import LipScore
from avatar.motion.evaluation.material import held_out_clips
from benchmarks import motion_lips


def encoders_without(runs: Path) -> list[Path]:
    """Runs of ``parley motion train encoder --leave-out ENGINE``."""
    return sorted(runs.glob("encoder-without-*"))


def score_left_out(run: Path, data: Path) -> tuple[dict[str, LipScore], dict[str, dict[str, int]]]:
    """Scores of the engines in the run's name, by engine and language, on the split made for it.

    Amplitude and thresholds are chosen on the held-out voices of the engines that were heard.

    Returns:
        Scores, and on what closures fail (``evaluation.closures.causes``).

    Raises:
        TrainingError: the run has no checkpoint.
    """
    from avatar.motion.generator.encoder import INPUTS, OUTPUTS, ContactThresholds, SoundEncoder
    from avatar.motion.generator.network import OnnxNetwork
    from avatar.motion.training.encoder_training import trained_encoder
    from avatar.motion.training.export import export_encoder
    from avatar.motion.training.ship import fit_reading
    from avatar.motion.training.speech_windows import SpeechLibrary

    clips = [
        clip
        for clip in held_out_clips(data / "speech" / "left-out", most=motion_lips.HELD_OUT)
        if clip.group in run.name
    ]
    if not clips:
        return {}, {}
    network = trained_encoder(run)
    left_out = frozenset(clip.group for clip in clips)
    valid = SpeechLibrary(data / "speech" / "valid", left_out)
    valid.refresh()
    reading = fit_reading(network, data, valid.renditions, left_out)
    with tempfile.TemporaryDirectory() as scratch:
        graph = Path(scratch) / "encoder.onnx"
        export_encoder(network, graph)
        encoder = SoundEncoder(OnnxNetwork(graph, INPUTS, OUTPUTS), ContactThresholds(*reading.thresholds))
        mouths = {id(clip): encoder_lips(encoder, reading.hindsight, clip.speech) for clip in clips}
        groups = motion_lips.by_group(lambda clip: mouths[id(clip)], clips)
        return groups, causes((mouths[id(clip)], clip) for clip in clips)
