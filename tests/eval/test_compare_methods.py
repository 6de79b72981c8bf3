"""Promises of the comparison of methods, on tiny real models; most cells stay in this process."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import pytest
import torch

from eval import comparison_cells, rate_choice
from eval.compare_methods import compare_methods, main
from eval.comparison_cells import trained
from eval.comparison_config import LOW_RANK_RATES, RATES, ComparisonConfig, method_of
from eval.comparison_table import table
from eval.score_config import ScoreWatch
from trainer import glue
from trainer.adapters.config import AdapterConfig
from trainer.config_file import to_json
from trainer.data.glue import DEMO_FOLDER
from trainer.errors import ConfigError, DashboothError, DataError, NonFiniteError
from trainer.journal import Watch
from trainer.memory import memory_gib
from trainer.run import RunFolder
from trainer.text.batches import Example
from trainer.text.validation import Validation
from trainer.text_config import TextOptimConfig
from trainer.text_presets import glue_preset
from trainer.text_run import TextRun


def asked(bert: Path, out: Path, **changes: Any) -> ComparisonConfig:
    values = {
        "methods": ("lora", "ssl"), "seeds": (0, 1), "steps": 15, "batch_size": 8, "rank": 2,
        "base": str(bert), "examples": 40, "out": out, **changes,
    }  # fmt: skip
    return ComparisonConfig(task="demo", **values)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Cells without a process of their own, which takes seconds; the runs made, in order."""
    made: list[str] = []

    def alone(make: Callable[..., Any], *arguments: Any) -> Any:
        made.append(arguments[0].run.name)
        return make(*arguments)

    monkeypatch.setattr(comparison_cells, "_alone", alone)
    return made


def test_a_table_has_every_method_over_every_seed(
    bert: Path, tmp_path: Path, here: list[str]
) -> None:
    record = compare_methods(asked(bert, tmp_path))
    assert record == json.loads((tmp_path / "comparison.json").read_text("utf-8"))
    for row, name in zip(record["methods"], ("lora", "ssl"), strict=True):
        assert row["method"] == name and row["open"] == []
        assert [cell["seed"] for cell in row["cells"]] == [0, 1]
        for cell in row["cells"]:
            run = TextRun(tmp_path / "cells" / cell["run"])
            config = run.glue_config()
            assert (config.method, config.optim.seed, config.adapter.seed) == (
                name, cell["seed"], cell["seed"],
            )  # fmt: skip
            assert config.optim.learning_rate == row["learning_rate"]
            scores = json.loads(run.scores.read_text("utf-8"))["scores"]
            assert cell["scores"] == {key: score["value"] for key, score in scores.items()}
            assert cell["seconds"] > 0 and cell["memory_gib"] > 0
    # 2 layers: query, key, value, attention output 24 x 24; intermediate 40 x 24, output 24 x 40
    sides = 2 * (4 * (24 + 24) + 2 * (24 + 40))
    assert [row["cells"][0]["parameters"] for row in record["methods"]] == [
        2 * sides, 2 * (4 * 24 + 24 + 40),
    ]  # fmt: skip
    values = [100 * cell["scores"]["accuracy"] for cell in record["methods"][0]["cells"]]
    assert f"{fmean(values):.1f} ± {stdev(values):.1f}" in table(record)


