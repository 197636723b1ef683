"""``EchoMimicRenderer``: one conversation's ``WindowRenderer``, drawn by an engine that all conversations share."""

from __future__ import annotations

import logging
import threading
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from avatar.echomimic.batch import Seat
from avatar.echomimic.config import TINY
from avatar.echomimic.engine import FRAME_S, Engine, PendingFrames
from avatar.echomimic.live_model import LiveModel, best_device, working_dtype
from avatar.echomimic.networks import Networks, synthetic_networks
from avatar.echomimic.options import RANDOM_WEIGHTS, Drive, Options
from avatar.echomimic.persona import Reference, fingerprint, open_reference
from avatar.echomimic.pose_map import draw_hands, paste
from avatar.echomimic.poses import PoseLoops, PoseSequence
from avatar.echomimic.running_sound import LOOKAHEAD_SAMPLES
from avatar.echomimic.variant import choose_variant
from avatar.echomimic.weights import load_networks
from avatar.persona import Persona
from avatar.renderer import Drawing, Stretch
from avatar.speech import BEAT_SAMPLES

log = logging.getLogger(__name__)

RANDOM_SIZE = 64
"""Random networks draw this small, enlarged: what they draw shows nothing, and a CPU has to keep up."""

RANDOM_LABEL = "RANDOM WEIGHTS: DEMONSTRATION ONLY"


def open_renderer(persona: Persona, size: int, framing: str, options: Options, seed: int = 0) -> EchoMimicRenderer:
    """A conversation's renderer. The first one loads the networks (minutes from a slow disk) and measures the device.

    Raises:
        WeightsError: the weights are not there, or damaged.
        PersonaError: the persona's picture cannot be read.
        MediaFileError: a pose sequence cannot be read.
        RendererBusy, RendererFailed: see ``Engine.sit``.
    """
    speaking, idle = (PoseSequence.load(Path(path)) if path else None for path in (options.poses, options.idle_poses))
    if options.drive is Drive.SOUND:
        speaking = idle = None
    desk = _desk(options, size)
    reference = desk.reference(persona, framing)
    seat = desk.engine.sit(reference, seed)
    return EchoMimicRenderer(desk.engine, seat, PoseLoops(speaking, idle), options.drive, size)


def open_networks(options: Options) -> Networks:
    """The networks that the options name, on the CPU or the GPU.

    Raises:
        WeightsError: the weights are not there, or damaged.
    """
    if options.weights == RANDOM_WEIGHTS:
        return synthetic_networks(TINY)
    device = best_device()
    folder = Path(options.weights)
    return load_networks(
        folder,
        choose_variant(folder, options.variant),
        device=device,
        dtype=working_dtype(options.precision, device),
        progress=lambda name: log.info("EchoMimic: %s", name),
    )


def drawn_size(networks: Networks, size: int) -> int:
    """Side of what the networks draw for frames of ``size``."""
    return min(size, RANDOM_SIZE) if networks.synthetic else size


class _Desk:
    """An engine, and the references of the personas that it draws now."""

    KEPT = 4

    def __init__(self, options: Options, size: int) -> None:
        networks = open_networks(options)
        model = LiveModel(networks, options, drawn_size(networks, size), best_device())
        self._weights = fingerprint(networks)
        self._cache = Path(options.cache) if options.cache else None
        self._references: dict[tuple[str, str], Reference] = {}
        self._lock = threading.Lock()
        self.engine = Engine(model, options)
        log.info("EchoMimic draws %d conversations at once here", self.engine.capacity)

    def reference(self, persona: Persona, framing: str) -> Reference:
        """Shared by the conversations that show this persona."""
        key = (persona.manifest.picture_sha256, framing)
        with self._lock:
            found = self._references.pop(key, None)
            if found is None:
                model = self.engine.model
                found = open_reference(persona, model.networks, model.size, framing, self._cache, weights=self._weights)
            self._references[key] = found
            while len(self._references) > self.KEPT:
                del self._references[next(iter(self._references))]
            return found


_desks: dict[tuple[Options, int], _Desk] = {}
_opening = threading.Lock()


