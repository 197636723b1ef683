"""Sound files to speech: whatever FFmpeg decodes, streamed: hours take no more memory than seconds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import av.error
import numpy as np
from numpy.typing import NDArray

from avatar.errors import MediaFileError
from avatar.speech import SPEECH_RATE_HZ, SpeechChunk

CHUNK_SAMPLES = SPEECH_RATE_HZ // 2
"""Half a second a chunk: small beside what an encoder buffers, large beside the cost of a call."""

_ESTIMATED_DURATION = frozenset({"mp3", "aac", "amr", "ac3", "eac3", "dts", "loas"})
"""Containers that do not state their duration: FFmpeg guesses from the bit rate; a difference proves nothing."""
_PLAYLISTS = frozenset({"hls", "applehttp", "dash", "concat", "imf", "rtsp", "sdp", "webm_dash_manifest"})
"""Formats that hold no sound but name where it is; FFmpeg would go and fetch it, and try again for minutes."""
_MISSING_SECONDS = 1.0
_MISSING_SHARE = 0.02
"""Less than both may be missing without a word: encoders' padding, rounded headers."""


@dataclass
class SoundFile:
    """One sound (or video) file, opened for reading once.

    Attributes:
        path: of the file.
        duration_s: as the container states or FFmpeg estimates it; None where neither can.
        warnings: what was odd but bearable; complete when ``chunks`` has ended.
    """

    path: Path
    duration_s: float | None
    warnings: list[str] = field(default_factory=list)
    _container: Any = None

    @staticmethod
    def open(path: Path) -> SoundFile:
        """Open and find the sound track; nothing is decoded yet.

        Raises:
            MediaFileError: codes ``file_missing``, ``file_empty``, ``not_a_media_file``, ``no_sound_track``.
        """
        if not path.exists():
            raise MediaFileError(f"There is no file {path}.", code="file_missing")
        if not path.is_file():
            raise MediaFileError(f"{path} is not a file.", code="file_missing")
        if path.stat().st_size == 0:
            raise MediaFileError(f"{path} is empty (0 bytes).", code="file_empty")
        try:
            # "file:" and the lists: neither a name nor a playlist may reach for other files or the network
            container = av.open(
                f"file:{path.absolute()}",
                metadata_errors="replace",
                options={"protocol_whitelist": "file", "format_whitelist": formats()},
            )
        except PermissionError:
            raise MediaFileError(f"{path} may not be read by this user.", code="file_missing") from None
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise MediaFileError(
                f"{path} is not a sound file that can be read ({reason(error)}). Try WAV, MP3, M4A, OGG or FLAC.",
                code="not_a_media_file",
            ) from None
        if not container.streams.audio:
            container.close()
            raise MediaFileError(f"{path} has no sound track.", code="no_sound_track")
        stream = container.streams.audio[0]
        duration = None
        if stream.duration is not None and stream.time_base is not None:
            duration = float(stream.duration * stream.time_base)
        elif container.duration is not None:
            duration = container.duration / av.time_base
        stated = duration if duration and duration > 0 else None
        return SoundFile(path, stated, _container=container)

    def chunks(self, language: str = "en") -> Iterator[SpeechChunk]:
        """The sound as speech without timings: mono int16 at 48 kHz, ``CHUNK_SAMPLES`` each, the last shorter.

        Args:
            language: BCP 47 tag to label the chunks with.

        Raises:
            MediaFileError: codes ``sound_damaged`` (undecodable in the middle, or much shorter than it states)
                and ``no_sound`` (not one sample).
        """
        pending: list[NDArray[np.int16]] = []
        count, total = 0, 0
        for pcm in self._pcm48k():
            total += len(pcm)
            pending.append(pcm)
            count += len(pcm)
            while count >= CHUNK_SAMPLES:
                joined = np.concatenate(pending)
                yield SpeechChunk(joined[:CHUNK_SAMPLES], language)
                pending, count = [joined[CHUNK_SAMPLES:]], count - CHUNK_SAMPLES
        if total == 0:
            raise MediaFileError(f"The sound track of {self.path} holds no sound.", code="no_sound")
        self._check_length(total / SPEECH_RATE_HZ)
        if count:
            yield SpeechChunk(np.concatenate(pending), language)

    def close(self) -> None:
        self._container.close()

    def __enter__(self) -> SoundFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _pcm48k(self) -> Iterator[NDArray[np.int16]]:
        resampler: Any = None
        shape: tuple[str, str, int] | None = None
        for frame in self._frames():
            now = (frame.format.name, frame.layout.name, frame.sample_rate)
            if now != shape:  # a chained stream may change its rate or channels midway
                if resampler is not None:
                    yield from _samples(resampler.resample(None))
                resampler = av.AudioResampler(format="s16", layout="mono", rate=SPEECH_RATE_HZ)
                shape = now
            frame.pts = None  # gaps and jumps of the container's clock are not silence to be filled
            yield from _samples(resampler.resample(frame))
        if resampler is not None:
            yield from _samples(resampler.resample(None))

    def _frames(self) -> Iterator[Any]:
        """Decoded frames. Undecodable data is borne at the very end (tags, a cut packet), not before sound."""
        stream = self._container.streams.audio[0]
        damaged_at: float | None = None
        decoded_s = 0.0
        packets = self._container.demux(stream)
        while True:
            try:
                packet = next(packets, None)
                if packet is None:
                    break
                frames = packet.decode()
            except av.error.EOFError:
                break
            except (av.error.FFmpegError, OSError, ValueError):
                damaged_at = decoded_s if damaged_at is None else damaged_at
                continue
            for frame in frames:
                if damaged_at is not None:
                    raise MediaFileError(
                        f"{self.path} is damaged: its sound cannot be decoded at {_clock(damaged_at)}. "
                        "Convert it or copy it again.",
                        code="sound_damaged",
                    )
                decoded_s += frame.samples / frame.sample_rate
                yield frame
        if damaged_at is not None:
            self.warnings.append(f"What follows {_clock(damaged_at)} in {self.path} cannot be decoded.")

    def _check_length(self, seconds: float) -> None:
        stated = self.duration_s
        if stated is None or self._container.format.name in _ESTIMATED_DURATION:
            return
        if stated - seconds > max(_MISSING_SECONDS, _MISSING_SHARE * stated):
            raise MediaFileError(
                f"{self.path} is incomplete: it states {_clock(stated)} of sound and ends after "
                f"{_clock(seconds)}. Copy or download it again.",
                code="sound_damaged",
            )


@cache
def formats() -> str:
    """FFmpeg's input formats that hold what they play, comma-separated, for ``format_whitelist``."""
    names = {name for entry in av.formats_available for name in entry.split(",")}
    return ",".join(sorted(names - _PLAYLISTS))


def _samples(frames: list[Any]) -> Iterator[NDArray[np.int16]]:
    for frame in frames:
        yield frame.to_ndarray()[0].astype(np.int16, copy=True)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02d}:{rest:04.1f}" if hours else f"{minutes}:{rest:04.1f}"


def reason(error: BaseException) -> str:
    """What an error of FFmpeg's says, in a few words."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
