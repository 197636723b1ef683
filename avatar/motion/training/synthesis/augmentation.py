"""What happens to a voice before it is heard: rooms, noise, equalisation, telephones, codecs.

Everything works on the waveform at 16 kHz and leaves its clock alone: the same sample is heard at the same time.
"""

from __future__ import annotations

from collections.abc import Sequence

import av
import numpy as np
import soxr
from numpy.typing import NDArray

from avatar.motion.training.synthesis.take import RATE_HZ, level_db

Sound = NDArray[np.float32]

_OPUS_FRAME = RATE_HZ // 50
_OPUS_DELAY_48K = 312
"""libopus looks 6.5 ms ahead, which its decoder's output is late by (RFC 7845, 4.2; libopus' OPUS_GET_LOOKAHEAD at 48 kHz, less
the 2.5 ms of delay compensation counted in)."""


def augment(pcm: Sound, others: Sequence[Sound], rng: np.random.Generator) -> tuple[Sound, str]:
    """One rendition of a take.

    Args:
        pcm: mono float32 within -1..1, [samples].
        others: other takes, which babble is made of.
        rng: decides all.

    Returns:
        The sound, as long as ``pcm``, and what was done to it ("room+noise:pink+opus").
    """
    speech_db = max(level_db(pcm), -60.0)
    done: list[str] = []
    out = pcm
    if rng.random() < 0.2:
        out = compress(out, rng)
        done.append("compressed")
    if rng.random() < 0.6:
        out = equalise(out, rng)
        done.append("equalised")
    if rng.random() < 0.4:
        out = room(out, rng)
        done.append("room")
    if rng.random() < 0.65:
        noise, kind = background(len(out), others, rng)
        out = out + noise * 10 ** ((speech_db - rng.uniform(4.0, 36.0) - level_db(noise)) / 20)
        done.append(f"noise:{kind}")
    channel = rng.random()
    if channel < 0.13:
        out = telephone(out, rng)
        done.append("telephone")
    elif channel < 0.38:
        out = opus(out, int(rng.choice([12_000, 16_000, 24_000, 32_000])))
        done.append("opus")
    elif channel < 0.48:
        out = lowpass(out, rng.uniform(3_500.0, 7_000.0))
        done.append("dull")
    out = out * 10 ** (rng.uniform(-12.0, 7.0) / 20)
    done.append("gain")
    return np.clip(out, -1.0, 1.0).astype(np.float32), "+".join(done)


