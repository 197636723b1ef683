"""The original's windows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from avatar.echomimic.windows import V1_AUDIO_SHIFT, circular_windows


def test_against_the_original(fixtures: Path) -> None:
    with np.load(fixtures / "parity_v2.npz", allow_pickle=False) as arrays:
        for frames in (5, 12, 13, 21, 24, 48, 120, 240):
            assert circular_windows(frames, 0) == arrays[f"windows|L{frames}_idx"].tolist()
            assert circular_windows(frames, 2) == arrays[f"windows|L{frames}_step2"].tolist()


@given(frames=st.integers(1, 300), step=st.integers(0, 40))
def test_every_frame_is_covered(frames: int, step: int) -> None:
    windows = circular_windows(frames, step)
    assert {frame for window in windows for frame in window} == set(range(frames))
    assert all(len(window) == len(set(window)) == min(frames, 12) for window in windows)


def test_v1s_audio_mode_moves_by_two() -> None:
    assert circular_windows(24, 1, shift=V1_AUDIO_SHIFT)[0][0] == 2


def test_windows_must_move_on() -> None:
    with pytest.raises(ValueError, match="12 frames cannot share 12"):
        circular_windows(24, 0, overlap=12)
