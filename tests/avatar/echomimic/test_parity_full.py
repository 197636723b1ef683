"""The networks at their released width against the original code: minutes, and 6 GB of memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the gpu extra is not installed")

from avatar.echomimic.parity import ONE_NETWORK, WHOLE_RUN, Result, Run, check  # noqa: E402

pytestmark = [pytest.mark.echomimic_full, pytest.mark.slow, pytest.mark.timeout(7200)]

SENSITIVITIES = [
    "audio_zero",
    "audio_frame_roll1",
    "pose_zero",
    "bank_absent",
    "temporal_pe_zero",
    "motion_modules_off",
]


@pytest.fixture(scope="module")
def runs(fixtures: Path) -> list[Run]:
    """Both fixtures through every network, each built once."""
    return check([fixtures / "parity_v2.npz", fixtures / "parity_v2_e2e.npz"], sensitivity=True)


def results(run: Run, prefix: str) -> list[Result]:
    found = [result for result in run.results if result.array.startswith(prefix)]
    assert found, prefix
    return found


@pytest.mark.parametrize("part", ["audio|", "pose_render|", "pose_encoder|", "windows|", "ddim|", "ref|", "den|"])
def test_the_networks_one_by_one(runs: list[Run], part: str) -> None:
    beyond = [result for result in results(runs[0], part) if not result.passed]
    assert not beyond, beyond


@pytest.mark.parametrize("part", ["ref_latent", "step0|", "step1|", "out|"])
def test_the_whole_run(runs: list[Run], part: str) -> None:
    beyond = [result for result in results(runs[1], part) if not result.passed]
    assert not beyond, beyond


def test_nothing_is_left_uncompared(runs: list[Run]) -> None:
    assert [run.not_compared for run in runs] == [[], []]
    outputs = [
        result
        for run in runs
        for result in run.results
        if result.array.startswith(("den|", "step")) and not result.array.startswith("den|sensitivity")
    ]
    assert outputs and all(result.tolerance <= WHOLE_RUN for result in outputs)


@pytest.mark.parametrize("name", SENSITIVITIES)
def test_wrong_behaviour_is_noticed(runs: list[Run], name: str) -> None:
    """Each moves the output thousands of times further than is allowed, and as far as it moves the original's."""
    moved, theirs = sensitivity(runs[0], name)
    assert moved > 1000 * ONE_NETWORK
    assert moved == pytest.approx(theirs, rel=1e-3)


def test_the_order_of_audio_tokens_does_not_matter(runs: list[Run]) -> None:
    """Attention to the sound has no positions, so this is the noise floor."""
    moved, theirs = sensitivity(runs[0], "audio_token_reversed")
    assert moved < ONE_NETWORK and theirs < ONE_NETWORK


def sensitivity(run: Run, name: str) -> tuple[float, float]:
    names = run.fixture["den|sensitivity_names"].tolist()
    return run.moved[name], float(run.fixture["den|sensitivity"][names.index(name)])


def test_what_was_compared_includes_the_bank_in_both_precisions(runs: list[Run]) -> None:
    compared = {result.array for result in runs[0].results}
    assert {"den|out_t999", "den|out_t999_bankfp16", "den|out_t499", "den|cfg_out_t666_F4"} <= compared
    assert np.isfinite([result.error for run in runs for result in run.results]).all()
