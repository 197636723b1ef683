"""Any picture file to plain 8-bit BGR, within bounds: orientation, colour, transparency, bombs, broken files.

Pillow reads the header first; nothing is decoded before its size is known to be bearable. The file's content
decides its format, never its name.
"""

from __future__ import annotations

import io
import warnings as python_warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, UnidentifiedImageError

from avatar.errors import PhotoRefused

FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "TIFF", "BMP", "GIF")
"""Raster formats that people have. Left out on purpose: those that run an interpreter (EPS, PDF)."""

MAX_FILE_BYTES = 256 << 20
MAX_JPEG_PIXELS = 178_000_000
"""JPEG is decoded at 1/2, 1/4 or 1/8 of its size (DCT scaling). Pillow itself calls more than this a bomb."""
MAX_PIXELS = 64_000_000
"""Other formats are decoded whole: 64 megapixels are at most 256 MB while open."""
WORKING_SIDE = 4096
"""Longest side kept: a face that fills an eighth of it is still as large as a 512-pixel frame draws it."""
NEUTRAL_RGB = (214, 214, 210)
"""Ground behind transparent pictures: a light warm grey, so that dark and light hair both stand out."""

_BROKEN = (OSError, SyntaxError, ValueError, EOFError, MemoryError, Image.DecompressionBombError)
"""What Pillow's decoders raise on broken files."""


@dataclass(frozen=True, slots=True)
class Photo:
    """A picture made safe.

    Attributes:
        picture: BGR uint8 [height, width, 3], upright, longest side at most ``WORKING_SIDE``.
        format: what the file really is ("WEBP").
        original_size: width and height in the file, before turning.
        warnings: what was lost or guessed on the way.
    """

    picture: NDArray[np.uint8]
    format: str
    original_size: tuple[int, int]
    warnings: tuple[str, ...]


def load_photo(path: Path) -> Photo:
    """Read a picture file of any common kind.

    Raises:
        PhotoRefused: codes ``file_missing``, ``file_empty``, ``file_too_large``, ``not_a_picture``, ``heic``,
            ``too_many_pixels``, ``picture_damaged``.
    """
    data = _read_bytes(path)
    notes: list[str] = []
    with python_warnings.catch_warnings():
        python_warnings.simplefilter("ignore")  # Pillow warns of sizes and EXIF; bounds are kept below
        image = _open(data, path)
        kind = image.format or "?"
        original_size = image.size
        _check_pixels(image, path)
        if getattr(image, "n_frames", 1) > 1 and kind != "MPO":
            notes.append("The file holds several pictures; the first was used.")
        try:
            picture = _upright_rgb(image, notes)
        except _BROKEN as error:
            raise PhotoRefused(
                f"{path} is a damaged or incomplete {kind} file ({error}). Save or copy the picture again.",
                code="picture_damaged",
            ) from None
    return Photo(np.ascontiguousarray(picture[..., ::-1]), kind, original_size, tuple(notes))


def _read_bytes(path: Path) -> bytes:
    if not path.exists():
        raise PhotoRefused(f"There is no file {path}.", code="file_missing")
    if not path.is_file():
        raise PhotoRefused(f"{path} is not a file.", code="file_missing")
    try:
        size = path.stat().st_size
        if size == 0:
            raise PhotoRefused(f"{path} is empty (0 bytes).", code="file_empty")
        if size > MAX_FILE_BYTES:
            raise PhotoRefused(
                f"{path} has {size >> 20} MB; at most {MAX_FILE_BYTES >> 20} MB are read. Save it as JPEG.",
                code="file_too_large",
            )
        return path.read_bytes()
    except OSError as error:
        raise PhotoRefused(f"{path} cannot be read: {error.strerror}.", code="file_missing") from None


_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1")


def _open(data: bytes, path: Path) -> Image.Image:
    if data[4:8] == b"ftyp" and data[8:12] in _HEIC_BRANDS:
        raise PhotoRefused(
            f"{path} is a HEIC picture (an iPhone's own format), which is not read. Save or share it as "
            'JPEG: on the phone choose Settings > Camera > Formats > "Most Compatible".',
            code="heic",
        )
    Image.init()
    formats = [name for name in FORMATS if name in Image.OPEN]  # AVIF is a matter of how Pillow was built
    try:
        return Image.open(io.BytesIO(data), formats=formats)
    except Image.DecompressionBombError as error:
        raise PhotoRefused(f"{path} has too many pixels: {error}", code="too_many_pixels") from None
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError):
        raise PhotoRefused(
            f"{path} is not a picture that can be read. Use JPEG, PNG or WebP.", code="not_a_picture"
        ) from None


def _check_pixels(image: Image.Image, path: Path) -> None:
    width, height = image.size
    limit = MAX_JPEG_PIXELS if image.format in ("JPEG", "MPO") else MAX_PIXELS
    if width * height > limit:
        raise PhotoRefused(
            f"{path} has {width}x{height} pixels ({width * height / 1e6:.0f} megapixels); at most "
            f"{limit / 1e6:.0f} are read in a {image.format} file. Make the picture smaller.",
            code="too_many_pixels",
        )


def _upright_rgb(image: Image.Image, notes: list[str]) -> NDArray[np.uint8]:
    image.draft("", (WORKING_SIDE, WORKING_SIDE))  # JPEG: decode reduced, to no less than this
    image.load()
    orientation = image.getexif().get(0x0112)
    profile = image.info.get("icc_profile")
    image = _flatten(_to_8_bit(image), notes)
    image = _to_srgb(image, profile)
    if max(image.size) > WORKING_SIDE:
        image.thumbnail((WORKING_SIDE, WORKING_SIDE), Image.Resampling.LANCZOS, reducing_gap=3.0)
    if orientation in _TRANSPOSE:
        image = image.transpose(_TRANSPOSE[orientation])
    return np.asarray(image, np.uint8)


_TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation (tag 0x0112) to what makes the picture upright (EXIF 2.32, table 6)."""


def _to_8_bit(image: Image.Image) -> Image.Image:
    """Greyscale of 16 or 32 bits to 8; Pillow's own conversion clips instead of scaling."""
    if not image.mode.startswith(("I", "F")):
        return image
    values = np.asarray(image, np.float64)
    top = values.max(initial=0.0)
    scale = 255.0 if top <= 1.0 else 1.0 if top <= 255 else 255 / 65535 if top <= 65535 else 255 / top
    return Image.fromarray(np.clip(np.nan_to_num(values) * scale, 0, 255).astype(np.uint8))


def _flatten(image: Image.Image, notes: list[str]) -> Image.Image:
    """Without transparency: laid on ``NEUTRAL_RGB``."""
    if not (image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info):
        return image
    image = image.convert("RGBA")
    low, _ = image.getextrema()[3]  # type: ignore[misc]
    if low == 255:
        return image.convert("RGB")
    notes.append("The transparent background was filled with light grey.")
    ground = Image.new("RGBA", image.size, (*NEUTRAL_RGB, 255))
    ground.alpha_composite(image)
    return ground.convert("RGB")


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """By the embedded colour profile where it fits; phones write Display P3, print shops CMYK."""
    if profile and image.mode in ("RGB", "CMYK", "L"):
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            target = ImageCms.createProfile("sRGB")
            converted = ImageCms.profileToProfile(image, source, target, outputMode="RGB")
            if converted is not None:
                return converted
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass  # a broken or foreign profile: plain conversion is what viewers do
    return image.convert("RGB")
