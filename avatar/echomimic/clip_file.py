"""``parley render`` with this renderer: a whole clip as the original computes it, into a file."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from avatar.echomimic.offline import FPS, FRAME_SAMPLES, ClipSettings, draw_clip
from avatar.echomimic.options import RANDOM_WEIGHTS, Drive, Options
from avatar.echomimic.persona import open_reference
from avatar.echomimic.poses import PoseLoops, PoseSequence
from avatar.echomimic.prepare import cache_of, ready_networks
from avatar.echomimic.released import Variant, release
from avatar.echomimic.renderer import drawn_size
from avatar.echomimic.variant import choose_variant
from avatar.mark import Mark
from avatar.motion.motion import Motion
from avatar.motion.source import MotionSource
from avatar.persona import Persona
from avatar.render_file import TAIL_FRAMES, RenderedFile, write_beats
from avatar.speech import BEAT_SAMPLES, FRAME_RATE_HZ, SpeechChunk


@dataclass(frozen=True, slots=True)
class Clip:
    """What is to be rendered.

    Attributes:
        persona: who speaks.
        speech: taken whole before anything is drawn, since the original needs it whole.
        motion: moves the hands where no pose sequence does.
        size, framing: of the frames.
        seed: of the noise; None takes the authors'.
        steps: of the sampler; None takes the authors'.
    """

    persona: Persona
    speech: Iterable[SpeechChunk]
    motion: MotionSource
    size: int
    framing: str
    seed: int | None = None
    steps: int | None = None


def render_clip(
    clip: Clip,
    options: Options,
    path: Path,
    *,
    mark: Mark | None,
    on_step: Callable[[int, int], None] = lambda step, steps: None,
    on_progress: Callable[[float], None] = lambda seconds: None,
) -> RenderedFile:
    """A clip as the original computes it, written to a file.

    Args:
        on_step: called after each step of the sampler with its number and how many there are.
        on_progress: called after each written frame with the seconds of video.

    Raises:
        AvatarError: weights, persona, poses or speech cannot be used, or the file not be written.
    """
    networks = ready_networks(options)
    size = drawn_size(networks, clip.size)
    reference = open_reference(clip.persona, networks, size, clip.framing, cache_of(options))
    chunks = list(clip.speech)
    pcm48k = np.concatenate([chunk.pcm48k for chunk in chunks] or [np.zeros(0, np.int16)])
    hands = clip_hands(clip.motion, chunks, len(pcm48k), options)
    settings = _settings(options, clip)
    beats = draw_clip(
        networks,
        reference,
        pcm48k,
        hands,
        settings,
        clip.size,
        silent=options.drive is Drive.POSES,
        on_step=lambda number: on_step(number + 1, settings.steps),
    )
    return write_beats(beats, path, clip.size, clip.size, mark=mark, fps=FPS, on_progress=on_progress)


def _settings(options: Options, clip: Clip) -> ClipSettings:
    variant = Variant.V2_ACCELERATED
    if options.weights != RANDOM_WEIGHTS:
        variant = choose_variant(Path(options.weights), options.variant)
    return ClipSettings.of(release(variant), steps=clip.steps, seed=clip.seed)


def clip_hands(motion: MotionSource, chunks: list[SpeechChunk], samples: int, options: Options) -> PoseSequence:
    """The hands of every frame, the speech's and a tail's at rest. A pose sequence goes on by one of its frames with each.

    Args:
        motion: moves the hands where no pose sequence does; at 25 frames a second, of which the nearest are taken.
        samples: of all ``chunks``, at 48 kHz.

    Raises:
        MediaFileError: the options' pose sequence cannot be read.
    """
    for chunk in chunks:
        motion.push(chunk)
    motion.finish()
    spoken = min(-(-samples // BEAT_SAMPLES), motion.ready())
    tail = TAIL_FRAMES + 1  # one more at 25 frames a second than at 24
    made = np.concatenate([motion.take(spoken, speaking=True).values, motion.take(tail, speaking=False).values])
    speaking = -(-min(samples, spoken * BEAT_SAMPLES) // FRAME_SAMPLES)
    frames = np.arange(speaking + TAIL_FRAMES)
    nearest = ((frames + 0.5) * FRAME_RATE_HZ / FPS).astype(int)
    if options.drive is Drive.SOUND:
        loops = PoseLoops(None)
    else:
        idle = PoseSequence.load(Path(options.idle_poses)) if options.idle_poses else None
        loops = PoseLoops(PoseSequence.load(Path(options.poses)), idle)
    return loops.take(Motion(made[np.minimum(nearest, len(made) - 1)]), frames < speaking)
