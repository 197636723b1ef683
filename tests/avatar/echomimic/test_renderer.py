"""The live path as a worker has it: a persona's folder, speech, and beats; random weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the gpu extra is not installed")

from avatar.echomimic import renderer as echomimic  # noqa: E402
from avatar.echomimic.options import Continuity, Drive, LiveDecoder, Options  # noqa: E402
from avatar.echomimic.poses import CANVAS, PoseSequence  # noqa: E402
from avatar.errors import RendererBusy, WeightsError  # noqa: E402
from avatar.motion.rules import RuleMotionSource  # noqa: E402
from avatar.motion.source import Gesture  # noqa: E402
from avatar.persona import BUILT_IN_DIR  # noqa: E402
from avatar.renderers import open_window_renderer  # noqa: E402
from avatar.speech import BEAT_SAMPLES, SpeechChunk  # noqa: E402
from avatar.windows import WindowBeatMaker  # noqa: E402

HELEN = BUILT_IN_DIR / "helen"


@pytest.fixture(autouse=True)
def own_engines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(echomimic, "_desks", {})


def options(tmp_path: Path, **changes: object) -> dict[str, object]:
    return Options(steps=1, cache=str(tmp_path / "cache")).to_dict() | changes


def voice(beats: float, seed: int = 0) -> SpeechChunk:
    pcm = np.random.default_rng(seed).integers(-9000, 9000, int(beats * BEAT_SAMPLES)).astype(np.int16)
    return SpeechChunk(pcm)


def close_all() -> None:
    for desk in echomimic._desks.values():
        desk.engine.close()


def test_speech_becomes_beats_with_frames_that_say_what_they_are(tmp_path: Path) -> None:
    drawn = open_window_renderer(HELEN, "echomimic", size=256, options=options(tmp_path), seed=3)
    maker = WindowBeatMaker(drawn, RuleMotionSource(seed=0))
    chunk = voice(12.5)
    beats = [maker.next() for _ in range(3)]
    maker.push(chunk)
    maker.finish()
    beats += [maker.next() for _ in range(25)]
    maker.close()
    close_all()
    spoken = np.concatenate([beat.pcm48k[: beat.speech_samples] for beat in beats])
    assert np.array_equal(spoken, chunk.pcm48k)
    frames = np.stack([beat.frame for beat in beats])
    assert frames.shape == (28, 256, 256, 3) and frames.dtype == np.uint8
    assert (np.abs(np.diff(frames.astype(int), axis=0)).mean(axis=(1, 2, 3)) > 1).all(), "each is another"
    label = frames[:, :16]
    assert (label == 255).any(axis=(1, 2, 3)).all() and np.median(label) < 70


def draw(tmp_path: Path, chunk: SpeechChunk, gesture: Gesture | None = None, **changes: object) -> np.ndarray:
    drawn = open_window_renderer(HELEN, "echomimic", size=256, options=options(tmp_path, **changes), seed=3)
    maker = WindowBeatMaker(drawn, RuleMotionSource(seed=0))
    maker.push(chunk)
    maker.finish()
    if gesture is not None:
        maker.gesture(gesture)
    frames = np.stack([maker.next().frame for _ in range(9)])
    maker.close()
    return frames


def test_what_drives_the_picture(tmp_path: Path) -> None:
    """Sound moves the picture but where poses alone do; a pose sequence and a gesture do too."""
    points = np.random.default_rng(0).uniform(0.2, 0.8, (30, 2, 21, 2)).astype(np.float32)
    still = PoseSequence(points, np.ones((30, 2, 21), np.float32), np.tile(np.array(CANVAS, np.int32), (30, 1)))
    still.save(tmp_path / "poses.npz")
    poses = str(tmp_path / "poses.npz")
    by_sound = [draw(tmp_path, voice(9, seed)) for seed in (1, 2)]
    by_poses = [draw(tmp_path, voice(9, seed), drive=Drive.POSES.value, poses=poses) for seed in (1, 2)]
    by_both = [draw(tmp_path, voice(9, seed), drive=Drive.SOUND_AND_POSES.value, poses=poses) for seed in (1, 2)]
    close_all()
    assert not np.array_equal(*by_sound) and not np.array_equal(*by_both)
    assert np.abs(by_poses[0].astype(int) - by_poses[1]).max() <= 1
    assert not np.array_equal(by_sound[0], by_both[0])


def test_seeds_and_decoders(tmp_path: Path) -> None:
    same = [draw(tmp_path, voice(9)) for _ in range(2)]
    full = draw(tmp_path, voice(9), decoder=LiveDecoder.VAE.value)
    close_all()
    assert np.abs(same[0].astype(int) - same[1]).max() <= 1
    assert not np.array_equal(same[0], full)


@pytest.mark.parametrize("continuity", list(Continuity))
def test_an_interruption_and_another_answer(tmp_path: Path, continuity: Continuity) -> None:
    drawn = open_window_renderer(HELEN, "echomimic", size=256, options=options(tmp_path, continuity=continuity.value))
    maker = WindowBeatMaker(drawn, RuleMotionSource(seed=0))
    maker.push(voice(30))
    for _ in range(5):
        maker.next()
    maker.clear()
    chunk = voice(10, seed=2)
    maker.push(chunk)
    maker.finish()
    beats = [maker.next() for _ in range(30)]
    maker.close()
    close_all()
    assert np.array_equal(np.concatenate([beat.pcm48k[: beat.speech_samples] for beat in beats]), chunk.pcm48k)


def test_a_conversation_that_ends_makes_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = options(tmp_path)
    first = open_window_renderer(HELEN, "echomimic", size=256, options=chosen)
    (desk,) = echomimic._desks.values()
    monkeypatch.setattr(desk.engine, "capacity", 1)
    monkeypatch.setattr(desk.engine, "_seat_wait_s", 0.0)
    with pytest.raises(RendererBusy):
        open_window_renderer(HELEN, "echomimic", size=256, options=chosen)
    first.close()
    open_window_renderer(HELEN, "echomimic", size=256, options=chosen).close()
    close_all()


def test_the_reference_is_kept_and_taken_from_the_cache(tmp_path: Path) -> None:
    open_window_renderer(HELEN, "echomimic", size=256, framing="half-body", options=options(tmp_path)).close()
    (kept,) = (tmp_path / "cache").iterdir()
    stamp = kept.stat().st_mtime_ns
    close_all()
    echomimic._desks.clear()
    open_window_renderer(HELEN, "echomimic", size=256, framing="half-body", options=options(tmp_path)).close()
    close_all()
    assert [path.stat().st_mtime_ns for path in (tmp_path / "cache").iterdir()] == [stamp]


def test_missing_weights_are_listed(tmp_path: Path) -> None:
    empty = tmp_path / "weights"
    empty.mkdir()
    with pytest.raises(WeightsError, match="denoising_unet_acc") as missing:
        open_window_renderer(HELEN, "echomimic", options=options(tmp_path, weights=str(empty)))
    assert "huggingface.co" in str(missing.value)


@pytest.mark.parametrize(
    "wrong", [{"steps": 0}, {"drive": "poses"}, {"max_batch": 99}, {"brightness": 3}, {"decoder": "x"}]
)
def test_impossible_options_are_refused(tmp_path: Path, wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        open_window_renderer(HELEN, "echomimic", options=options(tmp_path, **wrong))


def test_options_cross_processes_as_plain_values() -> None:
    chosen = Options(steps=4, continuity=Continuity.CARRIED, drive=Drive.SOUND_AND_POSES, poses="p.npz")
    plain = chosen.to_dict()
    assert all(type(value) in (str, int) for value in plain.values())
    assert Options.from_dict(plain) == chosen


def test_a_map_is_drawn_where_its_canvas_says() -> None:
    hands = np.full((2, 21, 2), 0.5, np.float32)
    hands[..., 0] += np.linspace(-0.3, 0.3, 21)
    ones = np.ones((2, 21), np.float32)
    whole = echomimic.draw_map(hands, ones, np.array(CANVAS, np.int32), 256)
    assert whole.shape == (256, 256, 3) and whole.any()
    narrow = echomimic.draw_map(hands, ones, np.array([768, 384, 0, 768, 192, 576], np.int32), 256)
    columns = np.flatnonzero(narrow.any(axis=(0, 2)))
    assert columns.min() >= 64 and columns.max() < 192
