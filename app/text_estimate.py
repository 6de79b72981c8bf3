"""How long a training on texts will take, as `app.estimate` says it for photos. No torch."""

from __future__ import annotations

import dataclasses
from functools import partial

from app.estimate import Kind, estimate_by
from app.gpus import runs_on_gpu
from app.past_runs import estimate_from, past_runs
from app.scoring_time import ScoringTime, text_scoring_time, with_scoring
from app.text_bases import PACKAGED
from app.text_requests import TextMethodsRequest
from app.text_training import TextConfig
from app.text_views import TextSetView
from app.views import Estimate
from app.workspace import Workspace
from eval.comparison_config import LOW_RANK_RATES
from trainer.errors import ConfigError
from trainer.text_run import TextRun

_GUESS = "a guess: no run on this model has finished in this workspace yet"
_MINILM = Kind(0.5, 20, 2.2, 4, "measured on one CPU core for MiniLM and short sentences")
_SMOLLM2 = Kind(10, 40, 2.0, 3, "measured on one CPU core for SmolLM2 and short questions")
_GPU = {"glue": Kind(0.5, 60, 8, 5, _GUESS), "llm": Kind(2.0, 180, 24, 5, _GUESS)}
_CPU = {"glue": Kind(15, 60, 8, 5, f"{_GUESS}; it wants a GPU"),
        "llm": Kind(900, 600, 40, 5, f"{_GUESS}; it wants a GPU")}  # fmt: skip
_BATCH = {"glue": 32, "llm": 16}
"""Examples in a step of the table's."""


def estimate_text(
    config: TextConfig, view: TextSetView, workspace: Workspace, score: bool
) -> Estimate:
    """The estimate for a run of `config` on the texts of `view`, scored when it is trained if
    asked.

    ConfigError where the number of steps follows from rows that only the hub has counted.
    """
    training = _of_training(config, view, workspace)
    if not score or view.test == 0:
        return training
    scoring = scoring_time_of(config, workspace)
    if scoring is None:
        return dataclasses.replace(training, basis=f"{training.basis}; scoring comes on top")
    return with_scoring(training, scoring)


def estimate_comparison(
    request: TextMethodsRequest, config: TextConfig, view: TextSetView, workspace: Workspace
) -> Estimate:
    """Of trainings like that of `config`, one after the other; a fleet shares them. Cells are
    scored, trials of rates are not."""
    trials = len(request.methods) * (len(request.rates) or len(LOW_RANK_RATES))
    cells = len(request.methods) * len(request.seeds)
    trained = _all_of(_of_training(config, view, workspace), trials + cells)
    scoring = scoring_time_of(config, workspace)
    if scoring is None:
        return dataclasses.replace(trained, basis=f"{trained.basis}; scoring comes on top")
    found = with_scoring(trained, scoring.times(cells * _share_scored(request, view)))
    if view.recipe == "glue" or not request.generated_items:
        return found
    return dataclasses.replace(found, basis=f"{found.basis}; written answers come on top")


def _all_of(one: Estimate, trainings: int) -> Estimate:
    return dataclasses.replace(
        one,
        seconds=one.seconds * trainings,
        low=one.low * trainings,
        high=one.high * trainings,
        steps=one.steps * trainings,
        basis=f"{trainings} trainings, the trials of rates among them, by one worker; {one.basis}",
    )


def _share_scored(request: TextMethodsRequest, view: TextSetView) -> float:
    """How much of a run's scoring a cell has: of instructions, no base and perhaps fewer items."""
    if view.recipe == "glue":
        return 1
    items = view.test or 1
    return 0.5 * min(request.test_items or items, items) / items


def scoring_time_of(config: TextConfig, workspace: Workspace) -> ScoringTime | None:
    """What comes after the training of `config`; None where no run like it was scored yet."""
    return text_scoring_time(workspace, partial(_is_like, config))


def _is_like(config: TextConfig, run: TextRun) -> bool:
    return _kind(run.read_config()) == _kind(config)


def _of_training(config: TextConfig, view: TextSetView, workspace: Workspace) -> Estimate:
    steps = _steps(config, view)
    like_it = past_runs(workspace, TextRun, partial(_is_like, config))
    if like_it:
        return estimate_from(like_it, steps)
    model, batch = config.model, config.optim.batch_size / _BATCH[view.recipe]
    work = batch * (4 / 3 if model.gradient_checkpointing else 1)
    return estimate_by(_row(config, view), steps, work)


def _steps(config: TextConfig, view: TextSetView) -> int:
    rows = view.train if view.train is not None else config.examples
    if rows is None and config.optim.steps is None:
        raise ConfigError(
            f"How long it takes is not known: only the hub has counted the rows of {view.name}. "
            "Say how many steps (under Advanced), or start it; the live view tells."
        )
    return config.total_steps(min(rows or 1, config.examples or rows or 1))


def _kind(config: TextConfig) -> tuple[object, ...]:
    """What decides how long a step takes; a run's config says which precision `auto` was."""
    model = config.model
    auto = "bf16" if runs_on_gpu(model.device) else "fp32"
    return (
        config.base,
        config.data,
        config.task_name,
        config.max_length,
        config.method,
        model.device,
        auto if model.precision == "auto" else model.precision,
        model.quantization,
        model.gradient_checkpointing,
        config.optim.batch_size,
        config.optim.micro_batch_size,
    )


def _row(config: TextConfig, view: TextSetView) -> Kind:
    if config.base in PACKAGED:
        return _MINILM if view.recipe == "glue" else _SMOLLM2
    return (_GPU if runs_on_gpu(config.model.device) else _CPU)[view.recipe]
