"""Trains the sound encoder on the speech shards; see ``encoder_network`` for what it is asked."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from avatar.motion.generator.features import HOPS_PER_FRAME, LOOK_AHEAD_FRAMES
from avatar.motion.speech import mouth as m
from avatar.motion.training.encoder_measures import fit_gain, fit_thresholds, listen, score
from avatar.motion.training.encoder_network import EncoderNetwork, EncoderOutput, EncoderShape
from avatar.motion.training.learning import (
    Average,
    Log,
    Progress,
    Tell,
    TrainingError,
    about_run,
    fast,
    learning_rate,
    load_average,
    load_checkpoint,
    save_checkpoint,
)
from avatar.motion.training.speech_windows import Rendition, SpeechLibrary, Windows
from avatar.motion.training.visible import visible

_ORDINARY = {
    # parameter: (standard deviation in speech, weight)
    m.JAW: (0.13, 1.0), m.SEAL: (0.28, 1.5), m.PUCKER: (0.2, 1.0), m.FUNNEL: (0.12, 1.0), m.SPREAD: (0.12, 1.0),
    m.UPPER: (0.08, 0.4), m.LOWER: (0.09, 0.6), m.ROLL_LOWER: (0.14, 0.6), m.ROLL_UPPER: (0.03, 0.2),
    m.PRESS: (0.07, 0.5), m.TONGUE: (0.3, 0.3),
}  # fmt: skip
_VISIBLE_DEVIATION, _VISIBLE_WEIGHT = 0.12, 2.0
_CONTACT_WEIGHT, _CONTACT_RARITY = 0.7, 4.0
"""A frame in fifteen is sealed: without weight the head would find that it mostly is not."""
_PHONE_WEIGHT = 0.35
_CLIP = 1.0
_MOST_MEASURED = 600
"""Held-out renditions that a measurement listens to, drawn from all: two minutes become ten seconds."""


@dataclass(frozen=True, slots=True)
class EncoderTraining:
    """Attributes:
    steps: updates in all; a finished run goes on where more are asked for.
    rows, hops: size of a batch.
    peak: of the learning rate.
    leave_out: engines that are not heard, to measure voices of a kind never heard.
    measure_every: steps between measurements and checkpoints.
    """

    steps: int = 34_000
    rows: int = 32
    hops: int = 480
    peak: float = 1.5e-3
    seed: int = 0
    leave_out: tuple[str, ...] = ()
    measure_every: int = 500
    shape: EncoderShape = field(default_factory=EncoderShape)

    def about(self) -> dict[str, Any]:
        """What must not change between a run's sessions."""
        shape = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self.shape).items()}
        return {"what": "encoder", "shape": shape, "seed": self.seed, "leave_out": list(self.leave_out)}


def encoder_loss(output: EncoderOutput, windows: Windows) -> tuple[Tensor, dict[str, float]]:
    """The sum to minimise, and its parts.

    Squared error of the mouth and of what a viewer sees of it, each against its ordinary spread; cross-entropy of contacts, weighted for
    their rarity; cross-entropy of the phones of a frame's four hops, an auxiliary task that shapes what is heard.
    """
    lag = LOOK_AHEAD_FRAMES
    mouth, contacts, phones = (x[:, lag:].float() for x in (output.mouth, output.contacts, output.phones))
    frames = mouth.shape[1]
    target = windows.mouth[:, :frames]
    weights = torch.tensor([w / s**2 for s, w in (_ORDINARY[i] for i in range(m.COUNT))])
    of_mouth = ((mouth - target).square() * weights).mean()
    seen = (visible(mouth) - visible(target)).square().mean() * (_VISIBLE_WEIGHT / _VISIBLE_DEVIATION**2)
    touch = functional.binary_cross_entropy_with_logits(
        contacts, windows.contacts[:, :frames], pos_weight=torch.tensor(_CONTACT_RARITY)
    )
    of_hops = windows.phones[:, : frames * HOPS_PER_FRAME].reshape(len(phones), frames, HOPS_PER_FRAME)
    heard = -phones.log_softmax(dim=2).gather(2, of_hops).mean()
    total = of_mouth + seen + _CONTACT_WEIGHT * touch + _PHONE_WEIGHT * heard
    parts = {"mouth": of_mouth, "visible": seen, "contacts": touch, "phones": heard}
    return total, {name: float(value.detach()) for name, value in parts.items()}


