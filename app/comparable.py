"""Runs whose launched directions can be compared: on photos or on texts, alike. No torch."""

from __future__ import annotations

from collections.abc import Sequence

from app.layers import common_layers
from app.runs import Runs
from app.text_runs import TextRuns, TextRunView
from app.views import RunView
from trainer.errors import ConfigError


class ComparableRuns:
    """The runs of a workspace that Compare may be asked about."""

    def __init__(self, runs: Runs, text_runs: TextRuns) -> None:
        self._runs = runs
        self._text_runs = text_runs

    def all(self) -> list[RunView | TextRunView]:
        """Those that have finished, the newest first."""
        on_text = (run for run in self._text_runs.all() if not run.instead)
        found: list[RunView | TextRunView] = [*self._runs.all(), *on_text]
        finished = [run for run in found if run.state == "succeeded"]
        return sorted(finished, key=lambda run: -(run.finished_at or 0))

    def get(self, name: str) -> RunView | TextRunView:
        """One of them, finished or not; a UserError where it is none."""
        try:
            return self._runs.get(name)
        except ConfigError:  # a config with the fields of another recipe
            view = self._text_runs.get(name)
        if view.instead:
            raise ConfigError(
                f"{name} trained {view.method}, which launches no directions. Choose adapters of "
                "LoRA-Dash, LoRA-Init or LoRA-TSD."
            )
        return view

    def layers(self, names: Sequence[str]) -> list[str]:
        """Layers in which all of these have launched directions."""
        return common_layers([self._runs.open(name) for name in names])
