"""flite: small voices of English speakers, one run of the program a sentence."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from avatar.motion.training.synthesis.symbols import to_ipa
from avatar.motion.training.synthesis.voices import FLITE, EngineFailed, Manner, Spoken, Voice
from avatar.speech import Phoneme

LICENCE = "Flite's own, permissive (Carnegie Mellon University; Debian: libflite1)"
SPEAKERS = {"kal": "kal", "kal16": "kal", "awb": "awb", "rms": "rms", "slt": "slt"}
_TIMEOUT_S = 20.0


class FliteEngine:
    """See ``voices.Engine``.

    Args:
        scratch: folder for its files, which whoever owns it removes.
    """

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._program = shutil.which("flite")

    def voices(self) -> list[Voice]:
        if self._program is None:
            return []
        try:
            listed = _run([self._program, "-lv"]).split(":")[-1].split()
        except EngineFailed:
            return []
        return [Voice(FLITE, name, who, "en", LICENCE) for name, who in SPEAKERS.items() if name in listed]

    def speak(self, text: str, voice: Voice, manner: Manner) -> Spoken:
        if self._program is None:
            raise EngineFailed("flite is not installed")
        path = self._scratch / f"flite-{os.getpid()}.wav"
        stretch = f"duration_stretch={1 / manner.speed:.3f}"
        # -psdur prints each segment and when it ends ("pau:0.299 m:0.368").
        printed = _run([self._program, "-voice", voice.name, "-psdur", "--setf", stretch, "-t", text, "-o", str(path)])
        pcm, rate_hz = read_wave(path)
        timed = re.findall(r"(\S+):(\d+\.\d+)", printed)
        if not timed:
            raise EngineFailed(f"flite told no segments of {text!r}")
        try:
            symbols = to_ipa([name for name, _ in timed], voice.language)
        except ValueError as error:
            raise EngineFailed(f"flite {voice.name}: {error}") from error
        ends = [1000 * float(end) for _, end in timed]
        phonemes = tuple(
            Phoneme(symbol, start, max(end, start))
            for symbol, start, end in zip(symbols, [0.0, *ends[:-1]], ends, strict=True)
        )
        return Spoken(pcm, rate_hz, phonemes)

    def renew(self) -> None:
        pass  # every sentence is a run of its own

    def close(self) -> None:
        pass


def _run(command: list[str]) -> str:
    try:
        ran = subprocess.run(command, capture_output=True, timeout=_TIMEOUT_S, check=True, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.SubprocessError) as error:
        raise EngineFailed(f"flite: {error}") from error
    return ran.stdout.decode("ascii", "replace")


def read_wave(path: Path) -> tuple[NDArray[np.float32], int]:
    """Samples (float32 within -1..1) and rate of a 16-bit mono file.

    Raises:
        EngineFailed: it is none.
    """
    try:
        with wave.open(str(path), "rb") as file:
            if file.getsampwidth() != 2 or file.getnchannels() != 1:
                raise EngineFailed(f"{path.name} is not 16-bit mono")
            pcm = np.frombuffer(file.readframes(file.getnframes()), np.int16)
            return pcm.astype(np.float32) / np.float32(32768), file.getframerate()
    except (OSError, EOFError, wave.Error) as error:
        raise EngineFailed(f"no sound was written: {error}") from error
