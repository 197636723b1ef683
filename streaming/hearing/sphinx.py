"""pocketsphinx: English without a download, the embedded stand-in for a real recognizer (CMU Sphinx, BSD)."""

from __future__ import annotations

import importlib.util
import os

from streaming.errors import EngineUnavailable
from streaming.hearing.helper import HelperTranscriber


class SphinxTranscriber(HelperTranscriber):
    """Args:
    processes: helper processes; one keeps up with six users who speak at the same moment.

    Raises:
        EngineUnavailable: the package is not installed.
    """

    believed_when_brief = False
    """It needs a second of sound to know the voice; from an "uh-huh" it makes "but the", two words of nothing."""

    def __init__(self, *, processes: int | None = None) -> None:
        if importlib.util.find_spec("pocketsphinx") is None:
            raise EngineUnavailable(
                "pocketsphinx is not installed. Install it (pip install pocketsphinx) or choose another transcriber."
            )
        if processes is None:
            processes = 1 if (os.cpu_count() or 1) <= 2 else 2
        super().__init__(name="pocketsphinx", languages=("en",), engine="pocketsphinx", options={}, processes=processes)
