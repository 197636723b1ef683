from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from avatar.errors import PersonaError
from avatar.frame_cost import frame_cost_ms
from avatar.motion.motion import Motion
from avatar.persona import BUILT_IN_DIR, BUILT_IN_ORDER, Persona
from avatar.renderers import FRAMINGS, SIZES, open_renderer


@pytest.mark.parametrize("name", BUILT_IN_ORDER)
def test_built_in_personas_open(name: str) -> None:
    renderer = open_renderer(BUILT_IN_DIR / name, size=256)
    (frame,) = renderer.render(Motion.zeros(1))
    assert frame.shape == (256, 256, 3)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"renderer": "hologram"}, "hologram.*portrait"),
        ({"size": 500}, ".*".join(map(str, SIZES))),
        ({"framing": "feet"}, ".*".join(FRAMINGS)),
    ],
)
def test_unknown_choices_are_answered_with_the_known(changes: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        open_renderer(BUILT_IN_DIR / "helen", **changes)  # type: ignore[arg-type]


def test_a_damaged_rig_is_a_persona_error_that_names_the_persona(tmp_path: Path, helen: Persona) -> None:
    shutil.copytree(helen.path, tmp_path / "helen")
    (tmp_path / "helen" / "rig.npz").write_bytes(b"not a rig")
    with pytest.raises(PersonaError, match="'helen'"):
        open_renderer(tmp_path / "helen")


def test_the_cost_of_a_frame_is_measured(helen: Persona) -> None:
    assert 0 < frame_cost_ms(helen.path, size=256, frames=3) < 1000
