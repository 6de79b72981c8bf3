"""Every command of the document is one that our own parsers take; nothing is run."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import tyro

from eval.analyse_directions import AnalyseConfig
from eval.check_subjects import SubjectsConfig
from eval.compare_subjects import CompareConfig
from eval.comparison_config import ComparisonConfig
from eval.directions.pooled import settings_of
from eval.reproduction import commands
from eval.reproduction.__main__ import ReproductionConfig, document
from eval.reproduction.stored import RESULTS, Results
from eval.score_commonsense import ScoreCommonsenseConfig
from eval.score_config import ScoreConfig
from eval.score_glue import ScoreGlueConfig
from trainer import train_dreambooth, train_glue, train_llm

SCRIPTS: dict[str, Any] = {
    f"trainer/{script.__name__.rpartition('.')[2]}.py": script.SCRIPT
    for script in (train_dreambooth, train_glue, train_llm)
}
CONFIGS: dict[str, Any] = {
    "eval.analyse_directions": AnalyseConfig,
    "eval.check_subjects": SubjectsConfig,
    "eval.compare_methods": ComparisonConfig,
    "eval.compare_subjects": CompareConfig,
    "eval.reproduction": ReproductionConfig,
    "eval.score_commonsense": ScoreCommonsenseConfig,
    "eval.score_glue": ScoreGlueConfig,
    "eval.score_subject": ScoreConfig,
}


def lines_of(text: str) -> list[str]:
    """The commands in a document: blocks as bash would run them, and those within sentences."""
    blocks = re.findall(r"```bash\n(.*?)\n```", text, re.DOTALL)
    inline = re.findall(r"`(python [^`]+)`", text)
    return [line for block in blocks for line in unrolled(block.splitlines())] + inline


def unrolled(lines: Sequence[str]) -> Iterator[str]:
    """Loops written out."""
    waiting = list(lines)
    while waiting:
        line = waiting.pop(0).strip()
        loop = re.fullmatch(r"for (\w+) in (.+); do", line)
        if loop is None:
            yield line
            continue
        body, depth = [], 1
        while depth:
            line = waiting.pop(0).strip()
            depth += line.startswith("for ") - (line == "done")
            body.append(line)
        for word in loop[2].split():
            yield from unrolled([line.replace(f"${loop[1]}", word) for line in body[:-1]])


@cache
def parsed(line: str) -> Any:
    """What the command would be told; exits where it is none of ours. Parsers take their time."""
    python, *words = shlex.split(line)
    assert python == "python" and "$" not in line and "…" not in line
    if words[0] in SCRIPTS:
        return SCRIPTS[words[0]].parse(words[1:]).settings
    assert words[0] == "-m"
    return tyro.cli(CONFIGS[words[1]], args=words[2:])


@pytest.fixture(scope="module", params=["as committed", "without results"])
def lines(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    results = Results()
    if request.param == "without results":
        results = Results(tmp_path_factory.mktemp("results"))
        shutil.copy(RESULTS / "paper.json", results.folder)
    return list(dict.fromkeys(lines_of(document(results))))


def test_every_command_parses_and_asks_for_what_is_possible(lines: list[str]) -> None:
    assert len(lines) > 100
    for line in lines:
        told = parsed(line)
        if hasattr(told, "validate") and "--photos" not in line:
            told.validate()
        if hasattr(told, "adapter") and getattr(told, "instead", None) is None:
            told.adapter.validate(total_steps=1000)


def test_what_trains_all_weights_is_in_fp32_and_so_is_what_is_studied_beside_it(
    lines: list[str],
) -> None:
    told = {str(one.run): one for one in map(parsed, lines) if hasattr(one, "instead")}
    studied = [path for line in lines for path in line.split()[3:] if "analyse_directions" in line]
    assert {one.instead for one in told.values()} >= {"full", None} and studied
    for path, one in told.items():
        if one.instead == "full" or path in studied:
            assert one.model.precision == "fp32", path
    assert {path for path in studied if "/" in path} <= set(told)


def test_no_two_commands_train_into_one_folder(lines: list[str]) -> None:
    runs = [run for line in lines if (run := re.search(r"--run (\S+)", line))]
    assert len({run[1] for run in runs}) == len(runs)


def test_no_two_commands_compare_other_questions_in_one_folder(lines: list[str]) -> None:
    compared = [parsed(line) for line in lines if "eval.compare_methods" in line]
    folders: dict[Path, set[str | None]] = {}
    for one in compared:
        folders.setdefault(one.folder, set()).add(one.data)
    assert len(folders) > 1 and all(len(data) == 1 for data in folders.values())


def test_runs_that_are_one_figure_are_trained_once_and_on_weights_of_one_precision() -> None:
    """Else `eval.analyse_directions` refuses them: as copies, or beside a full fine-tuning."""
    for block in (commands.ABLATIONS_OF_LLAMA, commands.ABLATIONS_OF_DEBERTA):
        lines = unrolled(block.strip().splitlines())
        told = [parsed(line) for line in lines if "--run" in line]
        settings = [settings_of(one, one.adapter.resolved_prelaunch_steps(1000), 1000)
                    for one in told]  # fmt: skip
        assert len({repr(sorted(each.items())) for each in settings}) == len(told)
        assert {one.model.precision for one in told} == {"fp32"}


def test_table_4_starts_from_random_directions_at_the_first_step() -> None:
    [random] = [parsed(line) for line in unrolled(commands.INITIALISATION.strip().splitlines())
                if "--run runs/start-random" in line]  # fmt: skip
    told = random.adapter
    assert (told.method, told.direction) == ("lora-init", "random")
    assert told.resolved_prelaunch_steps(300) == 0


def test_loops_are_written_out() -> None:
    block = "for a in 1 2; do\nfor b in x y; do\n  run $a $b\ndone\ndone\nlast"
    assert list(unrolled(block.splitlines())) == [
        "run 1 x",
        "run 1 y",
        "run 2 x",
        "run 2 y",
        "last",
    ]


def test_the_test_would_see_a_flag_that_is_none() -> None:
    with pytest.raises(SystemExit):
        parsed("python -m eval.compare_methods --tasks sst2")
    assert Path(parsed("python -m eval.score_glue runs/a").run) == Path("runs/a")
