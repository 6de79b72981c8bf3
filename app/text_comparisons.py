"""Methods compared on texts: what was asked, and the table as far as its cells are there. No torch.

comparisons/<id>/asked.json       the request, with what it needs to know of its texts
comparisons/<id>/settings.json    values of every cell beyond it
comparisons/<id>/cells, choosing  what the jobs fill (eval.comparison_cells)
"""

from __future__ import annotations

import dataclasses
import secrets
import shutil
from collections.abc import Callable
from typing import Any

from pydantic import TypeAdapter

from app.runs import one_of, read_json
from app.text_bases import place_of, resolve_text_base
from app.text_intake import PARTS
from app.text_requests import TextMethodsRequest
from app.text_scores import scorings
from app.text_sets import TextSets
from app.text_training import check_settings, require_fitting_items, require_rows
from app.text_views import TextSetView
from app.workspace import Workspace
from eval.comparison_config import COMMONSENSE, ComparisonConfig, Recipe
from eval.comparison_table import row_of
from trainer.errors import ArtifactError, ConfigError, UserError
from trainer.files import write_json
from trainer.text_run import TextRun

MOST_CELLS = 100
"""Of one comparison."""


@dataclasses.dataclass(frozen=True)
class Comparison:
    """One comparison and its config."""

    id: str
    request: TextMethodsRequest
    config: ComparisonConfig


