"""Is there a voice in the sound? Silero VAD, one probability every 32 ms.

The network is the ONNX file that faster-whisper ships (Silero VAD v6, MIT): 512 new samples after the 64 before
them, and an LSTM state of 128 carried from window to window. faster-whisper itself is not imported: it would
load ctranslate2 and PyAV, and nothing here needs them.

Measured on one core: 0.07 ms of CPU a window when fed 20 ms at a time, 0.2 % of a core for a conversation.
"""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streaming.errors import EngineUnavailable
from streaming.hearing.segment import RATE_HZ, check_sound

WINDOW_SAMPLES = 512
"""The network was trained on exactly this many samples at 16 kHz."""
WINDOW_MS = 1000 * WINDOW_SAMPLES / RATE_HZ
_CONTEXT_SAMPLES = 64
_STATE_SHAPE = (1, 1, 128)
_MODEL_PATTERN = "silero_vad*.onnx"
_MAX_WINDOWS_A_RUN = 64
"""A burst (a client that sends two seconds at once) is one run of the network, of bounded size."""


def find_model() -> Path:
    """The Silero ONNX file inside the installed faster-whisper package.

    Raises:
        EngineUnavailable: the package or the file is missing.
    """
    spec = importlib.util.find_spec("faster_whisper")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    for folder in folders:
        found = sorted(Path(folder, "assets").glob(_MODEL_PATTERN))
        if found:
            return found[-1]
    raise EngineUnavailable(
        "Voice detection needs the Silero model that comes with the package faster-whisper, and it was not found"
        f" ({'no ' + _MODEL_PATTERN + ' in ' + folders[0] if folders else 'the package is not installed'})."
        " Reinstall it: pip install --force-reinstall faster-whisper"
    )


@functools.lru_cache(maxsize=1)
def _session() -> Any:
    """One network for every conversation: it holds no state of its own and may be run from any thread."""
    import onnxruntime

    model = find_model()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(model), sess_options=options, providers=["CPUExecutionProvider"])
    inputs = {put.name: put.shape for put in session.get_inputs()}
    if set(inputs) != {"input", "h", "c"} or inputs["input"][-1] != _CONTEXT_SAMPLES + WINDOW_SAMPLES:
        raise EngineUnavailable(
            f"Voice detection does not know the Silero version in {model} (inputs {inputs})."
            " Install a version of faster-whisper that Parley was tested with: pip install 'faster-whisper==1.2.1'"
        )
    return session


class VoiceDetector:
    """The voice in one conversation's sound. Loudness, clipping and an offset hardly matter to the network."""

    def __init__(self) -> None:
        self._network = _session()
        self.reset()

    def reset(self) -> None:
        """Forget everything heard: the next sample is the first of a new stream."""
        self._h = np.zeros(_STATE_SHAPE, np.float32)
        self._c = np.zeros(_STATE_SHAPE, np.float32)
        self._context = np.zeros(_CONTEXT_SAMPLES, np.float32)
        self._pending = np.zeros(0, np.float32)

    def feed(self, pcm16k: NDArray[np.int16]) -> list[float]:
        """Hear mono int16 samples at 16 kHz, any number of them.

        Returns:
            The probability of a voice (0..1) for each 32 ms window that these samples completed; often none.

        Raises:
            ValueError: not one-dimensional int16.
        """
        check_sound(pcm16k)
        samples = np.concatenate((self._pending, pcm16k.astype(np.float32) / 32768.0))
        count = len(samples) // WINDOW_SAMPLES
        self._pending = samples[count * WINDOW_SAMPLES :].copy()
        probabilities: list[float] = []
        for first in range(0, count, _MAX_WINDOWS_A_RUN):
            last = min(count, first + _MAX_WINDOWS_A_RUN)
            probabilities += self._run(samples[first * WINDOW_SAMPLES : last * WINDOW_SAMPLES])
        return probabilities

    def _run(self, samples: NDArray[np.float32]) -> list[float]:
        windows = samples.reshape(-1, WINDOW_SAMPLES)
        tails = windows[:, -_CONTEXT_SAMPLES:]
        contexts = np.concatenate((self._context[None], tails[:-1]))
        self._context = tails[-1].copy()
        # The network reads the first axis as time, not as a batch: consecutive windows of one stream.
        out, self._h, self._c = self._network.run(
            None, {"input": np.concatenate((contexts, windows), axis=1), "h": self._h, "c": self._c}
        )
        return [float(p) for p in out]
