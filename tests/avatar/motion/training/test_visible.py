"""The differentiable measures are the numpy ones."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install 'parley[train]'")

from avatar.motion.speech.mouth import COUNT, JAW, SEAL, measures, to_channels  # noqa: E402
from avatar.motion.training.visible import MEASURES, visible  # noqa: E402


def test_they_agree_wherever_nothing_is_clipped() -> None:
    mouth = np.random.default_rng(0).uniform(0, 0.5, (500, COUNT)).astype(np.float32)
    mouth[:, SEAL] *= 2.0
    mouth[:, JAW] *= 0.4  # a sealed jaw is limited beyond this
    expected = measures(to_channels(mouth))
    got = visible(torch.from_numpy(mouth)).numpy()
    for i, name in enumerate(MEASURES):
        np.testing.assert_allclose(got[:, i], expected[name], atol=2e-6)
        assert expected[name].std() > 0.01


def test_gradients_reach_every_parameter_that_shows() -> None:
    mouth = torch.full((1, COUNT), 0.3, requires_grad=True)
    (visible(mouth) * torch.tensor([1.0, 2.0, 3.0])).sum().backward()
    assert (mouth.grad[0] != 0).sum() == 7
