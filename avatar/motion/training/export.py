"""Trained networks to ONNX: the sound encoder with its state, and a sampler with all its steps in one graph.

What serving needs is folded in: how contacts and phones are weighed, the modulation of every diffusion time, the factors of every jump. The
graphs keep to what ``generator.encoder`` and ``generator.sampler`` say they take and give.
"""

from __future__ import annotations

import hashlib
import json
import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from avatar.distillation.scheduler import DATA, MultistepConsistencyScheduler
from avatar.motion.generator import phones
from avatar.motion.generator.condition import CONDITION, C
from avatar.motion.generator.contacts import Threshold
from avatar.motion.generator.features import BANDS, HOPS_PER_FRAME
from avatar.motion.generator.sampler import PLAYED_FRAMES, PREFIX_FRAMES
from avatar.motion.generator.state import STATE, D
from avatar.motion.generator.weights import FILES
from avatar.motion.training.encoder_network import EncoderNetwork, weigh_contacts
from avatar.motion.training.sampling import TEMPERATURE
from avatar.motion.training.transformer import MotionTransformer, summarise

OPSET = 18
_EXAMPLE_FRAMES = 7


class EncoderGraph(nn.Module):
    """``EncoderNetwork`` as served: the mouth; logits of contacts, weighed, and of phones."""

    def __init__(self, network: EncoderNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, mel: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        output, following = self.network(mel, state)
        return output.mouth, weigh_contacts(output.contacts, output.phones), output.phones, following


class SamplerGraph(nn.Module):
    """All ``steps`` steps of a student, or of a teacher, unrolled."""

    def __init__(self, network: MotionTransformer, steps: int) -> None:
        super().__init__()
        self.network = network
        scheduler = MultistepConsistencyScheduler()
        scheduler.set_timesteps(steps)
        begins = scheduler.timesteps.tolist()
        like = torch.empty(1, 1, 1)
        self.jumps = [
            tuple(float(factor) for factor in scheduler._line(t, s, like))
            for t, s in zip(begins, [*begins[1:], DATA], strict=True)
        ]
        with torch.no_grad():
            self.timings = [network.timing(torch.tensor([t])) for t in begins]

    def forward(self, prefix: Tensor, condition: Tensor, noise: Tensor) -> Tensor:
        recent, history = summarise(prefix)
        x = noise * TEMPERATURE
        for (keep, gain), timing in zip(self.jumps, self.timings, strict=True):
            x = keep * x + gain * self.network.denoise(x, timing, recent, history, condition)
        return self.network.innovations.to_state(x, recent)


def export_encoder(network: EncoderNetwork, path: Path) -> None:
    """Write the encoder's graph; ``hops`` is dynamic, in multiples of four."""
    mel, state = torch.zeros(1, 8 * HOPS_PER_FRAME, BANDS), network.initial_state()
    frames = torch.export.Dim("frames", min=2, max=4096)
    _export(
        EncoderGraph(network),
        (mel, state),
        path,
        ["mel", "state"],
        ["mouth", "contacts", "phones", "next_state"],
        {"mel": {1: HOPS_PER_FRAME * frames}, "state": None},
    )


def export_sampler(network: MotionTransformer, steps: int, path: Path) -> None:
    """Write the graph of a sampler of so many steps; the number of new frames is dynamic."""
    frames = torch.export.Dim("frames", min=2, max=12)
    arguments = (
        torch.zeros(1, PLAYED_FRAMES, D),
        torch.zeros(1, PREFIX_FRAMES + _EXAMPLE_FRAMES, C),
        torch.zeros(1, _EXAMPLE_FRAMES, D),
    )
    _export(
        SamplerGraph(network, steps),
        arguments,
        path,
        ["prefix", "condition", "noise"],
        ["state"],
        {"prefix": None, "condition": {1: PREFIX_FRAMES + frames}, "noise": {1: frames}},
    )


def _export(
    module: nn.Module, arguments: tuple[Tensor, ...], path: Path, inputs: list[str], outputs: list[str], sizes: Any
) -> None:
    module.eval()
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own, about its dependencies
        torch.onnx.export(
            module, arguments, str(path), input_names=inputs, output_names=outputs, dynamic_shapes=sizes,
            opset_version=OPSET, dynamo=True, external_data=False, verbose=False,
        )  # fmt: skip
    _transpose_weights(path)


def _transpose_weights(path: Path) -> None:
    """Store weights the way they are multiplied. The exporter transposes large ones when the graph runs, where
    quantisation does not see that they are constant."""
    import onnx

    model = onnx.load(path)
    graph = model.graph
    stored = {weights.name: weights for weights in graph.initializer}
    turned: dict[str, str] = {}
    for node in [n for n in graph.node if n.op_type == "Transpose" and n.input[0] in stored]:
        weights = onnx.numpy_helper.to_array(stored[node.input[0]])
        name = f"{node.input[0]}.transposed"
        if name not in turned.values():
            order = next((list(a.ints) for a in node.attribute if a.name == "perm"), None)
            graph.initializer.append(onnx.numpy_helper.from_array(np.ascontiguousarray(weights.transpose(order)), name))
        turned[node.output[0]] = name
        graph.node.remove(node)
    for node in graph.node:
        for i, name in enumerate(node.input):
            node.input[i] = turned.get(name, name)
    used = {name for node in graph.node for name in node.input}
    for name, weights in stored.items():
        if name not in used:
            graph.initializer.remove(weights)
    onnx.save(model, path)


def quantise(path: Path, out: Path) -> None:
    """Weights of the matrix products to 8 bits, each output's with a scale of its own; activations when they come."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(
        path, out, op_types_to_quantize=["MatMul", "Gemm"], per_channel=True, weight_type=QuantType.QInt8,
        extra_options={"MatMulConstBOnly": True},
    )  # fmt: skip


def write_card(folder: Path, thresholds: tuple[Threshold, Threshold], about: dict[str, Any]) -> None:
    """Describe and seal the folder as ``generator.weights`` reads it."""
    sealed, touching = thresholds
    card = {
        "format": 1,
        "files": {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in FILES},
        "state": list(STATE),
        "condition": list(CONDITION),
        "phones": list(phones.NAMES),
        "contacts": {
            name: {"on": float(t.on), "off": float(t.off)} for name, t in (("sealed", sealed), ("touching", touching))
        },
        **about,
    }
    (folder / "card.json").write_text(json.dumps(card, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
