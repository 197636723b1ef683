"""What EchoMimic costs to draw live: ``python -m benchmarks.echomimic``, or ``parley bench echomimic``.

Weights are random: speed does not depend on them, pictures do, and none is judged here. Per stage and whole, for sizes,
steps, decoders and batches; beside each the floor: operations counted by PyTorch's ``FlopCounterMode``, over the rate of
a large matrix product measured in the same minute. On a CPU the networks are tiny, so that this cannot rot unseen; their
figures say nothing of the released ones.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from avatar.echomimic.batch import Order, Seat
from avatar.echomimic.config import RELEASED, TINY, WINDOW_FRAMES
from avatar.echomimic.engine import Engine
from avatar.echomimic.live_model import LiveModel, best_device
from avatar.echomimic.networks import Networks, synthetic_networks
from avatar.echomimic.options import Continuity, LiveDecoder, Options, Speedup
from avatar.echomimic.running_sound import LOOKAHEAD_MS, LOOKAHEAD_SAMPLES
from avatar.echomimic.streaming import NEW_FRAMES
from avatar.motion.motion import Motion
from avatar.renderer import Stretch
from avatar.speech import BEAT_SAMPLES, FRAME_RATE_HZ
from benchmarks.echomimic_floor import H200_MATMUL_TFLOPS, H200_PEAK_TFLOPS, h200_floor, released_operations
from benchmarks.report import Report

DRAWS = 5
"""Timed windows of each kind, the fastest counts: another process can only make one slower."""

MATRIX = {"cuda": 8192, "cpu": 1024}
"""Side of the matrix product that the ceiling is measured with."""


FLOOR_SIZES = (512, 768)
COUNTED = "calculated, released networks"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured: every combination."""

    sizes: tuple[int, ...]
    steps: tuple[int, ...]
    decoders: tuple[LiveDecoder, ...]
    batches: tuple[int, ...]
    continuities: tuple[Continuity, ...]
    speedup: Speedup


GPU_PLAN = Plan(
    sizes=(512, 768),
    steps=(6, 4, 2, 1),
    decoders=(LiveDecoder.TAESD, LiveDecoder.VAE),
    batches=(1, 2, 4),
    continuities=(Continuity.STORED,),
    speedup=Speedup.GRAPHS,
)
CPU_PLAN = Plan(
    sizes=(64,),
    steps=(2, 1),
    decoders=(LiveDecoder.TAESD, LiveDecoder.VAE),
    batches=(1, 2),
    continuities=(Continuity.STORED,),
    speedup=Speedup.NONE,
)


@dataclass(frozen=True, slots=True)
class Cost:
    """One combination.

    Attributes:
        size, steps, decoder, batch, continuity: of it.
        stage_ms: milliseconds of a batch's window by stage, each measured alone.
        window_ms: of the whole, from sound to frames on the host.
        fps: frames a second, all conversations together.
        first_frame_ms: from the moment that sound for a window is there to its first frame; with a batch of one.
        window_tflop: operations of a batch's window.
        ceiling_share: of the measured matrix product's rate.
        floor_fps: frames a second at that rate.
        peak_gib: of the device's memory; 0 on a CPU.
    """

    size: int
    steps: int
    decoder: str
    batch: int
    continuity: str
    stage_ms: dict[str, float]
    window_ms: float
    fps: float
    first_frame_ms: float
    window_tflop: float
    ceiling_share: float
    floor_fps: float
    peak_gib: float


