"""Score a run on a GLUE task: `python -m eval.score_glue RUN [FILE.tsv]`.

The run's dev set, or any labelled file of the same task, by the task's own metrics. A file without
any label, and the test set of the run's data (`--split test`), get predictions and the file that
gluebenchmark.com takes.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tyro
from numpy.typing import NDArray

from eval.glue_metrics import Column, predictions, score_task
from eval.glue_submission import file_name, submission
from eval.score_config import ScoreWatch
from eval.scores import Score
from eval.text_outputs import class_outputs
from eval.text_scores import Answers, heading, percent, progress
from trainer.command_line import run_command
from trainer.data.glue import GlueTask, LabelledText, read_tsv, task_named
from trainer.errors import ConfigError
from trainer.files import write_text
from trainer.glue import read_rows
from trainer.text.finished import open_text_run
from trainer.text_run import TextRun


@dataclass(frozen=True)
class ScoreGlueConfig:
    """Score a run of train_glue.py."""

    run: tyro.conf.Positional[Path]
    """Run folder, as printed by train_glue.py."""
    file: tyro.conf.Positional[Path | None] = None
    """A file of the run's task. Unset: of the run's data, by --split."""
    split: Literal["dev", "test"] = "dev"
    """Of the run's data: dev is scored; test, whose labels only GLUE's server knows, is predicted
    for it (of MNLI the matched one; the mismatched goes by path)."""
    batch_size: int = 32
    """Rows at once."""

    @property
    def own_test_set(self) -> bool:
        """Whether it is the test set of the run's data that is predicted."""
        return self.file is None and self.split == "test"


def score_glue(config: ScoreGlueConfig, watch: ScoreWatch | None = None) -> dict[str, Any]:
    """Write predictions and scores beside each other; returns what scores.json holds.

    The data are read and checked before the model is loaded. `scores` is empty where labels are
    secret; `submission` then names the file for the server, as for any `--split test`.
    """
    if config.batch_size < 1:
        raise ConfigError(f"--batch-size is {config.batch_size}; it must be at least 1.")
    watch, began = watch or ScoreWatch(), time.monotonic()
    run = TextRun(config.run)
    trained = run.glue_config()
    task = task_named(trained.task)
    rows = read_tsv(config.file, task) if config.file else read_rows(trained, config.split)

    run, model = open_text_run(config.run)
    with progress(len(rows), "sentence", watch) as advance:
        outputs = class_outputs(
            model, rows, max_length=trained.max_length, batch_size=config.batch_size,
            advance=advance,
        )  # fmt: skip
    watch.before_publish()
    predicted = predictions(task, outputs)
    scored = _scores(task, rows, predicted)
    to_submit = config.own_test_set or not scored
    submitted = _submit(run, task, config.file, predicted) if to_submit else None
    scores = {
        **heading(run, trained, str(config.file or trained.data or config.split), began),
        "task": task.name,
        "n": len(rows),
        "scores": {name: asdict(score) for name, score in scored.items()},
        "submission": submitted,
    }
    answers_of(config).write(scores, _lines(task, rows, outputs, predicted))
    return scores


def answers_of(config: ScoreGlueConfig) -> Answers:
    """Where a scoring writes: what was answered to the test set lies beside the dev set's."""
    return Answers(TextRun(config.run), config.file, "test" if config.own_test_set else None)


def _scores(task: GlueTask, rows: Sequence[LabelledText], predicted: Column) -> dict[str, Score]:
    """No scores for a test set; that all rows have a label or none has, its reader saw to."""
    labels = [row.label for row in rows]
    return {} if labels[0] is None else score_task(task, np.asarray(labels), predicted)


def _submit(run: TextRun, task: GlueTask, file: Path | None, predicted: Column) -> str:
    path = run.submissions / file_name(task, file or Path("test.tsv"))
    write_text(path, submission(task, predicted))
    return str(path.relative_to(run.path))


def _lines(
    task: GlueTask, rows: Sequence[LabelledText], outputs: NDArray[np.float32], predicted: Column
) -> list[dict[str, Any]]:
    """A row of predictions.jsonl each: labels by name, and the outputs they come from."""

    def named(value: float | None) -> str | float | None:
        return value if value is None or task.is_regression else task.labels[int(value)]

    return [
        {"texts": row.texts, "label": named(row.label), "prediction": named(float(value)),
         "outputs": [round(float(output), 4) for output in given]}
        for row, value, given in zip(rows, predicted, outputs, strict=True)
    ]  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    return run_command(lambda: _report(tyro.cli(ScoreGlueConfig, args=arguments)))


def _report(config: ScoreGlueConfig) -> None:
    scores = score_glue(config)
    print(f"{scores['task']}, {scores['n']} rows, {scores['method']} on {scores['base']}")
    for name, score in scores["scores"].items():
        print(f"  {name:<10}{percent(Score(**score))}")
    answers = answers_of(config)
    written = [answers.scores, answers.predictions]
    if scores["submission"]:
        written.append(config.run / scores["submission"])
    print("".join(f"\n  {path}" for path in written))


if __name__ == "__main__":
    sys.exit(main())
