"""GPUs as the driver tells of them; its tool is played by a stand-in with the true format."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.gpus import gpus
from app.jobs.slots import device_of, slot_numbers
from app.views import GpuView


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An executable `nvidia-smi`, first on the PATH."""
    tool = tmp_path / "nvidia-smi"
    tool.touch(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tool


def test_each_gpu_is_named_with_its_memory_and_is_a_slot(driver: Path) -> None:
    driver.write_text(
        "#!/bin/sh\necho 'NVIDIA H100, 80GB HBM3, 512, 81920'\necho 'GB10, [N/A], [N/A]'\n"
    )
    assert gpus() == [GpuView("NVIDIA H100, 80GB HBM3", 0.5, 80.0), GpuView("GB10", 0.0, 0.0)]
    assert list(slot_numbers("auto")) == [0, 1]
    assert [device_of(slot) for slot in (0, 1, 2)] == ["cuda:0", "cuda:1", "cpu"]


def test_a_driver_that_does_not_answer_is_no_gpu_and_the_cpu_is_one_slot(driver: Path) -> None:
    driver.write_text("#!/bin/sh\necho 'NVIDIA-SMI has failed'\nexit 9\n")
    assert gpus() == [] and list(slot_numbers("auto")) == [0] and device_of(0) == "cpu"