def measure(plan: Plan | None = None, *, progress: Callable[[str], None] = lambda line: None) -> Report:
    """Everything in ``plan``; by default what fits the device."""
    device = best_device()
    on_gpu = device.type == "cuda"
    plan = plan or (GPU_PLAN if on_gpu else CPU_PLAN)
    report = Report("echomimic", "parley bench echomimic")
    progress("building networks")
    networks = synthetic_networks(RELEASED if on_gpu else TINY)
    costs: list[Cost] = []
    ceiling = matmul_rate(device)
    report.add("matrix product, the ceiling", f"{ceiling / 1e12:.3g} TFLOP/s")
    for size in plan.sizes:
        for decoder in plan.decoders:
            for steps in plan.steps:
                for continuity in plan.continuities:
                    options = Options(
                        steps=steps,
                        decoder=decoder,
                        continuity=continuity,
                        speedup=plan.speedup,
                        max_batch=max(plan.batches),
                    )
                    progress(f"{size} pixels, {steps} steps, {decoder}")
                    costs += measure_options(networks, options, size, plan.batches, ceiling)
    for cost in costs:
        report.add(
            f"{cost.size}x{cost.size}, {cost.steps} steps, {cost.decoder}, {cost.continuity}, batch {cost.batch}",
            f"{cost.fps:.1f} fps; window {cost.window_ms:.0f} ms ({_stages(cost)}); first frame {cost.first_frame_ms:.0f} ms; "
            f"{cost.ceiling_share:.0%} of the ceiling, floor {cost.floor_fps:.1f} fps; {cost.peak_gib:.1f} GiB",
            _goal(cost) if on_gpu else "",
        )
    name = (
        torch.cuda.get_device_name()
        if on_gpu
        else "CPU, tiny networks: a check that this runs, no measure of EchoMimic"
    )
    report.notes.append(
        f"Device: {name}; PyTorch {torch.__version__}; {'released' if on_gpu else 'tiny'} widths, random weights; a window has "
        f"{NEW_FRAMES} new frames. Its sound must be there first: {NEW_FRAMES * 1000 // FRAME_RATE_HZ + LOOKAHEAD_MS} ms of it."
    )
    for size in FLOOR_SIZES:
        progress(f"operations at {size}")
        count = released_operations(size)
        report.add(
            f"{COUNTED}, {size}x{size}: TFLOP of the denoiser a frame and step; TAESD; VAE",
            f"{count.denoiser:.3f}; {count.taesd:.3f}; {count.vae:.3f}",
        )
        for steps in GPU_PLAN.steps:
            for name, decoder in (("TAESD", count.taesd), ("VAE", count.vae)):
                report.add(
                    f"{COUNTED}, {size}x{size}, {steps} steps, {name}: floor on an H200",
                    h200_floor(count, steps, decoder),
                )
    report.notes.append(
        'Rows that begin with "calculated" are operations counted on the released networks, over the rate of an H200: '
        f"{H200_PEAK_TFLOPS:.0f} TFLOP/s by its data sheet (bfloat16, dense), {H200_MATMUL_TFLOPS:.0f} as large matrix products "
        "reach, and half of that. Not measured, and nothing that this code was seen to do; a window's 12 frames are counted for its 9 new ones."
    )
    report.data = {"ceiling_flops": ceiling, "device": name, "costs": [asdict(cost) for cost in costs]}
    return report


def matmul_rate(device: torch.device) -> float:
    """Operations a second of a large square product, in the precision that the networks have there."""
    side = MATRIX[device.type]
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    a, b = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    seconds = _fastest(lambda: a @ b, device, 10)
    return 2 * side**3 / seconds


def measure_options(
    networks: Networks, options: Options, size: int, batches: Sequence[int], ceiling: float
) -> list[Cost]:
    """One model, its batches."""
    device = best_device()
    model = LiveModel(networks, options, size, device)
    engine = Engine(model, options, capacity=max(batches))
    try:
        costs = []
        first_frame_ms = 0.0
        for batch in batches:
            if device.type == "cuda":
                torch.cuda.reset_peak_memory_stats()
            drawing = _Drawing(engine, batch)
            drawing.draw()
            with FlopCounterMode(display=False) as counted:
                drawing.stages(recorded=False)
            flops = counted.get_total_flops()
            window_s = _fastest(drawing.draw, device, DRAWS)
            if batch == batches[0]:
                first_frame_ms = 1000 * window_s
            peak = torch.cuda.max_memory_allocated() / 2**30 if device.type == "cuda" else 0.0
            frames = batch * engine.window
            costs.append(
                Cost(
                    size=size,
                    steps=options.steps,
                    decoder=options.decoder.value,
                    batch=batch,
                    continuity=options.continuity.value,
                    stage_ms=drawing.stage_ms(device),
                    window_ms=1000 * window_s,
                    fps=frames / window_s,
                    first_frame_ms=first_frame_ms,
                    window_tflop=flops / 1e12,
                    ceiling_share=flops / window_s / ceiling,
                    floor_fps=frames / (flops / ceiling),
                    peak_gib=peak,
                )
            )
        return costs
    finally:
        engine.close()


