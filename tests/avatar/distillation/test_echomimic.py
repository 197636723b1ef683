"""The denoiser's distillation learns, stops, goes on, and writes what loads as released weights; tiny networks."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the train extra is not installed")

from avatar.distillation.clips import SUFFIX, Clip, ClipFolder, encoders_digest, load_clip, save_clip  # noqa: E402
from avatar.distillation.echomimic import STUDENT_FILES, Distillation, Distiller, distill  # noqa: E402
from avatar.echomimic.checkpoint import load_strict, read_tensors  # noqa: E402
from avatar.echomimic.config import TINY  # noqa: E402
from avatar.echomimic.denoising_unet import DenoisingUNet  # noqa: E402
from avatar.echomimic.networks import Networks, synthetic_networks  # noqa: E402
from avatar.motion.training.learning import TrainingError  # noqa: E402

QUICK = Distillation(
    segments=2, teacher_steps=4, steps=24, rows=2, frames=3, peak=2e-3, checkpointing=False, measure_every=12,
    valid_rows=2, guidance=2.0,
)  # fmt: skip


@pytest.fixture(scope="module")
def networks() -> Networks:
    return synthetic_networks(TINY)


def clip(seed: int, frames: int = 10) -> Clip:
    rng = torch.Generator().manual_seed(seed)
    hands = torch.rand(frames, 2, 21, 2, generator=rng)
    return Clip(
        torch.randn(frames, 4, 8, 8, generator=rng).half(),
        torch.randn(frames, 30, 32, generator=rng).half(),
        hands,
        torch.ones(frames, 2, 21) * (seed % 2),
    )


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory, networks: Networks) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    for seed in range(12):
        save_clip(clip(seed), folder / f"video-{seed:03}{SUFFIX}", encoders_digest(networks))
    return folder


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_it_learns_what_its_teacher_does(networks: Networks, clips: Path, tmp_path: Path) -> None:
    """Towards making in two steps what the guided teacher makes in four, on clips that it has not seen. The teacher is
    random, so what it does is as hard to learn as can be: a tenth less error in a minute is learning."""
    options = replace(QUICK, steps=60, rows=6, frames=1, valid_rows=6, peak=3e-4, measure_every=20)
    before, after = distill(networks, clips, tmp_path, options)
    assert after.end_to_end < 0.93 * before.end_to_end
    assert all(later < sooner for later, sooner in zip(after.by_segment, before.by_segment, strict=True))
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [0, 20, 40, 60]
    assert lines[-1]["loss"] < 0.9 * lines[1]["loss"]


def test_what_it_writes_is_a_released_denoiser(networks: Networks, clips: Path, tmp_path: Path) -> None:
    distill(networks, clips, tmp_path, replace(QUICK, steps=1, measure_every=1))
    denoiser, motion = (read_tensors(tmp_path / name) for name in STUDENT_FILES)
    assert not any("motion_modules" in name for name in denoiser) and all("motion_modules" in name for name in motion)
    load_strict(DenoisingUNet(TINY.unet), denoiser | motion, "student", torch.float32)
    moved = (denoiser["conv_in.weight"].float() - networks.denoiser.conv_in.weight).abs().max()
    assert 0 < float(moved) < 0.1


def test_a_run_goes_on_as_if_it_had_not_stopped(networks: Networks, clips: Path, tmp_path: Path) -> None:
    """Interrupted at a checkpoint; ended and asked for more would follow another learning rate."""
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    distill(networks, clips, whole, replace(QUICK, steps=4, measure_every=2, decay=0.9))

    class Stop(Exception): ...

    def stop(line: str) -> None:
        if json.loads(line)["step"] == 4:
            raise Stop

    with pytest.raises(Stop):
        distill(networks, clips, parts, replace(QUICK, steps=4, measure_every=2, decay=0.9), tell=stop)
    distill(networks, clips, parts, replace(QUICK, steps=4, measure_every=2, decay=0.9))
    for name in STUDENT_FILES:
        one, other = read_tensors(whole / name), read_tensors(parts / name)
        for key, value in one.items():
            assert torch.allclose(value.float(), other[key].float(), atol=2e-3), key


def test_another_run_is_not_overwritten(networks: Networks, clips: Path, tmp_path: Path) -> None:
    distill(networks, clips, tmp_path, replace(QUICK, steps=1, measure_every=1))
    with pytest.raises(TrainingError, match="another folder"):
        distill(networks, clips, tmp_path, replace(QUICK, steps=1, segments=4))


def test_a_moving_average_gives_the_targets_and_is_written(networks: Networks, clips: Path, tmp_path: Path) -> None:
    distiller = Distiller(networks, replace(QUICK, decay=0.5))
    folder, rng = ClipFolder(clips, 3), np.random.default_rng(0)
    for step in range(3):
        distiller.update(folder.draw(1, rng), rng, step + 50)
    student, target = distiller.student.conv_in.weight.detach(), distiller.target.conv_in.weight.detach()
    start = networks.denoiser.conv_in.weight
    assert 0 < float((target - start).norm()) < float((student - start).norm())


def test_recomputed_activations_give_the_same_gradient(networks: Networks, clips: Path) -> None:
    losses, gradients = [], []
    for checkpointing in (False, True):
        distiller = Distiller(networks, replace(QUICK, checkpointing=checkpointing))
        rng = np.random.default_rng(0)
        losses.append(distiller.update(ClipFolder(clips, 3).draw(1, rng), rng, 0))
        gradients.append(distiller.student.conv_in.weight.grad)
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    assert torch.allclose(gradients[0], gradients[1], rtol=1e-3, atol=1e-6)


def test_the_goal_near_a_boundary_is_the_teachers_own_step(networks: Networks, clips: Path) -> None:
    """One teacher step above a segment's end nothing is left to the student; further up its own jump follows."""
    distiller = Distiller(networks, QUICK)
    windows = ClipFolder(clips, 3).draw(1, np.random.default_rng(0))
    told, sample = distiller.told(windows), windows.latents
    last = torch.tensor([749])  # of 999, 749, 499 ...: the next one is the boundary
    assert torch.allclose(distiller.goal(sample, last, told), distiller.guided(sample, last, told), atol=1e-3)
    first = torch.tensor([999])
    assert not torch.allclose(distiller.goal(sample, first, told), distiller.guided(sample, first, told), atol=1e-2)


