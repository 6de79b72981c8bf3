"""A cell of a comparison on texts: its method's rate chosen, then trained and scored.

The cells of a method share the choice of its rate by files and locks: whoever comes first tries the
rates, the others wait until it is known, and try themselves if that job dies.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar, cast

from app.jobs.programs.folder import JobFolder
from app.jobs.programs.stopping import Stop
from app.jobs.programs.text_score import scoring_watch
from app.jobs.programs.watching import launch_summary
from app.text_comparisons import TextComparisons
from app.text_requests import TextCellRequest
from eval.comparison_cells import Looks, Maker, Numbers, cell_result, here
from eval.comparison_config import ComparisonConfig, Recipe
from eval.comparison_table import best_rate
from eval.rate_choice import rate_losses
from trainer.errors import NonFiniteError
from trainer.journal import Watch
from trainer.loop import StepReport
from trainer.run import RunFolder

LOOK_SECONDS = 1.0
"""Between two looks at what another job is making."""
Made = TypeVar("Made")


def run(job: JobFolder, stop: Stop) -> dict[str, Any]:
    request = cast(TextCellRequest, job.request)
    config = TextComparisons(job.workspace).get(request.comparison).config
    name, seed = request.method, request.seed
    job.progress(0, 0, "load")
    maker = _maker(job, stop, config, name)
    losses = _once_there(job, "rate-wait", partial(rate_losses, config, name, maker))
    rate = best_rate(losses)
    cell = partial(cell_result, config.cell(name, rate, seed), config.scored, maker)
    found = _once_there(job, "cell-wait", cell)
    if "diverged" in found:
        raise NonFiniteError(found["diverged"])
    return {"comparison": request.comparison, "learning_rate": rate, "scores": found["scores"]}


def _once_there(job: JobFolder, phase: str, make: Callable[[], Made | None]) -> Made:
    """What `make` makes or finds; while another job is at it, wait and say so."""
    while (made := make()) is None:
        job.progress(0, 0, phase)
        time.sleep(LOOK_SECONDS)
    return made


def _maker(job: JobFolder, stop: Stop, config: ComparisonConfig, name: str) -> Maker:
    """Makes trials and the cell in this process, as parts of one count of steps."""
    trials = [config.trial(name, rate, examples=1) for rate in config.rates_of(name)]
    done_before = {trial.run: place * _steps(trial) for place, trial in enumerate(trials)}
    tried = sum(map(_steps, trials))
    total = tried + _steps(config.recipe())

    def make(maker: Callable[..., Numbers], settings: Recipe, *more: object) -> Numbers:
        before = done_before.get(settings.run, tried)
        phase = "rate" if settings.run in done_before else "train"
        looks = Looks(_watch(job, stop, phase, before, total), scoring_watch(job))
        try:
            return here(looks)(maker, settings, *more)
        finally:
            stop.patient = False

    return make


def _steps(settings: Recipe) -> int:
    return settings.optim.steps or 0


def _watch(job: JobFolder, stop: Stop, phase: str, before: int, total: int) -> Watch:
    """Tells steps and checkpoints of a training that has so many steps of others before it."""

    def on_start(_run: RunFolder, start: int, _total: int) -> None:
        stop.patient = True
        job.progress(before + start, total, phase)

    def on_step(report: StepReport) -> None:
        if report.launch is not None:
            job.tell("launch", **launch_summary(report.launch))
        job.progress(before + report.step, total, phase, loss=report.loss)

    def on_save(step: int) -> None:
        job.tell("checkpoint", step=before + step)

    def before_publish() -> None:
        stop.patient = False
        job.confirm()

    return Watch(on_start, on_step, on_save=on_save, stop=stop, before_publish=before_publish)
