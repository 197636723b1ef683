"""How well and how soon the embedded recognizer hears: word accuracy, CPU after the last word, CPU in all.

    python -m benchmarks.hearing RECORDINGS [--conditions clean,opus] [--variants shipped] [--json]

RECORDINGS holds sound files, each with its words: NAME.txt beside NAME.wav, or aligned/NAME.json with a "transcript".
Every recording is cut into segments as a conversation cuts it (Silero, half a second of silence, 300 ms of sound before the
voice), and a text is asked for at every pause of 96 ms, as turn-taking does. Accuracy is 1 - word error rate over all words.
Times are CPU time of the decoding thread, since the wall clock of a busy machine says nothing.

Variants:
    cold        streamed, with the mean the recognizer is shipped with
    whole       the segment decoded at its end, with its own mean (all searches on)
    held-0.6 held-1.4 held-2.0, again-0 again-6
                as shipped but for the sound held back for the mean, or the length up to which a piece is decoded anew
                when the voice goes on
    shipped     SphinxEngine as it is

Conditions: clean; opus (24 kbit/s at 48 kHz and back, as from a browser); quiet (-20 dB); loud (+12 dB, clipped); noise
(white, 20 dB below the voice); cut (the recording begins 150 ms into its first word).
"""

from __future__ import annotations

import argparse
import io
import json
import re
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import soxr
from numpy.typing import NDArray

from streaming.hearing.segment import RATE_HZ
from streaming.hearing.sphinx_engine import SphinxEngine, SphinxSegment
from streaming.hearing.voice import WINDOW_SAMPLES, VoiceDetector

Sound = NDArray[np.int16]
FEED_SAMPLES = RATE_HZ // 50
PADDING_SAMPLES = RATE_HZ * 3 // 10
SOFT_SILENCE_WINDOWS = 3
END_SILENCE_WINDOWS = 16
VOICED, UNVOICED = 0.5, 0.35


@dataclass(frozen=True, slots=True)
class Recording:
    name: str
    sound: Sound
    words: list[str]


@dataclass(frozen=True, slots=True)
class Segment:
    """Attributes:
    sound: from 300 ms before the voice to the first 96 ms of silence after it.
    pauses: positions at which a text was asked for before the voice went on.
    """

    sound: Sound
    pauses: list[int]


@dataclass(frozen=True, slots=True)
class Result:
    """Attributes:
    finish_ms_mean, finish_ms_p95: CPU from the last sound of a segment to its text.
    cpu_share: of a core, while somebody speaks.
    """

    condition: str
    variant: str
    words: int
    accuracy: float
    finish_ms_mean: float
    finish_ms_p95: float
    cpu_share: float
    by_recording: dict[str, float]


def read_recordings(folder: Path) -> Iterator[Recording]:
    for path in sorted(folder.iterdir()):
        if path.suffix not in (".wav", ".flac", ".mp3", ".ogg"):
            continue
        aligned, plain = folder / "aligned" / f"{path.stem}.json", path.with_suffix(".txt")
        if aligned.is_file():
            text = json.loads(aligned.read_text("utf-8"))["transcript"]
        elif plain.is_file():
            text = plain.read_text("utf-8")
        else:
            continue
        yield Recording(path.stem, decode(path), plain_words(text))


def plain_words(text: str) -> list[str]:
    return re.sub(r"[^a-z' ]", " ", text.lower().replace("mr.", "mister")).replace(" mr ", " mister ").split()


def decode(source: Path | io.BytesIO) -> Sound:
    with av.open(source if isinstance(source, io.BytesIO) else str(source)) as container:
        resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE_HZ)
        frames = [part for frame in container.decode(audio=0) for part in resampler.resample(frame)]
        frames += resampler.resample(None)
    return np.concatenate([frame.to_ndarray()[0] for frame in frames])


