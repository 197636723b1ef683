"""The folder of weights: what is checked, and what is said when it is not whole. The networks are made here, of a few nodes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from avatar.errors import MotionWeightsError
from avatar.motion.generator import encoder, phones, sampler
from avatar.motion.generator.condition import CONDITION, C
from avatar.motion.generator.features import BANDS
from avatar.motion.generator.hindsight import Hindsight
from avatar.motion.generator.network import OnnxNetwork
from avatar.motion.generator.sampler import PLAYED_FRAMES
from avatar.motion.generator.source import LearnedMotionSource
from avatar.motion.generator.state import STATE, D
from avatar.motion.generator.weights import CARD, FILES, check, checksum, load
from avatar.speech import SpeechChunk
from tests.avatar.motion.generator.fakes import hand_basis, normalisation

onnx = pytest.importorskip("onnx", reason="builds small networks with onnx")


def graph(path: Path, nodes: list, inputs: dict, outputs: dict, constants: dict) -> None:
    def info(name: str, shape: tuple) -> object:
        return onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)

    made = onnx.helper.make_graph(
        nodes,
        "small",
        [info(*item) for item in inputs.items()],
        [info(*item) for item in outputs.items()],
        [onnx.numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    onnx.save(onnx.helper.make_model(made, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=9), str(path))


def small_encoder(path: Path) -> None:
    """Each frame is a linear map of its four hops; the state is only handed on."""
    node = onnx.helper.make_node
    outputs = {"mouth": 11, "contacts": 2, "phones": phones.COUNT}
    rng = np.random.default_rng(0)
    graph(
        path,
        [
            node("Reshape", ["mel", "by_frame"], ["frames"]),
            *(node("MatMul", ["frames", f"to_{name}"], [name]) for name in outputs),
            node("Identity", ["state"], ["next_state"]),
        ],
        {"mel": (1, "hops", BANDS), "state": (1, 6)},
        {**{name: (1, "frames", size) for name, size in outputs.items()}, "next_state": (1, 6)},
        {
            "by_frame": np.array([1, -1, 4 * BANDS], np.int64),
            **{
                f"to_{name}": rng.normal(0, 0.01, (4 * BANDS, size)).astype(np.float32)
                for name, size in outputs.items()
            },
        },
    )


def small_student(path: Path) -> None:
    """A twentieth of the noise and the mean of the prefix."""
    node = onnx.helper.make_node
    graph(
        path,
        [
            node("ReduceMean", ["prefix", "time"], ["mean"]),
            node("Mul", ["noise", "little"], ["quiet"]),
            node("ReduceSum", ["condition"], ["told"]),
            node("Mul", ["told", "nothing"], ["unused"]),
            node("Add", ["quiet", "mean"], ["sum"]),
            node("Add", ["sum", "unused"], ["state"]),
        ],
        {"prefix": (1, PLAYED_FRAMES, D), "condition": (1, "all", C), "noise": (1, "frames", D)},
        {"state": (1, "frames", D)},
        {"time": np.array([1], np.int64), "little": np.array(0.05, np.float32), "nothing": np.array(0.0, np.float32)},
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    small_encoder(tmp_path / "encoder.onnx")
    small_student(tmp_path / "student.onnx")
    hand_basis().save(tmp_path / "hands.npz")
    Hindsight.none().save(tmp_path / "hindsight.npz")
    normalisation().save(tmp_path / "normalisation.npz")
    seal(tmp_path)
    return tmp_path


def seal(folder: Path, **changed: object) -> None:
    threshold = {"on": 0.5, "off": 0.3}
    card = {
        "format": 1,
        "files": {name: checksum(folder / name) for name in FILES},
        "state": list(STATE),
        "condition": list(CONDITION),
        "phones": list(phones.NAMES),
        "contacts": {"sealed": threshold, "touching": threshold},
    }
    (folder / CARD).write_text(json.dumps({**card, **changed}))


def test_a_whole_folder_moves_an_avatar(folder: Path) -> None:
    assert check(folder)["format"] == 1
    model = load(folder)
    assert load(folder) is model, "shared by all conversations of a process"
    source = LearnedMotionSource(model, 1)
    source.push(SpeechChunk(np.random.default_rng(0).integers(-9000, 9000, 48_000).astype(np.int16)))
    source.finish()
    spoken, silent = source.take(source.ready(), speaking=True), source.take(20, speaking=False)
    assert np.isfinite(spoken.values).all() and np.isfinite(silent.values).all()
    assert spoken["jawOpen"].std() > 0


def test_networks_use_one_thread(folder: Path) -> None:
    network = OnnxNetwork(folder / "encoder.onnx", encoder.INPUTS, encoder.OUTPUTS)
    options = network._session.get_session_options()
    assert options.intra_op_num_threads == 1
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(MotionWeightsError, match=f"{name} is missing") as caught:
        check(folder)
    assert caught.value.code == "motion_weights_missing"


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file(folder: Path, name: str) -> None:
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / name).write_bytes(data)
    with pytest.raises(MotionWeightsError, match=f"{name} is damaged") as caught:
        load(folder)
    assert caught.value.code == "motion_weights_damaged"


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(MotionWeightsError, match=r"no card\.json"):
        check(tmp_path / "nowhere")


@pytest.mark.parametrize("text", ["", "[]", '{"format": 1}', '{"format": 1, "files": 3}', "\x00"])
def test_a_card_that_is_none(folder: Path, text: str) -> None:
    (folder / CARD).write_text(text)
    with pytest.raises(MotionWeightsError, match="cannot be understood"):
        check(folder)


@pytest.mark.parametrize("changed", [{"format": 2}, {"state": ["nose"]}, {"condition": []}])
def test_another_version(folder: Path, changed: dict[str, object]) -> None:
    seal(folder, **changed)
    with pytest.raises(MotionWeightsError, match="another version"):
        check(folder)


def test_thresholds_that_are_none(folder: Path) -> None:
    seal(folder, contacts={"sealed": {"on": 2.0, "off": 0.1}, "touching": {"on": 0.5, "off": 0.3}})
    with pytest.raises(MotionWeightsError, match="cannot be read"):
        load(folder)


def test_a_network_of_something_else(folder: Path) -> None:
    with pytest.raises(MotionWeightsError, match="another network"):
        OnnxNetwork(folder / "encoder.onnx", sampler.INPUTS, sampler.OUTPUTS)
    (folder / "text.onnx").write_text("no network")
    with pytest.raises(MotionWeightsError, match="cannot be loaded"):
        OnnxNetwork(folder / "text.onnx", sampler.INPUTS, sampler.OUTPUTS)
