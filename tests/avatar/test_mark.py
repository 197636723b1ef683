from __future__ import annotations

import cv2
import numpy as np
import pytest

from avatar.mark import TEXTS, Corner, Mark, apply_mark, make_mark, mark_language


def ink(mark: Mark) -> np.ndarray:
    """Where the words are: rows and columns of full strokes."""
    return np.argwhere(mark.add[..., 0] > 128)


@pytest.mark.parametrize("language", TEXTS)
def test_every_language_has_words_of_at_least_five_percent(language: str) -> None:
    mark = make_mark(512, 512, language)
    rows, columns = ink(mark).T
    # half-covered rows at both edges count as ink of the text, too: at most one each
    assert rows.max() - rows.min() + 1 >= 0.05 * 512 - 2
    assert mark.keep.shape[1] <= 0.75 * 512, "it leaves most of the picture's width free"
    assert columns.max() - columns.min() > 40


@pytest.mark.parametrize("size", [(256, 256), (384, 384), (768, 768), (1280, 720)])
@pytest.mark.parametrize("corner", Corner)
def test_it_lies_in_its_corner(size: tuple[int, int], corner: Corner) -> None:
    width, height = size
    frame = np.full((height, width, 3), 200, np.uint8)
    apply_mark(frame, make_mark(width, height, "de", corner))
    rows, columns, _ = np.nonzero(frame != 200)
    middle_x, middle_y = (columns.min() + columns.max()) / 2, (rows.min() + rows.max()) / 2
    assert (middle_x < width / 2) == corner.endswith("left")
    assert (middle_y < height / 2) == corner.startswith("top")
    assert rows.min() > 0 and rows.max() < height - 1
    assert columns.min() > 0 and columns.max() < width - 1


@pytest.mark.parametrize("ground", [0, 90, 128, 255])
def test_words_stand_out_on_dark_and_light(ground: int) -> None:
    frame = np.full((512, 512, 3), ground, np.uint8)
    mark = make_mark(512, 512)
    apply_mark(frame, mark)
    box = frame[mark.y : mark.y + mark.keep.shape[0], mark.x : mark.x + mark.keep.shape[1], 0]
    words = float(np.median(box[mark.add[..., 0] > 250])) / 255
    around = float(np.median(box[mark.add[..., 0] == 0])) / 255

    def luminance(value: float) -> float:  # WCAG 2.2, relative luminance of a grey
        return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4

    assert (luminance(words) + 0.05) / (luminance(around) + 0.05) >= 4.5


def test_nothing_outside_the_box_changes() -> None:
    rng = np.random.default_rng(1)
    frame = rng.integers(0, 255, (512, 512, 3), np.uint8)
    before = frame.copy()
    mark = make_mark(512, 512, "zh-CN", "top-left")
    apply_mark(frame, mark)
    box = np.zeros((512, 512), bool)
    box[mark.y : mark.y + mark.keep.shape[0], mark.x : mark.x + mark.keep.shape[1]] = True
    assert (frame[~box] == before[~box]).all() and (frame[box] != before[box]).any()


def test_chinese_words_are_three_or_more_glyphs_with_ink() -> None:
    mask = make_mark(1280, 1280, "zh").add[..., 0]
    parts, *_ = cv2.connectedComponentsWithStats((mask > 128).astype(np.uint8))
    assert parts - 1 >= 4, "A, I, 生, 成"


@pytest.mark.parametrize(
    ("tag", "key"),
    [
        ("en-GB", "en"), ("zh", "zh-Hans"), ("cmn", "zh-Hans"), ("zh_CN", "zh-Hans"), ("zh-TW", "zh-Hant"),
        ("zh-Hant-HK", "zh-Hant"), ("yue", "zh-Hant"), ("yue-Hans", "zh-Hans"), ("nb-NO", "no"), ("nn", "no"),
        ("DE-at", "de"), ("sw", "en"), ("", "en"),
    ],
)  # fmt: skip
def test_language_tags_find_their_words(tag: str, key: str) -> None:
    assert mark_language(tag) == key


def test_all_official_languages_of_the_union_are_there() -> None:
    union = "bg cs da de el en es et fi fr ga hr hu it lt lv mt nl pl pt ro sk sl sv"
    assert set(union.split()) <= set(TEXTS)


def test_a_frame_of_another_size_and_an_unknown_corner_are_refused() -> None:
    with pytest.raises(ValueError, match="512x512"):
        apply_mark(np.zeros((256, 256, 3), np.uint8), make_mark(512, 512))
    with pytest.raises(ValueError, match="middle"):
        make_mark(512, 512, corner="middle")