class _Drawing:
    """A batch of conversations that speak, with hands; draws their next windows, whole or a stage at a time."""

    def __init__(self, engine: Engine, batch: int) -> None:
        self._engine = engine
        reference = engine.batch.nobody()
        self._seats: list[Seat] = [engine.seat(reference, seed) for seed in range(batch)]
        self._first = 0
        noise = np.random.default_rng(0)
        self._pcm = (3000 * noise.standard_normal(2 * WINDOW_FRAMES * BEAT_SAMPLES)).astype(np.int16)
        side = engine.model.size
        self._maps = noise.integers(0, 255, (engine.window, side, side, 3)).astype(np.uint8)

    def draw(self) -> None:
        self._engine.draw_now(self._orders())
        self._first += self._engine.window

    def _orders(self) -> list[Order]:
        count = self._engine.window
        ahead = LOOKAHEAD_SAMPLES + self._engine.batch.frames_ahead * BEAT_SAMPLES
        sound = self._pcm[: count * BEAT_SAMPLES]
        flags = np.ones(count, np.bool_)
        stretch = Stretch(self._first, Motion.zeros(count), sound, self._pcm[:ahead], flags)
        return [Order(seat, stretch, self._maps) for seat in self._seats]

    def stages(self, *, recorded: bool = True) -> dict[str, Callable[[], Any]]:
        """Runs the window once; what each stage did can be called again."""
        engine, model = self._engine, self._engine.model
        orders = self._orders()
        denoise: dict[str, Callable[[], Any]] = {}
        if engine.batch.rolls:  # its passes go on from each other: none can be done again
            drawn = engine.batch.latents(orders)
        else:
            rows = engine.batch.rows(orders)
            windows, memories = engine.batch.windows(orders, rows)
            latents, path = (model.sample if recorded else model.sampler)(windows, memories)
            drawn = engine.batch.keep(orders, rows, latents, path, memories)
            if memories is None:
                denoise["denoise"] = lambda: model.sample(windows, None)
        model.frames(drawn)
        self._first += engine.window
        mel = torch.zeros(model.networks.config.whisper.mel_bands, 3000, device=model.device)
        return {
            "sound": lambda: model.features([mel] * len(orders)),
            "hands": lambda: [model.guide(self._maps) for _ in orders],
            **denoise,
            "decode": lambda: model.frames(drawn),
        }

    def stage_ms(self, device: torch.device) -> dict[str, float]:
        return {
            name: round(1000 * _fastest(stage, device, max(2, DRAWS // 2)), 2) for name, stage in self.stages().items()
        }


def _fastest(work: Callable[[], Any], device: torch.device, times: int) -> float:
    taken = []
    for _ in range(times + 1):
        begun = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize()
        taken.append(time.perf_counter() - begun)
    return min(taken[1:])


def _stages(cost: Cost) -> str:
    return ", ".join(f"{name} {value:.0f}" for name, value in cost.stage_ms.items())


def _goal(cost: Cost) -> str:
    live = {(512, 4): ">= 25 fps, >= 50 % of the floor's rate", (768, 2): ">= 25 fps"}
    return live.get((cost.size, cost.steps), "") if cost.batch == 1 and cost.decoder == "taesd" else ""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+")
    parser.add_argument("--steps", type=int, nargs="+")
    parser.add_argument("--decoders", choices=[decoder.value for decoder in LiveDecoder], nargs="+")
    parser.add_argument("--batches", type=int, nargs="+")
    parser.add_argument("--continuities", choices=[continuity.value for continuity in Continuity], nargs="+")
    parser.add_argument("--speedup", choices=[speedup.value for speedup in Speedup])
    parser.add_argument("--out", type=Path, default=Path("results"))
    given = parser.parse_args(arguments)
    usual = GPU_PLAN if best_device().type == "cuda" else CPU_PLAN
    plan = Plan(
        tuple(given.sizes or usual.sizes),
        tuple(given.steps or usual.steps),
        tuple(map(LiveDecoder, given.decoders or usual.decoders)),
        tuple(given.batches or usual.batches),
        tuple(map(Continuity, given.continuities or usual.continuities)),
        Speedup(given.speedup or usual.speedup),
    )
    report = measure(plan, progress=lambda line: print(f"{line} ...", file=sys.stderr, flush=True))
    print(report.text())
    print(f"\nwrote {report.write(given.out)}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