class TextComparisons:
    """The comparisons of a workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def all(self) -> list[Comparison]:
        """The newest first."""
        files = self._workspace.comparisons.glob("*/asked.json")
        newest_first = sorted(files, key=lambda file: -file.stat().st_mtime)
        return [found for file in newest_first if (found := self._or_none(file.parent.name))]

    def _or_none(self, comparison_id: str) -> Comparison | None:
        """None for a folder that is damaged or going away: one must not hide the others."""
        try:
            return self.get(comparison_id)
        except (UserError, ValueError, LookupError):
            return None

    def get(self, comparison_id: str) -> Comparison:
        """One comparison; ArtifactError where there is none."""
        values = read_json(self._workspace.comparison(comparison_id) / "asked.json")
        if values is None:
            raise ArtifactError(
                f"There is no comparison {comparison_id!r} of methods on texts. Start one."
            )
        request = TypeAdapter(TextMethodsRequest).validate_python(values["request"])
        config = self._config(comparison_id, request, values["task"], values["uploaded"])
        return Comparison(comparison_id, request, config)

    def start(
        self, request: TextMethodsRequest, check_cell: Callable[[Recipe], object]
    ) -> Comparison:
        """Write down what is asked, once it is known to be possible.

        `check_cell` raises for a cell that could not be made by whom it is meant for.
        """
        check(request)
        view = TextSets(self._workspace).get(request.data)
        require_rows(view, "train")
        require_rows(view, "test")
        if request.base is not None:
            resolve_text_base(self._workspace, request.base, view.recipe)
        uploaded = view.source == "uploaded"
        comparison_id = secrets.token_hex(6)
        folder = self._workspace.comparison(comparison_id)
        folder.mkdir()
        try:
            write_json(folder / "settings.json", request.settings)
            config = self._config(comparison_id, request, view.task, uploaded)
            config.validate()
            _check_cells(config, view, check_cell)
            asked = {"request": dataclasses.asdict(request), "task": view.task}
            write_json(folder / "asked.json", {**asked, "uploaded": uploaded})
        except BaseException:
            shutil.rmtree(folder)
            raise
        return Comparison(comparison_id, request, config)

    def table(self, comparison_id: str) -> dict[str, Any]:
        """{"asked": the request, "methods": rows of eval.comparison_table, "answers": by the run of
        a cell, the scorings whose answers are there}"""
        found = self.get(comparison_id)
        answers = {name: list(scorings(run)) for name, run in _scored_cells(found.config).items()}
        asked = dataclasses.asdict(found.request)
        return {"asked": asked, "methods": _rows(found), "answers": answers}

    def rows(self, comparison_id: str) -> list[dict[str, Any]]:
        """A row a method (eval.comparison_table), as far as its cells are there."""
        return _rows(self.get(comparison_id))

    def cell(self, comparison_id: str, run: str) -> TextRun:
        """The run of a scored cell by its name; only those that are there are known."""
        known = _scored_cells(self.get(comparison_id).config)
        missing = f"The comparison {comparison_id} has no scored cell {run[:100]!r}"
        return one_of(known, run, missing)

    def delete(self, comparison_id: str) -> None:
        self.get(comparison_id)
        shutil.rmtree(self._workspace.comparison(comparison_id))

    def _config(
        self, comparison_id: str, request: TextMethodsRequest, task: str | None, uploaded: bool
    ) -> ComparisonConfig:
        """Looks nothing up: a table can be read when its texts or its base are long gone."""
        folder, base = self._workspace.comparison(comparison_id), request.base
        return ComparisonConfig(
            task=task or COMMONSENSE,
            methods=request.methods,
            seeds=request.seeds,
            rates=request.rates,
            steps=request.steps,
            batch_size=request.batch_size,
            rank=request.rank,
            base=place_of(self._workspace, base) if base else None,
            data=str(self._workspace.text_set(request.data)) if uploaded else None,
            examples=request.examples or "all",
            test_items=request.test_items,
            generated_items=request.generated_items,
            config=folder / "settings.json",
            out=folder,
            workspace=self._workspace.root,
        )


def _rows(found: Comparison) -> list[dict[str, Any]]:
    return [row_of(found.config, name) for name in found.request.methods]


def _scored_cells(config: ComparisonConfig) -> dict[str, TextRun]:
    files = sorted(config.folder.glob(f"cells/*/{config.scored.file}"))
    return {file.parent.name: TextRun(file.parent) for file in files}


def check(request: TextMethodsRequest) -> None:
    """ConfigError with everything that is out of bounds whatever the data."""
    cells = len(request.methods) * len(request.seeds)
    each_once = all(len({*row}) == len(row) for row in (request.methods, request.seeds))
    faults = [
        f"{name} is {value}; needed is {needed}."
        for name, value, good, needed in (
            ("methods x seeds", cells, each_once and 1 <= cells <= MOST_CELLS,
             f"1 to {MOST_CELLS} cells, each method and seed once"),
            ("seeds", request.seeds, all(0 <= s < 2**31 for s in request.seeds), "0 to 2^31"),
            ("rates", request.rates, all(0 < r < 1 for r in request.rates), "between 0 and 1"),
            ("rates", len(request.rates), len({*request.rates}) == len(request.rates) <= 8,
             "at most 8, each once"),
            ("steps", request.steps, 5 <= request.steps <= 10**6, "5 to a million"),
            ("batch_size", request.batch_size, 1 <= request.batch_size <= 4096, "1 to 4096"),
            ("rank", request.rank, 1 <= request.rank <= 4096, "1 to 4096"),
            ("examples", request.examples, _count(request.examples), "at least 1"),
            ("test_items", request.test_items, _count(request.test_items), "at least 1"),
            ("generated_items", request.generated_items,
             0 <= request.generated_items <= 10**9, "at least 0"),
        ) if not good
    ]  # fmt: skip
    if faults:
        raise ConfigError("\n".join(faults))
    check_settings(request.settings)


def _count(number: int | None) -> bool:
    return number is None or 1 <= number <= 10**9


def _check_cells(
    config: ComparisonConfig, view: TextSetView, check_cell: Callable[[Recipe], object]
) -> None:
    """UserError where every cell, or those of one method, could only fail."""
    for part in PARTS:
        require_fitting_items(config.recipe(), view, part)
    for name in config.methods:
        cell = config.cell(name, config.rates_of(name)[0], 0)
        cell.validate()
        cell.validate_for(view.train or 1)  # the steps are given, however many rows there are
        check_cell(cell)
