"""One trained network on onnxruntime, as the learned motion uses them: small, one thread, shared by whoever is in the process."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from avatar.errors import MotionWeightsError

Array = NDArray[np.float32]


class Network(Protocol):
    """Named float32 arrays in, named float32 arrays out. Holds no state; may be shared."""

    def shape(self, name: str) -> tuple[int | None, ...]:
        """Of an input, None where any size goes.

        Raises:
            KeyError: no such input.
        """

    def run(self, inputs: dict[str, Array]) -> dict[str, Array]: ...


class OnnxNetwork:
    """A ``Network`` from an ONNX file.

    Args:
        path: of the file.
        inputs, outputs: the names it must have.

    Raises:
        MotionWeightsError: onnxruntime cannot read the file, or it is another network.
    """

    def __init__(self, path: Path, inputs: set[str], outputs: set[str]) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # no threads of its own: a process forked from this one can go on with it
        options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.enable_cpu_mem_arena = False  # a hop's tensors are a few hundred kB: the C library's heap holds them
        options.log_severity_level = 3
        try:
            self._session: Any = onnxruntime.InferenceSession(
                str(path), sess_options=options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime's own exceptions share no base
            raise MotionWeightsError(f"{path} cannot be loaded by onnxruntime: {error}") from error
        self._shapes = {
            put.name: tuple(size if isinstance(size, int) else None for size in put.shape)
            for put in self._session.get_inputs()
        }
        self._outputs = [put.name for put in self._session.get_outputs()]
        if set(self._shapes) != inputs or not outputs <= set(self._outputs):
            raise MotionWeightsError(
                f"{path} is another network than expected: it takes {sorted(self._shapes)} and gives"
                f" {sorted(self._outputs)}, not {sorted(inputs)} and {sorted(outputs)}."
            )

    def shape(self, name: str) -> tuple[int | None, ...]:
        return self._shapes[name]

    def run(self, inputs: dict[str, Array]) -> dict[str, Array]:
        return dict(zip(self._outputs, self._session.run(None, inputs), strict=True))
