"""Photos in, verdicts out; what is stored is what training reads."""

from __future__ import annotations

import pickle
import re
import threading
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.studio import Studio
from app.subjects import MAX_PHOTOS
from app.views import Upload
from trainer.config import SubjectConfig
from trainer.data.subject import read_subject
from trainer.errors import ArtifactError, ConfigError, PhotoError

Picture = Callable[..., bytes]
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
HTML = b"<!doctype html><html><script>alert(1)</script></html>"


def png_that_claims(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose header claims a size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        crc = zlib.crc32(kind + data).to_bytes(4, "big")
        return len(data).to_bytes(4, "big") + kind + data + crc

    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\x02\0\0\0"
    rows = chunk(b"IDAT", zlib.compress(b"\0" * 1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + rows + chunk(b"IEND", b"")


def test_training_reads_what_was_stored(studio: Studio, duck: list[Upload]) -> None:
    subject = studio.create_subject("Duck", "duck", "qvk", duck)
    first = subject.photos[0]
    studio.set_caption(subject.slug, first.file, "a {unique_token} {class_token} on a table")
    read = read_subject(studio.workspace.subject(subject.slug), SubjectConfig(), 64)
    assert (read.unique_token, read.class_token, len(read.photos)) == ("qvk", "duck", 5)
    captions = {
        photo.path.name: text for photo, text in zip(read.photos, read.captions, strict=True)
    }
    assert captions.pop(first.file) == "a qvk duck on a table"
    assert set(captions.values()) == {"a qvk duck"}


def test_stored_pixels_are_those_of_the_upload(studio: Studio, duck: list[Upload]) -> None:
    subject = studio.create_subject("Duck", "duck", uploads=duck[:1])
    stored = Image.open(studio.photo_path(subject.slug, subject.photos[0].file))
    assert isinstance(duck[0].data, bytes)
    given = Image.open(BytesIO(duck[0].data)).convert("RGB")
    assert np.array_equal(np.asarray(stored), np.asarray(given))


def test_a_good_photo_is_accepted_and_its_crop_shown(studio: Studio, picture: Picture) -> None:
    subject = studio.create_subject(
        "Dog", "dog", uploads=[Upload("IMG 1.JPG", picture((1536, 1024)))]
    )
    (photo,) = subject.photos
    assert (photo.verdict, photo.source, photo.size) == ("accepted", "IMG 1.JPG", (1536, 1024))
    assert photo.bucket == (1216, 832)
    left, top, right, bottom = photo.crop
    assert (top, bottom) == (0, 1) and left == pytest.approx(1 - right) and 0 < left < 0.05


def test_a_photo_too_small_for_sdxl_is_kept_with_a_warning(
    studio: Studio, duck: list[Upload]
) -> None:
    subject = studio.create_subject("Duck", "duck", uploads=duck[:1])
    assert subject.ready
    assert subject.photos[0].verdict == "warned"
    assert "64 x 64 pixels" in subject.photos[0].reasons[0]


def test_the_same_photo_twice_is_warned_of_by_the_names_it_came_with(
    studio: Studio, picture
) -> None:
    same = picture()
    subject = studio.create_subject(
        "Dog", "dog", uploads=[Upload("a.png", same), Upload("b.png", same)]
    )
    assert subject.photos[0].verdict == "accepted"
    assert subject.photos[1].reasons == ["has the same pixels as a.png; one of them is enough"]
    subject = studio.remove_photo(subject.slug, subject.photos[0].file)
    assert subject.photos[0].verdict == "accepted"


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("cat.png", SVG, "an SVG drawing"),
        ("cat.jpg", HTML, "a web page"),
        ("cat.png", pickle.dumps({"a": 1}), "unknown data"),
        ("cat.png", b"", "empty"),
        ("cat.png", png_that_claims(60_000, 60_000), "megapixels"),
        ("cat.png", png_that_claims(2, 2), "too small|damaged"),
        ("cat.jpg", b"\xff\xd8\xff\xe0 and no more", "damaged"),
    ],
)
def test_what_is_no_photo_is_refused_with_the_reason_and_leaves_no_file(
    studio: Studio, duck: list[Upload], name: str, data: bytes, reason: str
) -> None:
    subject = studio.create_subject("Duck", "duck", uploads=[duck[0], Upload(name, data)])
    (refused,) = subject.refused
    assert refused.source == name and re.search(reason, refused.reason)
    assert len(subject.photos) == 1
    left = [path for path in studio.workspace.root.rglob("*") if path.suffix == ".png"]
    assert len(left) == 1


def test_photos_of_which_none_can_be_used_leave_no_subject_behind(studio: Studio) -> None:
    bad = [Upload("a.png", SVG), Upload("b.jpg", HTML)]
    with pytest.raises(PhotoError, match="(?s)No photo could be used.*a.png .*SVG.*b.jpg .*web"):
        studio.create_subject("Bad one", "dog", uploads=bad)
    many = [Upload(f"{number}.png", b"") for number in range(MAX_PHOTOS + 1)]
    with pytest.raises(PhotoError, match="at most 200"):
        studio.create_subject("Bad one", "dog", uploads=many)
    with pytest.raises(PhotoError, match="and 20 more"):
        studio.create_subject("Bad one", "dog", uploads=many[:30])
    assert studio.subjects() == [] and not list(studio.workspace.subjects.iterdir())


def test_a_file_beyond_the_limit_is_refused_before_it_is_decoded(
    studio: Studio,
    picture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("app.photos.MAX_FILE_BYTES", 2**20)
    large = picture() + b"\0" * 2**20
    with pytest.raises(PhotoError, match="a.png is larger than 1 MiB"):
        studio.create_subject("Dog", "dog", uploads=[Upload("a.png", BytesIO(large))])


def test_more_photos_than_allowed_are_refused_as_a_whole(
    studio: Studio, duck: list[Upload]
) -> None:
    subject = studio.create_subject("Duck", "duck", uploads=duck)
    with pytest.raises(PhotoError, match=f"at most {MAX_PHOTOS}"):
        studio.add_photos(subject.slug, duck * 40)
    assert len(studio.subject(subject.slug).photos) == 5


def test_no_name_of_a_client_becomes_a_file_name(studio: Studio, duck: list[Upload]) -> None:
    evil = Upload("../../../etc/pass\0wd<script>.png", duck[0].data)
    subject = studio.create_subject("../../evil", "duck", uploads=[evil])
    assert subject.slug == "evil"
    (photo,) = subject.photos
    assert photo.source == "passwd<script>.png"
    files = [path for path in studio.workspace.subjects.rglob("*") if path.is_file()]
    assert {path.name for path in files} == {"subject.json", photo.file}


def test_the_colour_behind_a_transparent_photo_is_chosen_after_the_upload(studio: Studio) -> None:
    """Half transparent red on any colour is their mean, to a rounding."""
    file = BytesIO()
    Image.new("RGBA", (64, 64), (255, 0, 0, 128)).save(file, "PNG")
    subject = studio.create_subject("Dot", "dot", uploads=[Upload("a.png", file.getvalue())])
    for color, expected in (("#0000ff", (128, 0, 127)), ("white", (255, 127, 127))):
        studio.edit_subject(subject.slug, alpha_color=color)
        config = SubjectConfig(alpha_color=studio.subject(subject.slug).alpha_color)
        read = read_subject(studio.workspace.subject(subject.slug), config, 64)
        pixel = np.asarray(read.photos[0].load())[32, 32].astype(int)
        assert np.abs(pixel - expected).max() <= 1


@pytest.mark.parametrize("name", ["", "   ", "a\0b", "x" * 81, "\ud800"])
def test_names_that_cannot_be_shown_are_refused(studio: Studio, name: str) -> None:
    with pytest.raises(ConfigError, match="The name"):
        studio.create_subject(name, "dog")
    assert studio.subjects() == []


def test_two_subjects_of_one_name_have_folders_and_words_of_their_own(studio: Studio) -> None:
    one, two = studio.create_subject("Rex", "dog"), studio.create_subject("Rex", "dog")
    assert (one.slug, two.slug) == ("rex", "rex-2")
    assert one.unique_token != two.unique_token


def test_a_name_in_any_script_has_a_folder(studio: Studio) -> None:
    assert studio.create_subject("小犬", "dog").slug == "subject"
    assert studio.create_subject("Möwe & Söhne", "bird").slug == "mowe-sohne"


def test_uploads_at_the_same_time_lose_no_photo(studio: Studio, picture: Picture) -> None:
    subject = studio.create_subject("Dog", "dog")
    files = [Upload(f"{n}.png", picture((64, 64), seed=n)) for n in range(6)]
    threads = [
        threading.Thread(target=studio.add_photos, args=(subject.slug, [file])) for file in files
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {photo.source for photo in studio.subject(subject.slug).photos} == {
        f.name for f in files
    }


def test_a_photo_held_out_is_kept_from_training_and_goes_to_the_scores(
    studio: Studio, duck: list[Upload]
) -> None:
    subject = studio.create_subject("Duck", "duck", uploads=duck)
    held = subject.photos[1]
    subject = studio.hold_out(subject.slug, held.file, True)
    assert subject.held_out == [held] and held not in subject.photos
    assert studio.photo_path(subject.slug, held.file).is_file()
    read = read_subject(studio.workspace.subject(subject.slug), SubjectConfig(), 64)
    assert [path.name for path in read.held_out] == [held.file]
    assert sorted(p.path.name for p in read.photos) == sorted(p.file for p in subject.photos)


def test_a_photo_is_trained_on_again_with_its_caption(studio: Studio, duck: list[Upload]) -> None:
    subject = studio.create_subject("Duck", "duck", uploads=duck[:2])
    file = subject.photos[0].file
    studio.set_caption(subject.slug, file, "a {unique_token} duck asleep")
    for held_out in (True, True, False, False):  # twice is once
        studio.hold_out(subject.slug, file, held_out)
    again = studio.subject(subject.slug)
    assert again.held_out == []
    assert [(p.file, p.caption) for p in again.photos][1] == (file, "a {unique_token} duck asleep")
    read = read_subject(studio.workspace.subject(subject.slug), SubjectConfig(), 64)
    assert len(read.photos) == 2 and read.held_out == ()


def test_one_photo_at_least_stays_to_train_on(studio: Studio, duck: list[Upload]) -> None:
    subject = studio.create_subject("Duck", "duck", uploads=duck[:1])
    with pytest.raises(PhotoError, match="the only photo to train on"):
        studio.hold_out(subject.slug, subject.photos[0].file, True)
    assert studio.subject(subject.slug) == subject


def test_a_held_out_photo_that_is_also_trained_on_is_warned_of(studio: Studio, picture) -> None:
    same = picture()
    subject = studio.create_subject("Dog", "dog", uploads=[Upload("a.png", same)])
    subject = studio.add_photos(subject.slug, [Upload("b.png", picture(seed=4))])
    studio.hold_out(subject.slug, subject.photos[1].file, True)
    subject = studio.add_photos(subject.slug, [Upload("c.png", picture(seed=4))])
    assert subject.held_out[0].reasons == ["has the same pixels as c.png; one of them is enough"]


def test_a_held_out_photo_can_be_removed(studio: Studio, duck: list[Upload]) -> None:
    subject = studio.create_subject("Duck", "duck", uploads=duck[:2])
    file = subject.photos[0].file
    studio.hold_out(subject.slug, file, True)
    assert studio.remove_photo(subject.slug, file).held_out == []
    assert list((studio.workspace.subject(subject.slug) / "held_out").iterdir()) == []


def test_a_deleted_subject_leaves_nothing(studio: Studio, duck: list[Upload]) -> None:
    subject = studio.create_subject("Duck", "duck", uploads=duck)
    studio.delete_subject(subject.slug)
    assert list(studio.workspace.subjects.iterdir()) == []
    with pytest.raises(ArtifactError, match="no subject"):
        studio.subject(subject.slug)


def test_folders_that_are_no_subjects_of_ours_are_passed_over(studio: Studio) -> None:
    (studio.workspace.subjects / "loose").mkdir()
    foreign = studio.workspace.subjects / "foreign"
    foreign.mkdir()
    (foreign / "subject.json").write_text('{"class_token": "dog"}')
    assert studio.subjects() == []


@pytest.mark.parametrize("file", ["../subject.json", "/etc/passwd", "x.png", "", "a\0.png"])
def test_only_photos_of_the_subject_have_a_path(
    studio: Studio, duck: list[Upload], file: str
) -> None:
    subject = studio.create_subject("Duck", "duck", uploads=duck[:1])
    with pytest.raises(ArtifactError, match="has no photo"):
        studio.photo_path(subject.slug, file)


@pytest.mark.parametrize(
    "slug", ["../runs", "..", ".", "", "a/b", "a\0", "UPPER", str(Path("/etc"))]
)
def test_a_slug_that_is_no_name_reaches_no_folder(studio: Studio, slug: str) -> None:
    with pytest.raises(ConfigError, match="is no name"):
        studio.subject(slug)
