"""The benchmark of steps on texts, on tiny bases; no test looks at a duration."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.__main__ import main

SHORT = "--device cpu --batch-size 4 --rank 2 --rounds 2 --steps 1".split()


@pytest.mark.parametrize(("task", "kind"), [("commonsense", "llama"), ("demo", "bert")])
def test_every_method_has_its_turns_beside_plain_lora(
    task: str,
    kind: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
) -> None:
    output, base = tmp_path / "steps.json", str(request.getfixturevalue(kind))
    told = ["--task", task, "--base", base, "--methods", "dora", "lora-tsd", *SHORT]
    assert main(["text-step", *told, "--output", str(output)]) == 0
    written = json.loads(output.read_text("utf-8"))
    names = ["lora", "dora", "lora-tsd", "lora, again"]
    assert [row["name"] for row in written["rows"]] == names
    assert all(len(row["turns"]) == 2 for row in written["rows"])
    assert written["rows"][0]["ratio"] == {"median": 1, "low": 1, "high": 1}
    assert written["resolved"]["tokens"] > 4 and written["resolved"]["precision"] == "fp32"
    printed = capsys.readouterr().out
    assert all(name in printed for name in names)


@pytest.mark.parametrize(
    ("asked", "said"),
    [(["--rounds", "0"], "--rounds is 0"), (["--methods", "lorra"], "--methods lorra: possible")],
)
def test_what_cannot_be_timed_is_refused(
    asked: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["text-step", *asked]) == 2
    assert said in capsys.readouterr().err
