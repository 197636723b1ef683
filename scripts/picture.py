#!/usr/bin/env python3
"""Takes the README's picture, docs/picture.jpg, of the real page in Chromium while the avatar answers."""

from __future__ import annotations

import asyncio
import io
import tempfile
from pathlib import Path

from PIL import Image, ImageStat

from benchmarks.chromium import open_chromium
from benchmarks.served import serve
from benchmarks.visitor import Visitor

PICTURE = Path(__file__).resolve().parent.parent / "docs" / "picture.jpg"
VIEWPORT = {"width": 1280, "height": 800}
QUESTION = "What is Parley?"
SPEAKING_S = 2.4  # into the answer: a caption is there
SHOTS = 8


async def take(target: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with (
            serve(Path(folder) / "data") as served,
            open_chromium(Path(folder) / "profile", viewport=VIEWPORT) as context,
        ):
            visitor = Visitor(context.pages[0])
            await visitor.open(served.url)
            await visitor.connect()
            await visitor.element(f"chat({QUESTION!r})")
            await visitor.wait_for("output_audio_buffer.started")
            await asyncio.sleep(SPEAKING_S)
            box = await visitor.page.locator("digital-human").bounding_box()
            shots = [await visitor.page.screenshot() for _ in range(SHOTS)]
    pictures = [Image.open(io.BytesIO(shot)).convert("RGB") for shot in shots]
    best = max(pictures, key=lambda picture: _detail(picture, box))
    best.save(target, quality=88, optimize=True, progressive=True)


def _detail(picture: Image.Image, box: dict[str, float]) -> float:
    """Open eyes have more of it than closed ones: contrast in the band of the picture where the eyes are."""
    left, top, side = box["x"], box["y"], box["width"]
    eyes = picture.crop(
        (round(left + 0.3 * side), round(top + 0.35 * side), round(left + 0.7 * side), round(top + 0.5 * side))
    )
    return float(ImageStat.Stat(eyes.convert("L")).stddev[0])


if __name__ == "__main__":
    asyncio.run(take(PICTURE))
