"""The graphs that are served are the networks that were trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install 'parley[train]'")
for needed in ("diffusers", "onnx", "onnxscript"):
    pytest.importorskip(needed, reason=f"training needs {needed}: pip install 'parley[train]'")

from avatar.distillation.scheduler import MultistepConsistencyScheduler  # noqa: E402
from avatar.motion.generator import encoder, sampler, weights  # noqa: E402
from avatar.motion.generator.condition import C  # noqa: E402
from avatar.motion.generator.contacts import Threshold  # noqa: E402
from avatar.motion.generator.features import BANDS, HOPS_PER_FRAME  # noqa: E402
from avatar.motion.generator.hindsight import Hindsight  # noqa: E402
from avatar.motion.generator.network import OnnxNetwork  # noqa: E402
from avatar.motion.generator.sampler import PLAYED_FRAMES, PREFIX_FRAMES  # noqa: E402
from avatar.motion.generator.state import D  # noqa: E402
from avatar.motion.training import ship  # noqa: E402
from avatar.motion.training.encoder_network import EncoderNetwork, EncoderShape, weigh_contacts  # noqa: E402
from avatar.motion.training.export import export_encoder, export_sampler, quantise, write_card  # noqa: E402
from avatar.motion.training.sampling import sample  # noqa: E402
from avatar.motion.training.transformer import MotionTransformer, TransformerShape  # noqa: E402
from tests.avatar.motion.training import shards  # noqa: E402

SMALL = TransformerShape(width=32, layers=2, heads=2)
SMALL_ENCODER = EncoderShape(fast=16, middle=16, slow=32, middle_dilations=(1,), slow_dilations=(1, 2))


def randomised(network: torch.nn.Module, std: float) -> torch.nn.Module:
    torch.manual_seed(0)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=std)
    return network.eval()


@pytest.fixture(scope="module")
def transformer() -> MotionTransformer:
    return randomised(MotionTransformer(SMALL), 0.1)  # type: ignore[return-value]


@pytest.fixture(scope="module")
def graphs(tmp_path_factory: pytest.TempPathFactory, transformer: MotionTransformer) -> Path:
    folder = tmp_path_factory.mktemp("graphs")
    export_sampler(transformer, 4, folder / "student.onnx")
    quantise(folder / "student.onnx", folder / "int8.onnx")
    return folder


def given(new: int, seed: int = 0) -> dict[str, np.ndarray]:  # type: ignore[type-arg]
    rng = np.random.default_rng(seed)
    shapes = {"prefix": (1, PLAYED_FRAMES, D), "condition": (1, PREFIX_FRAMES + new, C), "noise": (1, new, D)}
    return {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}


@pytest.mark.parametrize("new", [2, 4, 7, 12])
@torch.no_grad()
def test_the_student_in_one_graph_is_the_student(graphs: Path, transformer: MotionTransformer, new: int) -> None:
    network = OnnxNetwork(graphs / "student.onnx", sampler.INPUTS, sampler.OUTPUTS)
    inputs = given(new)
    prefix, condition, noise = (torch.from_numpy(inputs[name]) for name in ("prefix", "condition", "noise"))
    expected = sample(transformer, MultistepConsistencyScheduler(), 4, noise, prefix, condition).numpy()
    got = network.run(inputs)["state"]
    assert got.shape == (1, new, D)
    np.testing.assert_allclose(got, expected, atol=2e-4 * np.abs(expected).max())
    assert np.abs(expected - inputs["noise"]).max() > 0.5


def test_eight_bits_are_near(graphs: Path) -> None:
    exact, rounded = (
        OnnxNetwork(graphs / name, sampler.INPUTS, sampler.OUTPUTS) for name in ("student.onnx", "int8.onnx")
    )
    a, b = exact.run(given(7))["state"], rounded.run(given(7))["state"]
    assert np.abs(a - b).max() > 0 and np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.98
    assert (graphs / "int8.onnx").stat().st_size < 0.75 * (graphs / "student.onnx").stat().st_size


@torch.no_grad()
def test_the_encoders_graph_streams_as_the_network_hears(tmp_path: Path) -> None:
    network: EncoderNetwork = randomised(EncoderNetwork(SMALL_ENCODER), 0.2)  # type: ignore[assignment]
    export_encoder(network, tmp_path / "encoder.onnx")
    graph = OnnxNetwork(tmp_path / "encoder.onnx", encoder.INPUTS, encoder.OUTPUTS)
    assert graph.shape("state") == (1, network.state_size)
    mel = 2 * np.random.default_rng(0).standard_normal((1, 13 * HOPS_PER_FRAME, BANDS)).astype(np.float32)
    expected, _ = network(torch.from_numpy(mel), network.initial_state())
    state, parts, at = np.zeros((1, network.state_size), np.float32), [], 0
    for frames in (2, 5, 1, 5):
        out = graph.run({"mel": mel[:, at : at + frames * HOPS_PER_FRAME], "state": state})
        state, at = out["next_state"], at + frames * HOPS_PER_FRAME
        parts.append(out)
    for name, exact in (
        ("mouth", expected.mouth),
        ("contacts", weigh_contacts(expected.contacts, expected.phones)),
        ("phones", expected.phones),
    ):
        got = np.concatenate([part[name] for part in parts], axis=1)
        np.testing.assert_allclose(got, exact.numpy(), atol=1e-4 * float(exact.abs().max()))


@torch.no_grad()
def test_serving_reads_what_was_exported(tmp_path: Path, graphs: Path) -> None:
    network: EncoderNetwork = randomised(EncoderNetwork(SMALL_ENCODER), 0.1)  # type: ignore[assignment]
    export_encoder(network, tmp_path / "encoder.onnx")
    Hindsight.none().save(tmp_path / "hindsight.npz")
    (tmp_path / "student.onnx").write_bytes((graphs / "student.onnx").read_bytes())
    shards.normalisation().save(tmp_path / "normalisation.npz")
    shards.hand_basis().save(tmp_path / "hands.npz")
    write_card(tmp_path, (Threshold(0.5, 0.3), Threshold(0.4, 0.24)), {"data": {"made": "up"}})
    model = weights.load(tmp_path)
    assert model.thresholds.sealed == Threshold(0.5, 0.3)
    heard = model.encoder().push(np.zeros((5 * HOPS_PER_FRAME, BANDS), np.float32))
    assert len(heard) == 3
    assert weights.check(tmp_path)["data"] == {"made": "up"}


@pytest.mark.slow
def test_the_recipes_last_stage_ships_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From runs to weights, on small networks that learned nothing."""
    from avatar.motion.training.diffusion_training import DiffusionTraining, train_teacher
    from avatar.motion.training.distillation import Distillation, distil
    from avatar.motion.training.encoder_training import EncoderTraining, train_encoder

    told: list[str] = []
    shards.speech(tmp_path)
    shards.scenes(tmp_path)
    runs = ship.Runs(tmp_path / "runs")
    train_encoder(
        tmp_path,
        runs.encoder,
        EncoderTraining(steps=1, rows=1, hops=80, measure_every=1, shape=SMALL_ENCODER),
        told.append,
    )
    train_teacher(tmp_path, runs.teacher, DiffusionTraining(steps=1, rows=2, measure_every=1, shape=SMALL), told.append)
    ship.export_weights(tmp_path, runs, tmp_path / "early", told.append)
    assert weights.check(tmp_path / "early")["student"]["run"]["what"] == "teacher"
    distil(
        tmp_path,
        runs.teacher,
        runs.student(4),
        Distillation(trajectories=2, steps=1, rows=2, measure_every=1),
        told.append,
    )
    ship.export_weights(tmp_path, runs, tmp_path / "weights", told.append)
    card = weights.check(tmp_path / "weights")
    assert card["student"]["run"] == {"what": "student of 4", "steps": 1, "minutes": 0}
    assert card["encoder"]["held_out_voices"]["all"]["hours"] > 0
    assert sum(path.stat().st_size for path in (tmp_path / "weights").iterdir()) < 12e6
