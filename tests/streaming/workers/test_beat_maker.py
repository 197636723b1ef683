from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from avatar.errors import PersonaError
from avatar.persona import find_persona
from avatar.speech import SpeechChunk
from streaming.workers import beat_maker
from streaming.workers.beat_maker import make_beat_maker, preload
from streaming.workers.local import LocalWorkerPool
from streaming.workers.pool import WorkerSpec

SPEC = WorkerSpec(find_persona("helen").path, size=256)


def test_a_persona_speaks_and_moves_and_is_the_same_each_time() -> None:
    one, other = make_beat_maker(SPEC), make_beat_maker(SPEC)
    noise = (np.random.default_rng(0).normal(size=19_200) * 3000).astype(np.int16)
    for maker in (one, other):
        maker.push(SpeechChunk(noise))
        maker.finish()
    beats = [(one.next(), other.next()) for _ in range(10)]
    for mine, yours in beats:
        assert mine.frame.shape == (256, 256, 3) and np.array_equal(mine.frame, yours.frame)
    assert [mine.last for mine, _ in beats] == [False] * 9 + [True]


def test_the_mark_is_on_every_frame_unless_it_is_switched_off() -> None:
    marked, plain = make_beat_maker(SPEC), make_beat_maker(replace(SPEC, mark=False))
    for _ in range(3):
        difference = np.abs(marked.next().frame.astype(int) - plain.next().frame).max(axis=2)
        rows, columns = np.nonzero(difference > 60)
        assert len(rows) > 100 and rows.min() > 128 and columns.min() > 100, "at the bottom right"


@pytest.mark.parametrize(("spec", "error", "reason"), [
    (WorkerSpec(None), ValueError, "needs none"),
    (replace(SPEC, renderer="clay"), ValueError, "no renderer 'clay'"),
    (replace(SPEC, size=100), ValueError, "size must be one of"),
    (replace(SPEC, framing="feet"), ValueError, "no framing"),
])  # fmt: skip
def test_what_cannot_be_drawn(spec: WorkerSpec, error: type[Exception], reason: str) -> None:
    with pytest.raises(error, match=reason):
        make_beat_maker(spec)


def test_a_persona_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(PersonaError):
        make_beat_maker(replace(SPEC, persona=tmp_path / "nobody"))


@pytest.fixture
def ready(monkeypatch: pytest.MonkeyPatch) -> dict[object, object]:
    """What is held ready, empty at first."""
    held: dict[object, object] = {}
    monkeypatch.setattr(beat_maker, "_ready", held)
    return held


def test_what_was_held_ready_draws_the_same(ready: dict[object, object]) -> None:
    fresh = make_beat_maker(SPEC)
    preload(SPEC)
    assert len(ready) == 1
    maker = make_beat_maker(SPEC)
    assert not ready
    for _ in range(3):
        assert np.array_equal(fresh.next().frame, maker.next().frame)


def test_a_persona_that_was_changed_is_loaded_again(ready: dict[object, object], tmp_path: Path) -> None:
    assert SPEC.persona is not None
    spec = replace(SPEC, persona=Path(shutil.copytree(SPEC.persona, tmp_path / "helen")))
    preload(spec)
    (tmp_path / "helen" / "note.txt").write_text("changed")
    make_beat_maker(spec)
    assert len(ready) == 1, "what was held is not what is there now"


def test_a_few_are_held_and_the_latest_stay(ready: dict[object, object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beat_maker, "MAX_READY", 1)
    preload(SPEC)
    other = replace(SPEC, framing="half-body")
    preload(other)
    preload(other)
    assert [key[-1] for key in ready] == ["half-body"]  # type: ignore[index]


@pytest.mark.parametrize("spec", [WorkerSpec(None), replace(SPEC, renderer="clay")])
def test_what_cannot_be_shared_is_not_held(ready: dict[object, object], spec: WorkerSpec) -> None:
    preload(spec)
    assert not ready


@pytest.mark.parametrize("codec", ["VP8", "H264"])
async def test_a_worker_process_draws_a_persona(codec: str) -> None:
    pool = LocalWorkerPool(1)
    worker = await pool.acquire(replace(SPEC, codec=codec))
    worker.grant(2)
    beats = []
    async for beat in worker.beats():
        beats.append(beat)
        if len(beats) == 2:
            break
    assert beats[0].keyframe and len(beats[0].picture) > 1000
    assert not beats[1].keyframe and beats[1].picture
    await pool.close()
