"""What all tests share: what may be skipped, and the small real models they run on.

A skip hides a failure, so with CI set any skip fails the run except those of the three markers.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from trainer.config import ModelConfig
from trainer.sdxl.load import SDXL, load_sdxl

pytest_plugins = ["tests.text_bases"]
ROOT = Path(__file__).resolve().parent.parent
MAY_SKIP = {"gpu", "shared_data", "slow"}


def pytest_configure() -> None:
    """Bitwise promises are made for a fixed number of threads; tiny models are fastest on one."""
    torch.set_num_threads(1)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="also run the tests marked slow")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    absent = {
        "gpu": None if torch.cuda.is_available() else "no CUDA device",
        "slow": None if config.getoption("--slow") else "slow; run with --slow",
        "shared_data": None if _shared_data().is_dir() else f"{_shared_data()} is not there",
    }
    for item in items:
        for marker, reason in absent.items():
            if reason and item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=reason))


def _shared_data() -> Path:
    return Path(os.environ.get("DASHBOOTH_DATA", ROOT / ".." / "shared")).resolve()


_forbidden_skips: list[str] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped and not hasattr(report, "wasxfail") and not MAY_SKIP & set(report.keywords):
        _forbidden_skips.append(report.nodeid)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if _forbidden_skips and os.environ.get("CI"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _forbidden_skips:
        terminalreporter.section("skipped without leave (CI fails on these)", red=True)
        for name in _forbidden_skips:
            terminalreporter.write_line(name)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The photos and texts beside the checkout; only for tests marked shared_data."""
    return _shared_data()


@pytest.fixture
def sdxl() -> SDXL:
    """The embedded base, freshly loaded: a real SDXL, small."""
    return load_sdxl("embedded", ModelConfig(device="cpu"))
