"""Promises of the decomposition service; the reference is numpy's dense SVD in fp64."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from trainer.adapters import decomposition
from trainer.adapters.decomposition import Decomposition, DecompositionService, decompose
from trainer.adapters.weights import MadeWeight, StoredWeight
from trainer.errors import NonFiniteError

Started = Callable[[], list[psutil.Process]]


@pytest.fixture
def started() -> Started:
    """Child processes that came since; others may be there, such as Python's resource tracker."""
    before = set(psutil.Process().children())
    return lambda: [child for child in psutil.Process().children() if child not in before]


def weight(seed: int, out: int = 24, in_: int = 32) -> Tensor:
    return torch.randn(out, in_, generator=torch.Generator().manual_seed(seed))


def assert_same(one: Decomposition, other: Decomposition) -> None:
    assert (one.side, one.excluded, one.key) == (other.side, other.excluded, other.key)
    assert torch.equal(one.vectors, other.vectors) and torch.equal(one.sigma, other.sigma)


def never(*_: object) -> Decomposition:
    raise AssertionError("decomposed again")


@pytest.mark.parametrize(("out", "in_"), [(24, 24), (24, 32), (32, 24)])
def test_a_decomposition_is_the_smaller_side_of_the_dense_svd(out: int, in_: int) -> None:
    w = weight(0, out, in_)
    result = decompose(w, "layer")
    u, sigma, vh = np.linalg.svd(w.double().numpy(), full_matrices=False)
    reference = u if result.side == "left" else vh.T
    np.testing.assert_allclose(result.sigma, sigma, rtol=1e-9)
    overlap = np.abs(np.sum(reference * result.vectors.double().numpy(), axis=0))
    np.testing.assert_allclose(overlap, 1.0, atol=1e-6)
    assert result.vectors.dtype == torch.float32 and result.usable == 24


def test_the_key_sees_bytes_shape_and_dtype() -> None:
    w = weight(0)
    changed = w.clone()
    changed[3, 4] += 1e-6
    variants = [w, changed, w.reshape(32, 24), w.half(), w.bfloat16()]
    assert len({decomposition.weight_key(variant) for variant in variants}) == 5
    assert decomposition.weight_key(w.clone()) == decomposition.weight_key(w)


def test_a_second_run_on_the_same_base_decomposes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with DecompositionService(tmp_path, workers=0) as service:
        service.submit({"a": weight(0), "b": weight(1)})
        first = service.result("a"), service.result("b")
    monkeypatch.setattr(decomposition, "decompose", never)
    with DecompositionService(tmp_path, workers=0) as service:
        service.submit({"renamed": weight(0), "b": weight(1)})
        assert_same(service.result("renamed"), first[0])
        assert_same(service.result("b"), first[1])


@pytest.mark.parametrize("workers", [0, 1])
def test_a_base_larger_than_the_limit_is_decomposed_once_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    save_file({"x.weight": weight(3)}, tmp_path / "base.safetensors")
    stored = StoredWeight(tmp_path / "base.safetensors", "x.weight")
    made = MadeWeight(lambda: weight(4), (24, 32))
    weights = {**{f"{seed}": weight(seed) for seed in range(3)}, "stored": stored, "made": made}
    with DecompositionService(tmp_path / "cache", workers, limit_bytes=1) as service:
        service.submit(weights)
        first = {path: service.result(path) for path in weights}
    monkeypatch.setattr(decomposition, "decompose", never)
    with DecompositionService(tmp_path / "cache", workers=0, limit_bytes=1) as service:
        service.submit(weights)
        for path, result in first.items():
            assert_same(service.result(path), result)


def test_a_corrupt_cache_entry_is_computed_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    service = DecompositionService(tmp_path, workers=0)
    service.submit({"a": weight(0)})
    good = service.result("a")
    entry = tmp_path / f"{good.key}.safetensors"
    data = bytearray(entry.read_bytes())
    data[-100] ^= 255
    entry.write_bytes(data)
    assert_same(service.result("a"), good)
    assert "is damaged" in caplog.text
    caplog.clear()
    assert_same(service.result("a"), good)
    assert not caplog.text


def test_workers_give_what_this_process_gives_and_race_without_harm(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, started: Started
) -> None:
    bad = weight(5)
    bad[2, 3] = torch.inf
    save_file({"x.weight": weight(7).bfloat16()}, tmp_path / "base.safetensors")
    stored = StoredWeight(tmp_path / "base.safetensors", "x.weight")
    # Every live weight under two names: the two workers meet at one key.
    live = {f"{seed}{copy}": weight(seed, 96, 64) for seed in range(6) for copy in "ab"}
    with DecompositionService(tmp_path / "cache", workers=2) as service:
        service.submit({**live, "stored": stored, "bad": bad})
        workers = started()
        assert len(workers) == 2  # and no resource tracker: there are no semaphores to leak
        for path, w in live.items():
            assert_same(service.result(path), decompose(w, path))
        assert_same(service.result("stored"), decompose(weight(7).bfloat16(), "stored"))
        with pytest.raises(NonFiniteError, match="^bad: "):
            service.result("bad")
        assert [record.args[0] for record in caplog.records if record.args] == ["bad"]
        assert (service.progress().done, service.progress().total) == (14, 14)
        assert not psutil.wait_procs(workers, timeout=10)[1]  # done, and gone
    assert len(list((tmp_path / "cache").iterdir())) == 7


def test_a_killed_worker_costs_time_and_not_the_result(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, started: Started
) -> None:
    weights = {f"{seed}": weight(seed) for seed in range(5)}
    with caplog.at_level(logging.WARNING), DecompositionService(tmp_path, workers=1) as service:
        service.submit(weights)
        started()[0].kill()
        for path, w in weights.items():
            assert_same(service.result(path), decompose(w, path))
    assert "0: the worker process has ended; it is computed at launch" in caplog.text


def test_a_closed_service_still_answers(tmp_path: Path, started: Started) -> None:
    service = DecompositionService(tmp_path, workers=1)
    service.submit({"a": weight(0)})
    service.close()
    service.close()
    assert_same(service.result("a"), decompose(weight(0), "a"))
    assert not started()


SCRIPT = """
import sys, time, torch
from pathlib import Path
from trainer.adapters.decomposition import DecompositionService
service = DecompositionService(Path(sys.argv[1]), workers=1)
service.submit({str(i): torch.randn(1500, 1500) for i in range(20)})
print("started", flush=True)
time.sleep(100)
"""


def test_workers_die_with_their_parent_even_from_the_middle_of_the_work(tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None and parent.stdout.readline() == "started\n"
    workers = psutil.Process(parent.pid).children()
    assert len(workers) == 1
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("[!.]*")) and time.monotonic() < deadline:
        time.sleep(0.05)  # until it is at work
    os.kill(parent.pid, signal.SIGKILL)
    parent.communicate()
    assert not psutil.wait_procs(workers, timeout=10)[1]
