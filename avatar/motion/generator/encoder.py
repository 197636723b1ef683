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

from avatar.motion.generator.features import BANDS, HOPS_PER_FRAME, LOOK_AHEAD_FRAMES
from avatar.motion.generator.network import Network

INPUTS = {"mel", "state"}
OUTPUTS = {"mouth", "contacts", "phones", "next_state"}


@dataclass(frozen=True, slots=True)
class ContactThresholds:
    """Probabilities at which a contact begins, and below which it ends: a closure of three frames must not flicker."""

    seal_on: float = 0.5
    seal_off: float = 0.35
    touch_on: float = 0.5
    touch_off: float = 0.35


@dataclass(frozen=True, slots=True, eq=False)
class HeardMouth:
    """What some frames of sound ask of the mouth.

    Attributes:
        mouth: parameters before contacts are enforced, 0..1, float32 [frames, COUNT].
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

    def __init__(self, network: Network, thresholds: ContactThresholds | None = None) -> None:
        self._network = network
        self._thresholds = thresholds or ContactThresholds()
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
            raise ValueError(f"the encoder hears whole frames of [4, {BANDS}] hops, not {mel.shape}")
        given = self._network.run({"mel": np.ascontiguousarray(mel[None], np.float32), "state": self._state})
        self._state = given["next_state"]
        first = min(self._of_no_frame, len(given["mouth"][0]))
        self._of_no_frame -= first
        contacts = 1.0 / (1.0 + np.exp(-given["contacts"][0, first:]))
        t = self._thresholds
        sealed = _held(contacts[:, 0], t.seal_on, t.seal_off, self._sealed)
        touching = _held(contacts[:, 1], t.touch_on, t.touch_off, self._touching) & ~sealed
        if len(sealed):
            self._sealed, self._touching = bool(sealed[-1]), bool(touching[-1])
        mouth = np.clip(given["mouth"][0, first:], 0.0, 1.0)
        return HeardMouth(mouth, sealed, touching, _softmax(given["phones"][0, first:]))


def _held(probability: NDArray[np.float32], on: float, off: float, held: bool) -> NDArray[np.bool_]:
    out = np.zeros(len(probability), bool)
    for i, p in enumerate(probability.tolist()):
        held = p >= (off if held else on)
        out[i] = held
    return out


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    out: NDArray[np.float32] = e / e.sum(axis=1, keepdims=True)
    return out
