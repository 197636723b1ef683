"""From the host's memory to the device's, without waiting."""

from __future__ import annotations

import torch
from torch import Tensor


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """A tensor of the host on ``device``; on a GPU the copy is queued on the current stream and this returns at once.

    Memory that can be paged out is copied by the driver only after what the stream was given before, and the caller waits
    so long; pinned memory comes from PyTorch's own cache and is given back to it when the copy is done.
    """
    if device.type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)
