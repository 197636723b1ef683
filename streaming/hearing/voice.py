"""Is there a voice in the sound? Silero VAD, one probability every 32 ms.

The network is the ONNX file that faster-whisper ships (Silero VAD v6, MIT): 512 new samples after the 64 before
them, and an LSTM state of 128 carried from window to window. faster-whisper itself is not imported: it would
load ctranslate2 and PyAV, and nothing here needs them.

Measured on one core: 0.07 ms of CPU a window where the network's weights are in the cache, several times that where other work
has come between; in a conversation it is the latter, so certain silence is not asked about.
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

_NO_VOICE = 0.1
_DRIFT_WINDOWS = 64
"""After two seconds without a voice the network begins afresh: its state drifts on through a longer silence, and after 20 s of room
noise it notices a voice 100 to 250 ms later than it would have, in each of eight recordings. Begun afresh it is as prompt as ever,
and takes no more of the noise for a voice."""
_QUIET = 8 / 32768
"""Peaks below this are silence for certain: -72 dBFS, where a quiet microphone's voice has -40. Most of what a browser sends is that
quiet: its own suppression takes the room's noise away."""
_SETTLED_WINDOWS = 16
"""Of a silence that is certain the network hears this much; then its state stands still until there is something to hear."""


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
        self._h = self._c = np.zeros(_STATE_SHAPE, np.float32)
        self._unvoiced_windows: int = 0
        self.reset()

    def reset(self) -> None:
        """Forget everything heard: the next sample is the first of a new stream."""
        self._forget()
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
        windows = samples[: count * WINDOW_SAMPLES].reshape(-1, WINDOW_SAMPLES)
        probabilities: list[float] = []
        while len(windows):
            part = self._next(windows)
            windows = windows[len(part) :]
            probabilities += self._skip(part) if self._is_silence(part) else self._run(part)
        return probabilities

    def _next(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """The first of these windows that can be heard in one run, so that it does not matter how the sound was cut."""
        if self._unvoiced_windows < _SETTLED_WINDOWS:
            return windows[: _SETTLED_WINDOWS - self._unvoiced_windows]
        quiet = np.abs(windows).max(axis=1) < _QUIET
        alike = int(np.argmax(quiet != quiet[0])) or len(windows)
        return windows[: alike if quiet[0] else min(alike, _DRIFT_WINDOWS - self._unvoiced_windows)]

    def _is_silence(self, windows: NDArray[np.float32]) -> bool:
        return self._unvoiced_windows >= _SETTLED_WINDOWS and bool(np.abs(windows[0]).max() < _QUIET)

    def _skip(self, windows: NDArray[np.float32]) -> list[float]:
        self._context = windows[-1, -_CONTEXT_SAMPLES:].copy()
        return [0.0] * len(windows)

    def _run(self, windows: NDArray[np.float32]) -> list[float]:
        tails = windows[:, -_CONTEXT_SAMPLES:]
        contexts = np.concatenate((self._context[None], tails[:-1]))
        self._context = tails[-1].copy()
        # The network reads the first axis as time, not as a batch: consecutive windows of one stream.
        out, self._h, self._c = self._network.run(
            None, {"input": np.concatenate((contexts, windows), axis=1), "h": self._h, "c": self._c}
        )
        probabilities = [float(p) for p in out]
        for probability in probabilities:
            self._unvoiced_windows = self._unvoiced_windows + 1 if probability < _NO_VOICE else 0
        if self._unvoiced_windows >= _DRIFT_WINDOWS:
            self._forget()
        return probabilities

    def _forget(self) -> None:
        self._h = np.zeros(_STATE_SHAPE, np.float32)
        self._c = np.zeros(_STATE_SHAPE, np.float32)
        self._unvoiced_windows = 0
