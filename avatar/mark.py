"""The "AI-generated" mark on every frame.

Asked for by Article 50 of the EU AI Act (Regulation 2024/1689) and by GB 45438-2025, whose text height of at
least 5 % of the picture's short side is kept for every language. The words are shipped as pictures
(``mark_masks.npz``, made by ``tools/mark/draw_masks.py``), so that no machine needs a Chinese font.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

TEXTS = {
    "en": "AI-generated",
    "bg": "Създадено с ИИ",
    "ca": "Generat amb IA",
    "cs": "Vytvořeno pomocí AI",
    "da": "AI-genereret",
    "de": "KI-generiert",
    "el": "Δημιουργία ΤΝ",
    "es": "Generado con IA",
    "et": "Loodud TI abil",
    "fi": "Tekoälyn luoma",
    "fr": "Généré par IA",
    "ga": "Ginte ag IS",
    "hr": "Stvoreno uz UI",
    "hu": "MI által generált",
    "it": "Generato con IA",
    "ja": "AI生成",
    "ko": "AI 생성",
    "lt": "Sukurta DI",
    "lv": "Radīts ar MI",
    "mt": "Iġġenerat bl-IA",
    "nl": "AI-gegenereerd",
    "no": "KI-generert",
    "pl": "Wygenerowane przez AI",
    "pt": "Gerado por IA",
    "ro": "Generat de IA",
    "sk": "Vytvorené pomocou AI",
    "sl": "Ustvarjeno z UI",
    "sv": "AI-genererad",
    "tr": "YZ ile üretildi",
    "uk": "Створено ШІ",
    "zh-Hans": "AI生成",
    "zh-Hant": "AI生成",
}
"""By BCP 47 language: the EU's official languages and a few neighbours, Chinese, Japanese, Korean."""

TEXT_HEIGHT = 0.05
"""Of the short side; the least that GB 45438-2025 allows, and already 26 pixels of 512."""
_MARGIN = 0.022
_PADDING = 0.30
"""Round the words, of the text height."""
_GROUND_OPACITY = 0.62
"""Of the black ground: white words keep a contrast of 6:1 on a white picture (WCAG asks 4.5:1)."""
_MASKS = Path(__file__).parent / "mark_masks.npz"


class Corner(StrEnum):
    TOP_LEFT = "top-left"
    TOP_RIGHT = "top-right"
    BOTTOM_LEFT = "bottom-left"
    BOTTOM_RIGHT = "bottom-right"


@dataclass(frozen=True, slots=True)
class Mark:
    """A mark prepared for frames of one size.

    Attributes:
        width, height: of the frames it belongs to.
        x, y: its upper left corner in the frame.
        keep: share of the frame that stays, uint8 [h, w, 3], 255 is all of it.
        add: what is laid over it, uint8 [h, w, 3].
    """

    width: int
    height: int
    x: int
    y: int
    keep: NDArray[np.uint8]
    add: NDArray[np.uint8]


def mark_language(language: str) -> str:
    """The key of ``TEXTS`` that serves a BCP 47 tag; English where there is none of its own.

    "zh-TW" and "yue" give "zh-Hant", other Chinese ("zh", "cmn", "zh-CN") "zh-Hans", "nb-NO" gives "no".
    """
    parts = language.replace("_", "-").split("-")
    primary = parts[0].lower()
    if primary in ("zh", "cmn", "yue"):
        rest = {part.lower() for part in parts[1:]}
        traditional = rest & {"hant", "tw", "hk", "mo"} or (primary == "yue" and "hans" not in rest)
        return "zh-Hant" if traditional else "zh-Hans"
    primary = {"nb": "no", "nn": "no"}.get(primary, primary)
    return primary if primary in TEXTS else "en"


def make_mark(width: int, height: int, language: str = "en", corner: str = Corner.BOTTOM_RIGHT) -> Mark:
    """Prepare the mark for frames of a size; done once a conversation.

    Args:
        width, height: of the frames, pixels.
        language: BCP 47 tag, see ``mark_language``.
        corner: a ``Corner``'s value.

    Raises:
        ValueError: no such corner.
    """
    place = Corner(corner)
    short = min(width, height)
    text_height = int(np.ceil(short * TEXT_HEIGHT))
    mask = _mask(mark_language(language))
    text_width = min(round(mask.shape[1] * text_height / mask.shape[0]), width - 2 * text_height)
    small = cv2.resize(mask, (text_width, text_height), interpolation=cv2.INTER_AREA)
    pad = round(_PADDING * text_height)
    words = np.pad(np.asarray(small, np.float32), ((pad, pad), (round(1.6 * pad), round(1.6 * pad)))) / 255
    ground = _GROUND_OPACITY * _rounded(words.shape[0], words.shape[1])
    opacity = ground + (1 - ground) * words
    box_height, box_width = words.shape
    margin = round(_MARGIN * short)
    left, top = place in (Corner.TOP_LEFT, Corner.BOTTOM_LEFT), place in (Corner.TOP_LEFT, Corner.TOP_RIGHT)
    return Mark(
        width=width,
        height=height,
        x=margin if left else width - margin - box_width,
        y=margin if top else height - margin - box_height,
        keep=_three(np.asarray(1 - opacity, np.float32)),
        add=_three(np.asarray(words, np.float32)),
    )


def apply_mark(frame_bgr: NDArray[np.uint8], mark: Mark) -> None:
    """Draw the mark into a frame, in place: about 10 microseconds at 512.

    Args:
        frame_bgr: uint8 [height, width, 3] of the size the mark was made for.

    Raises:
        ValueError: the frame has another size.
    """
    if frame_bgr.shape != (mark.height, mark.width, 3):
        raise ValueError(f"the mark was made for {mark.width}x{mark.height}, the frame is {frame_bgr.shape}")
    height, width = mark.keep.shape[:2]
    under = frame_bgr[mark.y : mark.y + height, mark.x : mark.x + width]
    cv2.multiply(under, mark.keep, dst=under, scale=1 / 255)
    cv2.add(under, mark.add, dst=under)


@cache
def _mask(language: str) -> NDArray[np.uint8]:
    with np.load(_MASKS, allow_pickle=False) as masks:
        mask: NDArray[np.uint8] = masks[language]
    return mask


def _rounded(height: int, width: int) -> NDArray[np.float32]:
    """A box with round corners, opacity 0..1, edges smoothed by drawing it four times as large."""
    scale, radius = 4, round(0.28 * height)
    big = np.zeros((height * scale, width * scale), np.uint8)
    r = radius * scale
    cv2.rectangle(big, (r, 0), (width * scale - 1 - r, height * scale - 1), 255, -1)
    cv2.rectangle(big, (0, r), (width * scale - 1, height * scale - 1 - r), 255, -1)
    for x in (r, width * scale - 1 - r):
        for y in (r, height * scale - 1 - r):
            cv2.circle(big, (x, y), r, 255, -1)
    small = cv2.resize(big, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32) / np.float32(255)


def _three(share: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.repeat((share * 255 + 0.5).astype(np.uint8)[..., None], 3, 2)
