"""Draw the words of the "AI-generated" mark into ``avatar/mark_masks.npz``.

Run where Debian's ``fonts-noto-cjk`` is installed (Noto Sans CJK, SIL Open Font License 1.1, which lets
pictures of text be used and shipped freely), after any change of ``avatar.mark.TEXTS``:

    python -m tools.mark.draw_masks
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from avatar import mark

FONT = Path("/usr/share/fonts/opentype/noto/NotoSansCJK-Bold.ttc")
FACES = {"ja": 0, "ko": 1, "zh-Hans": 2, "zh-Hant": 3}
"""Index of the regional face in the collection; Latin, Greek and Cyrillic are the same in all."""
MASK_HEIGHT = 80
"""Pixels from the highest to the lowest stroke: enough for pictures of 1600 a side."""


def draw(text: str, face: int) -> NDArray[np.uint8]:
    """Coverage 0..255 of the text, cut to its ink, ``MASK_HEIGHT`` rows."""
    font = ImageFont.truetype(str(FONT), 400, index=face)
    left, top, right, bottom = font.getbbox(text)
    picture = Image.new("L", (int(right - left) + 8, int(bottom - top) + 8), 0)
    ImageDraw.Draw(picture).text((4 - left, 4 - top), text, fill=255, font=font)
    picture = picture.crop(picture.getbbox())
    width = round(picture.width * MASK_HEIGHT / picture.height)
    return np.asarray(picture.resize((width, MASK_HEIGHT), Image.Resampling.BOX), np.uint8)


def main() -> None:
    masks = {language: draw(text, FACES.get(language, 2)) for language, text in mark.TEXTS.items()}
    target = Path(mark.__file__).with_name("mark_masks.npz")
    np.savez_compressed(target, allow_pickle=False, **masks)
    print(f"{target}: {len(masks)} languages, {target.stat().st_size} bytes")


if __name__ == "__main__":
    main()
