"""Promises of the cache: whole, checked, bounded."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest
import torch

from trainer.adapters.tensor_cache import TensorCache

TENSORS = {"vectors": torch.arange(12.0).reshape(3, 4), "sigma": torch.ones(3).double()}


def fill(cache: TensorCache, *keys: str) -> None:
    """Entries whose last use lies one second apart, in order."""
    for second, key in enumerate(keys):
        cache.write(key, TENSORS, {})
        os.utime(cache.path(key), (1e9 + second, 1e9 + second))


def test_an_entry_comes_back_as_it_was_written(tmp_path: Path) -> None:
    cache = TensorCache(tmp_path / "new", 10**6)
    assert cache.read("a") is None
    cache.write("a", TENSORS, {"side": "left"})
    entry = cache.read("a")
    assert entry is not None and entry[1] == {"side": "left"}
    assert all(torch.equal(entry[0][name], TENSORS[name]) for name in TENSORS)
    assert [path.name for path in cache.folder.iterdir()] == ["a.safetensors"]


@pytest.mark.parametrize("where", ["header", "data", "length"])
def test_a_damaged_entry_is_dropped_with_a_warning(
    tmp_path: Path, where: str, caplog: pytest.LogCaptureFixture
) -> None:
    cache = TensorCache(tmp_path, 10**6)
    cache.write("a", TENSORS, {"side": "left"})
    data = bytearray(cache.path("a").read_bytes())
    if where == "length":
        del data[-5:]
    else:
        data[3 if where == "header" else -3] ^= 1
    cache.path("a").write_bytes(data)
    with caplog.at_level(logging.WARNING):
        assert cache.read("a") is None
    assert "is damaged" in caplog.text
    assert not cache.path("a").exists()


def test_metadata_is_under_the_checksum_too(tmp_path: Path) -> None:
    cache = TensorCache(tmp_path, 10**6)
    cache.write("a", TENSORS, {"side": "left"})
    data = cache.path("a").read_bytes()
    cache.path("a").write_bytes(data.replace(b'"left"', b'"lift"'))
    assert cache.read("a") is None


def test_beyond_the_limit_the_least_recently_used_go(tmp_path: Path) -> None:
    cache = TensorCache(tmp_path, 10**6)
    fill(cache, "a", "b", "c")
    assert cache.read("a") is not None  # now the most recent
    size = cache.path("a").stat().st_size
    cache.limit_bytes = 3 * size
    cache.write("d", TENSORS, {})
    assert {path.stem for path in tmp_path.iterdir()} == {"a", "c", "d"}


def test_the_entry_just_written_stays_whatever_the_limit(tmp_path: Path) -> None:
    cache = TensorCache(tmp_path, 0)
    fill(cache, "a", "b")
    assert [path.stem for path in tmp_path.iterdir()] == ["b"]


def test_what_a_dead_writer_left_is_swept_up_and_a_living_one_is_spared(tmp_path: Path) -> None:
    cache = TensorCache(tmp_path, 10**6)
    for name, age in ((".old.x.safetensors", 1e9), (".new.y.safetensors", None)):
        (tmp_path / name).write_bytes(b"half")
        if age:
            os.utime(tmp_path / name, (age, age))
    cache.write("a", TENSORS, {})
    assert {path.name for path in tmp_path.iterdir()} == {".new.y.safetensors", "a.safetensors"}


def test_a_cache_that_cannot_be_written_only_warns(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = TensorCache(tmp_path / "file", 10**6)
    cache.write("a", TENSORS, {})
    assert "cannot write the cache" in caplog.text
    assert cache.read("a") is None
