"""A reader sees the old file or the new one, never half of one."""

from __future__ import annotations

from pathlib import Path

import pytest

from trainer.files import sha256_of, whole_file, whole_folder, write_json


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "scores.json"
    write_json(path, {"old": True})
    before = path.read_bytes()
    with pytest.raises(RuntimeError), whole_file(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_is_there_before_the_write_is_done(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.bin"
    with whole_file(path) as temporary:
        temporary.write_bytes(b"whole")
        assert not path.exists()
    assert path.read_bytes() == b"whole"


def test_a_folder_takes_the_place_of_the_old_one_only_when_it_is_done(tmp_path: Path) -> None:
    path = tmp_path / "new" / "model"
    for name in ("old", "new"):
        with whole_folder(path) as temporary:
            (temporary / "deeper").mkdir()
            (temporary / "deeper" / name).write_text("whole")
    with pytest.raises(RuntimeError), whole_folder(path) as temporary:
        (temporary / "half").touch()
        assert path.is_dir()
        raise RuntimeError
    assert [file.name for file in path.rglob("*")] == ["deeper", "new"]
    assert list(path.parent.iterdir()) == [path]


def test_files_are_to_be_read_by_all_alone_and_in_a_folder(tmp_path: Path) -> None:
    with whole_file(tmp_path / "alone") as temporary:
        temporary.chmod(0o600)
    with whole_folder(tmp_path / "model") as folder:
        (folder / "weights").touch(mode=0o600)  # as safetensors does
    files = (tmp_path / "alone", tmp_path / "model" / "weights")
    assert [file.stat().st_mode & 0o777 for file in files] == [0o644, 0o644]


def test_the_digest_is_sha256(tmp_path: Path) -> None:
    path = tmp_path / "abc"
    path.write_bytes(b"abc")  # the test vector of FIPS 180-4
    assert sha256_of(path).startswith("ba7816bf8f01cfea414140de5dae2223")
