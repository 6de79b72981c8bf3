"""Methods side by side: scores, parameters, time and memory of the runs of a comparison. No torch.

One row a method over its runs, which differ in their seed only. With one run the interval is that
of its own scores (over prompts); with more, `sd` is the spread over seeds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod
from statistics import fmean, stdev
from typing import Any

from safetensors import SafetensorError, safe_open

from app.jobs.records import Job
from app.runs import read_json
from eval.report import measure_name
from trainer.errors import ArtifactError
from trainer.run import Run

TRAINED = ("lora_A", "lora_B", "lora_E", "lora_G", "delta_sigma")
"""Tensors that the optimizer moves; the others are fixed at launch."""


def method_table(runs: Sequence[Run], jobs: Sequence[Job]) -> dict[str, Any]:
    """{"rows": one a method, in the order given; "unfinished": names of runs without adapter;
    "failed": what became of those whose jobs ended badly}."""
    finished = [run for run in runs if run.status_file.exists()]
    by_method: dict[str, list[Run]] = {}
    for run in finished:
        by_method.setdefault(run.read_config().adapter.method, []).append(run)
    without = [run.path.name for run in runs if run not in finished]
    failed = [_failed(job) for job in jobs if job.run in without and job.state.retriable]
    ended = [row["run"] for row in failed]
    return {
        "rows": [_row(method, same) for method, same in by_method.items()],
        "unfinished": [name for name in without if name not in ended],
        "failed": failed,
    }


def _failed(job: Job) -> dict[str, Any]:
    settings = job.request["settings"]
    return {
        "run": job.run,
        "method": settings["adapter"]["method"],
        "seed": settings["optim"]["seed"],
        "state": str(job.state),
        "message": job.message,
    }


def _row(method: str, runs: Sequence[Run]) -> dict[str, Any]:
    steps = [[row for row in run.metric_rows() if row["kind"] == "step"] for run in runs]
    return {
        "method": method,
        "n": len(runs),
        "runs": [run.path.name for run in runs],
        "seeds": [run.read_config().optim.seed for run in runs],
        "scores": _scores([_read_scores(run) for run in runs]),
        "parameters": _parameters(runs[0]),
        "steps": len(steps[0]),
        "seconds": _summary(sum(row["seconds"] for row in rows) for rows in steps),
        "memory_gib": _summary(max(row["memory_gib"] for row in rows) for rows in steps),
    }


def _read_scores(run: Run) -> list[dict[str, Any]]:
    """The rows of scores.json; none where it is not scored."""
    scores = read_json(run.scores)
    return scores["scores"] if scores else []


def _scores(scored: Sequence[list[dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    """By measure, with "_held_out" where it is against held-out photos; of the first scorer."""
    found: dict[str, list[dict[str, Any]]] = {}
    for rows in scored:
        first: dict[str, dict[str, Any]] = {}
        for row in rows:
            first.setdefault(measure_name(row), row["adapter"])
        for name, score in first.items():
            found.setdefault(name, []).append(score)
    return {name: _score(values) for name, values in found.items()}


def _score(scores: Sequence[dict[str, Any]]) -> dict[str, Any]:
    alone = len(scores) == 1
    return {
        **_summary(score["value"] for score in scores),
        "low": scores[0]["low"] if alone else None,
        "high": scores[0]["high"] if alone else None,
    }


def _summary(values: Iterable[float]) -> dict[str, Any]:
    known = list(values)
    sd = stdev(known) if len(known) > 1 else None
    return {"mean": fmean(known), "sd": sd, "n": len(known)}


def _parameters(run: Run) -> int:
    """How many numbers were trained, by the header of the adapter."""
    try:
        with safe_open(run.native, "numpy") as file:
            trained = [key for key in file.keys() if key.rpartition(".")[2] in TRAINED]
            return sum(prod(file.get_slice(key).get_shape()) for key in trained)
    except (OSError, SafetensorError) as error:
        raise ArtifactError(f"{run.native} cannot be read as an adapter: {error}") from error
