"""Video files, frame by frame, upright, with the time at which each is shown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import av.error
import cv2
import numpy as np
from av.stream import Disposition
from numpy.typing import NDArray

from avatar.errors import MediaFileError
from avatar.media import formats, reason

LONGEST_SIDE = 960
"""Pixels that are looked at: the detectors see 192 to 256 of the face, the hand and the body; more is only slower."""

_QUARTER_TURNS = {90: cv2.ROTATE_90_COUNTERCLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_CLOCKWISE}
"""By ``frame.rotation``: the display matrix's angle, counterclockwise (FFmpeg's av_display_rotation_get)."""


@dataclass(frozen=True, slots=True)
class VideoFrame:
    """One picture.

    Attributes:
        time_s: when it is shown, from the start of the sound (or of the video where there is none).
        rgb: uint8 [height, width, 3], upright, longest side at most ``LONGEST_SIDE``.
    """

    time_s: float
    rgb: NDArray[np.uint8]


@dataclass
class VideoFile:
    """One video, opened for reading once.

    Attributes:
        path: of the file.
        duration_s: as the file states it; None where it does not.
        warnings: what was odd but bearable; complete when ``frames`` has ended.
    """

    path: Path
    duration_s: float | None
    warnings: list[str] = field(default_factory=list)
    _container: Any = None

    @staticmethod
    def open(path: Path) -> VideoFile:
        """Open and find the picture track; nothing is decoded yet.

        Raises:
            MediaFileError: codes ``file_missing``, ``file_empty``, ``not_a_media_file``, ``no_video_track``.
        """
        if not path.is_file():
            raise MediaFileError(f"There is no file {path}.", code="file_missing")
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
                f"{path} is not a video that can be read ({reason(error)}). Try MP4, MOV, WebM or MKV.",
                code="not_a_media_file",
            ) from None
        pictures = [stream for stream in container.streams.video if not _is_cover(stream)]
        if not pictures:
            container.close()
            raise MediaFileError(f"{path} has no picture track: motion is read from a video.", code="no_video_track")
        stream = pictures[0]
        stream.thread_type = "AUTO"
        duration = None
        if stream.duration is not None and stream.time_base is not None:
            duration = float(stream.duration * stream.time_base)
        elif container.duration is not None:
            duration = container.duration / av.time_base
        return VideoFile(path, duration if duration and duration > 0 else None, _container=container)

    def frames(self) -> Iterator[VideoFrame]:
        """All pictures in the order in which they are shown; those without a later time than the last are left out.

        Raises:
            MediaFileError: codes ``video_damaged`` (undecodable in the middle), ``no_video`` (not one picture).
        """
        stream = next(stream for stream in self._container.streams.video if not _is_cover(stream))
        origin_s = self._origin_s(stream)
        rate = float(stream.average_rate or stream.guessed_rate or 25)
        last_s = -1.0
        count = 0
        for frame in self._decoded(stream):
            shown_s = float(frame.pts * frame.time_base) - origin_s if frame.pts is not None else last_s + 1 / rate
            count += 1
            if shown_s <= last_s or shown_s < 0:
                continue
            last_s = shown_s
            yield VideoFrame(shown_s, _upright(frame))
        if count == 0:
            raise MediaFileError(f"Not one picture of {self.path} can be decoded.", code="no_video")

    def close(self) -> None:
        self._container.close()

    def __enter__(self) -> VideoFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _origin_s(self, stream: Any) -> float:
        """Where the sound starts, since it is decoded from its first sample on; else where the video does."""
        first = self._container.streams.audio[0] if self._container.streams.audio else stream
        start, base = first.start_time, first.time_base
        return float(start * base) if start is not None and base is not None else 0.0

    def _decoded(self, stream: Any) -> Iterator[Any]:
        damaged_s: float | None = None
        last_s = 0.0
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
                damaged_s = last_s if damaged_s is None else damaged_s
                continue
            for frame in frames:
                if damaged_s is not None:
                    raise MediaFileError(
                        f"{self.path} is damaged: it cannot be decoded at {damaged_s:.1f} s. "
                        "Convert it or copy it again.",
                        code="video_damaged",
                    )
                last_s = float(frame.time or last_s)
                yield frame
        if damaged_s is not None:
            self.warnings.append(f"What follows {damaged_s:.1f} s in {self.path} cannot be decoded.")


def _is_cover(stream: Any) -> bool:
    """A picture of a record's sleeve is a video track of one frame."""
    return bool(stream.disposition & Disposition.attached_pic)


def _upright(frame: Any) -> NDArray[np.uint8]:
    scale = min(1.0, LONGEST_SIDE / max(frame.width, frame.height))
    width, height = max(2, round(frame.width * scale)), max(2, round(frame.height * scale))
    rgb = frame.to_ndarray(format="rgb24", width=width, height=height)
    turn = _QUARTER_TURNS.get(round(frame.rotation / 90) * 90 % 360)
    return np.ascontiguousarray(rgb if turn is None else cv2.rotate(rgb, turn), np.uint8)
