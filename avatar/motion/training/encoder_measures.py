"""How well a sound encoder reads held-out voices while it is trained: the table its threshold and its weights are chosen by.

Correlations are of what a viewer sees (lip opening, width, rounding) after contacts are enforced, against the rules' mouth. Closures
are runs of sealed frames: recalled within 45 ms, and false where neither a closure nor a pause explains one.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from avatar.motion.generator import phones
from avatar.motion.generator.contacts import Threshold, decide
from avatar.motion.generator.features import HOPS_PER_FRAME, LOOK_AHEAD_FRAMES, LOOK_AHEAD_HOPS, SILENT_MEL
from avatar.motion.generator.mean import CausalMean
from avatar.motion.speech.coarticulation import enforce
from avatar.motion.speech.mouth import COUNT, PRESS, measures, to_channels
from avatar.motion.training.encoder_network import EncoderNetwork, weigh_contacts
from avatar.motion.training.speech_windows import Rendition
from avatar.motion.training.synthesis.corpus import NOISE
from avatar.motion.training.visible import MEASURES

_CLOSED, _PRESSED = 0.1, 0.5
"""Lip opening below which, and press above which, lips count as closed."""
_TOLERANCE_FRAMES = 1
_BATCH = 16
_MOST_GAIN = 1.4
THRESHOLDS = tuple(round(0.2 + 0.05 * i, 2) for i in range(15))
HYSTERESIS = 0.6
"""A contact lasts while its probability stays over this share of where it began."""


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """A network's answer to one rendition: float32 [frames, 11], probabilities [frames, 2] (``weigh_contacts``), and the phones' [frames, 32]."""

    of: Rendition
    mouth: NDArray[np.float32]
    contacts: NDArray[np.float32]
    phones: NDArray[np.float32]


@torch.no_grad()
def listen(network: EncoderNetwork, renditions: list[Rendition]) -> list[Heard]:
    """The network on whole renditions, each from the beginning of a stream."""
    network.eval()
    out: list[Heard] = []
    by_length = sorted(renditions, key=lambda r: r.frames)
    for first in range(0, len(by_length), _BATCH):
        batch = by_length[first : first + _BATCH]
        hops = batch[-1].frames * HOPS_PER_FRAME + LOOK_AHEAD_HOPS
        mel = np.full((len(batch), hops, batch[0].mel.shape[1]), SILENT_MEL, np.float32)
        for row, rendition in zip(mel, batch, strict=True):
            row[: len(rendition.mel)] = rendition.mel
            row[:] = CausalMean().push(row)
        output, _ = network(torch.from_numpy(mel), network.initial_state(len(batch)))
        contacts = weigh_contacts(output.contacts.float(), output.phones.float()).sigmoid()
        for i, rendition in enumerate(batch):
            at = slice(LOOK_AHEAD_FRAMES, LOOK_AHEAD_FRAMES + rendition.frames)
            out.append(
                Heard(
                    rendition,
                    output.mouth[i, at].float().numpy(),
                    contacts[i, at].numpy(),
                    output.phones[i, at].float().softmax(dim=1).numpy(),
                )
            )
    network.train()
    return out


def fit_gain(heard: list[Heard]) -> NDArray[np.float32]:
    """What restores each parameter's amplitude, which squared error shrinks; float32 [COUNT], 1..1.4."""
    true = np.concatenate([h.of.mouth for h in heard]).astype(np.float32)
    said = np.concatenate([h.mouth for h in heard])
    gain = true.std(axis=0) / np.maximum(said.std(axis=0), 1e-3)
    return np.clip(gain, 1.0, _MOST_GAIN).astype(np.float32)


def fit_thresholds(heard: list[Heard], gain: NDArray[np.float32]) -> tuple[Threshold, Threshold]:
    """For sealed and touching, where precision and recall are best together (van Rijsbergen's F1).

    Sealing is judged by what is seen: lips also close where the mouth is narrow, so a contact may be sure before it seals.
    """
    quiet = [pauses(h.of) for h in heard]
    sealed = [h.of.contacts[:, 0] for h in heard]
    touching = [h.of.contacts[:, 1] for h in heard]
    mouths = [np.clip(h.mouth * gain, 0, 1) for h in heard]

    def closed(on: float) -> list[NDArray[np.bool_]]:
        return [
            seen_closed(shown(mouth, decide(h.contacts[:, 0], _threshold(on))[0], np.zeros(len(mouth), bool)), mouth)
            for h, mouth in zip(heard, mouths, strict=True)
        ]

    def touched(on: float) -> list[NDArray[np.bool_]]:
        return [decide(h.contacts[:, 1], _threshold(on))[0] for h in heard]

    best_sealed = max(THRESHOLDS, key=lambda on: _f1(*_closures(closed(on), sealed, quiet)))
    best_touching = max(THRESHOLDS, key=lambda on: _f1(*_closures(touched(on), touching, quiet)))
    return _threshold(best_sealed), _threshold(best_touching)


def _threshold(on: float) -> Threshold:
    return Threshold(on, round(on * HYSTERESIS, 3))


def _f1(recall: float, false: float) -> float:
    precision = 1.0 - false
    return 2.0 * precision * recall / max(precision + recall, 1e-6)


