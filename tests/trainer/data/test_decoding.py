"""What comes out of a file is upright, sRGB, bare of metadata, and nothing is lost in silence."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms, ImageFile, ImageOps

from trainer.data.decoding import Picture, decode
from trainer.errors import PhotoError

Scene = Callable[..., Image.Image]

INVERSE_TURN = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}

LOSSLESS: dict[str, dict[str, Any]] = {
    "PNG": {},
    "WEBP": {"lossless": True},
    "TIFF": {},
    "TIFF lzw": {"compression": "tiff_lzw"},
}
ALL_FORMATS: dict[str, dict[str, Any]] = {
    **LOSSLESS,
    "JPEG": {"quality": 95},
    "MPO": {"quality": 95},
    "HEIF": {"quality": 95},
    "AVIF": {"quality": 95},
    "GIF": {},
    "BMP": {},
}


def read(
    path: Path, resolution: int = 64, alpha_color: tuple[int, int, int] = (9, 9, 9)
) -> Picture:
    return decode(path, resolution=resolution, alpha_color=alpha_color)


def save(image: Image.Image, path: Path, kind: str, **options: Any) -> Path:
    options = {**ALL_FORMATS[kind], **options}
    if kind == "MPO":
        options |= {"save_all": True, "append_images": [ImageOps.invert(image)]}
    image.save(path, format=kind.split()[0], **options)
    return path


def pixels(image: Image.Image) -> np.ndarray[Any, np.dtype[np.int16]]:
    return np.asarray(image).astype(np.int16)


def turned_exif(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    return exif


def write_png(path: Path, size: tuple[int, int], depth: int, colour: int, *chunks: bytes) -> Path:
    """A PNG by hand, for what Pillow does not write. `chunks`: type followed by data."""
    header = b"IHDR" + struct.pack(">IIBBBBB", *size, depth, colour, 0, 0, 0)
    body = b"".join(
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
        for chunk in (header, *chunks, b"IEND")
    )
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    return path


def swapped_profile() -> bytes:
    """An ICC profile in which red and green have changed places (primaries of sRGB under D50)."""

    def fixed(*values: float) -> bytes:
        return b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(v * 65536)) for v in values)

    curve = b"curv\0\0\0\0" + struct.pack(">IHH", 1, round(2.2 * 256), 0)
    text = b"Swapped\0"
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", len(text)) + text + bytes(79),
        b"wtpt": fixed(0.9642, 1.0, 0.8249),
        b"gXYZ": fixed(0.4361, 0.2225, 0.0139),
        b"rXYZ": fixed(0.3851, 0.7169, 0.0971),
        b"bXYZ": fixed(0.1431, 0.0606, 0.7141),
        **dict.fromkeys([b"rTRC", b"gTRC", b"bTRC"], curve),
    }
    table, data, start = b"", b"", 128 + 4 + 12 * len(tags)
    for name, value in tags.items():
        table += name + struct.pack(">II", start + len(data), len(value))
        data += value + bytes(-len(value) % 4)
    illuminant = fixed(0.9642, 1.0, 0.8249)[8:]
    header = struct.pack(
        ">I4sI4s4s4s12s4s28s12s48s",
        start + len(data), b"lcms", 0x02400000, b"mntr", b"RGB ", b"XYZ ", bytes(12), b"acsp",
        bytes(28), illuminant, bytes(48),
    )  # fmt: skip
    return header + struct.pack(">I", len(tags)) + table + data


# --- formats --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ALL_FORMATS)
def test_every_format_is_read_whatever_its_name(kind: str, scene: Scene, tmp_path: Path) -> None:
    picture = read(save(scene(), tmp_path / "photo.jpg", kind))
    assert picture.image.mode == "RGB"
    assert picture.size == picture.image.size == (96, 72)
    tolerance = 0 if kind in LOSSLESS or kind == "BMP" else 6
    assert np.abs(pixels(picture.image) - pixels(scene())).mean() <= tolerance
    assert picture.alpha is None
    assert picture.warnings == ()


def test_an_mpo_is_a_photo_and_no_animation(scene: Scene, tmp_path: Path) -> None:
    path = save(scene(), tmp_path / "a.jpg", "MPO")
    with Image.open(path) as image:
        assert image.format == "MPO"
        assert image.n_frames == 2  # type: ignore[attr-defined]
    assert np.abs(pixels(read(path).image) - pixels(scene())).mean() < 6


@pytest.mark.parametrize("kind", ["TIFF", "HEIF"])
def test_of_several_pictures_the_main_one_is_used(kind: str, scene: Scene, tmp_path: Path) -> None:
    path = tmp_path / "pages"
    scene().save(path, format=kind, save_all=True, append_images=[scene(seed=1)], quality=95)
    picture = read(path)
    assert picture.warnings == ("holds 2 pictures; only the main one is used",)
    assert np.abs(pixels(picture.image) - pixels(scene())).mean() < 3


@pytest.mark.parametrize("orientation", INVERSE_TURN)
@pytest.mark.parametrize("kind", LOSSLESS)
def test_exif_turns_are_done(kind: str, orientation: int, scene: Scene, tmp_path: Path) -> None:
    turn = INVERSE_TURN[orientation]
    stored = scene() if turn is None else scene().transpose(turn)
    path = save(stored, tmp_path / "a", kind, exif=turned_exif(orientation))
    picture = read(path)
    assert picture.size == (96, 72)
    assert np.array_equal(pixels(picture.image), pixels(scene()))


@pytest.mark.parametrize("orientation", INVERSE_TURN)
@pytest.mark.parametrize("kind", ["JPEG", "MPO", "HEIF", "AVIF"])
def test_exif_turns_are_pillows(kind: str, orientation: int, scene: Scene, tmp_path: Path) -> None:
    path = save(scene(), tmp_path / "a", kind, exif=turned_exif(orientation).tobytes())
    with Image.open(path) as image:
        expected = ImageOps.exif_transpose(image).convert("RGB")
    picture = read(path)
    assert picture.size == ((96, 72) if orientation < 5 else (72, 96))
    assert np.array_equal(pixels(picture.image), pixels(expected))


def test_broken_exif_costs_nothing_but_itself(scene: Scene, tmp_path: Path) -> None:
    path = save(scene(), tmp_path / "a.jpg", "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert read(path).size == (96, 72)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "HEIF", "AVIF"])
def test_no_metadata_is_left(kind: str, scene: Scene, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Camera"
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitude] = (52.0, 30.0, 0.0)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    path = save(scene(), tmp_path / "a", kind, exif=exif, icc_profile=profile)
    with Image.open(path) as image:
        assert image.getexif()[ExifTags.Base.Make] == "Camera"
    picture = read(path)
    assert picture.image.info == {}
    assert not picture.image.getexif()


# --- colour and alpha -----------------------------------------------------------------------------


def test_16_bit_grey_is_scaled_not_clipped(tmp_path: Path) -> None:
    values = np.linspace(0, 65535, 64 * 64).round().astype(np.uint16).reshape(64, 64)
    Image.fromarray(values).save(tmp_path / "a.png")
    result = np.asarray(read(tmp_path / "a.png").image)
    assert np.array_equal(result, np.repeat((values / 257).round()[:, :, None], 3, axis=2))


def test_16_bit_grey_keeps_its_transparent_value(tmp_path: Path) -> None:
    values = np.full((64, 64), 40_000, dtype=">u2")
    values[:32] = 1234
    rows = zlib.compress(b"".join(b"\0" + row.tobytes() for row in values))
    path = write_png(
        tmp_path / "a.png", (64, 64), 16, 0, b"tRNS" + struct.pack(">H", 1234), b"IDAT" + rows
    )
    picture = read(path)
    assert picture.alpha is not None
    assert picture.image.getpixel((0, 0)) == (9, 9, 9)
    assert picture.image.getpixel((0, 63)) == (156, 156, 156)


def test_16_bit_rgb_keeps_its_transparent_colour(tmp_path: Path) -> None:
    values = np.full((64, 64, 3), 0x8040, dtype=">u2")
    values[:32] = (0xFF10, 0x0020, 0x0030)
    rows = zlib.compress(b"".join(b"\0" + row.tobytes() for row in values))
    transparent = b"tRNS" + struct.pack(">HHH", 0xFF10, 0x0020, 0x0030)
    picture = read(write_png(tmp_path / "a.png", (64, 64), 16, 2, transparent, b"IDAT" + rows))
    assert picture.image.getpixel((0, 0)) == (9, 9, 9)
    assert picture.image.getpixel((0, 63)) == (128, 128, 128)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "P with one clear entry"])
def test_alpha_is_composed_on_the_chosen_colour(mode: str, tmp_path: Path) -> None:
    image = Image.new("RGBA", (64, 64), (200, 200, 200, 255))
    image.paste((0, 0, 0, 0), (0, 0, 32, 64))
    if mode == "P with one clear entry":
        image = image.getchannel("R").convert("P")
        image.info["transparency"] = 0
    else:
        image = image.convert(mode)
    image.save(tmp_path / "a.png")
    picture = read(tmp_path / "a.png", alpha_color=(10, 20, 30))
    assert picture.image.getpixel((0, 0)) == (10, 20, 30)
    assert picture.image.getpixel((63, 0)) == (200, 200, 200)
    assert picture.alpha is not None
    assert [picture.alpha.getpixel(at) for at in ((0, 0), (63, 0))] == [0, 255]
    assert picture.warnings == ("its transparent parts were filled with the colour (10, 20, 30)",)


def test_half_transparent_is_half_mixed(tmp_path: Path) -> None:
    Image.new("RGBA", (64, 64), (200, 100, 0, 128)).save(tmp_path / "a.webp", lossless=True)
    mixed = read(tmp_path / "a.webp", alpha_color=(0, 0, 200)).image.getpixel((5, 5))
    assert mixed == pytest.approx((100, 50, 100), abs=1)


def test_alpha_that_hides_nothing_is_no_matter(scene: Scene, tmp_path: Path) -> None:
    image = scene()
    image.putalpha(255)
    image.save(tmp_path / "a.png")
    picture = read(tmp_path / "a.png")
    assert picture.alpha is None
    assert picture.warnings == ()
    assert np.array_equal(pixels(picture.image), pixels(scene()))


def test_alpha_turns_and_shrinks_with_the_picture(tmp_path: Path) -> None:
    image = Image.new("RGBA", (400, 200), (255, 0, 0, 255))
    image.paste((0, 0, 0, 0), (0, 0, 400, 100))
    image.save(tmp_path / "a.png", exif=turned_exif(6))
    picture = read(tmp_path / "a.png")
    assert picture.size == (200, 400)
    assert picture.alpha is not None
    assert picture.image.size == picture.alpha.size == (128, 256)
    # Turned a quarter to the right, the transparent upper half is the right one.
    assert [picture.alpha.getpixel((x, 100)) for x in (10, 120)] == [255, 0]


def test_colours_are_converted_by_the_profile(tmp_path: Path) -> None:
    image = Image.new("RGB", (64, 64), (200, 50, 120))
    image.save(tmp_path / "a.png", icc_profile=swapped_profile())
    assert read(tmp_path / "a.png").image.getpixel((0, 0)) == pytest.approx((50, 200, 120), abs=5)


def test_colours_under_alpha_are_converted_too(tmp_path: Path) -> None:
    image = Image.new("RGBA", (64, 64), (200, 50, 120, 255))
    image.putpixel((0, 0), (0, 0, 0, 0))
    image.save(tmp_path / "a.png", icc_profile=swapped_profile())
    result = read(tmp_path / "a.png").image
    assert result.getpixel((0, 0)) == (9, 9, 9)
    assert result.getpixel((9, 9)) == pytest.approx((50, 200, 120), abs=5)


def test_an_srgb_profile_changes_no_bit(scene: Scene, tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    scene().save(tmp_path / "a.png", icc_profile=profile)
    assert np.array_equal(pixels(read(tmp_path / "a.png").image), pixels(scene()))


def test_a_broken_profile_is_told(scene: Scene, tmp_path: Path) -> None:
    scene().save(tmp_path / "a.png", icc_profile=b"no profile")
    picture = read(tmp_path / "a.png")
    assert picture.warnings == ("its colour profile cannot be read; taken as sRGB",)
    assert np.array_equal(pixels(picture.image), pixels(scene()))


def test_cmyk_becomes_rgb_and_says_what_it_guessed(scene: Scene, tmp_path: Path) -> None:
    scene().convert("CMYK").save(tmp_path / "a.jpg", quality=98)
    picture = read(tmp_path / "a.jpg")
    assert np.abs(pixels(picture.image) - pixels(scene())).mean() < 3
    assert picture.warnings == ("is CMYK without a colour profile; colours are a guess",)


def test_scientific_pixels_are_refused(tmp_path: Path) -> None:
    Image.new("F", (64, 64)).save(tmp_path / "a.tif")
    with pytest.raises(PhotoError, match="mode F .* 8 or 16 bits .* Save it as an 8-bit PNG"):
        read(tmp_path / "a.tif")


# --- size -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_large_photos_are_reduced_to_what_training_needs(
    kind: str, scene: Scene, tmp_path: Path
) -> None:
    large = scene(1200, 900)
    picture = read(save(large, tmp_path / "a", kind, exif=turned_exif(8)))
    assert picture.size == (900, 1200)
    assert picture.image.size == (128, 171)
    expected = large.transpose(Image.Transpose.ROTATE_90).resize((128, 171))
    assert np.abs(pixels(picture.image) - pixels(expected)).mean() < 4


def test_a_108_megapixel_photo_is_no_bomb(tmp_path: Path) -> None:
    Image.new("L", (12_000, 9_000), 90).save(tmp_path / "a.jpg")
    picture = read(tmp_path / "a.jpg")
    assert picture.size == (12_000, 9_000)
    assert picture.image.size == (171, 128)


@pytest.mark.parametrize(
    ("side", "claim"), [(60_000, "more than 420"), (20_000, "400"), (15_000, "225")]
)
def test_a_bomb_is_refused_by_its_header(side: int, claim: str, tmp_path: Path) -> None:
    path = write_png(tmp_path / "a.png", (side, side), 8, 2, b"IDAT" + zlib.compress(bytes(999)))
    with pytest.raises(PhotoError, match=f"{claim} megapixels; at most 210 .* Export it smaller"):
        read(path)


def test_pillows_settings_neither_matter_nor_change(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 5)
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    whole = save(scene(), tmp_path / "whole.png", "PNG")
    assert read(whole).size == (96, 72)
    (tmp_path / "cut.png").write_bytes(whole.read_bytes()[:300])
    with pytest.raises(PhotoError, match="cut short"):
        read(tmp_path / "cut.png")
    assert Image.MAX_IMAGE_PIXELS == 5
    assert ImageFile.LOAD_TRUNCATED_IMAGES


# --- refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ALL_FORMATS)
def test_a_truncated_file_is_refused_or_whole(kind: str, scene: Scene, tmp_path: Path) -> None:
    """At any length: a file's last bytes may say nothing about its pixels."""
    data = save(scene(), tmp_path / "whole", kind).read_bytes()
    whole = pixels(read(tmp_path / "whole").image)
    cut, refused = tmp_path / "cut", 0
    lengths = sorted({*range(1, len(data), len(data) // 40 + 1), *range(len(data) - 12, len(data))})
    for length in lengths:
        cut.write_bytes(data[:length])
        try:
            assert np.array_equal(pixels(read(cut).image), whole), f"{length} of {len(data)}"
        except PhotoError:
            refused += 1
    # An MPO's second picture and a TIFF's directory lie behind the pixels.
    assert refused >= len(lengths) * (0.3 if kind == "MPO" else 0.7)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "AVIF"])
def test_animations_are_refused(kind: str, scene: Scene, tmp_path: Path) -> None:
    frames = [scene(seed=1), scene(seed=2)]
    scene().save(tmp_path / "a", format=kind, save_all=True, append_images=frames)
    with pytest.raises(PhotoError, match=f"animated {kind}; only still .* Save the frame"):
        read(tmp_path / "a")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", r"is empty \(0 bytes\). Copy it again"),
        (b"a photo of sks dog\n", "is text, whatever its name says; JPEG.* is possible"),
        ("ein schöner Hund".encode()[:6], "is text"),
        (b"<!DOCTYPE html><html><body>404</body></html>", r"is a web page \(HTML\)"),
        (b'<?xml version="1.0"?>\n<svg xmlns="x"/>', "is an SVG drawing"),
        (b"<svg width='9'></svg>", "is an SVG drawing"),
        (b"%PDF-1.7", "is a PDF document"),
        (b"8BPS\0\1", "is a Photoshop document"),
        (b"\0\0\0\x18ftypqt  ", "is a video"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "is text"),
        (bytes(range(256)), "is unknown data"),
        (b"\xff\xd8\xff\xe0 and then nothing", "damaged or cut short .* Copy it again"),
        (b"\x89PNG\r\n\x1a\n", "damaged or cut short .*begins like PNG"),
    ],
)
def test_what_is_no_picture_is_called_what_it_is(
    content: bytes, reason: str, tmp_path: Path
) -> None:
    (tmp_path / "photo.jpg").write_bytes(content)
    with pytest.raises(PhotoError, match=reason):
        read(tmp_path / "photo.jpg")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(PhotoError, match="is a folder. Name the pictures in it"):
        read(tmp_path)


def test_a_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(PhotoError, match="is a pipe or device"):
        read(tmp_path / "pipe.jpg")


def test_links_are_followed_and_broken_ones_told(scene: Scene, tmp_path: Path) -> None:
    save(scene(), tmp_path / "a.png", "PNG")
    (tmp_path / "link").symlink_to("a.png")
    (tmp_path / "broken").symlink_to("nothing")
    assert read(tmp_path / "link").size == (96, 72)
    with pytest.raises(PhotoError, match="No such file.* Check the name and the permissions"):
        read(tmp_path / "broken")


def test_a_forbidden_file_is_told(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(scene(), tmp_path / "a.png", "PNG")

    def forbid(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", forbid)  # chmod would not stop root
    with pytest.raises(PhotoError, match="Permission denied.* Check the name and the permissions"):
        read(path)
