"""How far live windows are from the original's whole clip: ``python -m benchmarks.echomimic_windows [SOUND ...]``.

With random weights, so a check of the code and no judgement of pictures: networks that denoise nothing show whether
windows are put together as they should be, not which way of doing it looks best.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soxr
import torch
from numpy.typing import NDArray
from torch import Tensor

from avatar.echomimic.audio_features import (
    SAMPLE_RATE_HZ,
    encode_clip,
    log_mel,
    log_mel_power,
    normalise_log_mel,
    slice_windows,
)
from avatar.echomimic.clip_sampler import sample_clip
from avatar.echomimic.config import TINY
from avatar.echomimic.ddim import ddim_scheduler
from avatar.echomimic.networks import WHISPER, Networks, synthetic, synthetic_networks
from avatar.echomimic.options import Continuity
from avatar.echomimic.running_sound import LOOKAHEAD_SAMPLES, USUAL_LOUDEST, RunningSound
from avatar.echomimic.streaming import NEW_FRAMES, ConversationStream
from avatar.echomimic.variants import StreamedClip, stream_clip
from avatar.echomimic.whisper import Whisper
from avatar.media import SoundFile
from avatar.speech import BEAT_SAMPLES, FRAME_RATE_HZ, SPEECH_RATE_HZ
from benchmarks.report import Report

SIDE = 8
FRAMES = 57
"""Six windows and a bit."""
SEEDS = 3
CPU = torch.device("cpu")


def measure(sounds: Sequence[Path], steps: Sequence[int] = (6, 4, 2)) -> Report:
    """Seams and distances of the ways in which windows are joined; distance of the sound's tokens, file by file."""
    report = Report("echomimic-windows", "python -m benchmarks.echomimic_windows")
    networks = synthetic_networks(TINY)
    for count in steps:
        for name, (seam, distance) in windows(networks, count).items():
            report.add(f"{count} steps, {name}", f"seam {seam:.2f}, distance {distance:.2f}")
    whisper = synthetic(Whisper, WHISPER)
    for path in sounds:
        clamp, streamed, silent = sound(whisper, path)
        report.add(
            f"sound, {path.name}", f"clamp alone {clamp:.3f}, by windows {streamed:.3f} (silence instead: {silent:.3f})"
        )
    report.notes.append(
        "Random weights: a check of the code only. seam: median change between frames where windows meet, over the median "
        "within windows (1 is seamless). distance: relative L2 from the original's whole-clip latents, same noise (two noises: "
        "1.4). sound: relative L2 of the audio tokens from the original's whole-file features, Whisper-tiny's widths."
    )
    return report


@torch.no_grad()
def windows(networks: Networks, steps: int) -> dict[str, tuple[float, float]]:
    """Seam and distance, by the name of the way; the original itself, and windows that know nothing of each other."""
    bank, _ = networks.reference(_normal(1, 4, SIDE, SIDE))
    reference = networks.denoiser.project_reference(bank)
    audio = _normal(FRAMES, 30, networks.config.unet.audio_channels)
    blank = torch.zeros(networks.config.unet.channels[0], SIDE, SIDE)
    found: dict[str, list[tuple[float, float]]] = {}
    for seed in range(SEEDS):
        original: Tensor | None = None
        for way in Continuity:
            stream = ConversationStream(SIDE, SIDE, CPU, blank, seed, continuity=way, steps=steps)
            clip = stream_clip(networks.denoiser, stream, audio, None, reference)
            if original is None:
                pose = blank[None, :, None]
                original = sample_clip(
                    networks.denoiser, ddim_scheduler(steps), clip.noise[None], audio[None], pose, reference
                )[0]
                itself = StreamedClip(original, clip.noise, clip.seams)
                found.setdefault("the original", []).append((itself.seam(), 0.0))
                apart = [
                    sample_clip(
                        networks.denoiser, ddim_scheduler(steps), clip.noise[None, :, part], audio[None, part], pose,
                        reference, shift=0,
                    )[0]
                    for part in (slice(n, n + NEW_FRAMES) for n in range(0, FRAMES, NEW_FRAMES))
                ]  # fmt: skip
                unrelated = StreamedClip(torch.cat(apart, dim=1), clip.noise, clip.seams)
                found.setdefault("windows apart", []).append((unrelated.seam(), unrelated.distance(original)))
            found.setdefault(way.value, []).append((clip.seam(), clip.distance(original)))
    return {name: (_mean(seam for seam, _ in each), _mean(far for _, far in each)) for name, each in found.items()}


@torch.no_grad()
def sound(whisper: Whisper, path: Path) -> tuple[float, float, float]:
    """Distance of tokens from the whole file's: with the running clamp alone, as they are live, and of silence."""
    with SoundFile.open(path) as file:
        pcm48k = np.concatenate([chunk.pcm48k for chunk in file.chunks()])
    frames = len(pcm48k) // BEAT_SAMPLES
    pcm48k = pcm48k[: frames * BEAT_SAMPLES]
    pcm16k = _pcm16k(pcm48k)
    whole = _tokens(whisper, log_mel(pcm16k), frames)
    power = log_mel_power(torch.from_numpy(pcm16k))
    loudest = torch.cummax(power.max(dim=0).values, dim=0).values.clamp(min=USUAL_LOUDEST)
    clamped = _tokens(whisper, normalise_log_mel(power, loudest), frames)
    silent = _tokens(whisper, log_mel(np.zeros_like(pcm16k)), frames)
    running, live = RunningSound(80, CPU), []
    for start in range(0, frames, NEW_FRAMES):
        end = min(start + NEW_FRAMES, frames)
        part = pcm48k[start * BEAT_SAMPLES : end * BEAT_SAMPLES]
        ahead = pcm48k[end * BEAT_SAMPLES :][:LOOKAHEAD_SAMPLES]
        segment = running.hear(start, part, ahead, np.ones(end - start, bool))
        live.append(running.tokens(segment, whisper(segment.mel[None])[0]))
    return _far(clamped, whole), _far(torch.cat(live), whole), _far(silent, whole)


def _pcm16k(pcm48k: NDArray[np.int16]) -> NDArray[np.float32]:
    return np.asarray(
        soxr.resample(pcm48k.astype(np.float32) / np.float32(32768), SPEECH_RATE_HZ, SAMPLE_RATE_HZ), np.float32
    )


def _tokens(whisper: Whisper, mel: Tensor, frames: int) -> Tensor:
    return slice_windows(encode_clip(whisper, mel), frames, FRAME_RATE_HZ)


def _far(a: Tensor, b: Tensor) -> float:
    return float((a - b).norm() / b.norm())


def _mean(values: object) -> float:
    return float(np.mean(list(values)))  # type: ignore[call-overload]


def _normal(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(len(shape)))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("sounds", nargs="*", type=Path)
    parser.add_argument("--steps", nargs="+", type=int, default=[6, 4, 2])
    given = parser.parse_args(arguments)
    print(measure(given.sounds, given.steps).text())
    return 0


if __name__ == "__main__":
    sys.exit(main())
