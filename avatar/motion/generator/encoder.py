"""The sound encoder at run time: log-mel hops in, what speech fixes of the mouth out, state carried.

The network (``encoder.onnx``, made by ``avatar.motion.training.export``) takes ``mel`` [1, hops, 64], less its running mean, hops a multiple
of four, and ``state`` [1, S], zeros at the beginning of a stream; it gives ``mouth`` [1, hops / 4, 11], ``contacts`` [1, hops / 4, 2] and
``phones`` [1, hops / 4, classes] as logits, and ``next_state`` [1, S]. What it gives lags by 80 ms: the first two frames of a stream
are of no frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from avatar.motion.generator.contacts import Threshold, decide
from avatar.motion.generator.features import BANDS, HOPS_PER_FRAME, LOOK_AHEAD_FRAMES
from avatar.motion.generator.network import Network

INPUTS = {"mel", "state"}
OUTPUTS = {"mouth", "contacts", "phones", "next_state"}


@dataclass(frozen=True, slots=True)
class ContactThresholds:
    """Probabilities at which lips seal, and lip and teeth touch; chosen with the weights, on held-out voices."""

    sealed: Threshold
    touching: Threshold


@dataclass(frozen=True, slots=True, eq=False)
class HeardMouth:
    """What some frames of sound ask of the mouth.

    Attributes:
        mouth: parameters before contacts are enforced, about 0..1, float32 [frames, COUNT]; see ``hindsight``.
        sealed, touching: contacts, bool [frames].
        phones: probabilities of the phone classes, float32 [frames, classes].
    """

    mouth: NDArray[np.float32]
    sealed: NDArray[np.bool_]
    touching: NDArray[np.bool_]
    phones: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.mouth)


class SoundEncoder:
    """Reads one stream of sound.

    Args:
        network: see the module; may be shared with other streams.
        thresholds: of contacts.
    """

    def __init__(self, network: Network, thresholds: ContactThresholds) -> None:
        self._network = network
        self._thresholds = thresholds
        size = network.shape("state")[1]
        assert size is not None, "the encoder's state has a fixed size"
        self._zeros = np.zeros((1, size), np.float32)
        self.restart()

    def restart(self) -> None:
        """What comes next has silence before it."""
        self._state = self._zeros
        self._of_no_frame = LOOK_AHEAD_FRAMES
        self._sealed = self._touching = False

    def push(self, mel: NDArray[np.float32]) -> HeardMouth:
        """Hear more; frames come back once 80 ms of sound after them are there.

        Args:
            mel: what follows, less its running mean, float32 [hops, BANDS].

        Raises:
            ValueError: hops are no whole number of frames.
        """
        if mel.shape[1:] != (BANDS,) or len(mel) % HOPS_PER_FRAME or not len(mel):
            raise ValueError(f"the encoder hears whole frames of [{HOPS_PER_FRAME}, {BANDS}] hops, not {mel.shape}")
        given = self._network.run({"mel": np.ascontiguousarray(mel[None], np.float32), "state": self._state})
        self._state = given["next_state"]
        first = min(self._of_no_frame, len(given["mouth"][0]))
        self._of_no_frame -= first
        logits = np.clip(given["contacts"][0, first:], -30.0, 30.0)  # beyond, exp would overflow and nothing change
        contacts = (1.0 / (1.0 + np.exp(-logits))).astype(np.float32)
        sealed, self._sealed = decide(contacts[:, 0], self._thresholds.sealed, self._sealed)
        touching, self._touching = decide(contacts[:, 1], self._thresholds.touching, self._touching)
        return HeardMouth(given["mouth"][0, first:], sealed, touching & ~sealed, _softmax(given["phones"][0, first:]))


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    out: NDArray[np.float32] = e / e.sum(axis=1, keepdims=True)
    return out