def through_opus(sound: Sound) -> Sound:
    pcm48k = _int16(soxr.resample(sound.astype(np.float32), RATE_HZ, 48_000))
    file = io.BytesIO()
    with av.open(file, "w", format="ogg") as container:
        stream = container.add_stream("libopus", rate=48_000, layout="mono")
        stream.bit_rate = 24_000
        frame = av.AudioFrame.from_ndarray(pcm48k[None], format="s16", layout="mono")
        frame.rate = 48_000
        resampler = av.AudioResampler("s16", "mono", 48_000, 960)
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    file.seek(0)
    return decode(file)


def _int16(samples: NDArray[Any]) -> Sound:
    return np.clip(samples, -32_768, 32_767).astype(np.int16)


def with_noise(sound: Sound) -> Sound:
    loudness = np.sqrt(np.mean(np.square(sound.astype(np.float64))))
    return _int16(sound + np.random.default_rng(1).standard_normal(len(sound)) * loudness / 10)


def cut_in(sound: Sound) -> Sound:
    voiced = next(i for i, p in enumerate(VoiceDetector().feed(sound)) if p > VOICED)
    return sound[voiced * WINDOW_SAMPLES + RATE_HZ * 15 // 100 :]


CONDITIONS: dict[str, Callable[[Sound], Sound]] = {
    "clean": lambda sound: sound,
    "opus": through_opus,
    "quiet": lambda sound: _int16(sound * 0.1),
    "loud": lambda sound: _int16(sound * 4.0),
    "noise": with_noise,
    "cut": cut_in,
}


def segments(sound: Sound) -> list[Segment]:
    silence = np.random.default_rng(2).standard_normal(RATE_HZ) * 2
    sound = np.concatenate((sound, silence.astype(np.int16)))
    found: list[Segment] = []
    start = last = -1
    quiet = 0
    pauses: list[int] = []
    for window, probability in enumerate(VoiceDetector().feed(sound)):
        if probability > VOICED or (start >= 0 and probability > UNVOICED and quiet == 0):
            start = window if start < 0 else start
            last, quiet = window, 0
        elif start >= 0:
            quiet += 1
            if quiet == SOFT_SILENCE_WINDOWS:
                pauses.append((window + 1) * WINDOW_SAMPLES)
            if quiet == END_SILENCE_WINDOWS:
                first = max(0, start * WINDOW_SAMPLES - PADDING_SAMPLES)
                end = (last + 1 + SOFT_SILENCE_WINDOWS) * WINDOW_SAMPLES
                found.append(Segment(sound[first:end], [pause - first for pause in pauses if pause < end]))
                start, pauses = -1, []
    return found


def errors(truth: list[str], said: list[str]) -> int:
    """Edit distance in words."""
    row = list(range(len(said) + 1))
    for count, word in enumerate(truth, 1):
        diagonal, row[0] = row[0], count
        for column, other in enumerate(said, 1):
            diagonal, row[column] = row[column], min(row[column] + 1, row[column - 1] + 1, diagonal + (word != other))
    return row[-1]


Hear = Callable[[Segment], tuple[str, float, float]]
"""Text, CPU seconds after the last sound, CPU seconds in all."""


def streamed(engine: SphinxEngine, **changed: int) -> Hear:
    def hear(segment: Segment) -> tuple[str, float, float]:
        began = time.thread_time()
        decoding = SphinxSegment(engine, **changed)
        text, asked = "", began
        position = 0
        for end in [*segment.pauses, len(segment.sound)]:
            while position < end:
                upto = min(end, position + FEED_SAMPLES)
                decoding.feed(segment.sound[position:upto])
                position = upto
                while decoding.work(urgent=False):
                    pass
            asked = time.thread_time()
            while decoding.work(urgent=True):
                pass
            text = decoding.finish().text
        done = time.thread_time()
        decoding.close()
        return text, done - asked, done - began

    return hear


def by_itself(*, whole: bool) -> Hear:
    """The recognizer without our help: all at the end, or as the sound comes."""
    from pocketsphinx import Decoder

    decoder = Decoder(loglevel="FATAL")

    def hear(segment: Segment) -> tuple[str, float, float]:
        began = time.thread_time()
        decoder.start_stream()
        decoder.set_cmn(decoder.config["cmninit"])
        decoder.start_utt()
        if not whole:
            for start in range(0, len(segment.sound), FEED_SAMPLES):
                decoder.process_raw(segment.sound[start : start + FEED_SAMPLES].tobytes())
        asked = time.thread_time()
        if whole:
            decoder.process_raw(segment.sound.tobytes(), full_utt=True)
        decoder.end_utt()
        hypothesis = decoder.hyp()
        done = time.thread_time()
        return (hypothesis.hypstr if hypothesis else ""), done - asked, done - began

    return hear


def variants() -> dict[str, Callable[[], Hear]]:
    engine = SphinxEngine()
    engine.load()
    made: dict[str, Callable[[], Hear]] = {
        "cold": lambda: by_itself(whole=False),
        "whole": lambda: by_itself(whole=True),
        "shipped": lambda: streamed(engine),
    }
    for seconds in (0.6, 1.4, 2.0):
        made[f"held-{seconds}"] = lambda held=int(seconds * RATE_HZ): streamed(engine, held_samples=held)
    for seconds in (0, 6):
        made[f"again-{seconds}"] = lambda again=seconds * RATE_HZ: streamed(engine, again_samples=again)
    return made


def measure(condition: str, variant: str, cut: list[tuple[Recording, list[Segment]]], hear: Hear) -> Result:
    wrong = words = 0
    spoken = cpu = 0.0
    finish: list[float] = []
    by_recording: dict[str, float] = {}
    for recording, parts in cut:
        said: list[str] = []
        for part in parts:
            text, after, in_all = hear(part)
            said += plain_words(text)
            finish.append(after)
            cpu += in_all
            spoken += len(part.sound) / RATE_HZ
        mistakes = errors(recording.words, said)
        by_recording[recording.name] = round(1 - mistakes / len(recording.words), 2)
        wrong += mistakes
        words += len(recording.words)
    return Result(
        condition, variant, words, round(1 - wrong / words, 3),
        round(1000 * float(np.mean(finish)), 1), round(1000 * float(np.percentile(finish, 95)), 1),
        round(cpu / spoken, 3), by_recording,
    )  # fmt: skip


def main() -> None:
    warnings.filterwarnings("ignore", message="start_stream", category=DeprecationWarning)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", type=Path, nargs="+")
    parser.add_argument("--conditions", default=",".join(CONDITIONS))
    parser.add_argument("--variants", default="cold,whole,again-0,again-6,held-0.6,held-1.4,held-2.0,shipped")
    parser.add_argument("--only", default="", help="recordings whose names begin so")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    recordings = [
        one for folder in options.recordings for one in read_recordings(folder) if one.name.startswith(options.only)
    ]
    if not recordings:
        parser.error("no recording with a transcript there")
    made = variants()
    results = []
    if not options.json:
        print(
            f"{'condition':10}{'variant':12}{'words':>7}{'accuracy':>10}{'finish ms mean':>16}{'p95':>7}{'CPU share':>11}"
        )
    for condition in options.conditions.split(","):
        cut = [(one, segments(CONDITIONS[condition](one.sound))) for one in recordings]
        for variant in options.variants.split(","):
            result = measure(condition, variant, cut, made[variant]())
            results.append(result)
            if not options.json:
                print(
                    f"{result.condition:10}{result.variant:12}{result.words:>7}{result.accuracy:>10.3f}"
                    f"{result.finish_ms_mean:>16.0f}{result.finish_ms_p95:>7.0f}{result.cpu_share:>11.3f}",
                    flush=True,
                )
    if options.json:
        print(json.dumps([asdict(result) for result in results], indent=2))


if __name__ == "__main__":
    main()
