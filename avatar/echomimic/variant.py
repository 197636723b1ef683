"""Which of the released variants a folder is used as."""

from __future__ import annotations

from pathlib import Path

from avatar.echomimic.options import AUTO, RANDOM_WEIGHTS
from avatar.echomimic.released import Variant, complete_variants, missing_files
from avatar.errors import WeightsError

PREFERRED = (Variant.V2_ACCELERATED, Variant.V2, Variant.V1_AUDIO_ACCELERATED, Variant.V1_AUDIO)
"""``AUTO`` takes the first of these that is whole. V1's pose variants draw landmarks of a face, which nothing here makes."""


def choose_variant(folder: Path, wanted: str) -> Variant:
    """The variant by its name, or with ``AUTO`` the best that is whole (the first, where none is).

    Raises:
        WeightsError: no such variant.
    """
    if wanted == AUTO:
        whole = complete_variants(folder)
        return next((variant for variant in PREFERRED if variant in whole), PREFERRED[0])
    if wanted not in list(Variant):
        raise WeightsError(f"There is no variant {wanted!r} of EchoMimic; known: {', '.join(Variant)}.")
    return Variant(wanted)


def need_weights(weights: str, wanted: str) -> None:
    """Find out before anybody calls.

    Raises:
        WeightsError: code ``weights_missing``; the first lines say what is missing and how to get it.
    """
    if weights == RANDOM_WEIGHTS:
        return
    folder = Path(weights)
    variant = choose_variant(folder, wanted)
    missing = missing_files(folder, variant)
    if missing:
        listed = ", ".join(file.path for file in missing)
        raise WeightsError(
            f"{folder} lacks files of {variant.value} ({listed}): `parley echomimic fetch {variant.value} {folder}` gets them.",
            code="weights_missing",
        )
