"""How far live windows are from the original's whole clip: ``python -m benchmarks.echomimic_windows [SOUND ...]``.

With random weights, so a check of the code and no judgement of pictures: networks that denoise nothing show whether
windows are put together as they should be, not which way of doing it looks best.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soxr
import torch
from numpy.typing import NDArray
from torch import Tensor

from avatar.echomimic.audio_features import (
    POSITIONS_AFTER,
    POSITIONS_BEFORE,
    SAMPLE_RATE_HZ,
    encode_clip,
    log_mel,
    log_mel_power,
    normalise_log_mel,
    slice_windows,
)
from avatar.echomimic.clip_sampler import sample_clip
from avatar.echomimic.config import RELEASED, TINY, EchoMimicConfig
from avatar.echomimic.ddim import ddim_scheduler
from avatar.echomimic.denoising_unet import DenoisingUNet
from avatar.echomimic.networks import DENOISER, REFERENCE, WHISPER, synthetic
from avatar.echomimic.options import Continuity
from avatar.echomimic.reference_bank import ReferenceKeys
from avatar.echomimic.reference_unet import ReferenceUNet
from avatar.echomimic.rolling import RollingStream
from avatar.echomimic.running_sound import LOOKAHEAD_SAMPLES, USUAL_LOUDEST, RunningSound
from avatar.echomimic.streaming import NEW_FRAMES, ConversationStream
from avatar.echomimic.variants import StreamedClip, roll_clip, stream_clip
from avatar.echomimic.whisper import Whisper
from avatar.echomimic.window_sampler import WindowSampler
from avatar.echomimic.windows import V2_SHIFT
from avatar.media import SoundFile
from avatar.speech import BEAT_SAMPLES, FRAME_RATE_HZ, SPEECH_RATE_HZ
from benchmarks.echomimic_floor import (
    H200_MATMUL_TFLOPS,
    computed_before_first,
    computed_frames,
    released_operations,
    sound_before_first_ms,
)
from benchmarks.report import Report

SIDE = 8
"""Of latents."""
FRAMES = 57
"""Six windows and a bit."""
SEEDS = 3
CPU = torch.device("cpu")


def measure(
    sounds: Sequence[Path],
    steps: Sequence[int] = (6, 4, 2),
    *,
    released: bool = False,
    frames: int = FRAMES,
    seeds: int = SEEDS,
) -> Report:
    """Seams, distances and latencies of the ways in which windows are joined; distance of the sound's tokens, by file.

    Args:
        sounds: recordings.
        steps: of the sampler.
        released: networks of the released width (9 GB, and minutes for each number of steps) instead of tiny ones.
        frames: of the clip.
        seeds: clips of different noise.
    """
    report = Report("echomimic-windows", "python -m benchmarks.echomimic_windows" + " --released" * released)
    joined = _Joined.make(RELEASED if released else TINY, frames, seeds)
    count = released_operations(512)
    ways: list[dict[str, Any]] = []
    for number in steps:
        for name, (seam, distance) in joined.measure(number).items():
            way = {"steps": number, "way": name, "seam": seam, "distance": distance}
            told = f"seam {seam:.2f}, distance {distance:.2f}"
            if name in list(Continuity):
                continuity = Continuity(name)
                sound_ms = sound_before_first_ms(number, continuity)
                first = computed_before_first(number, continuity)
                each = computed_frames(number, continuity)
                drawn_ms = 2000 * first * count.denoiser / H200_MATMUL_TFLOPS
                way |= {"sound_ms": sound_ms, "computed_first": first, "computed_each": each, "half_h200_ms": drawn_ms}
                told += (
                    f"; sound before the first frame {sound_ms} ms, frames computed before it {first}, for each new one "
                    f"{each:.2g}; calculated {drawn_ms:.0f} ms"
                )
            ways.append(way)
            report.add(f"{number} steps, {name}", told)
    tokens = []
    whisper = synthetic(Whisper, WHISPER) if sounds else None
    for path in sounds:
        assert whisper is not None
        clamp, streamed, silent = sound(whisper, path)
        tokens.append({"file": path.name, "clamp": clamp, "windows": streamed, "silence": silent})
        report.add(
            f"sound, {path.name}", f"clamp alone {clamp:.3f}, by windows {streamed:.3f} (silence instead: {silent:.3f})"
        )
    report.notes.append(
        f"Random weights ({'the released' if released else 'tiny'} widths, {frames} frames, {seeds} "
        f"seed{'s' * (seeds > 1)}): a check of the code only. seam: median change between frames where windows meet, over the "
        "median elsewhere (1 is seamless). distance: relative L2 from the original's whole-clip latents, same noise (two "
        "noises: 1.4). calculated: those frames, released networks at 512x512, at half the rate of an H200's matrix products. "
        "sound: relative L2 of the audio tokens from the original's whole-file features, Whisper-tiny's widths."
    )
    report.data = {"ways": ways, "sound": tokens}
    return report


@dataclass(frozen=True, slots=True)
class _Joined:
    """Networks and a clip to join windows in."""

    denoiser: DenoisingUNet
    reference: ReferenceKeys
    audio: Tensor
    blank: Tensor
    seeds: int

    @staticmethod
    @torch.no_grad()
    def make(config: EchoMimicConfig, frames: int, seeds: int) -> _Joined:
        bank, _ = synthetic(lambda: ReferenceUNet(config.unet), REFERENCE)(_normal(1, 4, SIDE, SIDE))
        denoiser = synthetic(lambda: DenoisingUNet(config.unet), DENOISER)
        tokens = (POSITIONS_BEFORE + POSITIONS_AFTER) * (1 + config.whisper.layers)
        return _Joined(
            denoiser=denoiser,
            reference=denoiser.project_reference(bank),
            audio=_normal(frames, tokens, config.unet.audio_channels),
            blank=torch.zeros(config.unet.channels[0], SIDE, SIDE),
            seeds=seeds,
        )

    def measure(self, steps: int) -> dict[str, tuple[float, float]]:
        """Seam and distance, by the name of the way; the original itself, and windows that know nothing of each other."""
        found: dict[str, list[tuple[float, float]]] = {}
        for seed in range(self.seeds):
            clips = {way.value: self._stream(way, seed, steps) for way in Continuity}
            noise, seams = clips["stored"].noise, clips["stored"].seams
            original = self._original(noise, self.audio, steps)
            parts = [slice(n, n + NEW_FRAMES) for n in range(0, len(self.audio), NEW_FRAMES)]
            apart = [self._original(noise[:, part], self.audio[part], steps, shift=0) for part in parts]
            clips = {
                "the original": StreamedClip(original, noise, seams),
                "windows apart": StreamedClip(torch.cat(apart, dim=1), noise, seams),
                **clips,
            }
            for name, clip in clips.items():
                found.setdefault(name, []).append((clip.seam(), clip.distance(original)))
        return {
            name: (float(np.mean([seam for seam, _ in each])), float(np.mean([far for _, far in each])))
            for name, each in found.items()
        }

    def _stream(self, way: Continuity, seed: int, steps: int) -> StreamedClip:
        if way is Continuity.ROLLING:
            rolling = RollingStream(SIDE, SIDE, CPU, self.blank, seed, WindowSampler(self.denoiser, steps, CPU))
            return roll_clip(self.denoiser, rolling, self.audio, None, self.reference)
        stream = ConversationStream(SIDE, SIDE, CPU, self.blank, seed, continuity=way, steps=steps)
        return stream_clip(self.denoiser, stream, self.audio, None, self.reference)

    def _original(self, noise: Tensor, audio: Tensor, steps: int, shift: int = V2_SHIFT) -> Tensor:
        pose = self.blank[None, :, None]
        return sample_clip(
            self.denoiser, ddim_scheduler(steps), noise[None], audio[None], pose, self.reference, shift=shift
        )[0]


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


def _normal(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(len(shape)))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("sounds", nargs="*", type=Path)
    parser.add_argument("--steps", nargs="+", type=int, default=[6, 4, 2])
    parser.add_argument("--released", action="store_true", help="the released widths: 9 GB and minutes")
    parser.add_argument("--frames", type=int, default=FRAMES)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--out", type=Path, default=Path("results"))
    given = parser.parse_args(arguments)
    report = measure(given.sounds, given.steps, released=given.released, frames=given.frames, seeds=given.seeds)
    print(report.text())
    print(f"\nwrote {report.write(given.out)}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
