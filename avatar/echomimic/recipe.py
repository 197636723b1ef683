"""Synthetic weights: every parameter a function of its name, so that two programs can fill one network alike.

This is how the networks are compared with the original where no trained weights are at hand; what such networks make
is noise, and must be labelled so.
"""

from __future__ import annotations

import math
import zlib

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn


def synthetic_values(module_name: str, parameter_name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Values of one parameter.

    Convolutions, linear maps and embeddings: normal, deviation 1 / sqrt(inputs). Other weights (of norms): 1 + 0.1
    normal. Biases: 0.1 normal. Seeded by the CRC-32 of ``module_name/parameter_name`` (PCG64).

    Args:
        module_name: e.g. ``denoising_unet``.
        parameter_name: as in the state dict.
        shape: of the parameter.
    """
    values = np.empty(shape, np.float32)
    fill_values(values, module_name, parameter_name)
    return values


def fill_values(values: NDArray[np.float32], module_name: str, parameter_name: str) -> None:
    """``synthetic_values`` into an array that is there already."""
    seed = zlib.crc32(f"{module_name}/{parameter_name}".encode())
    np.random.Generator(np.random.PCG64(seed)).standard_normal(dtype=np.float32, out=values)
    if values.ndim >= 2:
        values *= np.float32(1 / math.sqrt(math.prod(values.shape[1:])))
    elif parameter_name.endswith(".weight"):
        values *= np.float32(0.1)
        values += np.float32(1)
    else:
        values *= np.float32(0.1)


def fill_by_recipe(module: nn.Module, module_name: str) -> None:
    """Give every parameter its synthetic values, one after the other; buffers keep theirs.

    Works on a module built on the meta device: parameters become float32 on the CPU as they are filled, so that
    memory holds each network once.
    """
    for owner_name, owner in module.named_modules():
        for name, parameter in list(owner.named_parameters(recurse=False)):
            values = np.empty(tuple(parameter.shape), np.float32)
            fill_values(values, module_name, f"{owner_name}.{name}" if owner_name else name)
            owner.register_parameter(name, nn.Parameter(torch.from_numpy(values), requires_grad=False))
