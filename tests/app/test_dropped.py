"""Files dropped on the page: the originals go when they are taken in, or when nobody presses on."""

from __future__ import annotations

import time
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from app.dropped import FOLDER, KEPT_SECONDS, sweep, taken_in
from app.studio import Studio
from trainer.errors import ArtifactError, PhotoError

SECRET = b"48.8584 N 2.2945 E"


def photo() -> bytes:
    """A JPEG that says where it was taken."""
    told = Image.Exif()
    told[0x010E] = SECRET.decode()
    file = BytesIO()
    Image.effect_noise((200, 200), 90).convert("RGB").save(file, "JPEG", exif=told)
    return file.getvalue()


def drop(page: Any, *files: tuple[str, bytes]) -> list[dict[str, Any]]:
    """Upload as the page does; what its form then holds."""
    answer = page.web.post("/gradio_api/upload", files=[("files", file) for file in files])
    assert answer.status_code == 200, answer.text
    return [{"path": path, "meta": {"_type": "gradio.FileData"}} for path in answer.json()]


def left(studio: Studio) -> list[Path]:
    """Files of the workspace in which the secret stands."""
    files = [path for path in studio.workspace.root.rglob("*") if path.is_file()]
    return [path for path in files if SECRET in path.read_bytes()]


def test_nothing_of_the_originals_stays_after_they_are_taken_in(page: Any, studio: Studio) -> None:
    held = drop(page, ("IMG_0001.jpg", photo()), ("notes.jpg", b"no picture " + SECRET))
    assert len(left(studio)) == 2
    assert page.press("keep", [held, "Rex", "dog"]).status_code == 200
    (subject,) = studio.subjects()
    assert len(subject.photos) == 1 and [r.source for r in subject.refused] == ["notes.jpg"]
    assert left(studio) == []
    assert page.web.get(f"/gradio_api/file={held[0]['path']}").status_code in (403, 404)


def test_a_form_that_is_refused_keeps_its_photos_for_the_next_press(
    page: Any, studio: Studio
) -> None:
    held = drop(page, ("IMG_0001.jpg", photo()))
    assert "class" in page.press("keep", [held, "Rex", ""]).text
    assert page.press("keep", [held, "Rex", "dog"]).status_code == 200
    assert len(studio.subjects()[0].photos) == 1 and left(studio) == []


def test_a_page_that_still_shows_taken_photos_is_told_to_drop_them_again(
    page: Any, studio: Studio
) -> None:
    held = drop(page, ("IMG_0001.jpg", photo()))
    for _ in range(2):
        answer = page.press("keep", [held, "Rex", "dog"])
    assert answer.status_code == 200 and "Drop them again" in answer.text
    assert len(studio.subjects()) == 1


def test_all_data_deleted_means_dropped_photos_too_and_the_page_goes_on(
    page: Any, studio: Studio
) -> None:
    held = drop(page, ("IMG_0001.jpg", photo()))
    studio.delete_everything()
    assert left(studio) == []
    assert "Drop them again" in page.press("keep", [held, "Rex", "dog"]).text
    drop(page, ("IMG_0001.jpg", photo()))


def test_what_is_dropped_and_never_kept_goes_after_a_while(
    page: Any, studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert page.blocks.delete_cache[1] == KEPT_SECONDS
    drop(page, ("IMG_0001.jpg", photo()))
    cut = studio.workspace.cache / FOLDER / "tmpcut"
    cut.write_bytes(SECRET)
    studio.system()
    assert len(left(studio)) == 2
    later = time.time() + KEPT_SECONDS + 1
    monkeypatch.setattr(time, "time", lambda: later)
    studio.system()
    assert left(studio) == []


def test_two_names_of_one_content_go_one_by_one(tmp_path: Path) -> None:
    folder = tmp_path / ("a" * 64)
    folder.mkdir()
    for name in ("1.jpg", "2.jpg"):
        (folder / name).write_bytes(SECRET)
    with taken_in([str(folder / "1.jpg")]):
        pass
    assert [path.name for path in folder.iterdir()] == ["2.jpg"]
    sweep(tmp_path, age=-1)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_gone_is_told_in_words(tmp_path: Path) -> None:
    with pytest.raises(PhotoError, match="Drop them again"), taken_in([str(tmp_path / "x.jpg")]):
        pass


def test_what_somebody_has_just_dropped_is_no_cache_to_clear(studio: Studio) -> None:
    for name in (FOLDER, "uploads", "decompositions"):
        (studio.workspace.cache / name).mkdir(exist_ok=True)
    names = {view.name for view in studio.system().caches}
    assert "decompositions" in names and not names & {FOLDER, "uploads"}
    for name in (FOLDER, "uploads"):
        with pytest.raises(ArtifactError, match="no cache"):
            studio.delete_cache(name)
