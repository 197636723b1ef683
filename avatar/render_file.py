"""Speech to an MP4 file of the persona speaking it: H.264 and AAC, index first, in constant memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error
import cv2
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from numpy.typing import NDArray

from avatar.beats import BeatMaker, RenderedBeat
from avatar.content_tags import append_xmp, mp4_tags
from avatar.errors import MediaFileError
from avatar.mark import Mark, apply_mark
from avatar.motion.source import MotionSource
from avatar.renderer import Renderer
from avatar.speech import FRAME_RATE_HZ, SPEECH_RATE_HZ, SpeechChunk

TAIL_FRAMES = 12
"""Frames after the last word, so that the mouth comes to rest before the picture ends (0.48 s)."""

_X264 = {"preset": "veryfast", "crf": "20", "g": "125", "threads": "1"}
"""About 1.5 ms of one core a frame at 512; a keyframe every 5 s for seeking; one thread, like the renderer."""
_AAC_BITRATE_BPS = 96_000
"""Transparent for one voice."""


@dataclass(frozen=True, slots=True)
class RenderedFile:
    """What was written.

    Attributes:
        path: of the file.
        frames: video frames, the tail included.
        speech_s: seconds of speech.
    fps: video frames a second.
    """

    path: Path
    frames: int
    speech_s: float
    fps: int = FRAME_RATE_HZ

    @property
    def duration_s(self) -> float:
        return self.frames / self.fps


def check_output(path: Path, *, overwrite: bool, not_over: Path | None = None) -> None:
    """Find out before the work whether the result can be written.

    Args:
        path: of the file to be.
        overwrite: an existing file may be replaced.
        not_over: the input, which must not be the output.

    Raises:
        MediaFileError: codes ``output_exists``, ``output_unwritable``.
    """
    unwritable = "output_unwritable"
    if path.suffix.lower() != ".mp4":
        raise MediaFileError(f"The output {path} must end in .mp4.", code=unwritable)
    if path.is_dir():
        raise MediaFileError(f"The output {path} is a folder; name a file in it.", code=unwritable)
    if not path.absolute().parent.is_dir():
        raise MediaFileError(f"There is no folder {path.absolute().parent}; make it first.", code=unwritable)
    if not_over is not None and path.exists() and not_over.exists() and path.samefile(not_over):
        raise MediaFileError(f"{path} is the input; name another file for the output.", code=unwritable)
    if path.exists() and not overwrite:
        raise MediaFileError(f"{path} exists already. Add --force to replace it.", code="output_exists")
    if not os.access(path.absolute().parent, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
        raise MediaFileError(f"{path} may not be written by this user.", code=unwritable)


def render_file(
    speech: Iterable[SpeechChunk],
    renderer: Renderer,
    motion: MotionSource,
    path: Path,
    *,
    mark: Mark | None,
    on_progress: Callable[[float], None] = lambda seconds: None,
) -> RenderedFile:
    """Render and write; the file appears under its name only when it is complete.

    Args:
        speech: consumed as it is needed, never ahead.
        renderer: draws the frames.
        motion: moves them.
        path: of the file; replaced if it exists (see ``check_output``).
        mark: drawn on every frame; None leaves it out.
        on_progress: called after each frame with the seconds of video made so far.

    Raises:
        MediaFileError: code ``output_unwritable`` (a full disk, say) or what ``speech`` raises. Whatever ends
            this early, Ctrl-C included, nothing is left behind.
    """
    beats = _beats(speech, BeatMaker(renderer, motion))
    return write_beats(beats, path, renderer.width, renderer.height, mark=mark, on_progress=on_progress)


def write_beats(
    beats: Iterable[RenderedBeat],
    path: Path,
    width: int,
    height: int,
    *,
    mark: Mark | None,
    fps: int = FRAME_RATE_HZ,
    on_progress: Callable[[float], None] = lambda seconds: None,
) -> RenderedFile:
    """The part of ``render_file`` after the drawing.

    Args:
        beats: taken one at a time; ``width`` x ``height``, each with the sound of one frame.
        fps: frames a second.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    frames, samples = 0, 0
    try:
        with _Mp4Writer(partial, width, height, fps) as writer:
            for beat in beats:
                if mark is not None:
                    apply_mark(beat.frame, mark)
                writer.write(beat.frame, beat.pcm48k)
                frames += 1
                samples += beat.speech_samples
                on_progress(frames / fps)
        append_xmp(partial)
        partial.replace(path)
    except (av.error.FFmpegError, OSError) as error:
        raise MediaFileError(
            f"{path} could not be written: {error.strerror or error}.", code="output_unwritable"
        ) from error
    finally:
        with suppress(FileNotFoundError):
            partial.unlink()
    return RenderedFile(path, frames, samples / SPEECH_RATE_HZ, fps)


def _beats(speech: Iterable[SpeechChunk], maker: BeatMaker) -> Iterator[RenderedBeat]:
    """Beats until the speech is over, then the tail."""
    chunks = iter(speech)
    finished = False
    tail = TAIL_FRAMES
    while tail:
        while not finished and not maker.speech_ready():
            chunk = next(chunks, None)
            if chunk is None:
                maker.finish()
                finished = True
            else:
                maker.push(chunk)
        if not maker.speech_ready():
            if maker.queued_samples:
                raise RuntimeError("the motion source made no motion for the end of the speech")
            tail -= 1
        yield maker.next()


class _Mp4Writer:
    """Encodes beats into an MP4 whose index is moved to its front when it is closed."""

    def __init__(self, path: Path, width: int, height: int, fps: int) -> None:
        self._container: Any = av.open(
            f"file:{path.absolute()}", "w", format="mp4", options={"movflags": "faststart+use_metadata_tags"}
        )
        self._container.metadata.update(mp4_tags())
        video = self._container.add_stream("libx264", rate=fps, options=_X264)
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        # what OpenCV's conversion makes, said in the file: players otherwise guess by the picture's height
        video.codec_context.colorspace = Colorspace.SMPTE170M
        video.codec_context.color_range = ColorRange.MPEG
        video.codec_context.color_primaries = ColorPrimaries.BT709
        video.codec_context.color_trc = ColorTrc.BT709
        audio = self._container.add_stream("aac", rate=SPEECH_RATE_HZ, layout="mono")
        audio.bit_rate = _AAC_BITRATE_BPS
        self._video, self._audio, self._fps = video, audio, fps
        self._beats = self._samples = 0

    def write(self, frame_bgr: NDArray[np.uint8], pcm48k: NDArray[np.int16]) -> None:
        i420 = np.asarray(cv2.cvtColor(frame_bgr, cv2.COLOR_BGR2YUV_I420), np.uint8)
        picture = av.VideoFrame.from_ndarray(i420, format="yuv420p")
        picture.pts, picture.time_base = self._beats, Fraction(1, self._fps)
        sound = av.AudioFrame.from_ndarray(pcm48k[None], format="s16", layout="mono")
        sound.sample_rate = SPEECH_RATE_HZ
        sound.pts, sound.time_base = self._samples, Fraction(1, SPEECH_RATE_HZ)
        self._container.mux(self._video.encode(picture))
        self._container.mux(self._audio.encode(sound))
        self._beats += 1
        self._samples += len(pcm48k)

    def __enter__(self) -> _Mp4Writer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        try:
            if kind is None:
                self._container.mux(self._video.encode(None))
                self._container.mux(self._audio.encode(None))
        finally:
            self._container.close()
