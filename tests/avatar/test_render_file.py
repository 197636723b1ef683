from __future__ import annotations

import json
import re
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from avatar.content_tags import DIGITAL_SOURCE_TYPE
from avatar.errors import MediaFileError
from avatar.mark import make_mark
from avatar.motion.rules import RuleMotionSource
from avatar.persona import Persona
from avatar.render_file import TAIL_FRAMES, check_output, render_file
from avatar.renderers import open_renderer
from avatar.speech import SPEECH_RATE_HZ, SpeechChunk
from tests.avatar.fakes import CountingMotion, FlatRenderer


def speech(seconds: float, piece_s: float = 0.5) -> Iterator[SpeechChunk]:
    """A tone that is loud all the time, in pieces."""
    samples = int(seconds * SPEECH_RATE_HZ)
    wave = (8000 * np.sin(np.arange(samples) * 2 * np.pi * 300 / SPEECH_RATE_HZ)).astype(np.int16)
    step = int(piece_s * SPEECH_RATE_HZ)
    for start in range(0, samples, step):
        yield SpeechChunk(wave[start : start + step])


def boxes(path: Path) -> list[tuple[str, int]]:
    """The top-level boxes of an ISO media file, in order."""
    data, position, found = path.read_bytes(), 0, []
    while position < len(data):
        size = int.from_bytes(data[position : position + 4], "big")
        found.append((data[position + 4 : position + 8].decode("latin-1"), size))
        position += size
    assert position == len(data)
    return found


@pytest.mark.parametrize("seconds", [0.01, 0.5, 1.0, 2.013])
def test_every_sample_is_spoken_and_the_mouth_comes_to_rest(tmp_path: Path, seconds: float) -> None:
    out = tmp_path / "out.mp4"
    done: list[float] = []
    result = render_file(speech(seconds), FlatRenderer(), CountingMotion(), out, mark=None, on_progress=done.append)
    assert result.speech_s == pytest.approx(seconds, abs=1e-4)
    speaking = int(np.ceil(int(seconds * SPEECH_RATE_HZ) / 1920))
    assert result.frames == speaking + TAIL_FRAMES == len(done)
    assert done[-1] == pytest.approx(result.duration_s)
    with av.open(str(out)) as container:
        grey = [frame.to_ndarray(format="gray").mean() for frame in container.decode(video=0)]
    assert len(grey) == result.frames
    assert min(grey[:speaking]) > max(grey[speaking:]) + 100, "speaking frames, then the tail, at the right place"


