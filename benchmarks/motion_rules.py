"""How well the sound rule does against the viseme rules: ``python -m benchmarks.motion_rules SPEECH_FOLDER``.

SPEECH_FOLDER holds recordings and ``aligned/NAME.json`` with their forced alignments ("phonemes": [[ARPABET, start_s,
end_s], ...]). The reference is the viseme rules on the alignment, so this measures content and timing of the mouth, not
likeness to a person. Closures: the share of reference closures found within 45 ms, and the share of predicted
closures outside pauses that no reference closure explains. CPU is process time.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from avatar.media import SoundFile
from avatar.motion.motion import INDEX
from avatar.motion.rules import RuleMotionSource
from avatar.motion.speech.arpabet import to_ipa
from avatar.motion.speech.mouth import measures
from avatar.speech import FRAME_RATE_HZ, Phoneme, SpeechChunk

_CLOSED = 0.03
"""Lip opening below which lips count as closed, share of the jaw's range."""

_TOLERANCE_FRAMES = 1
_PAUSE_FRAMES = 4
_VOWELS = ("AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW")


@dataclass(frozen=True, slots=True)
class Score:
    """One clip's figures, or all clips' pooled."""

    clip: str
    seconds: float
    opening: float
    width: float
    rounding: float
    lag_ms: int
    amplitude: float
    closures: int
    closures_found: float
    closures_false: float
    pause_opening: float
    cpu_ms_a_frame: float


def read_clip(folder: Path, name: str) -> SpeechChunk:
    """A recording with the phonemes of its alignment."""
    sound = next(path for path in sorted(folder.iterdir()) if path.stem == name and path.is_file())
    with SoundFile.open(sound) as file:
        pcm = np.concatenate([chunk.pcm48k for chunk in file.chunks()])
    alignment = json.loads((folder / "aligned" / f"{name}.json").read_text())
    phonemes = tuple(
        Phoneme(to_ipa(symbol), start * 1000, end * 1000, symbol.rstrip("012") in _VOWELS)
        for symbol, start, end in alignment["phonemes"]
    )
    return SpeechChunk(pcm, "en", phonemes)


def move(chunk: SpeechChunk) -> tuple[NDArray[np.float32], float]:
    """Motion values of a chunk, and CPU milliseconds a frame."""
    source = RuleMotionSource(0)
    begin = time.process_time()
    source.push(chunk)
    source.finish()
    values = source.take(source.ready(), speaking=True).values
    return values, (time.process_time() - begin) * 1000 / len(values)


def correlation(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    return float(np.corrcoef(a, b)[0, 1]) if a.std() > 0 and b.std() > 0 else float("nan")


def best_lag(reference: NDArray[np.float32], predicted: NDArray[np.float32]) -> int:
    """Frames by which the prediction is late (positive) where it correlates best."""
    n = len(reference)
    lags = range(-4, 5)
    scores = [correlation(reference[max(0, -k) : n - max(0, k)], predicted[max(0, k) : n - max(0, -k)]) for k in lags]
    return lags[int(np.nanargmax(scores))]


def runs(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Half-open frame ranges where ``mask`` holds."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False]))))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def pauses(chunk: SpeechChunk, frames: int) -> NDArray[np.bool_]:
    """Frames inside silences, clear of their edges."""
    mask = np.zeros(frames, bool)
    for phoneme in chunk.phonemes or ():
        if phoneme.symbol == "":
            first, last = phoneme.start_ms / 40 + _PAUSE_FRAMES / 2, phoneme.end_ms / 40 - _PAUSE_FRAMES / 2
            mask[int(np.ceil(first)) : max(int(last), 0)] = True
    return mask


def score(name: str, clips: list[SpeechChunk]) -> Score:
    reference, predicted, quiet = [], [], []
    cpu = []
    for clip in clips:
        reference.append(move(clip)[0])
        values, ms = move(SpeechChunk(clip.pcm48k, clip.language, None))
        predicted.append(values)
        cpu.append(ms)
        quiet.append(pauses(clip, len(values)))
    true, guess, silent = np.concatenate(reference), np.concatenate(predicted), np.concatenate(quiet)
    a, b = measures(true), measures(guess)
    sealed = (true[:, INDEX["mouthClose"]] >= true[:, INDEX["jawOpen"]] - 1e-6) & (
        true[:, INDEX["mouthPressLeft"]] > 0.19
    )
    closed = (b["opening"] < _CLOSED) & ~silent
    near = np.convolve(closed, np.ones(2 * _TOLERANCE_FRAMES + 1), "same") > 0
    wanted = runs(sealed)
    explained = np.convolve(sealed | silent, np.ones(2 * _TOLERANCE_FRAMES + 3), "same") > 0
    offered = runs(closed)
    return Score(
        clip=name,
        seconds=round(len(true) / FRAME_RATE_HZ, 1),
        opening=correlation(a["opening"], b["opening"]),
        width=correlation(a["width"], b["width"]),
        rounding=correlation(a["rounding"], b["rounding"]),
        lag_ms=40 * best_lag(a["opening"], b["opening"]),
        amplitude=float(b["opening"].std() / a["opening"].std()),
        closures=len(wanted),
        closures_found=sum(near[i:j].any() for i, j in wanted) / max(len(wanted), 1),
        closures_false=sum(not explained[i:j].any() for i, j in offered) / max(len(offered), 1),
        pause_opening=float(b["opening"][silent].mean()) if silent.any() else float("nan"),
        cpu_ms_a_frame=float(np.mean(cpu)),
    )


def noise_opening() -> dict[str, float]:
    """Mean lip opening in ten seconds of noise alone, by its level in dB of full scale."""
    rng = np.random.default_rng(0)
    out = {}
    for level in (-60, -45, -30):
        noise = rng.standard_normal(48_000 * 10) * 32768 * 10 ** (level / 20)
        values, _ = move(SpeechChunk(np.clip(noise, -32768, 32767).astype(np.int16), "en", None))
        out[f"{level} dB"] = float(measures(values)["opening"].mean())
    return out


def _without_nan(value: object) -> object:
    """A clip without rounded vowels has no correlation of rounding: null in JSON."""
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and np.isnan(value) else value


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path, help="recordings, with aligned/NAME.json")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args(arguments)
    names = sorted(path.stem for path in (options.folder / "aligned").glob("*.json"))
    if not names:
        print(f"no alignments found in {options.folder / 'aligned'}", file=sys.stderr)
        return 2
    clips = {name: read_clip(options.folder, name) for name in names}
    scores = [score(name, [clip]) for name, clip in clips.items()]
    scores.append(score("pooled", list(clips.values())))
    columns = [key for key in asdict(scores[0]) if key != "clip"]
    print(f"{'clip':24}" + "".join(f"{c.replace('closures_', 'cl_')[:11]:>12}" for c in columns))
    for row in map(asdict, scores):
        print(f"{row['clip']:24}" + "".join(f"{row[c]:12.2f}" for c in columns))
    noise = noise_opening()
    print("opening in noise alone: " + ", ".join(f"{k}: {v:.3f}" for k, v in noise.items()))
    timed = float(np.mean([move(clip)[1] for clip in clips.values()]))
    print(f"with timings: {timed:.3f} ms of CPU a frame")
    if options.json:
        report = {"clips": [asdict(s) for s in scores], "noise": noise, "timed_cpu_ms_a_frame": timed}
        options.json.write_text(json.dumps(_without_nan(report), indent=1, allow_nan=False) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