def measured(renditions: list[Rendition], most: int = _MOST_MEASURED) -> list[Rendition]:
    """A sample of all, in their order, the same at every measurement."""
    chosen = np.random.default_rng(0).permutation(len(renditions))[:most]
    return [renditions[i] for i in sorted(chosen.tolist())]


def train_encoder(data: Path, run: Path, options: EncoderTraining, tell: Tell) -> None:
    """Train, or go on training, in ``run``.

    Args:
        data: with ``speech/train`` and ``speech/valid``. Shards that appear while it trains are taken in.
        run: folder of checkpoints and of the log.
        tell: is given every line of the log.

    Raises:
        TrainingError: no shards, or ``run`` holds something else.
    """
    torch.manual_seed(options.seed)
    rng = np.random.default_rng(options.seed)
    network, average_network = EncoderNetwork(options.shape), EncoderNetwork(options.shape)
    average = Average(network, 0.998)
    optimizer = torch.optim.AdamW(network.parameters(), lr=options.peak, betas=(0.9, 0.98), weight_decay=0.02)
    progress = load_checkpoint(run, network, average, optimizer, rng, options.about())
    left_out = frozenset(options.leave_out)
    train, valid = (SpeechLibrary(data / "speech" / split, left_out) for split in ("train", "valid"))
    train.refresh()
    valid.refresh()
    if not train.renditions or not valid.renditions:
        raise TrainingError(f"no speech shards in {data / 'speech'}: make some with `parley motion synthesize`")
    log = Log(run, tell)
    parameters = sum(p.numel() for p in network.parameters())
    log.write(begin=progress.step, parameters=parameters, hours=train.hours, valid_hours=valid.hours)
    step, began, sums, counted = progress.step, time.monotonic(), dict[str, float](), 0

    def keep(step: int) -> None:
        seconds = progress.seconds + time.monotonic() - began
        save_checkpoint(run, network, average, optimizer, rng, Progress(step, seconds, options.about()))

    try:
        while step < options.steps:
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(step, options.steps, options.peak)
            windows = train.draw(options.rows, options.hops, rng)
            with fast():
                output, _ = network(windows.mel, network.initial_state(options.rows))
            loss, parts = encoder_loss(output, windows)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), _CLIP)
            optimizer.step()
            average.update(network, step)
            step, counted = step + 1, counted + 1
            for name, value in parts.items():
                sums[name] = sums.get(name, 0.0) + value
            if step % options.measure_every == 0 or step == options.steps:
                keep(step)
                average.copy_to(average_network)
                heard = listen(average_network, measured(valid.renditions))
                gain = fit_gain(heard)
                thresholds = fit_thresholds(heard, gain)
                log.write(
                    step=step,
                    loss={name: value / counted for name, value in sums.items()},
                    seconds=progress.seconds + time.monotonic() - began,
                    valid=score(heard, gain, thresholds),
                    gain=gain.tolist(),
                    sealed=thresholds[0].on,
                )
                sums, counted = {}, 0
                if train.refresh() + valid.refresh():
                    log.write(step=step, hours=train.hours, valid_hours=valid.hours)
    except KeyboardInterrupt:
        keep(step)
        log.write(interrupted=step)
        raise


def trained_encoder(run: Path) -> EncoderNetwork:
    """The averaged network of a run.

    Raises:
        TrainingError: the run has no checkpoint.
    """
    shape: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in about_run(run)["shape"].items()}
    network = EncoderNetwork(EncoderShape(**shape))
    load_average(run, network)
    return network.eval()
