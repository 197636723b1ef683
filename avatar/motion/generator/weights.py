"""The trained weights: a folder of a few files, described and sealed by its ``card.json``.

    encoder.onnx          see ``encoder``
    hindsight.npz         ``hindsight.Hindsight``
    student.onnx          see ``sampler``
    hands.npz             ``state.HandBasis``
    normalisation.npz     ``state.Normalisation``
    card.json             {"format": 1, "files": {name: SHA-256 in hex}, "state": names, "condition": names,
                           "phones": names, "contacts": {"sealed": {"on": .., "off": ..}, "touching": {..}}, ...}

The card is also the model card: what else it says (data, recipe, measures, limits) is for people.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from avatar.errors import MotionWeightsError
from avatar.motion.generator import encoder, phones, sampler
from avatar.motion.generator.condition import CONDITION, C
from avatar.motion.generator.contacts import Threshold
from avatar.motion.generator.encoder import ContactThresholds, SoundEncoder
from avatar.motion.generator.features import BANDS, HOPS_PER_FRAME
from avatar.motion.generator.hindsight import Hindsight
from avatar.motion.generator.network import Network, OnnxNetwork
from avatar.motion.generator.sampler import FEWEST_FRAMES, PLAYED_FRAMES, PREFIX_FRAMES, Sampler
from avatar.motion.generator.state import STATE, D, HandBasis, Normalisation

SHIPPED_DIR = Path(__file__).parent / "weights"
CARD = "card.json"
FILES = ("encoder.onnx", "hindsight.npz", "student.onnx", "hands.npz", "normalisation.npz")
FORMAT = 1
_CURE = "Install Parley again, or set avatar.motion to rules."


@dataclass(frozen=True, slots=True, eq=False)
class MotionModel:
    """Everything that a learned source of motion shares with the others in its process.

    Attributes:
        encoder_network, sampler, hands: the trained parts.
        thresholds: where contacts begin and end.
        hindsight: reads mouths again with those that follow.
    """

    encoder_network: Network
    sampler: Sampler
    hands: HandBasis
    thresholds: ContactThresholds
    hindsight: Hindsight

    def encoder(self) -> SoundEncoder:
        """One for each stream of sound."""
        return SoundEncoder(self.encoder_network, self.thresholds)

    def warm_up(self) -> None:
        """Run both networks once: the first run plans their memory, which would delay a first frame by some 20 ms."""
        self.encoder().push(np.zeros((4 * HOPS_PER_FRAME, BANDS), np.float32))
        self.sampler.draw(
            np.zeros((PLAYED_FRAMES, D), np.float32),
            np.zeros((PREFIX_FRAMES + FEWEST_FRAMES, C), np.float32),
            np.zeros((FEWEST_FRAMES, D), np.float32),
        )


def checksum(path: Path) -> str:
    """SHA-256 of a file, in hex, as the card holds it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check(folder: Path = SHIPPED_DIR) -> dict[str, Any]:
    """Whether the folder holds whole weights that this version understands; loads none of them (10 ms).

    Returns:
        The card.

    Raises:
        MotionWeightsError: code ``motion_weights_missing`` or ``motion_weights_damaged``.
    """
    if not (folder / CARD).is_file():
        raise MotionWeightsError(
            f"The learned motion's weights are not in {folder}: there is no {CARD}. {_CURE}",
            code="motion_weights_missing",
        )
    try:
        card = json.loads((folder / CARD).read_text(encoding="utf-8"))
        version, files = card["format"], dict(card["files"])
        layouts = [list(card[name]) for name in ("state", "condition", "phones")]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise MotionWeightsError(f"{folder / CARD} cannot be understood ({error!r}). {_CURE}") from error
    if version != FORMAT or layouts != [list(STATE), list(CONDITION), list(phones.NAMES)]:
        raise MotionWeightsError(f"The weights in {folder} were made for another version of Parley. {_CURE}")
    for name in FILES:
        if not (folder / name).is_file():
            raise MotionWeightsError(
                f"The learned motion's weights are not whole: {folder / name} is missing. {_CURE}",
                code="motion_weights_missing",
            )
        if checksum(folder / name) != files.get(name):
            raise MotionWeightsError(
                f"{folder / name} is damaged: its SHA-256 is not the one that {CARD} names. {_CURE}"
            )
    return card  # type: ignore[no-any-return]


@lru_cache(maxsize=2)
def load(folder: Path = SHIPPED_DIR) -> MotionModel:
    """The trained model, checked, loaded and warm; one for all conversations of a process.

    Raises:
        MotionWeightsError: see ``check``.
    """
    card = check(folder)
    try:
        hands = HandBasis.load(folder / "hands.npz")
        normalisation = Normalisation.load(folder / "normalisation.npz")
        hindsight = Hindsight.load(folder / "hindsight.npz")
        thresholds = ContactThresholds(*(Threshold(**card["contacts"][name]) for name in ("sealed", "touching")))
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise MotionWeightsError(f"The weights in {folder} cannot be read ({error!r}). {_CURE}") from error
    if normalisation.condition_mean.shape != (C,):
        raise MotionWeightsError(f"The weights in {folder} were made for another version of Parley. {_CURE}")
    model = MotionModel(
        OnnxNetwork(folder / "encoder.onnx", encoder.INPUTS, encoder.OUTPUTS),
        Sampler(OnnxNetwork(folder / "student.onnx", sampler.INPUTS, sampler.OUTPUTS), normalisation),
        hands,
        thresholds,
        hindsight,
    )
    model.warm_up()
    return model
