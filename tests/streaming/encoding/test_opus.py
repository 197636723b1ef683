from __future__ import annotations

import av
import numpy as np
from numpy.typing import NDArray

from streaming.encoding.opus import OpusEncoder


def test_twenty_milliseconds_in_one_packet_out_and_it_sounds_alike() -> None:
    encoder = OpusEncoder()
    pcm = (8000 * np.sin(2 * np.pi * 440 * np.arange(48_000) / 48_000)).astype(np.int16)
    packets = [encoder.encode(pcm[start : start + 960]) for start in range(0, 48_000, 960)]
    assert all(0 < len(packet) < 400 for packet in packets)
    assert sum(map(len, packets)) * 8 < 60_000
    decoder = av.CodecContext.create("libopus", "r")
    decoder.sample_rate, decoder.layout = 48_000, "mono"
    shapes = [frame.to_ndarray() for packet in packets for frame in decoder.decode(av.Packet(packet))]
    assert all(shape.shape == (1, 960) for shape in shapes)
    spectrum = np.abs(np.fft.rfft(np.concatenate(shapes, axis=1)[0, 9600:33_600].astype(float)))
    assert np.argmax(spectrum) == 220, "440 Hz in half a second"


def test_packets_carry_the_one_before_for_when_it_is_lost() -> None:
    """In-band FEC: packets of a voice that may be lost are larger than they need be."""
    noise = (np.random.default_rng(0).normal(size=48_000) * 3000).astype(np.int16)
    encoder = OpusEncoder()
    packets = [encoder.encode(noise[start : start + 960]) for start in range(0, 48_000, 960)]
    toc = {packet[0] >> 3 for packet in packets[5:]}
    assert toc <= set(range(16)), "SILK or hybrid mode, the ones that have it (RFC 6716 section 3.1)"


def test_silence_is_silent_and_what_follows_it_sounds_as_if_it_had_been_encoded_whole() -> None:
    time = np.arange(9600) / 48_000
    tone = (8000 * np.sin(2 * np.pi * 440 * time)).astype(np.int16)
    frames = [tone[start : start + 960] for start in range(0, 9600, 960)]

    def decoded(packets: list[bytes]) -> NDArray[np.int64]:
        decoder = av.CodecContext.create("libopus", "r")
        decoder.sample_rate, decoder.layout = 48_000, "mono"
        shapes = [frame.to_ndarray()[0] for packet in packets for frame in decoder.decode(av.Packet(packet))]
        return np.concatenate(shapes).astype(np.int64)

    short, whole = OpusEncoder(), OpusEncoder()
    silence = np.zeros(960, np.int16)
    made = [short.encode(frame) for frame in frames]
    made += [short.silence() for _ in range(100)] + [short.encode(frame) for frame in frames]
    wanted = [whole.encode(pcm) for pcm in [*frames, *[silence] * 100, *frames]]
    ours, theirs = decoded(made), decoded(wanted)
    assert np.abs(ours[960 * 30 : 960 * 110]).max() <= 2
    difference = ours[960 * 110 :] - theirs[960 * 110 :]
    assert np.sqrt(np.mean(difference**2)) < 0.05 * 8000
    assert len(set(made[30:110])) == 1