def _desk(options: Options, size: int) -> _Desk:
    """One a process for each set of options: two copies of the networks would not fit."""
    with _opening:
        key = (options, size)
        if key not in _desks:
            _desks[key] = _Desk(options, size)
        return _desks[key]


class EchoMimicRenderer:
    """See ``avatar.renderer.WindowRenderer``.

    Args:
        engine: that draws.
        seat: of this conversation.
        hands: what they do.
        drive: what moves the picture.
        size: side of the frames.
    """

    def __init__(self, engine: Engine, seat: Seat, hands: PoseLoops, drive: Drive, size: int) -> None:
        self.width = self.height = size
        self.window = engine.window
        self.lookahead_samples = LOOKAHEAD_SAMPLES + engine.batch.frames_ahead * BEAT_SAMPLES
        self._engine = engine
        self._seat = seat
        self._hands = hands
        self._drive = drive

    @property
    def lead(self) -> int:
        return self._engine.lead_frames

    def draw(self, stretch: Stretch) -> Drawing:
        """See ``WindowRenderer.draw``."""
        model = self._engine.model
        hands = self._hands.take(stretch.motion, stretch.speaking)
        maps = None if self._seat.reference.mask is not None else draw_maps(hands, model.size)
        if self._drive is Drive.POSES:
            stretch = Stretch(
                stretch.first,
                stretch.motion,
                np.zeros_like(stretch.pcm48k),
                np.zeros_like(stretch.ahead48k),
                np.zeros_like(stretch.speaking),
            )
        due_s = self._engine.now() + stretch.slack_frames * FRAME_S
        return _Finished(self._engine.order(self._seat, stretch, maps, due_s), self.width, model.synthetic)

    def close(self) -> None:
        """See ``WindowRenderer.close``."""
        self._engine.rise(self._seat)


def draw_maps(hands: PoseSequence, size: int) -> NDArray[np.uint8] | None:
    """Pose maps, RGB uint8 [n, size, size, 3]; None where no frame shows a hand.

    The released sequences name a canvas of 768; their drawings are made at the size that is drawn.
    """
    if not hands.scores.any():
        return None
    maps = np.zeros((len(hands), size, size, 3), np.uint8)
    for number, scores in enumerate(hands.scores):
        if scores.any():
            maps[number] = draw_map(hands.hands[number], scores, hands.canvas[number], size)
    return maps


def draw_map(
    hands: NDArray[np.float32], scores: NDArray[np.float32], canvas: NDArray[np.int32], size: int
) -> NDArray[np.uint8]:
    """One frame's; see ``draw_maps``."""
    height, width, *placed = (int(value) for value in canvas)
    whole = max(placed[1], placed[3], 1)
    scale = size / whole
    if (height, width) == (whole, whole):
        return draw_hands(hands, scores, size, size)
    top, bottom, left, right = (round(edge * scale) for edge in placed)
    return paste(draw_hands(hands, scores, bottom - top, right - left), size, size, (top, bottom, left, right))


class _Finished:
    """Frames at the size of the video, labelled where the weights are random."""

    def __init__(self, pending: PendingFrames, size: int, random: bool) -> None:
        self._pending = pending
        self._size = size
        self._random = random

    def frames(self) -> list[NDArray[np.uint8]]:
        return self._made

    @cached_property
    def _made(self) -> list[NDArray[np.uint8]]:
        return [finish_frame(frame, self._size, random=self._random) for frame in self._pending.frames()]


def finish_frame(frame: NDArray[np.uint8], size: int, *, random: bool) -> NDArray[np.uint8]:
    """The frame at ``size``; with ``random`` it says across its top that the weights are random."""
    if frame.shape[0] != size:
        frame = np.asarray(cv2.resize(frame, (size, size), interpolation=cv2.INTER_LINEAR), np.uint8)
    if random:
        high = max(12, size // 16)
        frame[:high] //= 4
        scale = 0.9 * size / cv2.getTextSize(RANDOM_LABEL, cv2.FONT_HERSHEY_SIMPLEX, 1.0, 1)[0][0]
        cv2.putText(
            frame, RANDOM_LABEL, (size // 20, int(0.7 * high)), cv2.FONT_HERSHEY_SIMPLEX, scale, (255, 255, 255), 1,
            cv2.LINE_AA,
        )  # fmt: skip
    return frame
