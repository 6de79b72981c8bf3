"""The cells of a comparison: each is trained and scored once, in a process of its own.

Own processes, so that a cell's memory is its own; where a caller makes several in its own, one
after the other `here`, what the last one left is cleared away first. A lock beside each folder
keeps two calls off one cell; it falls with the process that holds it.
"""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from multiprocessing import get_context, parent_process
from multiprocessing.synchronize import Event
from pathlib import Path
from types import ModuleType
from typing import Any

from filelock import FileLock, Timeout
from tqdm import tqdm

from eval.comparison_config import Recipe, Scored
from eval.score_commonsense import ScoreCommonsenseConfig, score_commonsense, sets_to_score
from eval.score_config import ScoreWatch
from eval.score_glue import ScoreGlueConfig, score_glue
from trainer import glue, llm
from trainer.config_file import to_json
from trainer.device import precision_name, resolve_device, resolve_dtype
from trainer.errors import ConfigError, DashboothError, Interrupted, NonFiniteError
from trainer.files import write_json
from trainer.journal import Watch
from trainer.memory import begin_anew
from trainer.run import RunFolder
from trainer.stopping import stop_on_signals
from trainer.text.begun import placed
from trainer.text_config import GlueConfig, TextModelConfig
from trainer.text_run import TextRun

Numbers = dict[str, Any]
Maker = Callable[..., Numbers]
"""Calls what makes a cell, with its settings and more: in a process of its own, or here."""
_stop: Event | None = None  # in a cell's process: whether to save and end


@dataclass(frozen=True)
class Looks:
    """How a caller looks at a cell that is made in its own process."""

    training: Watch
    scoring: ScoreWatch


def require_scorable(recipe: Recipe) -> None:
    """DataError where cells of this recipe would find nothing to be scored by, once trained."""
    if isinstance(recipe, GlueConfig):
        glue.read_rows(recipe, "dev")
    else:
        sets_to_score(ScoreCommonsenseConfig(Path()), recipe)


def cell_result(settings: Recipe, scored: Scored, maker: Maker | None = None) -> Numbers | None:
    """What became of a cell, made now if it is not there; None while another call makes it.

    {"scores": by measure, "items": how many answers the first is of}, or {"diverged": the error}.
    """
    return once(scored.file, maker, _score_cell, settings, scored)


def here(looks: Looks) -> Maker:
    """Makes cells in this process, under these looks."""

    def make_here(make: Callable[..., Numbers], *arguments: object) -> Numbers:
        begin_anew()
        return make(*arguments, looks=looks)

    return make_here


def once(
    name: str,
    maker: Maker | None,
    make: Callable[..., Numbers],
    settings: Recipe,
    *more: object,
) -> Numbers | None:
    """What that file in the cell's folder holds, or what `make` puts there: by default in a process
    of its own.

    None while another call is at it. Raises ConfigError where the folder has other settings, and
    Interrupted after a signal, with everything saved.
    """
    assert settings.run is not None
    require_same(settings)
    file, lock = settings.run / name, settings.run.with_name(f"{settings.run.name}.lock")
    lock.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(lock, timeout=0):
            if not file.exists():
                write_json(file, (maker or _alone)(make, settings, *more))
    except Timeout:
        return None
    values: Numbers = json.loads(file.read_text("utf-8"))
    return values


def require_same(settings: Recipe) -> None:
    """ConfigError where the folder holds a cell of other settings, which would spoil the table."""
    assert settings.run is not None
    run = TextRun(settings.run)
    if not run.config_file.exists():
        return
    found, asked = to_json(_told(run.read_config())), to_json(_told(settings))
    if found != asked:
        raise ConfigError(
            f"{run.path} was trained with other settings ({', '.join(_others(found, asked))}). Ask "
            "for the same, give another --out, or delete it."
        )


def _told(settings: Recipe) -> Recipe:
    """What makes two cells one, on whichever machine and wherever its folder lies."""
    told, precision = settings.model, settings.model.precision
    if precision == "auto":
        precision = precision_name(resolve_dtype("auto", resolve_device(told.device)))
    model = TextModelConfig(precision=precision, quantization=told.quantization)
    here = placed(settings)
    base, data = _through_links(here.base), here.data and _through_links(here.data)
    return replace(here, run=None, workspace=Path(), base=base, data=data, model=model)