def test_clips_keep_what_was_saved_and_windows_a_reference_from_elsewhere(clips: Path, networks: Networks) -> None:
    again = load_clip(clips / f"video-003{SUFFIX}", encoders_digest(networks))
    assert torch.equal(again.latents, clip(3).latents) and len(again) == 10
    folder = ClipFolder(clips, 9)
    assert not set(folder.learned) & set(folder.held_out) and len(folder.learned) + len(folder.held_out) == 12
    windows = folder.draw(4, np.random.default_rng(1))
    assert windows.latents.shape == (4, 4, 9, 8, 8) and windows.hands.shape == (4, 9, 2, 21, 2)
    for row in range(4):
        distances = (windows.latents[row] - windows.reference[row][:, None]).abs().amax(dim=(0, 2, 3))
        assert float(distances.min()) > 0


@pytest.mark.parametrize("content", [b"", b"\0" * 64])
def test_damaged_clips_are_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / f"bad{SUFFIX}").write_bytes(content)
    with pytest.raises(TrainingError, match="bad"):
        ClipFolder(tmp_path, 3)


def test_clips_of_other_weights_and_no_clips_are_refused(clips: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="other weights"):
        ClipFolder(clips, 3, "others")
    with pytest.raises(TrainingError, match="holds no clip"):
        ClipFolder(clips, 12)
    with pytest.raises(TrainingError, match="holds no clip"):
        ClipFolder(tmp_path / "none", 3)
