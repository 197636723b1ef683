"""A recording spoken by a persona, model and rules one under the other, to be looked at: ``python -m benchmarks.motion_sheet SOUND -o sheet.jpg``.

Every second frame from ``--start`` on, the face cut out. Rows: the learned motion from sound, the acoustic rule from sound, and the
viseme rules where SOUND's folder has ``aligned/NAME.json``; or, with ``--motion FILE``, that motion alone.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from avatar.media import SoundFile
from avatar.motion.evaluation.drive import speak
from avatar.motion.evaluation.material import aligned_clips
from avatar.motion.motion import Motion
from avatar.motion.motion_file import load_motion
from avatar.motion.rules import RuleMotionSource
from avatar.persona import find_persona
from avatar.portrait.renderer import PortraitRenderer
from avatar.portrait.rig import Rig
from avatar.speech import FRAME_RATE_HZ, SpeechChunk

Frame = NDArray[np.uint8]

TILE = 150
COLUMNS = 12
EVERY = 2
STRIP = 18


def rows_of(sound: Path, weights: Path | None) -> dict[str, Motion]:
    """Motion of a recording by each way there is."""
    from benchmarks.motion import learned

    with SoundFile.open(sound) as file:
        pcm = np.concatenate([chunk.pcm48k for chunk in file.chunks()])
    heard = SpeechChunk(pcm, "en", None)
    rows = {
        "learned, from sound": speak(learned(weights)(0), heard),
        "rule, from sound": speak(RuleMotionSource(0), heard),
    }
    for clip in aligned_clips(sound.parent):
        if clip.name == sound.stem:
            rows["rule, with timings"] = speak(RuleMotionSource(0), clip.speech)
    return rows


def sheet(rows: dict[str, Motion], persona: str, start_s: float, lines: int) -> Frame:
    """Tiles of each row's motion, ``lines`` lines of ``COLUMNS`` tiles for all rows, BGR."""
    found = find_persona(persona)
    renderer = PortraitRenderer(found.picture(), Rig.load(found.rig_path), size=512)
    points = renderer.points[:468, :2]
    centre, half = points.mean(0), 0.62 * float(np.ptp(points[:, 1]))
    x, y = int(centre[0]), int(centre[1])
    box = slice(max(0, y - int(half)), y + int(half)), slice(max(0, x - int(half)), x + int(half))
    out = []
    for line in range(lines):
        first = round(start_s * FRAME_RATE_HZ) + line * COLUMNS * EVERY
        for name, motion in rows.items():
            tiles = []
            for column in range(COLUMNS):
                at = min(first + column * EVERY, len(motion) - 1)
                (frame,) = renderer.render(Motion(motion.values[at : at + 1]))
                tiles.append(cv2.resize(frame[box], (TILE, TILE), interpolation=cv2.INTER_AREA))
            strip = np.full((STRIP, TILE * COLUMNS, 3), 245, np.uint8)
            told = f"{name}, from {first / FRAME_RATE_HZ:.2f} s, every {EVERY * 40} ms"
            cv2.putText(strip, told, (6, STRIP - 5), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (60, 60, 60), 1, cv2.LINE_AA)
            out += [strip, np.hstack(tiles).astype(np.uint8)]
    return np.vstack(out)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("sound", type=Path, nargs="?", help="a recording")
    parser.add_argument("--motion", type=Path, help="a motion file instead")
    parser.add_argument("--persona", default="helen")
    parser.add_argument("--start", type=float, default=1.0, help="seconds")
    parser.add_argument("--lines", type=int, default=2)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True, help=".jpg or .png")
    given = parser.parse_args(arguments)
    if (given.sound is None) == (given.motion is None):
        parser.error("name either a recording or --motion FILE")
    rows = {given.motion.stem: load_motion(given.motion)[0]} if given.motion else rows_of(given.sound, given.weights)
    picture = sheet(rows, given.persona, given.start, given.lines)
    done, data = cv2.imencode(given.output.suffix.lower() or ".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 84])
    if not done:
        parser.error(f"the output must end in .jpg or .png, got {given.output.name}")
    given.output.write_bytes(data.tobytes())
    return 0


if __name__ == "__main__":
    sys.exit(main())