def test_the_file_is_what_players_expect(tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    render_file(speech(3), FlatRenderer(128), CountingMotion(), out, mark=None)
    order = [kind for kind, _ in boxes(out)]
    assert order.index("moov") < order.index("mdat"), "faststart"
    with av.open(str(out)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert (video.codec.name, video.pix_fmt, video.average_rate) == ("h264", "yuv420p", 25)
        assert (audio.codec.name, audio.rate, audio.layout.name) == ("aac", SPEECH_RATE_HZ, "mono")
        assert video.start_time == 0 and abs(float(audio.start_time * audio.time_base)) < 0.03
        pcm = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
    loud = np.abs(pcm[: 3 * SPEECH_RATE_HZ]).reshape(-1, 480).max(1)
    assert np.median(loud) > 0.15 and np.abs(pcm[int(3.1 * SPEECH_RATE_HZ) :]).max() < 0.02


def test_the_file_says_that_it_is_ai_generated(tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    render_file(speech(0.2), FlatRenderer(), CountingMotion(), out, mark=None)
    with av.open(str(out)) as container:
        tags = container.metadata
    assert "AI-generated" in tags["comment"] and "AI-generated" in tags["description"]
    label = json.loads(tags["AIGC"])
    assert list(label) == [
        "Label", "ContentProducer", "ProduceID", "ReservedCode1", "ContentPropagator", "PropagateID", "ReservedCode2"
    ]  # fmt: skip
    assert label["Label"] == "1" and label["ProduceID"] and label["ContentProducer"].startswith("Parley")
    kind, size = boxes(out)[-1]
    assert kind == "uuid"
    packet = out.read_bytes()[-size:][24:].decode()
    assert f'DigitalSourceType="{DIGITAL_SOURCE_TYPE}"' in packet
    assert re.fullmatch(r"<\?xpacket begin=.*<\?xpacket end=\"w\"\?>", packet, re.S)


def test_the_mark_is_on_every_frame_and_only_when_asked_for(tmp_path: Path) -> None:
    mark = make_mark(256, 256, "en", "top-left")
    height, width = mark.keep.shape[:2]
    for wanted in (mark, None):
        render_file(speech(0.4), FlatRenderer(256), CountingMotion(), tmp_path / "out.mp4", mark=wanted)
        with av.open(str(tmp_path / "out.mp4")) as container:
            for frame in container.decode(video=0):
                grey = frame.to_ndarray(format="gray")
                contrast = grey[mark.y : mark.y + height, mark.x : mark.x + width].std()
                assert (contrast > 25) == (wanted is not None)


@pytest.mark.slow
def test_hours_take_no_more_memory_than_minutes(tmp_path: Path) -> None:
    """Ten minutes stand for two hours: what grows with length shows as megabytes in either."""
    motion = CountingMotion()

    def peak(seconds: float) -> int:
        tracemalloc.start()
        try:
            render_file(speech_of(seconds), FlatRenderer(), motion, tmp_path / "out.mp4", mark=None)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    def speech_of(seconds: float) -> Iterator[SpeechChunk]:
        for _ in range(int(seconds * 2)):
            yield SpeechChunk(np.zeros(SPEECH_RATE_HZ // 2, np.int16))

    short, long = peak(30), peak(600)
    assert motion.most_samples <= SPEECH_RATE_HZ, "speech is pushed as it is needed"
    assert long < short + 300_000, f"{short} bytes for half a minute, {long} for ten"


def test_a_failure_leaves_nothing_behind(tmp_path: Path) -> None:
    def breaking(error: BaseException) -> Iterator[SpeechChunk]:
        yield from speech(1)
        raise error

    out = tmp_path / "out.mp4"
    out.write_text("an older file")
    for error in (MediaFileError("damaged"), KeyboardInterrupt(), ValueError("a bug")):
        with pytest.raises(type(error)):
            render_file(breaking(error), FlatRenderer(), CountingMotion(), out, mark=None)
        assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]
        assert out.read_text() == "an older file"


def test_an_output_that_vanishes_is_told(tmp_path: Path) -> None:
    with pytest.raises(MediaFileError) as caught:
        render_file(speech(1), FlatRenderer(), CountingMotion(), tmp_path / "absent" / "out.mp4", mark=None)
    assert caught.value.code == "output_unwritable"


def test_outputs_are_checked_before_the_work(tmp_path: Path) -> None:
    taken, source = tmp_path / "taken.mp4", tmp_path / "source.mp4"
    taken.touch()
    source.touch()
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "link.mp4").symlink_to(source)

    def code(path: Path, **options: object) -> str:
        with pytest.raises(MediaFileError) as caught:
            check_output(path, **{"overwrite": True, **options})  # type: ignore[arg-type]
        return caught.value.code

    assert code(taken, overwrite=False) == "output_exists"
    assert code(tmp_path / "out.avi") == "output_unwritable"
    assert code(tmp_path / "folder.mp4") == "output_unwritable"
    assert code(tmp_path / "absent" / "out.mp4") == "output_unwritable"
    assert code(tmp_path / "link.mp4", not_over=source) == "output_unwritable"
    check_output(taken, overwrite=True, not_over=source)
    check_output(tmp_path / "new.mp4", overwrite=False, not_over=tmp_path / "absent.wav")


def test_equal_seeds_give_equal_pictures(tmp_path: Path, helen: Persona) -> None:
    def pictures(seed: int) -> list[bytes]:
        out = tmp_path / "out.mp4"
        renderer = open_renderer(helen.path, size=256)
        render_file(speech(0.6), renderer, RuleMotionSource(seed=seed), out, mark=None)
        with av.open(str(out)) as container:
            return [bytes(packet) for packet in container.demux(video=0)]

    assert pictures(1) == pictures(1) != pictures(2)
