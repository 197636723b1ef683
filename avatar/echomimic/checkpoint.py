"""Files of tensors: read without running what is in them, held against the network they are for."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from avatar.errors import WeightsError

_NAMED = 5
"""So many names are told of a file that does not fit; more would hide the sentence."""

COMPUTED = (".pos_encoder.pe",)
"""Buffers that have their values before anything is loaded; a file may hold them or not."""


def read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """All tensors of a ``.safetensors``, or of a PyTorch file that holds nothing but tensors and plain values.

    A PyTorch file is a pickle; it is read by PyTorch's own restricted reader, which builds tensors and runs nothing.
    OpenAI's Whisper files (tensors under ``model_state_dict``) are understood.

    Raises:
        WeightsError: the file cannot be read, or holds anything else.
    """
    try:
        content = load_file(path) if path.suffix == ".safetensors" else _load_pickle(path)
    except pickle.UnpicklingError as error:
        reason = str(error).splitlines()[0]
        raise WeightsError(
            f"{path} is not a file of tensors alone, so it was not opened (a pickle can run programs): {reason}"
        ) from None
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, SafetensorError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WeightsError(f"{path} cannot be read ({reason}). Fetch it again.") from None
    if isinstance(content, Mapping) and isinstance(content.get("model_state_dict"), Mapping):
        content = content["model_state_dict"]
    if not isinstance(content, Mapping) or not content or not all(torch.is_tensor(one) for one in content.values()):
        raise WeightsError(f"{path} is no set of named tensors.")
    return dict(content)


def _load_pickle(path: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of other pickles, which then fail anyway
        try:
            return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        except RuntimeError as error:
            if "mmap can only be used" not in str(error):
                raise
            return torch.load(path, map_location="cpu", weights_only=True)  # PyTorch's format before 1.6


def check_names(
    network: nn.Module, tensors: Mapping[str, torch.Tensor], what: str, *, optional: Collection[str] = ()
) -> None:
    """Hold tensors against a network's names and shapes.

    Args:
        network: may be on the meta device.
        tensors: by name.
        what: the file or files, for the error's text.
        optional: names that may be missing besides ``COMPUTED`` ones.

    Raises:
        WeightsError: names what is missing, what is too much and what has another shape.
    """
    expected = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    missing = [
        name for name in expected if name not in tensors and name not in optional and not name.endswith(COMPUTED)
    ]
    extra = [name for name in tensors if name not in expected]
    wrong = [
        f"{name} is {list(tensors[name].shape)} instead of {list(shape)}"
        for name, shape in expected.items()
        if name in tensors and tuple(tensors[name].shape) != shape
    ]
    faults = [
        f"{fault} ({len(names)}): {_listed(names)}"
        for fault, names in (("missing", missing), ("unknown", extra), ("of another shape", wrong))
        if names
    ]
    if faults:
        raise WeightsError(f"{what} does not fit {type(network).__name__}. {'; '.join(faults)}.")


def load_strict(network: nn.Module, tensors: Mapping[str, torch.Tensor], what: str, dtype: torch.dtype) -> None:
    """Give a network (on the meta device or not) exactly these tensors.

    Each is cloned: a tensor of a file may be a view into something far larger (V2's pose encoder is: 1.09 million
    parameters in 1.7 GB).

    Raises:
        WeightsError: see ``check_names``.
    """
    check_names(network, tensors, what)
    own = {name: tensor.to(dtype, copy=True).contiguous() for name, tensor in tensors.items()}
    network.load_state_dict(own, strict=False, assign=True)
    network.requires_grad_(False)
    network.to(dtype)


def save_tensors(tensors: Mapping[str, torch.Tensor], path: Path, dtype: torch.dtype | None, origin: str) -> int:
    """Write clean safetensors: contiguous, nothing shared, nothing beyond what the names say.

    Args:
        tensors: by name.
        path: written whole or not at all.
        dtype: of what is written; None keeps each.
        origin: said in the file's metadata.

    Returns:
        Bytes written.
    """
    clean = {name: tensor.to(dtype or tensor.dtype, copy=True).contiguous() for name, tensor in tensors.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    try:
        save_file(clean, partial, metadata={"format": "pt", "origin": origin})
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path.stat().st_size


def _listed(names: list[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
