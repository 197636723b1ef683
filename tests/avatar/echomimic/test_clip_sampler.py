"""A whole clip, as the original denoises it."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the gpu extra is not installed")

from avatar.echomimic.clip_sampler import sample_clip  # noqa: E402
from avatar.echomimic.config import TINY  # noqa: E402
from avatar.echomimic.ddim import ddim_scheduler  # noqa: E402
from avatar.echomimic.networks import Networks  # noqa: E402
from avatar.echomimic.windows import circular_windows  # noqa: E402

SIDE = 8


def clip(tiny: Networks, frames: int) -> dict[str, object]:
    generator = torch.Generator().manual_seed(3)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator)

    with torch.no_grad():
        keys = tiny.denoiser.project_reference(tiny.reference(normal(1, 4, SIDE, SIDE))[0])
    return {
        "noise": normal(1, 4, frames, SIDE, SIDE),
        "audio": normal(1, frames, 50, TINY.unet.audio_channels),
        "pose": normal(1, TINY.unet.channels[0], frames, SIDE, SIDE),
        "reference": keys,
    }


def test_a_short_clip_is_plain_ddim(tiny: Networks) -> None:
    """Up to 12 frames there is one window, which only turns with the steps."""
    given = clip(tiny, 5)
    scheduler = ddim_scheduler(2)
    sample = given["noise"]
    with torch.no_grad():
        for number, timestep in enumerate(scheduler.timesteps):
            (window,) = circular_windows(5, number)
            back = torch.argsort(torch.tensor(window))
            velocity = tiny.denoiser(
                sample[:, :, window],
                timestep,
                given["audio"][:, window],
                given["pose"][:, :, window],
                given["reference"],
            )[:, :, back]
            sample = scheduler.step(velocity, int(timestep), sample).prev_sample
    assert torch.allclose(sample_clip(tiny.denoiser, scheduler, **given), sample, atol=1e-6)


def test_overlaps_are_averaged(tiny: Networks) -> None:
    """One step over 14 frames: two windows that share ten of them."""
    given = clip(tiny, 14)
    seen = []
    sample_clip(tiny.denoiser, ddim_scheduler(1), **given, on_step=lambda *step: seen.append(step))
    ((number, before, velocity, after),) = seen
    assert number == 0 and torch.equal(before, given["noise"])
    total, count = torch.zeros(14), torch.zeros(14)
    with torch.no_grad():
        for window in circular_windows(14, 0):
            one = tiny.denoiser(
                given["noise"][:, :, window],
                torch.tensor(999),
                given["audio"][:, window],
                given["pose"][:, :, window],
                given["reference"],
            )
            total[window] += one[0, 0, :, 0, 0]
            count[window] += 1
    assert count.tolist() == [2] * 7 + [1] * 2 + [2] * 3 + [1] * 2 and torch.allclose(
        velocity[0, 0, :, 0, 0], total / count, atol=1e-5
    )
    assert not torch.equal(after, before)


def test_guidance(tiny: Networks) -> None:
    given = clip(tiny, 4)
    velocities = []
    for guidance in (1.0, 2.5):
        sample_clip(
            tiny.denoiser, ddim_scheduler(1), **given, guidance=guidance,
            on_step=lambda number, before, velocity, after: velocities.append(velocity),
        )  # fmt: skip
    with torch.no_grad():
        free = tiny.denoiser(given["noise"], torch.tensor(999), torch.zeros_like(given["audio"]), None, None)
    told, guided = velocities
    assert torch.allclose(guided, free + 2.5 * (told - free), atol=1e-4)


def test_no_hands_at_all(tiny: Networks) -> None:
    given = clip(tiny, 4)
    out = sample_clip(tiny.denoiser, ddim_scheduler(1), **{**given, "pose": None}, guidance=2.0)
    assert out.shape == (1, 4, 4, SIDE, SIDE) and out.isfinite().all()


def test_the_same_seed_gives_the_same_clip(tiny: Networks) -> None:
    given = clip(tiny, 13)
    first, second = (sample_clip(tiny.denoiser, ddim_scheduler(2), **given) for _ in range(2))
    assert torch.equal(first, second)