def test_the_rate_is_chosen_on_rows_of_the_training_set_that_no_trial_has_seen(
    bert: Path, tmp_path: Path, here: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    judged: list[list[Example]] = []

    def noted(objective: Any, examples: list[Example], *more: Any) -> Validation:
        judged.append(examples)
        return Validation(objective, examples, *more)

    monkeypatch.setattr(rate_choice, "Validation", noted)
    config = asked(bert, tmp_path, methods=("lora",), seeds=(3,), rates=(1e-6, 3e-2))
    record = compare_methods(config)
    assert here == ["lora-1e-06", "lora-0.03", "lora-3"]
    losses = {float(rate): loss for rate, loss in record["methods"][0]["held_out_loss"].items()}
    assert record["methods"][0]["learning_rate"] == min(losses, key=losses.__getitem__)
    trial = TextRun(tmp_path / "choosing" / "lora-0.03").glue_config()
    assert (trial.examples, trial.optim.steps, trial.optim.seed) == (36, 15, 0)
    learnt = tokens(glue.gather(trial).examples)
    split = tokens(glue.gather(replace(trial, examples=None)).examples)
    assert len(judged) == 2
    for examples in map(tokens, judged):
        assert not examples.keys() & learnt.keys()
        assert examples + learnt == split


def tokens(examples: Sequence[Example]) -> Counter[tuple[int, ...]]:
    return Counter(tuple(example.tokens["input_ids"]) for example in examples)


def test_the_same_command_makes_only_what_is_missing(
    bert: Path, tmp_path: Path, here: list[str]
) -> None:
    first = compare_methods(asked(bert, tmp_path, methods=("ssl",), rates=(1e-2,)))
    here.clear()
    more = asked(bert, tmp_path, methods=("ssl", "lora"), rates=(1e-2,))
    record = compare_methods(more)
    assert here == ["lora-0.01", "lora-0", "lora-1"]
    assert record["methods"][0] == first["methods"][0]


def test_a_cell_that_was_stopped_goes_on_where_it_stood(
    bert: Path, tmp_path: Path, here: list[str]
) -> None:
    config = asked(bert, tmp_path / "a", methods=("lora",), seeds=(0,), rates=(1e-2,))
    straight = compare_methods(config)["methods"][0]["cells"][0]["scores"]

    config = replace(config, out=tmp_path / "b")
    settings = config.cell("lora", 1e-2, 0)
    steps: list[int] = []
    watch = comparison_cells.Watch(
        on_step=lambda report: steps.append(report.step), stop=lambda: len(steps) == 7
    )
    with pytest.raises(comparison_cells.Interrupted):
        comparison_cells.glue.train(settings, watch)
    again = compare_methods(config)["methods"][0]["cells"][0]
    assert again["scores"] == straight
    rows = RunFolder(tmp_path / "b" / "cells" / again["run"]).metric_rows()
    attempts = {row["step"]: row["attempt"] for row in rows if row["kind"] == "step"}
    assert attempts == {step: 1 if step <= 7 else 2 for step in range(1, 16)}


def test_cells_of_other_settings_are_not_mixed_in(
    bert: Path, tmp_path: Path, here: list[str]
) -> None:
    compare_methods(asked(bert, tmp_path, methods=("ssl",), seeds=(0,), rates=(1e-2,)))
    other = asked(bert, tmp_path, methods=("ssl",), seeds=(0,), rates=(1e-2,), steps=18)
    table_before = (tmp_path / "comparison.json").read_bytes()
    with pytest.raises(ConfigError, match=r"other settings \(optim\.steps 15, now 18\)"):
        compare_methods(other)
    assert (tmp_path / "comparison.json").read_bytes() == table_before


def test_a_cell_is_the_same_by_whatever_path_its_base_and_data_are_given(
    bert: Path, tmp_path: Path, here: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = shutil.copytree(DEMO_FOLDER, tmp_path / "texts")
    config = asked(bert, tmp_path, data=str(data), methods=("ssl",), seeds=(0,), rates=(1e-2,))
    compare_methods(config)
    here.clear()
    (tmp_path / "base").symlink_to(bert)
    monkeypatch.chdir(tmp_path)
    compare_methods(replace(config, base="base", data="texts"))
    assert here == []


def test_a_table_has_one_precision(bert: Path, tmp_path: Path, here: list[str]) -> None:
    config = asked(bert, tmp_path, methods=("ssl",), seeds=(0,), rates=(1e-2,), precision="bf16")
    compare_methods(config)
    with pytest.raises(ConfigError, match=r"\(model\.precision bf16, now fp32\)"):
        compare_methods(replace(config, precision=None))  # fp32 on a CPU


def test_nothing_is_trained_that_could_not_be_scored(
    bert: Path, llama: Path, tmp_path: Path, here: list[str]
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "train.tsv").write_text("sentence\tlabel\nGood.\t1\nBad.\t0\n", "utf-8")
    with pytest.raises(DataError, match="holds no dev set of demo"):
        compare_methods(asked(bert, tmp_path / "glue", data=str(data)))
    items = data / "items.jsonl"
    items.write_text(
        '{"instruction": "True? Answer format: true/false", "output": "true"}', "utf-8"
    )
    with pytest.raises(DataError, match="1 of its items name no split"):
        config = asked(llama, tmp_path / "llm", data=str(items))
        compare_methods(replace(config, task="commonsense"))
    with pytest.raises(ConfigError, match="--optim.batch-size is 0"):
        compare_methods(asked(bert, tmp_path / "glue", batch_size=0))
    assert here == []


def test_a_method_that_cannot_be_is_named_and_the_others_go_on(
    bert: Path, tmp_path: Path, here: list[str]
) -> None:
    config = asked(bert, tmp_path, methods=("prefix", "ssl"), seeds=(0,), rates=(1e-2,))
    record = compare_methods(config)
    assert "causal language models" in record["methods"][0]["failed"]
    assert len(record["methods"][1]["cells"]) == 1
    assert "prefix: --instead prefix is for" in table(record)


def test_a_rate_that_diverges_loses(
    bert: Path, tmp_path: Path, here: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def diverging(settings: Any, looks: Any) -> Any:
        if settings.optim.learning_rate == 1e-3:
            raise NonFiniteError("the loss is nan")
        return trained(settings, looks)

    monkeypatch.setattr(rate_choice, "trained", diverging)
    config = asked(bert, tmp_path, methods=("ssl",), seeds=(0,), rates=(1e-3, 1e-2))
    row = compare_methods(config)["methods"][0]
    assert row["held_out_loss"]["0.001"] == "diverged" and row["learning_rate"] == 1e-2


def test_a_seed_that_diverges_is_named_and_the_others_count(
    bert: Path, tmp_path: Path, here: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def diverging(settings: Any, looks: Any) -> Any:
        if settings.optim.seed == 1:
            raise NonFiniteError("the loss of row 7 is nan")
        return trained(settings, looks)

    monkeypatch.setattr(comparison_cells, "trained", diverging)
    config = asked(bert, tmp_path, methods=("ssl",), seeds=(0, 1, 2), rates=(1e-2,))
    record = compare_methods(config)
    row = record["methods"][0]
    assert [cell["seed"] for cell in row["cells"]] == [0, 2] and row["open"] == []
    assert row["diverged"] == {"1": "the loss of row 7 is nan"}
    assert "ssl: seed 1 diverged, and is not in the mean: the loss of row 7 is nan" in table(record)
    here.clear()
    assert compare_methods(config)["methods"] == record["methods"] and here == []


def test_a_seed_that_answers_nothing_has_diverged(
    bert: Path, tmp_path: Path, here: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def speechless(*_: Any) -> Any:
        raise NonFiniteError("this run has diverged and answers nothing")

    monkeypatch.setattr(comparison_cells, "score_glue", speechless)
    config = asked(bert, tmp_path, methods=("ssl", "lora"), seeds=(0,), rates=(1e-2,))
    rows = compare_methods(config)["methods"]
    assert [list(row["diverged"]) for row in rows] == [["0"], ["0"]]


def test_the_rows_are_read_once_however_often_the_rate_is_asked_for(
    bert: Path, tmp_path: Path, here: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = asked(bert, tmp_path, methods=("ssl",), seeds=(0,), rates=(1e-2,))
    compare_methods(config)

    def reading(*_: Any) -> Any:
        raise AssertionError("read again")

    monkeypatch.setattr(rate_choice, "read_rows", reading)
    assert rate_choice.rate_losses(config, "ssl")


def test_a_command_that_made_nothing_ends_as_an_error(
    bert: Path, tmp_path: Path, here: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    told = ["--task", "demo", "--base", str(bert), "--out", str(tmp_path), "--seeds", "0"]
    assert main([*told, "--methods", "prefix"]) == 2
    assert "causal language models" in (said := capsys.readouterr()).out
    assert "No method could be trained" in said.err


def test_a_cell_that_another_call_is_at_is_left_to_it(
    bert: Path, tmp_path: Path, here: list[str]
) -> None:
    config = asked(bert, tmp_path, methods=("ssl",), rates=(1e-2,))
    (tmp_path / "cells").mkdir()
    with comparison_cells.FileLock(tmp_path / "cells" / "ssl-1.lock"):
        record = compare_methods(config)
    assert record["methods"][0]["open"] == [1]
    assert "another call is at seed 1" in table(record)
    assert compare_methods(config)["methods"][0]["open"] == []


def test_a_table_has_what_another_call_made_in_the_meantime(
    bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = asked(bert, tmp_path, seeds=(0,), rates=(1e-2,), methods=("ssl", "lora"))
    (tmp_path / "cells").mkdir()
    other = comparison_cells.FileLock(tmp_path / "cells" / "ssl-0.lock")

    def alone(make: Callable[..., Any], *arguments: Any) -> Any:
        if arguments[0].run.name == "lora-0":
            other.release()
            compare_methods(replace(config, methods=("ssl",)))
        return make(*arguments)

    monkeypatch.setattr(comparison_cells, "_alone", alone)
    with other:
        record = compare_methods(config)
    assert [row["open"] for row in record["methods"]] == [[], []]
    assert record == json.loads((tmp_path / "comparison.json").read_text("utf-8"))


def test_a_language_model_is_compared_by_the_likelihood_of_answers(
    llama: Path, tmp_path: Path, here: list[str]
) -> None:
    config = replace(
        asked(llama, tmp_path, methods=("prefix",), seeds=(0,), rates=(1e-2,)),
        task="commonsense", test_items=10,
    )  # fmt: skip
    cell = compare_methods(config)["methods"][0]["cells"][0]
    assert list(cell["scores"]) == ["commonsense_demo"] and cell["items"] == 10
    assert 0 <= cell["scores"]["commonsense_demo"] <= 1
    asked_anew = replace(config, test_items=20, generated_items=4)
    [anew] = compare_methods(asked_anew)["methods"][0]["cells"]
    assert anew["items"] == 20 and anew["run"] == cell["run"]
    assert list(anew["scores"]) == ["commonsense_demo", "commonsense_demo, generated"]
    assert 4 * anew["scores"]["commonsense_demo, generated"] in range(5)
    assert list(anew["one_answer"]) == list(anew["scores"])
    assert compare_methods(config)["methods"][0]["cells"] == [cell]


def test_a_cell_has_a_process_of_its_own(bert: Path, tmp_path: Path) -> None:
    config = asked(bert, tmp_path, methods=("ssl",), seeds=(0,), rates=(1e-2,))
    settings = config.cell("ssl", 1e-2, 0)
    found = comparison_cells.cell_result(settings, config.scored)
    assert found is not None and 0 <= found["scores"]["accuracy"] <= 1
    assert settings.run is not None and (settings.run / "cell.json").exists()


def test_what_one_cell_leaves_is_no_memory_of_the_next_one_made_here() -> None:
    left: list[object] = [torch.ones(2**20) for _ in range(64)]  # 256 MiB in blocks of 4
    left.append(left)  # as the parts of a model know each other
    before = memory_gib()
    del left
    make = comparison_cells.here(comparison_cells.Looks(Watch(), ScoreWatch()))
    assert make(lambda looks: {"memory_gib": memory_gib()})["memory_gib"] < before - 0.2


def test_a_cell_whose_process_is_killed_is_an_error_in_words() -> None:
    with pytest.raises(DashboothError, match="goes on from its last checkpoint"):
        comparison_cells._alone(os._exit, 9)


def write_pid_and_wait(file: Path) -> None:
    file.write_text(str(os.getpid()))
    time.sleep(60)


def test_a_cell_ends_with_the_call_that_holds_its_lock(tmp_path: Path) -> None:
    told = tmp_path / "pid"
    program = (
        "from pathlib import Path\n"
        "from eval.comparison_cells import _alone\n"
        "from tests.eval.test_compare_methods import write_pid_and_wait\n"
        "if __name__ == '__main__':\n"
        f"    _alone(write_pid_and_wait, Path({str(told)!r}))\n"
    )
    (tmp_path / "call.py").write_text(program)
    call = subprocess.Popen(
        [sys.executable, str(tmp_path / "call.py")], env={**os.environ, "PYTHONPATH": os.getcwd()}
    )
    wait_until(lambda: told.exists() and told.read_text() != "")
    call.kill()
    call.wait()
    cell = Path("/proc") / told.read_text()
    wait_until(lambda: not cell.exists() or "Z" in (cell / "stat").read_text().split()[2])


def wait_until(happened: Callable[[], bool], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_names_stand_for_settings() -> None:
    adapter = AdapterConfig(rank=4)
    assert method_of("dora", adapter) == (adapter, "dora")
    assert method_of("lora-dash:top+bottom", adapter) == (
        replace(adapter, method="lora-dash", direction="top+bottom"), None,
    )  # fmt: skip
    milora = replace(adapter, method="lora-init", direction="bottom", prelaunch_steps=0)
    assert method_of("milora", adapter) == (milora, None)
    assert method_of("random-init", adapter) == (replace(milora, direction="random"), None)
    alone, _ = method_of("restart-alone", adapter)
    assert (alone.method, alone.dash_rank, alone.restarts) == ("lora-restart", 0, True)


def test_every_method_has_two_rates_unless_told() -> None:
    config = ComparisonConfig()
    for name in ("lora-tsd", "dora", "full", "ia3"):
        assert config.rates_of(name) == RATES.get(name, LOW_RANK_RATES)
        assert len(config.rates_of(name)) == 2
    assert ComparisonConfig(rates=(1.0,)).rates_of("full") == (1.0,)


def test_cells_and_trials_have_the_precision_asked_for_or_the_recipes() -> None:
    asked = ComparisonConfig(precision="bf16")
    assert asked.cell("lora", 1e-3, 0).model.precision == "bf16"
    assert asked.trial("lora", 1e-3, 10).model.precision == "bf16"
    assert ComparisonConfig().recipe().model.precision == "auto"


def file_of(folder: Path, **values: Any) -> Path:
    file = folder / "config.json"
    file.write_text(json.dumps(values))
    return file


def test_what_no_flag_says_is_the_files_and_then_a_comparisons_own(tmp_path: Path) -> None:
    def budget(config: ComparisonConfig) -> tuple[Any, ...]:
        config.validate()
        recipe = config.cell("lora", 1e-3, 0)
        adapter, optim = recipe.adapter, recipe.optim
        return adapter.rank, adapter.alpha, optim.steps, optim.batch_size, recipe.examples

    assert budget(ComparisonConfig()) == (8, 16, 300, 32, None)
    of_a_run = to_json(
        replace(
            glue_preset("demo", "cola"),
            examples=90,
            adapter=AdapterConfig(rank=4, alpha=4),
            optim=TextOptimConfig(steps=50, batch_size=7),
        )
    )
    config = ComparisonConfig(task="cola", config=file_of(tmp_path, **of_a_run))
    assert budget(config) == (4, 4, 50, 7, 90)
    assert budget(replace(config, rank=2, steps=60, examples="all")) == (2, 4, 60, 7, None)
    config = replace(config, config=file_of(tmp_path, max_length=64))
    assert budget(config) == (8, 16, 300, 32, None) and config.recipe().max_length == 64


def test_the_head_of_every_method_learns_at_one_rate(tmp_path: Path) -> None:
    def head_rates(**optim: Any) -> set[float | None]:
        settings = to_json(glue_preset("deberta-v3-base-r8", "cola"))
        settings["optim"] |= {"steps": 60, "epochs": None, **optim}
        config = ComparisonConfig(task="cola", config=file_of(tmp_path, **settings))
        cells = [config.cell(name, config.rates_of(name)[0], 0) for name in ("full", "lora")]
        return {cell.optim.head_learning_rate for cell in cells}

    assert glue_preset("deberta-v3-base-r8", "cola").optim.head_learning_rate is None
    assert head_rates() == {5e-3}
    assert head_rates(head_learning_rate=2e-3) == {2e-3}
    assert head_rates(optimizer="prodigy") == {None}  # which has one rate for everything


def test_a_file_of_another_task_or_in_epochs_is_refused(tmp_path: Path) -> None:
    of_cola = ComparisonConfig(task="rte", config=file_of(tmp_path, task="cola"))
    with pytest.raises(ConfigError, match=r"is of the task cola, and --task is rte; give --task"):
        of_cola.validate()
    with pytest.raises(ConfigError, match="and --task is commonsense"):
        replace(of_cola, task="commonsense").validate()
    in_epochs = ComparisonConfig(config=file_of(tmp_path, optim={"epochs": 3, "steps": None}))
    with pytest.raises(ConfigError, match="counts in epochs.*give --steps"):
        in_epochs.validate()
    replace(in_epochs, steps=10).validate()


def test_as_many_steps_are_asked_for_as_the_methods_launch_needs(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--steps is 9; .* need 10 or more"):
        ComparisonConfig(steps=9).validate()
    ComparisonConfig(steps=10).validate()
    ComparisonConfig(steps=5, methods=("lora", "milora", "ssl")).validate()
    ComparisonConfig(steps=5, config=file_of(tmp_path, optim={"warmup": 0})).validate()
    for method in ComparisonConfig().methods:
        for steps, settings in ((10, None), (5, tmp_path / "config.json")):
            ComparisonConfig(steps=steps, config=settings).cell(method, 1e-3, 0).validate_for(1)


def test_a_record_says_the_budget_whoever_asked_for_it(
    bert: Path, tmp_path: Path, here: list[str]
) -> None:
    settings = file_of(tmp_path, examples=40, optim={"steps": 6})
    config = asked(
        bert, tmp_path, methods=("ssl",), seeds=(0,), rates=(1e-2,), config=settings,
        steps=None, rank=None, examples=None,
    )  # fmt: skip
    told = compare_methods(config)["asked"]
    assert [told[name] for name in ("steps", "batch_size", "rank", "examples")] == [6, 8, 8, 40]


def test_every_fault_is_named_at_once() -> None:
    config = ComparisonConfig(
        methods=("lora", "lara", "dora:top", "lora:top", "lora-dash:up", "lara"), seeds=(), steps=2
    )
    with pytest.raises(ConfigError) as error:
        config.validate()
    for words in ("lara: possible are", "dora:top:", "--methods lora:top:", "lora-dash:up:",
                  "--methods: lara stands there twice", "--seeds", "--steps is 2"):  # fmt: skip
        assert words in str(error.value)
    with pytest.raises(ConfigError, match="--seeds: 0 stands there twice"):
        ComparisonConfig(seeds=(0, 0, 1)).validate()
