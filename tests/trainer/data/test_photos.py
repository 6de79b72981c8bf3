"""Good photos go in, each bad one is named with its reason, and one never spoils the others."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageFilter

from trainer.data.photos import Intake, find_photos, require_photos, take_in, write_clean
from trainer.errors import PhotoError

Scene = Callable[..., Image.Image]
R = 64


@pytest.fixture
def photos(scene: Scene, tmp_path: Path) -> Callable[[int], list[Path]]:
    def write(count: int) -> list[Path]:
        paths = [tmp_path / f"photo {index}.png" for index in range(count)]
        for index, path in enumerate(paths):
            scene(seed=index).save(path)
        return paths

    return write


def names(intake: Intake) -> tuple[list[str], list[str]]:
    accepted = [photo.path.name for photo in intake.accepted]
    return accepted, [refusal.path.name for refusal in intake.refused]


# --- finding --------------------------------------------------------------------------------------


def test_a_folder_lists_its_pictures_in_natural_order(tmp_path: Path) -> None:
    listed = ["1.jpg", "2.HEIC", "10.jpg", "b2.png", "B10.png", "no suffix"]
    passed_over = [".DS_Store", "._1.jpg", "Thumbs.db", "desktop.ini", "1.txt", "2.AAE"]
    for name in [*reversed(listed), *passed_over]:
        (tmp_path / name).touch()
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "3.jpg").touch()
    assert [path.name for path in find_photos(tmp_path)] == listed


def test_files_and_folders_can_be_mixed(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for name in ("z.jpg", "folder/a.jpg", "folder/a.txt"):
        (tmp_path / name).touch()
    found = find_photos([tmp_path / "z.jpg", tmp_path / "folder"])
    assert [path.name for path in found] == ["z.jpg", "a.jpg"]


@pytest.mark.parametrize("content", [[], ["a.txt", ".hidden.jpg"]])
def test_an_empty_folder_says_what_belongs_there(content: list[str], tmp_path: Path) -> None:
    for name in content:
        (tmp_path / name).touch()
    with pytest.raises(PhotoError, match=r"No photos in .*JPEG, PNG, WebP, HEIC/HEIF, AVIF"):
        find_photos(tmp_path)


def test_a_missing_path_is_named(tmp_path: Path) -> None:
    with pytest.raises(PhotoError, match=r"dgo does not exist.*JPEG"):
        find_photos(tmp_path / "dgo")
    with pytest.raises(PhotoError, match="No photos were given"):
        find_photos([])


# --- taking in ------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 3, 10, 200])
def test_any_number_of_photos_just_works(count: int, photos: Callable[[int], list[Path]]) -> None:
    paths = photos(count)
    intake = take_in(paths, resolution=R)
    assert [photo.path for photo in intake.accepted] == paths
    assert not intake.refused
    assert not intake.warnings
    assert require_photos(intake) == intake.accepted


def test_taking_in_holds_no_pixels(photos: Callable[[int], list[Path]]) -> None:
    def living_images() -> int:
        gc.collect()
        return sum(issubclass(type(thing), Image.Image) for thing in gc.get_objects())

    before = living_images()
    intake = take_in(photos(20), resolution=R)
    assert len(intake.accepted) == 20
    assert living_images() == before


def test_bad_files_are_named_and_good_ones_go_on(
    photos: Callable[[int], list[Path]], tmp_path: Path
) -> None:
    first, second = photos(2)
    (tmp_path / "text.jpg").write_text("not a picture")
    (tmp_path / "cut.png").write_bytes(first.read_bytes()[:300])
    (tmp_path / "nothing.png").touch()
    paths = [tmp_path / name for name in ("text.jpg", "cut.png", "nothing.png", "gone.jpg")]
    intake = take_in([paths[0], first, *paths[1:], tmp_path, second], resolution=R)
    assert names(intake) == (
        ["photo 0.png", "photo 1.png"],
        ["text.jpg", "cut.png", "nothing.png", "gone.jpg", tmp_path.name],
    )
    assert str(intake.refused[0]).startswith("text.jpg: is text, whatever its name says")
    assert all(len(refusal.reason.split(". ")) >= 2 for refusal in intake.refused)


def test_where_nothing_is_left_every_reason_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    (tmp_path / "b.jpg").write_text("hello")
    intake = take_in(find_photos(tmp_path), resolution=R)
    with pytest.raises(PhotoError) as caught:
        require_photos(intake)
    assert "None of the 2 files" in str(caught.value)
    assert "\n  a.jpg: is empty" in str(caught.value)
    assert "\n  b.jpg: is text" in str(caught.value)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(["JPEG", "PNG", "WEBP", "TIFF", "GIF", "HEIF", "AVIF"]),
    damage=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=20),
)
def test_no_damage_makes_taking_in_fail(
    kind: str, damage: list[tuple[float, int]], scene: Scene, tmp_path: Path
) -> None:
    buffer = BytesIO()
    scene().save(buffer, format=kind)
    data = bytearray(buffer.getvalue())
    for place, value in damage:
        data[int(place * (len(data) - 1))] = value
    (tmp_path / "damaged").write_bytes(data)
    intake = take_in([tmp_path / "damaged"], resolution=R)
    assert len(intake.accepted) + len(intake.refused) == 1


@given(st.binary(max_size=200))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_content_makes_taking_in_fail(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "junk.jpg").write_bytes(content)
    assert len(take_in([tmp_path / "junk.jpg"], resolution=R).refused) == 1


# --- judging --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "refused", "warned"),
    [
        ((15, 300), True, False),
        ((16, 20), False, True),
        ((63, 63), False, True),
        ((64, 64), False, False),
        ((80, 56), False, False),  # as many pixels as the base's square
    ],
)
def test_small_photos_are_warned_of_and_tiny_ones_refused(
    size: tuple[int, int], refused: bool, warned: bool, scene: Scene, tmp_path: Path
) -> None:
    scene(*size).save(tmp_path / "a.png")
    intake = take_in([tmp_path / "a.png"], resolution=R)
    given_size = f"has {size[0]} x {size[1]} pixels"
    assert bool(intake.refused) == refused
    assert any(f"a.png: {given_size}, less than" in text for text in intake.warnings) == warned
    if refused:
        expected = f"{given_size}: too small. The shorter side needs 16 pixels, better 64."
        assert intake.refused[0].reason.startswith(expected)


def test_a_panorama_loses_its_ends_aloud(scene: Scene, tmp_path: Path) -> None:
    scene(400, 100).save(tmp_path / "a.png")
    (warning,) = take_in([tmp_path / "a.png"], resolution=R).warnings
    assert warning == "a.png: has 400 x 100 pixels, longer than 2:1; its ends are cut off"


def test_blur_is_pointed_out(scene: Scene, tmp_path: Path) -> None:
    for radius in (0, 1, 4, 12):
        blurred = scene(600, 600).filter(ImageFilter.GaussianBlur(radius))
        blurred.save(tmp_path / f"{radius}.png")
    intake = take_in(find_photos(tmp_path), resolution=512)
    assert [text for text in intake.warnings if "blurred" in text] == [
        "4.png: looks blurred; a sharp photo teaches more",
        "12.png: looks blurred; a sharp photo teaches more",
    ]


def test_repeated_photos_are_pointed_out(scene: Scene, tmp_path: Path) -> None:
    scene().save(tmp_path / "1.png")
    scene().save(tmp_path / "2 same.webp", lossless=True)
    scene().resize((160, 120)).save(tmp_path / "3 like.jpg", quality=70)
    scene(seed=1).save(tmp_path / "4 other.png")
    assert take_in(find_photos(tmp_path), resolution=R).warnings == (
        "2 same.webp: has the same pixels as 1.png; one of them is enough",
        "3 like.jpg: is nearly the same picture as 1.png; one of them is enough",
    )


def test_plain_pictures_are_alike_only_when_equal(tmp_path: Path) -> None:
    for name, colour in {"1": "red", "2": "blue", "3": "red"}.items():
        Image.new("RGB", (64, 64), colour).save(tmp_path / name, format="PNG")
    (warning,) = take_in(find_photos(tmp_path), resolution=R).warnings
    assert warning.startswith("3: has the same pixels as 1")


# --- photos ---------------------------------------------------------------------------------------


def test_a_photo_is_loaded_as_it_was_judged(scene: Scene, tmp_path: Path) -> None:
    scene(300, 200).save(tmp_path / "a.png")
    (photo,) = take_in([tmp_path / "a.png"], resolution=R).accepted
    image = photo.load()
    assert photo.size == (300, 200)
    assert (image.mode, image.size, image.info) == ("RGB", (192, 128), {})
    assert image.tobytes() == photo.load().tobytes()
    assert photo.load_alpha() is None


def test_alpha_can_be_had_as_a_mask(tmp_path: Path) -> None:
    image = Image.new("RGBA", (64, 64), (200, 0, 0, 255))
    image.paste((0, 0, 0, 0), (0, 0, 32, 64))
    image.save(tmp_path / "a.png")
    (photo,) = take_in([tmp_path / "a.png"], resolution=R, alpha_color=(0, 255, 0)).accepted
    mask = photo.load_alpha()
    assert mask is not None
    assert (mask.mode, mask.size) == ("L", (64, 64))
    assert photo.load().getpixel((0, 0)) == (0, 255, 0)
    assert "(0, 255, 0)" in photo.warnings[0]


def test_a_file_that_changed_meanwhile_is_not_trained_on(scene: Scene, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    scene().save(path)
    (photo,) = take_in([path], resolution=R).accepted
    scene(seed=1).save(path)
    with pytest.raises(PhotoError, match="a.png: has changed since it was taken in"):
        photo.load()
    path.unlink()
    with pytest.raises(PhotoError, match="a.png: cannot be read"):
        photo.load()


def test_a_clean_copy_has_the_pixels_and_nothing_else(scene: Scene, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.Base.Make] = "SecretCamera"
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitude] = (52.0, 30.0, 0.0)
    scene(300, 200).save(tmp_path / "a.jpg", exif=exif, comment=b"SecretPlace")
    (photo,) = take_in([tmp_path / "a.jpg"], resolution=R).accepted
    clean = tmp_path / "new folder" / "clean.png"
    write_clean(photo, clean)

    with Image.open(clean) as image:
        assert (image.format, image.size, image.info) == ("PNG", (128, 192), {})
    assert not any(word in clean.read_bytes() for word in (b"Secret", b"eXIf", b"Exif", b"tEXt"))
    (again,) = take_in([clean], resolution=R).accepted
    assert again.sha256 == photo.sha256


def test_taking_in_needs_no_torch() -> None:
    """The web process takes photos in, and never imports torch."""
    program = "import sys, trainer.data.photos, trainer.data.buckets; print('torch' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", program], text=True) == "False\n"


# --- real photos ----------------------------------------------------------------------------------


@pytest.mark.shared_data
def test_all_dreambooth_subjects_pass() -> None:
    default = Path(__file__).parents[3] / ".." / "shared"
    folder = Path(os.environ.get("DASHBOOTH_DATA", default)) / "dreambooth" / "subjects"
    if not folder.is_dir():
        pytest.skip(f"no DreamBooth photos at {folder}: set DASHBOOTH_DATA to their folder")
    subjects = sorted(entry for entry in folder.iterdir() if entry.is_dir())
    assert len(subjects) == 20
    for subject in subjects:
        intake = take_in(find_photos(subject), resolution=512)
        assert not intake.refused
        assert not intake.warnings
        assert len(intake.accepted) >= 4
