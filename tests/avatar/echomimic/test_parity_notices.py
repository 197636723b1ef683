"""Every check of ``parity`` on tiny networks: it agrees with what they made, and notices each thing done wrong.

The released width is compared with the original's arrays in ``test_parity_full``; here the fixture is our own, so that the
comparison's own code runs in seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the gpu extra is not installed")

from avatar.echomimic import blocks, clip_sampler, spatial_transformer  # noqa: E402
from avatar.echomimic.motion_module import Positions  # noqa: E402
from avatar.echomimic.networks import Networks  # noqa: E402
from avatar.echomimic.parity import ONE_NETWORK, Run, check  # noqa: E402
from avatar.echomimic.reference_bank import ReferenceBank, ReferenceKeys  # noqa: E402
from tests.avatar.echomimic.fixture_files import (  # noqa: E402
    SENSITIVITIES,
    Layout,
    main_arrays,
    run_arrays,
    use_tiny,
    write,
)

LAYOUT = Layout()


@pytest.fixture(scope="module")
def main_file(tiny: Networks, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Arrays of the main fixture's layout."""
    arrays = main_arrays(tiny, LAYOUT)
    wrong = {"den|sensitivity_names": SENSITIVITIES, "den|sensitivity": np.zeros(len(SENSITIVITIES), np.float32)}
    return write(tmp_path_factory.mktemp("parity") / "main.npz", arrays | wrong)


@pytest.fixture(scope="module")
def run_file(tiny: Networks, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Arrays of the whole run's layout: 14 frames, two windows, two steps."""
    return write(tmp_path_factory.mktemp("parity") / "run.npz", run_arrays(tiny, LAYOUT))


@pytest.fixture(autouse=True)
def tiny_width(tiny: Networks, monkeypatch: pytest.MonkeyPatch) -> None:
    """The module's networks, at the tiny width."""
    use_tiny(tiny, monkeypatch)


def beyond(run: Run) -> set[str]:
    return {result.array for result in run.results if not result.passed}


def test_both_files_agree_with_themselves(main_file: Path, run_file: Path) -> None:
    runs = check([main_file, run_file])
    assert [beyond(run) for run in runs] == [set(), set()]
    assert runs[0].fixture.unasked == ["den|sensitivity", "den|sensitivity_names"] and not runs[1].fixture.unasked


def test_what_is_done_wrong_is_noticed(main_file: Path) -> None:
    """Far beyond tolerance, but for the order of audio tokens, which attention without positions cannot see."""
    (run,) = check([main_file], sensitivity=True)
    assert list(run.moved) == SENSITIVITIES
    assert run.moved.pop("audio_token_reversed") < ONE_NETWORK
    assert min(run.moved.values()) > 100 * ONE_NETWORK, run.moved
    assert beyond(run) == {f"den|sensitivity|{name}" for name in run.moved}, "this file's are all zero"


def test_doing_things_wrong_leaves_the_network_as_it_was(main_file: Path, tiny: Networks) -> None:
    before = [module.pe.clone() for module in tiny.denoiser.modules() if isinstance(module, Positions)]
    check([main_file], sensitivity=True)
    after = [module.pe for module in tiny.denoiser.modules() if isinstance(module, Positions)]
    assert all(torch.equal(*both) for both in zip(before, after, strict=True))
    (run,) = check([main_file])
    assert beyond(run) == set()


def all_rows_read(right: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    return lambda *inputs, unconditional=0, **named: right(*inputs, **named)


def exchanged(right: Callable[..., ReferenceKeys]) -> Callable[..., ReferenceKeys]:
    def wrong(self: Any, bank: ReferenceBank) -> ReferenceKeys:
        return ReferenceKeys({name: (values, keys) for name, (keys, values) in right(self, bank).keys_values.items()})

    return wrong


MISTAKES: dict[str, Callable[[pytest.MonkeyPatch, Networks], None]] = {
    "sound added once instead of three times": lambda patch, tiny: patch.setattr(
        spatial_transformer, "AUDIO_GAIN", 1.0
    ),
    "keys of the reference and its values exchanged": lambda patch, tiny: patch.setattr(
        type(tiny.denoiser), "project_reference", exchanged(type(tiny.denoiser).project_reference)
    ),
    "sines and cosines of the time exchanged": lambda patch, tiny: patch.setattr(
        tiny.denoiser.time_proj, "flip_sin_to_cos", False
    ),
    "guidance's first row reads the reference too": lambda patch, tiny: patch.setattr(
        type(tiny.denoiser), "forward", all_rows_read(type(tiny.denoiser).forward)
    ),
    "the bank not rounded where it should be": lambda patch, tiny: patch.setattr(
        ReferenceBank, "rounded", lambda bank: bank
    ),
    "motion modules before attention": lambda patch, tiny: patch.setattr(blocks.Level, "layer", motion_first),
}


def motion_first(self: blocks.Level, number: int, hidden: Any, time: Any, context: Any) -> Any:
    hidden = self.resnets[number](hidden, time)
    if self._motion:
        hidden = self.motion_modules[number](hidden, context.frames, context.memory)
    return self.attentions[number](hidden, context) if self._attention else hidden


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_the_denoiser(
    mistake: str, main_file: Path, tiny: Networks, monkeypatch: pytest.MonkeyPatch
) -> None:
    MISTAKES[mistake](monkeypatch, tiny)
    (run,) = check([main_file])
    wrong = beyond(run)
    assert any(name.startswith("den|") for name in wrong), wrong
    assert not any(name.startswith(("audio|", "pose_encoder|", "ref|")) for name in wrong)


@pytest.mark.parametrize(("shift", "overlap"), [(0, 3), (3, 2)])
def test_a_mistake_in_the_windows(shift: int, overlap: int, run_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right = clip_sampler.circular_windows
    monkeypatch.setattr(
        clip_sampler, "circular_windows", lambda frames, step, **_: right(frames, step, shift=shift, overlap=overlap)
    )
    (run,) = check([run_file])
    assert {"step1|v", "out|video_f32_frames_0_7_13"} <= beyond(run)
    assert ("step0|v" in beyond(run)) == (overlap != 3), "windows have not moved yet at the first step"
