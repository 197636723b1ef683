from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from avatar.errors import PhotoRefused
from avatar.photo import NEUTRAL_RGB, WORKING_SIDE, load_photo


def quadrants(width: int = 60, height: int = 80) -> Image.Image:
    """Red, green / blue, white: which way is up can be told."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[: height // 2, : width // 2] = (220, 20, 20)
    pixels[: height // 2, width // 2 :] = (20, 220, 20)
    pixels[height // 2 :, : width // 2] = (20, 20, 220)
    pixels[height // 2 :, width // 2 :] = (235, 235, 235)
    return Image.fromarray(pixels)


def assert_upright(picture: np.ndarray, tolerance: int = 40) -> None:
    height, width = picture.shape[:2]
    corners = [picture[height // 4, width // 4], picture[height // 4, 3 * width // 4],
               picture[3 * height // 4, width // 4], picture[3 * height // 4, 3 * width // 4]]  # fmt: skip
    expected = [(20, 20, 220), (20, 220, 20), (220, 20, 20), (235, 235, 235)]  # BGR
    assert np.abs(np.array(corners, int) - expected).max() <= tolerance


def save(path: Path, image: Image.Image, format: str, **options: object) -> Path:
    image.save(path, format, **options)  # type: ignore[arg-type]
    return path


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF"])
def test_common_formats_under_a_lying_name(tmp_path: Path, format: str) -> None:
    photo = load_photo(save(tmp_path / "picture.jpg", quadrants(), format))
    assert photo.format == format and photo.original_size == (60, 80)
    assert photo.picture.shape == (80, 60, 3) and photo.picture.dtype == np.uint8
    assert_upright(photo.picture)


@pytest.mark.parametrize("mode", ["P", "CMYK", "RGBA", "LA", "YCbCr", "RGBX"])
def test_colour_modes_become_bgr(tmp_path: Path, mode: str) -> None:
    image = quadrants().convert("L").convert(mode) if mode == "LA" else quadrants().convert(mode)
    picture = load_photo(save(tmp_path / "p", image, "PNG" if mode in ("P", "RGBA", "LA") else "TIFF")).picture
    if mode != "LA":
        assert_upright(picture)
    assert picture.shape == (80, 60, 3)


@pytest.mark.parametrize(("dtype", "top"), [(np.uint16, 65535), (np.int32, 65535), (np.float32, 1.0)])
def test_deep_greys_are_scaled_and_not_clipped(tmp_path: Path, dtype: type, top: float) -> None:
    ramp = np.linspace(0, top, 64).astype(dtype)[None].repeat(48, 0)
    format = "PNG" if dtype is np.uint16 else "TIFF"
    picture = load_photo(save(tmp_path / "deep", Image.fromarray(ramp), format)).picture
    assert np.abs(picture[0, :, 0].astype(int) - np.linspace(0, 255, 64)).max() <= 1.5


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_undone(tmp_path: Path, orientation: int) -> None:
    turned = {
        1: None, 2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_270,
    }[orientation]  # fmt: skip
    image = quadrants() if turned is None else quadrants().transpose(turned)
    exif = Image.Exif()
    exif[0x0112] = orientation
    photo = load_photo(save(tmp_path / "p.jpg", image, "JPEG", exif=exif.tobytes(), quality=95))
    assert photo.picture.shape == (80, 60, 3)
    assert_upright(photo.picture)


def test_transparency_is_laid_on_a_neutral_ground(tmp_path: Path) -> None:
    image = quadrants().convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    photo = load_photo(save(tmp_path / "p.png", image, "PNG"))
    assert np.abs(photo.picture[0, 5].astype(int) - NEUTRAL_RGB[::-1]).max() <= 3
    assert "transparent" in photo.warnings[0]
    palette = quadrants().convert("P")
    palette.info["transparency"] = palette.getpixel((5, 5))
    photo = load_photo(save(tmp_path / "p.gif", palette, "GIF", transparency=palette.getpixel((5, 5))))
    assert tuple(photo.picture[5, 5]) == NEUTRAL_RGB[::-1]


def test_an_opaque_alpha_channel_is_not_worth_a_word(tmp_path: Path) -> None:
    assert load_photo(save(tmp_path / "p.png", quadrants().convert("RGBA"), "PNG")).warnings == ()


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_several_pictures_the_first_is_used(tmp_path: Path, format: str) -> None:
    other = Image.new("RGB", (60, 80), (1, 2, 3))
    photo = load_photo(save(tmp_path / "p", quadrants(), format, save_all=True, append_images=[other, other]))
    assert_upright(photo.picture)
    assert "several pictures" in photo.warnings[0]


def test_an_embedded_profile_is_honoured_and_a_broken_one_ignored(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert_upright(load_photo(save(tmp_path / "a.jpg", quadrants(), "JPEG", icc_profile=profile)).picture)
    assert_upright(load_photo(save(tmp_path / "b.jpg", quadrants(), "JPEG", icc_profile=b"nonsense")).picture)


def test_fifty_megapixels_are_reduced_while_they_are_decoded(tmp_path: Path) -> None:
    image = quadrants().resize((8192, 6144), Image.Resampling.NEAREST)
    photo = load_photo(save(tmp_path / "p.jpg", image, "JPEG", quality=30))
    assert photo.original_size == (8192, 6144)
    assert photo.picture.shape == (3072, WORKING_SIDE, 3)
    assert_upright(photo.picture)


def refused(path: Path) -> PhotoRefused:
    with pytest.raises(PhotoRefused) as caught:
        load_photo(path)
    assert str(path) in str(caught.value), "it says which file"
    return caught.value


def test_what_is_not_there_or_no_file(tmp_path: Path) -> None:
    assert refused(tmp_path / "absent.jpg").code == "file_missing"
    assert refused(tmp_path).code == "file_missing"


def test_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "p.jpg").touch()
    assert refused(tmp_path / "p.jpg").code == "file_empty"


def test_a_file_too_large_to_be_read(tmp_path: Path) -> None:
    with (tmp_path / "p.tif").open("wb") as file:
        file.truncate(300 << 20)  # sparse
    assert refused(tmp_path / "p.tif").code == "file_too_large"


@pytest.mark.parametrize(
    "content",
    [b"hello", b"%PDF-1.7\n", b"%!PS-Adobe-3.0 EPSF-3.0\n", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", bytes(500)],
)
def test_what_is_no_picture(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "p.png").write_bytes(content)
    assert refused(tmp_path / "p.png").code in ("not_a_picture", "picture_damaged")


@pytest.mark.parametrize("brand", [b"heic", b"mif1"])
def test_heic_comes_with_a_hint(tmp_path: Path, brand: bytes) -> None:
    (tmp_path / "p.heic").write_bytes(struct.pack(">I", 24) + b"ftyp" + brand + bytes(100))
    error = refused(tmp_path / "p.heic")
    assert error.code == "heic" and "JPEG" in str(error)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_truncated_files(tmp_path: Path, format: str, share: float) -> None:
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 255, (200, 200, 3), np.uint8))
    data = io.BytesIO()
    noise.save(data, format)
    (tmp_path / "p").write_bytes(data.getvalue()[: int(len(data.getvalue()) * share)])
    assert refused(tmp_path / "p").code in ("picture_damaged", "not_a_picture")


def test_a_decompression_bomb_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 12_000, 12_000, 8, 2, 0, 0, 0)
    bomb = (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )
    (tmp_path / "bomb.png").write_bytes(bomb)
    error = refused(tmp_path / "bomb.png")
    assert error.code == "too_many_pixels" and "144 megapixels" in str(error)
    huge = bomb.replace(header, struct.pack(">IIBBBBB", 2**31 - 1, 2**31 - 1, 8, 2, 0, 0, 0))
    (tmp_path / "huge.png").write_bytes(huge)
    assert refused(tmp_path / "huge.png").code in ("too_many_pixels", "not_a_picture")


def test_a_webp_called_jpg(shared: Path) -> None:
    photo = load_photo(shared / "samples" / "portraits" / "smiling-teeth.jpg")
    assert photo.format == "WEBP" and photo.picture.shape == (1536, 1024, 3)