def score(
    heard: list[Heard], gain: NDArray[np.float32], thresholds: tuple[Threshold, Threshold]
) -> dict[str, dict[str, float]]:
    """The table, by engine and in all: opening, width, rounding (correlations), amplitude, lag_ms, recalled, false, phones (accuracy),
    pause (mean opening), hours."""
    groups: dict[str, list[Heard]] = defaultdict(list)
    for h in heard:
        groups[h.of.engine].append(h)
        if h.of.engine != NOISE:
            groups["all"].append(h)
    table = {name: _score(members, gain, thresholds) for name, members in sorted(groups.items())}
    if NOISE in table:  # nobody speaks: there is nothing to correlate with
        table[NOISE] = {name: table[NOISE][name] for name in ("phones", "pause", "hours")}
    return table


def _score(heard: list[Heard], gain: NDArray[np.float32], thresholds: tuple[Threshold, Threshold]) -> dict[str, float]:
    reference, predicted, closed, quiet_of = [], [], [], []
    right = total = 0
    for h in heard:
        sealed, touching = (decide(h.contacts[:, i], thresholds[i])[0] for i in range(2))
        reference.append(shown(h.of.mouth.astype(np.float32), h.of.contacts[:, 0], h.of.contacts[:, 1]))
        predicted.append(shown(np.clip(h.mouth * gain, 0, 1), sealed, touching))
        closed.append(seen_closed(predicted[-1], h.mouth * gain))
        middle = h.of.phones[HOPS_PER_FRAME // 2 :: HOPS_PER_FRAME]
        quiet_of.append(pauses(h.of))
        right += int((h.phones.argmax(axis=1) == middle).sum())
        total += len(middle)
    true, guess, quiet = np.concatenate(reference), np.concatenate(predicted), np.concatenate(quiet_of)
    found, false = _closures(closed, [h.of.contacts[:, 0] for h in heard], quiet_of)
    out = {name: _correlation(true[:, i], guess[:, i]) for i, name in enumerate(MEASURES)}
    return {
        **out,
        "amplitude": float(guess[:, 0].std() / max(float(true[:, 0].std()), 1e-6)),
        "lag_ms": float(_lag_ms(true[:, 0], guess[:, 0])),
        "recalled": found,
        "false": false,
        "phones": right / max(total, 1),
        "pause": float(guess[quiet, 0].mean()) if quiet.any() else 0.0,
        "hours": len(true) / 25 / 3600,
    }


def shown(mouth: NDArray[np.float32], sealed: NDArray[np.bool_], touching: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Opening, width and rounding with contacts enforced, float32 [frames, 3]."""
    mouth = mouth.reshape(-1, COUNT).copy()
    enforce(mouth, sealed, touching)
    seen = measures(to_channels(mouth))
    return np.stack([seen[name] for name in MEASURES], axis=1)


def seen_closed(seen: NDArray[np.float32], mouth: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Frames whose lips a viewer takes for closed: hardly open (``shown``), or pressed."""
    return (seen[:, 0] < _CLOSED) | (mouth[:, PRESS] > _PRESSED)


def pauses(rendition: Rendition) -> NDArray[np.bool_]:
    """Frames of silence with silence on both sides, bool [frames]."""
    voiced = rendition.phones[HOPS_PER_FRAME // 2 :: HOPS_PER_FRAME] != phones.SILENCE
    return ~(np.convolve(voiced, np.ones(3), "same") > 0)


def _runs(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False]))))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _closures(
    closed: list[NDArray[np.bool_]], sealed: list[NDArray[np.bool_]], quiet_of: list[NDArray[np.bool_]]
) -> tuple[float, float]:
    """Share of reference runs found, share of predicted runs that nothing explains."""
    wanted = found = offered = false = 0
    kernel = np.ones(2 * _TOLERANCE_FRAMES + 1)
    for guess, true, quiet in zip(closed, sealed, quiet_of, strict=True):
        guess = guess & ~quiet
        near = np.convolve(guess, kernel, "same") > 0
        explained = np.convolve(true | quiet, kernel, "same") > 0
        for i, j in _runs(true):
            wanted += 1
            found += bool(near[i:j].any())
        for i, j in _runs(guess):
            offered += 1
            false += not explained[i:j].any()
    return found / max(wanted, 1), false / max(offered, 1)


def _correlation(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    return float(np.corrcoef(a, b)[0, 1]) if a.std() > 0 and b.std() > 0 else 0.0


def _lag_ms(reference: NDArray[np.float32], predicted: NDArray[np.float32]) -> float:
    """Where the correlation peaks, by the parabola through the best frame and its neighbours; positive is late."""
    lags = np.arange(-3, 4)
    n = len(reference)
    scores = [
        _correlation(reference[max(0, -k) : n - max(0, k)], predicted[max(0, k) : n - max(0, -k)])
        for k in lags.tolist()
    ]
    best = int(np.argmax(scores))
    if not 0 < best < len(lags) - 1:
        return 40.0 * float(lags[best])
    before, here, after = scores[best - 1 : best + 2]
    bend = before - 2 * here + after
    return 40.0 * (float(lags[best]) + (0.5 * (before - after) / bend if bend < 0 else 0.0))
