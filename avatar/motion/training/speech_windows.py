"""Windows of speech for the sound encoder, cut from the speech shards.

A row of a batch is one voice's renditions, one after the other, begun in the middle of one: as a conversation's sound comes, not
as a corpus is stored. Part of the rows are preceded by sound that only the running mean hears, as in the middle of a conversation.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from avatar.motion.generator.features import HOPS_PER_FRAME, SILENT_MEL
from avatar.motion.generator.mean import CausalMean
from avatar.motion.training.learning import TrainingError
from avatar.motion.training.mel_augmentation import augment

WARM_HOPS = 160
"""Heard by the running mean alone, in the rows that are warm."""
_WARM_SHARE = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Rendition:
    """One utterance as one microphone heard it.

    Attributes:
        mel: un-normalised log-mel, float16 [hops, BANDS]; hops is four times the frames.
        mouth: the rules' mouth before contacts, float16 [frames, 11].
        contacts: sealed and touching, bool [frames, 2].
        phones: class heard at each hop, uint8 [hops].
    """

    mel: NDArray[np.float16]
    mouth: NDArray[np.float16]
    contacts: NDArray[np.bool_]
    phones: NDArray[np.uint8]
    voice: str
    engine: str
    language: str
    kind: str

    @property
    def frames(self) -> int:
        return len(self.mouth)


@dataclass(frozen=True, slots=True)
class Windows:
    """A batch: ``mel`` [rows, hops, BANDS] normalised, ``mouth`` [rows, frames, 11], ``contacts`` float [rows, frames, 2], ``phones``
    int64 [rows, hops]."""

    mel: Tensor
    mouth: Tensor
    contacts: Tensor
    phones: Tensor


def read_shard(path: Path) -> list[Rendition]:
    """All renditions of a shard; see ``synthesis.shards`` for its format."""
    with np.load(path, allow_pickle=False) as file:
        data = {name: file[name] for name in file.files if name not in ("pcm16k", "text")}
    contacts = np.stack([data["sealed"], data["touching"]], axis=1).astype(bool)
    out = []
    for r, u in enumerate(data["rendition_utterance"].tolist()):
        mel = data["rendition_mel"][data["rendition_offset"][r] : data["rendition_offset"][r + 1]]
        f0, f1 = data["frame_offset"][u : u + 2].tolist()
        h0, h1 = data["hop_offset"][u : u + 2].tolist()
        frames = min(f1 - f0, len(mel) // HOPS_PER_FRAME, (h1 - h0) // HOPS_PER_FRAME)
        if frames < HOPS_PER_FRAME:
            continue
        hops = frames * HOPS_PER_FRAME
        out.append(
            Rendition(
                mel[:hops],
                data["mouth"][f0 : f0 + frames],
                contacts[f0 : f0 + frames],
                data["phone"][h0 : h0 + hops],
                str(data["voice"][u]),
                str(data["engine"][u]),
                str(data["language"][u]),
                str(data["rendition_kind"][r]),
            )
        )
    return out


class SpeechLibrary:
    """Renditions of the shards in a folder; ``refresh`` reads those that came since.

    Args:
        folder: of one split, with ``*.npz``.
        leave_out: engines not to read.
    """

    def __init__(self, folder: Path, leave_out: frozenset[str] = frozenset()) -> None:
        self.folder = folder
        self.renditions: list[Rendition] = []
        self._leave_out = leave_out
        self._read: set[str] = set()
        self._of_voice: dict[tuple[str, str], list[int]] = defaultdict(list)
        self._ends = np.zeros(0, np.int64)

    def refresh(self) -> int:
        """Read new shards, in the order of their names; returns how many."""
        fresh = [path for path in sorted(self.folder.glob("*.npz")) if path.name not in self._read]
        for path in fresh:
            self._read.add(path.name)
            for rendition in read_shard(path):
                if rendition.engine not in self._leave_out:
                    self._of_voice[rendition.engine, rendition.voice].append(len(self.renditions))
                    self.renditions.append(rendition)
        if fresh:
            self._ends = np.cumsum([rendition.frames for rendition in self.renditions])
        return len(fresh)

    @property
    def hours(self) -> dict[str, float]:
        """Of renditions, by engine."""
        total: dict[str, float] = defaultdict(float)
        for rendition in self.renditions:
            total[rendition.engine] += rendition.frames / 25 / 3600
        return dict(total)

    def draw(self, rows: int, hops: int, rng: np.random.Generator) -> Windows:
        """A batch of augmented windows; every frame is equally likely to begin one, so shares of voices are the corpus's.

        Raises:
            TrainingError: no shard was read.
        """
        if not self.renditions:
            raise TrainingError(f"no speech shards in {self.folder}: make some with `parley motion synthesize`")
        total = WARM_HOPS + hops
        mel = np.empty((rows, total, self.renditions[0].mel.shape[1]), np.float32)
        mouth = np.empty((rows, total // HOPS_PER_FRAME, self.renditions[0].mouth.shape[1]), np.float32)
        contacts = np.empty((rows, total // HOPS_PER_FRAME, 2), np.float32)
        phones = np.empty((rows, total), np.int64)
        for row in range(rows):
            place = int(rng.integers(self._ends[-1]))
            chosen = int(np.searchsorted(self._ends, place, side="right"))
            first = self.renditions[chosen]
            frame = place - int(self._ends[chosen]) + first.frames
            at = 0
            while at < total:
                rendition = self.renditions[chosen]
                take = min(rendition.frames - frame, (total - at) // HOPS_PER_FRAME)
                to, of = (
                    slice(at, at + take * HOPS_PER_FRAME),
                    slice(frame * HOPS_PER_FRAME, (frame + take) * HOPS_PER_FRAME),
                )
                mel[row, to], phones[row, to] = rendition.mel[of], rendition.phones[of]
                to, of = slice(at // HOPS_PER_FRAME, at // HOPS_PER_FRAME + take), slice(frame, frame + take)
                mouth[row, to], contacts[row, to] = rendition.mouth[of], rendition.contacts[of]
                at += take * HOPS_PER_FRAME
                frame = 0
                chosen = int(rng.choice(self._of_voice[first.engine, first.voice]))
        heard = augment(torch.from_numpy(mel), rng).clamp(min=SILENT_MEL).numpy()
        normal = np.empty((rows, hops, mel.shape[2]), np.float32)
        for row in range(rows):
            mean = CausalMean()
            if rng.random() < _WARM_SHARE:
                mean.push(heard[row, :WARM_HOPS])
            normal[row] = mean.push(heard[row, WARM_HOPS:])
        skip = WARM_HOPS // HOPS_PER_FRAME
        return Windows(
            torch.from_numpy(normal),
            torch.from_numpy(mouth[:, skip:]),
            torch.from_numpy(contacts[:, skip:]),
            torch.from_numpy(phones[:, WARM_HOPS:]),
        )