def filtered(pcm: Sound, gain: NDArray[np.float32], hertz: NDArray[np.float32]) -> Sound:
    """Each frequency multiplied by its gain (linear between the given ones), without delay."""
    points = _fast_length(len(pcm) + RATE_HZ // 4)
    spectrum = np.fft.rfft(pcm, points)
    spectrum *= np.interp(np.fft.rfftfreq(points, 1 / RATE_HZ), hertz, gain)
    return np.fft.irfft(spectrum, points)[: len(pcm)].astype(np.float32)


def equalise(pcm: Sound, rng: np.random.Generator) -> Sound:
    """A microphone's and a loudspeaker's colour: a smooth curve of a few decibels, often without lows."""
    hertz = np.array([0, 60, 120, 250, 500, 1000, 2000, 4000, 8000], np.float32)
    gain_db = np.cumsum(rng.normal(0.0, 2.2, len(hertz)))
    gain_db -= gain_db[4:8].mean()
    if rng.random() < 0.5:
        gain_db[:3] -= rng.uniform(3.0, 15.0)
    return filtered(pcm, (10 ** (np.clip(gain_db, -24, 9) / 20)).astype(np.float32), hertz)


def lowpass(pcm: Sound, cut_hz: float) -> Sound:
    hertz = np.array([0, cut_hz * 0.9, cut_hz, cut_hz * 1.15, 8000], np.float32)
    return filtered(pcm, np.array([1, 1, 0.5, 0.003, 0.001], np.float32), hertz)


def telephone(pcm: Sound, rng: np.random.Generator) -> Sound:
    """300..3400 Hz, and most often the eight logarithmic bits of G.711 (mu-law)."""
    hertz = np.array([0, 200, 300, 3400, 3800, 8000], np.float32)
    narrow = filtered(pcm, np.array([0.001, 0.05, 1, 1, 0.01, 0.0005], np.float32), hertz)
    if rng.random() < 0.3:
        return narrow
    bent = np.sign(narrow) * np.log1p(255 * np.minimum(np.abs(narrow), 1.0)) / np.log(256)
    bent = np.round(bent * 127) / 127
    return (np.sign(bent) * np.expm1(np.abs(bent) * np.log(256)) / 255).astype(np.float32)


def room(pcm: Sound, rng: np.random.Generator) -> Sound:
    """A made-up room: the direct sound, some early reflections, and a noisy tail that dies away exponentially, highs sooner.

    The time of reverberation (60 dB) is 0.12..0.8 s, the direct sound 0..14 dB above all the rest.
    """
    decay_s = float(rng.uniform(0.12, 0.8))
    samples = int(decay_s * RATE_HZ)
    at = np.arange(samples) / RATE_HZ
    tail = rng.standard_normal(samples) * 10 ** (-3 * at / decay_s)
    dull = np.convolve(tail, np.ones(6) / 6, "same") * 2
    tail = tail + (dull - tail) * np.minimum(at / (0.5 * decay_s), 1.0)
    tail[: int(rng.uniform(0.001, 0.008) * RATE_HZ)] = 0.0  # nothing comes back sooner than from the nearest wall
    for _ in range(int(rng.integers(2, 7))):
        when = int(rng.uniform(0.001, 0.03) * RATE_HZ)
        if when < samples:
            tail[when] += rng.choice([-1, 1]) * rng.uniform(0.5, 3.0)
    tail *= 10 ** (-rng.uniform(0.0, 14.0) / 20) / np.sqrt(np.square(tail).sum() + 1e-12)
    tail[0] += 1.0
    points = _fast_length(len(pcm) + samples)
    wet = np.fft.irfft(np.fft.rfft(pcm, points) * np.fft.rfft(tail, points), points)[: len(pcm)]
    return wet.astype(np.float32)


def compress(pcm: Sound, rng: np.random.Generator) -> Sound:
    """Loud pieces turned down, 2:1 to 5:1 above a threshold, within 10 ms."""
    hop = 160
    pieces = np.pad(pcm, (0, -len(pcm) % hop)).reshape(-1, hop)
    level = 10 * np.log10(np.square(pieces).mean(axis=1) + 1e-9)
    threshold = level.max() - rng.uniform(6.0, 25.0)
    change_db = -np.maximum(level - threshold, 0.0) * (1 - 1 / rng.uniform(2.0, 5.0))
    change_db = np.convolve(np.pad(change_db, 1, mode="edge"), [0.25, 0.5, 0.25], "valid")
    gain = np.interp(np.arange(len(pcm)), (np.arange(len(change_db)) + 0.5) * hop, 10 ** (change_db / 20))
    return (pcm * gain).astype(np.float32)


def opus(pcm: Sound, bit_rate: int) -> Sound:
    """Through the codec that carries every call here, and back."""
    encoder = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format = RATE_HZ, "mono", "s16"
    encoder.bit_rate = bit_rate
    encoder.options = {"application": "voip", "frame_duration": "20"}
    decoder = av.CodecContext.create("libopus", "r")
    decoder.sample_rate, decoder.layout = 48_000, "mono"  # all it gives
    late = _OPUS_DELAY_48K * RATE_HZ // 48_000
    total = -(-(len(pcm) + late) // _OPUS_FRAME) * _OPUS_FRAME
    padded = np.zeros(total, np.int16)
    padded[: len(pcm)] = np.round(np.clip(pcm, -1, 1) * 32767)
    heard = []
    packets = []
    for first in range(0, total, _OPUS_FRAME):
        frame = av.AudioFrame.from_ndarray(padded[None, first : first + _OPUS_FRAME], format="s16", layout="mono")
        frame.sample_rate, frame.pts = RATE_HZ, first
        packets += encoder.encode(frame)
    packets += encoder.encode(None)
    for packet in packets:
        heard += [frame.to_ndarray()[0] for frame in decoder.decode(packet)]
    back = soxr.resample(np.concatenate(heard).astype(np.float32) / np.float32(32768), 48_000, RATE_HZ)[
        late : late + len(pcm)
    ]
    return np.pad(back, (0, len(pcm) - len(back)))


def background(samples: int, others: Sequence[Sound], rng: np.random.Generator) -> tuple[Sound, str]:
    """Noise without end, at no particular level, and its kind."""
    kinds = ["white", "pink", "brown", "hum", "clicks", "music"] + (["babble"] * 2 if len(others) >= 3 else [])
    kind = str(rng.choice(kinds))
    if kind == "babble":
        sound = np.zeros(samples, np.float32)
        for _ in range(int(rng.integers(3, 7))):
            voice = others[int(rng.integers(len(others)))]
            sound += np.resize(np.roll(voice, int(rng.integers(len(voice)))), samples) / (10 ** (level_db(voice) / 20))
    elif kind == "hum":
        sound = _hum(samples, rng)
    elif kind == "clicks":
        sound = _clicks(samples, rng)
    elif kind == "music":
        sound = _music(samples, rng)
    else:
        sound = _coloured(samples, {"white": 0.0, "pink": 0.5, "brown": 1.0}[kind], rng)
    return sound + 1e-6 * rng.standard_normal(samples).astype(np.float32), kind


def _coloured(samples: int, slope: float, rng: np.random.Generator) -> Sound:
    points = _fast_length(samples)
    spectrum = np.fft.rfft(rng.standard_normal(points))
    hertz = np.maximum(np.fft.rfftfreq(points, 1 / RATE_HZ), 40.0)
    return np.fft.irfft(spectrum / hertz**slope, points)[:samples].astype(np.float32)


def _hum(samples: int, rng: np.random.Generator) -> Sound:
    at = np.arange(samples) / RATE_HZ
    mains = rng.choice([50.0, 60.0]) * rng.uniform(0.995, 1.005)
    sound = sum(rng.uniform(0, 1) / n * np.sin(2 * np.pi * (mains * n * at + rng.random())) for n in range(1, 9))
    fan = _coloured(samples, 0.5, rng)
    return (sound + fan * (rng.uniform(0.0, 1.0) / (fan.std() + 1e-9))).astype(np.float32)


def _clicks(samples: int, rng: np.random.Generator) -> Sound:
    """Keys, dishes, steps: short bursts over a faint hiss."""
    sound = 0.01 * rng.standard_normal(samples)
    for when in rng.integers(0, samples, max(int(samples / RATE_HZ * rng.uniform(1, 8)), 1)):
        length = min(int(rng.uniform(0.005, 0.06) * RATE_HZ), samples - when)
        burst = rng.standard_normal(length) * np.exp(-np.arange(length) / (0.2 * length + 1))
        sound[when : when + length] += burst * rng.uniform(0.2, 1.0)
    return sound.astype(np.float32)


def _music(samples: int, rng: np.random.Generator) -> Sound:
    """Chords of plucked tones."""
    at = np.arange(samples) / RATE_HZ
    sound = np.zeros(samples)
    beat_s = rng.uniform(0.2, 0.6)
    for start in np.arange(0.0, at[-1], beat_s):
        first = int(start * RATE_HZ)
        then = at[first : first + RATE_HZ] - start
        envelope = np.exp(-then / rng.uniform(0.1, 0.5))
        for _ in range(int(rng.integers(1, 4))):
            hertz = 110.0 * 2 ** (rng.integers(0, 36) / 12)
            for harmonic in (1, 2, 3):
                tone = np.sin(2 * np.pi * hertz * harmonic * then) * envelope / harmonic**1.5
                sound[first : first + RATE_HZ] += tone
    return sound.astype(np.float32)


def _fast_length(samples: int) -> int:
    """The next length of the form 2**k or 3 * 2**k, which transforms quickly."""
    power = 1 << max(samples - 1, 1).bit_length()
    return power * 3 // 4 if power * 3 // 4 >= samples else power