def _through_links(place: str) -> str:
    """Of a whole path what it leads to; what is none is a name."""
    return os.path.realpath(place) if os.path.isabs(place) else place


def _others(found: Numbers, asked: Numbers, section: str = "") -> Iterator[str]:
    """The values that differ, with what is asked for behind."""
    for name, value in found.items():
        wanted = asked.get(name)
        if isinstance(value, dict) and isinstance(wanted, dict):
            yield from _others(value, wanted, f"{section}{name}.")
        elif value != wanted:
            yield f"{section}{name} {value}, now {wanted}"


def _alone(make: Callable[..., Numbers], *arguments: object) -> Numbers:
    """`make(*arguments)` in a fresh process; Interrupted after a signal, with everything saved."""
    context = get_context("spawn")
    stop = context.Event()
    pool = ProcessPoolExecutor(1, context, initializer=_begin, initargs=(stop,))
    with pool, stop_on_signals() as asked:
        future = pool.submit(make, *arguments)
        while wait([future], timeout=0.5).not_done:
            if asked():
                stop.set()
        try:
            found = future.result()
        except BrokenProcessPool as error:
            raise DashboothError(
                "the process of this cell was killed, perhaps for want of memory. The same command "
                "goes on from its last checkpoint."
            ) from error
    if asked():
        raise Interrupted("stopped; everything is saved")
    return found


def _begin(stop: Event) -> None:
    """In a cell's process: Ctrl-C reaches both, and the other one passes it on."""
    global _stop
    _stop = stop
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """The lock falls with the process that holds it, and nobody may train on without it."""
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def trained(settings: Recipe, looks: Looks | None = None) -> TextRun:
    """The finished run with these settings: trained from the start, or gone on with."""
    assert settings.run is not None
    run = TextRun(settings.run)
    if run.status_file.exists():
        return run
    recipe: ModuleType = glue if isinstance(settings, GlueConfig) else llm
    with nullcontext(looks.training) if looks else _bar(run.path.name) as watch:
        found: TextRun = (
            recipe.resume(run.path, watch)
            if run.config_file.exists()
            else recipe.train(settings, watch)
        )
    return found


@contextmanager
def _bar(name: str) -> Iterator[Watch]:
    """A cell's steps in a terminal, and the stop that the other process passes on."""
    with tqdm(desc=name, unit="step", leave=False, disable=None, dynamic_ncols=True) as bar:

        def on_start(_run: RunFolder, start: int, total: int) -> None:
            bar.reset(total)
            bar.update(start)

        yield Watch(
            on_start,
            on_step=lambda report: bar.update(),
            stop=_stop.is_set if _stop else lambda: False,
        )


def _score_cell(settings: Recipe, scored: Scored, looks: Looks | None = None) -> Numbers:
    try:
        return _scores_of(trained(settings, looks), settings, scored, looks)
    except NonFiniteError as error:
        return {"diverged": str(error)}


def _scores_of(run: TextRun, settings: Recipe, scored: Scored, looks: Looks | None) -> Numbers:
    watch = looks.scoring if looks else None
    if isinstance(settings, GlueConfig):
        measures = score_glue(ScoreGlueConfig(run.path), watch)["scores"]
        return _numbers({name: (score, score["n"]) for name, score in measures.items()})
    asked = ScoreCommonsenseConfig(run.path, items=scored.items, base=False)
    sets = score_commonsense(asked, watch)["sets"]
    if scored.generated:
        asked = replace(asked, by="generation", items=scored.generated)
        written = score_commonsense(asked, watch)["sets"]
        sets |= {f"{name}, generated": row for name, row in written.items()}
    found = {name: (row["accuracy"], row["n"]) for name, row in sets.items()}
    alike = {name: row["one_answer"] for name, row in sets.items()}
    return {**_numbers(found), "one_answer": alike}


def _numbers(found: dict[str, tuple[Numbers, int]]) -> Numbers:
    items = next(iter(found.values()))[1]
    return {"scores": {name: score["value"] for name, (score, _) in found.items()}, "items": items}
