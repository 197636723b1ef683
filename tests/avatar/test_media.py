from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from avatar.errors import MediaFileError
from avatar.media import CHUNK_SAMPLES, SoundFile


def tone(seconds: float, rate: int, channels: int = 1, frequency: float = 440.0) -> NDArray[np.int16]:
    """int16 [channels, samples]."""
    t = np.arange(int(seconds * rate)) / rate
    wave = (10_000 * np.sin(2 * np.pi * frequency * t)).astype(np.int16)
    return np.repeat(wave[None], channels, 0)


def write(path: Path, pcm: NDArray[np.int16], rate: int, codec: str, format: str | None = None) -> Path:
    layout = {1: "mono", 2: "stereo", 6: "5.1"}[len(pcm)]
    with av.open(str(path), "w", format=format) as container:
        stream = container.add_stream(codec, rate=rate, layout=layout)
        for start in range(0, pcm.shape[1], rate):
            part = np.ascontiguousarray(pcm[:, start : start + rate].T.reshape(1, -1))
            frame = av.AudioFrame.from_ndarray(part, format="s16", layout=layout)
            frame.sample_rate, frame.pts = rate, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def read(path: Path) -> NDArray[np.int16]:
    with SoundFile.open(path) as sound:
        return np.concatenate([chunk.pcm48k for chunk in sound.chunks()])


def loudest_frequency(pcm: NDArray[np.int16]) -> float:
    spectrum = np.abs(np.fft.rfft(pcm * np.hanning(len(pcm))))
    return float(spectrum.argmax() * 48_000 / len(pcm))


@pytest.mark.parametrize(
    ("name", "codec", "rate", "channels"),
    [
        ("a.wav", "pcm_s16le", 8_000, 1),
        ("a.wav", "pcm_u8", 11_025, 1),
        ("a.wav", "pcm_f32le", 44_100, 2),
        ("a.wav", "pcm_s24le", 96_000, 2),
        ("a.wav", "pcm_s16le", 48_000, 6),
        ("a.flac", "flac", 22_050, 1),
        ("a.mp3", "libmp3lame", 44_100, 2),
        ("a.ogg", "libopus", 48_000, 1),
        ("a.m4a", "aac", 32_000, 2),
        ("a.mka", "ac3", 44_100, 2),
        ("wav.mp3", "pcm_s16le", 16_000, 1),
    ],
)
def test_any_format_rate_and_channels_become_48_khz_mono(
    tmp_path: Path, name: str, codec: str, rate: int, channels: int
) -> None:
    format = "wav" if codec.startswith("pcm") else None
    path = write(tmp_path / name, tone(1.3, rate, channels), rate, codec, format)
    with SoundFile.open(path) as sound:
        assert sound.duration_s == pytest.approx(1.3, abs=0.15)
        chunks = list(sound.chunks("de"))
    assert {chunk.language for chunk in chunks} == {"de"} and all(chunk.phonemes is None for chunk in chunks)
    assert [len(chunk.pcm48k) for chunk in chunks[:-1]] == [CHUNK_SAMPLES] * (len(chunks) - 1)
    pcm = np.concatenate([chunk.pcm48k for chunk in chunks])
    assert pcm.dtype == np.int16 and len(pcm) / 48_000 == pytest.approx(1.3, abs=0.1)
    assert loudest_frequency(pcm[10_000:50_000]) == pytest.approx(440, abs=3)
    assert 4_000 < np.abs(pcm[10_000:50_000]).max() < 16_000


def test_the_sound_of_a_video_is_used(shared: Path) -> None:
    for path in sorted((shared / "samples" / "video").iterdir()):
        with (
            SoundFile.open(path) if has_sound(path) else pytest.raises(MediaFileError, match="no sound track") as sound
        ):
            if isinstance(sound, SoundFile):
                assert sum(len(chunk.pcm48k) for chunk in sound.chunks()) > 48_000
            else:
                SoundFile.open(path)


def has_sound(path: Path) -> bool:
    with av.open(str(path)) as container:
        return bool(container.streams.audio)


def code_of(path: Path) -> str:
    with pytest.raises(MediaFileError) as caught:
        read(path)
    assert str(path) in str(caught.value)
    return caught.value.code


def test_what_is_no_sound_file(tmp_path: Path) -> None:
    assert code_of(tmp_path / "absent.wav") == "file_missing"
    assert code_of(tmp_path) == "file_missing"
    (tmp_path / "empty.wav").touch()
    assert code_of(tmp_path / "empty.wav") == "file_empty"
    (tmp_path / "noise.mp3").write_bytes(np.random.default_rng(1).bytes(5000))
    assert code_of(tmp_path / "noise.mp3") in ("not_a_media_file", "no_sound_track")
    (tmp_path / "text.wav").write_text("hello " * 100)
    assert code_of(tmp_path / "text.wav") in ("not_a_media_file", "no_sound_track")


def test_a_sound_track_without_sound(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", tone(1, 16_000), 16_000, "pcm_s16le")
    data = path.read_bytes()
    end = data.index(b"data") + 4
    path.write_bytes(data[:end] + bytes(4))
    assert code_of(path) in ("no_sound", "not_a_media_file")


def test_a_playlist_does_not_reach_for_the_network(tmp_path: Path) -> None:
    (tmp_path / "a.m3u8").write_text("#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nhttp://127.0.0.1:9/a.ts\n")
    assert code_of(tmp_path / "a.m3u8") in ("not_a_media_file", "no_sound_track", "no_sound")


@pytest.mark.parametrize(("name", "codec"), [("a.flac", "flac"), ("a.ogg", "libopus"), ("a.m4a", "aac")])
def test_damage_in_the_middle_is_told_with_its_place(tmp_path: Path, name: str, codec: str) -> None:
    rng = np.random.default_rng(2)
    pcm = (tone(20, 16_000) * 0.5 + rng.normal(0, 2000, (1, 320_000))).astype(np.int16)
    path = write(tmp_path / name, pcm, 16_000, codec)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + len(data) // 8] = rng.bytes(len(data) // 8)
    path.write_bytes(data)
    assert code_of(path) == "sound_damaged"


@pytest.mark.parametrize(("name", "codec"), [("a.flac", "flac"), ("a.m4a", "aac")])
def test_a_file_cut_short_is_told(tmp_path: Path, name: str, codec: str) -> None:
    path = write(tmp_path / name, tone(20, 16_000), 16_000, codec)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert code_of(path) in ("sound_damaged", "not_a_media_file")


def test_rubbish_after_the_end_is_borne(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp3", tone(3, 44_100), 44_100, "libmp3lame")
    with path.open("ab") as file:
        file.write(b"TAG" + b"some title".ljust(125, b"\0"))
    assert len(read(path)) / 48_000 == pytest.approx(3, abs=0.15)
