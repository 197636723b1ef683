"""Fixtures of the same layout and other sizes, seeds, lengths and timesteps; and files whose arrays do not fit together."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the gpu extra is not installed")

from avatar.echomimic import parity  # noqa: E402
from avatar.echomimic.networks import Networks  # noqa: E402
from avatar.echomimic.parity import check  # noqa: E402
from tests.avatar.echomimic.fixture_files import (  # noqa: E402
    SENSITIVITIES,
    Layout,
    main_arrays,
    run_arrays,
    use_tiny,
    write,
)

Make = Callable[[Networks, Layout], dict[str, Any]]


@pytest.fixture(scope="module")
def ordinary(tiny: Networks) -> Callable[[Make], dict[str, Any]]:
    """Arrays of the ordinary layout, made once and copied."""
    made: dict[Make, dict[str, Any]] = {}

    def arrays(make: Make) -> dict[str, Any]:
        if make not in made:
            made[make] = make(tiny, Layout())
        return dict(made[make])

    return arrays


LAYOUTS = {
    "tall, many frames, 30 fps": Layout(
        seed=7, frames=13, height=24, width=8, timesteps=(832, 166), guidance_t=32, guidance_frames=13,
        samples=23_456, fps=30, clip_frames=25, clip_height=128, clip_width=64, clip_steps=3, clips=(1, 12, 37, 300),
        window_step=5,
    ),
    "one frame, one step, odd lengths": Layout(
        seed=8, frames=1, height=8, width=32, timesteps=(0, 500, 999), guidance_t=999, guidance_frames=1,
        samples=5_001, fps=25, clip_frames=1, clip_steps=1, clips=(11, 22), window_step=29,
    ),
    "seven frames, six steps, sides that cannot be halved": Layout(
        seed=9, frames=32, height=12, width=9, clip_height=96, clip_width=72, clip_frames=7, clip_steps=6, samples=40_000,
    ),
}  # fmt: skip


@pytest.fixture(autouse=True)
def tiny_width(tiny: Networks, monkeypatch: pytest.MonkeyPatch) -> None:
    use_tiny(tiny, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("name", LAYOUTS)
def test_other_sizes_seeds_and_lengths(name: str, tiny: Networks, tmp_path: Path) -> None:
    """Everything in them is compared, and agrees."""
    layout = LAYOUTS[name]
    files = [
        write(tmp_path / "main.npz", main_arrays(tiny, layout)),
        write(tmp_path / "run.npz", run_arrays(tiny, layout)),
    ]
    runs = check(files)
    assert [[result for result in run.results if not result.passed] for run in runs] == [[], []]
    assert [run.not_compared for run in runs] == [[], []]
    assert [len(run.results) + len(inputs(run.fixture)) for run in runs] == [len(run.fixture.names) for run in runs]


def inputs(fixture: parity.Fixture) -> list[str]:
    given = ("|in", "|sample", "|v", "|fps", "|pcm16k_int16", "|hands", "|hands_score", "|draw_pose_params")
    return [
        name
        for name in fixture.names
        if (name.startswith("in|") or name.endswith(given) or "|in_" in name) and not name.startswith("step")
    ]


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("den|out_t999", {"den|out_t999": 1.001}),
        ("step1|v", {"step1|v": 0.99}),
        ("audio|feat", {"audio|feat": 1.0001}),
        ("ref|out_prehead", {"ref|out_prehead": 1.0001}),
        ("out|video_f32_frames_0_7_13", {"out|video_f32_frames_0_7_13": 1.01}),
        ("den|trace_t999|mid_block|slice", {"den|trace_t999|mid_block|slice": 1.01}),
    ],
)
def test_an_array_that_is_another_is_beyond_tolerance(
    name: str, changes: dict[str, float], ordinary: Callable[[Make], dict[str, Any]], tmp_path: Path
) -> None:
    arrays = ordinary(run_arrays if name.startswith(("step", "out")) else main_arrays)
    for changed, factor in changes.items():
        arrays[changed] = np.asarray(arrays[changed]) * np.float32(factor)
    (run,) = check([write(tmp_path / "changed.npz", arrays)])
    assert [result.array for result in run.results if not result.passed] == [name]


def test_a_run_of_which_some_steps_are_kept(tiny: Networks, tmp_path: Path) -> None:
    """How many it had is seen from the timesteps of those."""
    arrays = run_arrays(tiny, Layout(clip_steps=6, clip_frames=3))
    kept = {name: value for name, value in arrays.items() if not name.startswith(("step1|", "step2|", "step4|"))}
    (run,) = check([write(tmp_path / "some.npz", kept)])
    assert all(result.passed for result in run.results) and "step5|v" in {result.array for result in run.results}


def test_what_is_not_known_is_named(ordinary: Callable[[Make], dict[str, Any]], tmp_path: Path) -> None:
    """A layer that only the original has, and a mistake that nobody here knows how to make."""
    arrays = ordinary(main_arrays) | {
        "den|trace_t999|conv_act|mean_std": [0.0, 1.0],
        "den|sensitivity_names": ["pose_zero", "left_is_right"],
        "den|sensitivity": [0.1, 0.2],
    }
    (run,) = check([write(tmp_path / "novel.npz", arrays)], sensitivity=True)
    assert run.not_compared == ["den|trace_t999|conv_act|mean_std", "den|sensitivity|left_is_right"]
    assert list(run.moved) == ["pose_zero"]


def test_sensitivities_of_another_file(tiny: Networks, tmp_path: Path) -> None:
    """Measured once, they are found again, each by itself."""
    arrays = main_arrays(tiny, Layout(seed=4, frames=3, height=8, width=24, timesteps=(499, 999)))
    names = {"den|sensitivity_names": SENSITIVITIES, "den|sensitivity": np.zeros(len(SENSITIVITIES))}
    (first,) = check([write(tmp_path / "zero.npz", arrays | names)], sensitivity=True)
    names["den|sensitivity"] = np.array([first.moved[name] for name in SENSITIVITIES])
    (second,) = check([write(tmp_path / "right.npz", arrays | names)], sensitivity=True)
    assert all(result.passed for result in second.results)
    names["den|sensitivity"][3] *= 1.01
    (third,) = check([write(tmp_path / "wrong.npz", arrays | names)], sensitivity=True)
    assert [result.array for result in third.results if not result.passed] == [f"den|sensitivity|{SENSITIVITIES[3]}"]


@pytest.mark.parametrize(
    "changes",
    [
        {"den|in_latents": np.zeros((1, 4, 5, 12, 16), np.float32)},
        {"den|in_latents": np.zeros((1, 4, 33, 16, 16), np.float32)},
        {"den|in_latents": np.zeros(7, np.float32)},
        {"den|in_audio": np.zeros((1, 5, 50, 3), np.float32)},
        {"ref|in_latents": np.zeros((1, 9, 16, 16), np.float32)},
        {"audio|pcm16k_int16": np.zeros(10, np.int16)},
        {"audio|fps": np.array("many")},
        {"pose_encoder|in": np.zeros((2, 2), np.float32)},
        {"pose_render|7|hands": np.zeros((2, 3), np.float32)},
        {"den|in_pose_fea": np.zeros((1, 3, 5, 16, 16), np.float32)},
        {"ddim|sample": np.array(["a"])},
        {"windows|L0_n": np.array(0)},
    ],
    ids=lambda changes: ", ".join(f"{name} {array.shape}" for name, array in changes.items()),
)
def test_arrays_that_do_not_fit_together(
    changes: dict[str, Any],
    ordinary: Callable[[Make], dict[str, Any]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One line that names the file, and an exit status that is not success; never a traceback."""
    path = write(tmp_path / "odd.npz", ordinary(main_arrays) | changes)
    assert parity.main([str(path)]) in (1, 2)
    said = capsys.readouterr()
    assert ("BEYOND" in said.out) or (said.err.startswith("parity: ") and "odd.npz" in said.err)
    assert said.err.count("\n") <= 1
