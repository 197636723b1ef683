"""Files of tensors are read without running them, and must fit to the name."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the gpu extra is not installed")

from safetensors.torch import load_file  # noqa: E402
from torch import nn  # noqa: E402

from avatar.echomimic.checkpoint import check_names, load_strict, read_tensors, save_tensors  # noqa: E402
from avatar.errors import WeightsError  # noqa: E402


def network() -> nn.Module:
    return nn.Sequential(nn.Linear(2, 3), nn.LayerNorm(3))


class Payload:
    """Would run on unpickling."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return eval, ("1 / 0",)


def test_a_pickle_that_would_run_something_is_not_opened(tmp_path: Path) -> None:
    torch.save({"weight": torch.ones(2), "extra": Payload()}, tmp_path / "bad.pth")
    with pytest.raises(WeightsError, match="not a file of tensors alone"):
        read_tensors(tmp_path / "bad.pth")


@pytest.mark.parametrize("content", [b"", b"not a checkpoint at all", pickle.dumps({"a": 1})])
def test_what_is_no_file_of_tensors(tmp_path: Path, content: bytes) -> None:
    for suffix in (".pth", ".safetensors"):
        (tmp_path / f"bad{suffix}").write_bytes(content)
        with pytest.raises(WeightsError, match="bad"):
            read_tensors(tmp_path / f"bad{suffix}")


@pytest.mark.parametrize("content", [{"epoch": 3}, {}, [torch.ones(2)]])
def test_what_holds_other_things(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "bad.pth")
    with pytest.raises(WeightsError, match="no set of named tensors"):
        read_tensors(tmp_path / "bad.pth")


def test_a_cut_off_file(tmp_path: Path) -> None:
    torch.save(network().state_dict(), tmp_path / "whole.pth")
    (tmp_path / "cut.pth").write_bytes((tmp_path / "whole.pth").read_bytes()[:-200])
    with pytest.raises(WeightsError, match=r"cut.pth cannot be read .*Fetch it again"):
        read_tensors(tmp_path / "cut.pth")


def test_pytorchs_old_format(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(2)}, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    assert read_tensors(tmp_path / "old.pth")["a"].tolist() == [1, 1]


def test_every_kind_of_misfit_is_named() -> None:
    tensors = network().state_dict()
    with pytest.raises(WeightsError, match=r"some file does not fit Sequential. missing \(1\): 0.bias."):
        check_names(network(), {name: value for name, value in tensors.items() if name != "0.bias"}, "some file")
    with pytest.raises(WeightsError, match=r"unknown \(1\): 7.weight"):
        check_names(network(), {**tensors, "7.weight": torch.ones(1)}, "some file")
    with pytest.raises(WeightsError, match=r"of another shape \(1\): 0.weight is \[3, 3\] instead of \[3, 2\]"):
        check_names(network(), {**tensors, "0.weight": torch.ones(3, 3)}, "some file")


def test_many_misfits_stay_readable() -> None:
    with pytest.raises(WeightsError, match=r"unknown \(9\): x0, x1, x2, x3, x4 and 4 more"):
        check_names(network(), {**network().state_dict(), **{f"x{n}": torch.ones(1) for n in range(9)}}, "some file")


def test_loading_takes_the_values_and_nothing_else() -> None:
    flat = torch.arange(100.0)
    tensors = {
        "0.weight": flat[:6].view(3, 2), "0.bias": flat[6:9], "1.weight": flat[9:12], "1.bias": flat[12:15],
    }  # fmt: skip
    into = network()
    load_strict(into, tensors, "views", torch.float32)
    assert into[0].weight.tolist() == [[0, 1], [2, 3], [4, 5]]
    assert into[0].weight.untyped_storage().nbytes() == 6 * 4, "not the buffer it was a view into"
    flat.zero_()
    assert into[1].bias.tolist() == [12, 13, 14]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_precision(dtype: torch.dtype) -> None:
    into = network()
    load_strict(into, network().state_dict(), "file", dtype)
    assert {value.dtype for value in into.state_dict().values()} == {dtype}


def test_saving_is_clean_and_whole(tmp_path: Path) -> None:
    flat = torch.arange(1000.0)
    tensors = {"a": flat[:4].view(2, 2).T, "b": flat[4:6], "again": flat[4:6]}
    size = save_tensors(tensors, tmp_path / "new" / "w.safetensors", torch.float16, "somewhere/w.pth")
    assert size < 1000 and [path.name for path in (tmp_path / "new").iterdir()] == ["w.safetensors"]
    back = load_file(tmp_path / "new" / "w.safetensors")
    assert back["a"].tolist() == [[0, 2], [1, 3]] and back["again"].tolist() == [4, 5]
    assert back["a"].dtype == torch.float16
