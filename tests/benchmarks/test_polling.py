"""The polling benchmark on a real studio, as short as it gets; no test looks at how fast it was."""

from __future__ import annotations

import json
from pathlib import Path

import psutil
import pytest

from benchmarks.__main__ import main


@pytest.mark.timeout(900)
def test_the_figures_are_of_a_studio_that_was_polled_and_is_gone(tmp_path: Path) -> None:
    output = tmp_path / "polling.json"
    told = ["--clients", "2", "--seconds", "2", "--interval", "0.1", "--output", str(output)]
    assert main(["polling", *told]) == 0
    written = json.loads(output.read_text())
    figures = written["figures"]
    assert figures["requests"] > 2 and figures["cpu_percent_of_a_core"] > 0
    assert all(figures[f"rss_mib_{when}"] > 10 for when in ("start", "middle", "end"))
    assert written["settings"]["clients"] == 2 and written["machine"]["cores"]
    assert psutil.Process().children(recursive=True) == []


def test_nothing_to_poll_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["polling", "--clients", "0"]) == 2
    assert "--clients at least 1" in capsys.readouterr().err
