"""Runs whose launched directions can be compared: on photos or on texts, alike. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast, get_args

from app.layers import common_layers
from app.runs import Runs
from app.text_runs import TextRuns, TextRunView
from app.views import RunView
from eval.launched import why_no_directions
from trainer.adapters.config import AdapterConfig, Method
from trainer.errors import ConfigError


class ComparableRuns:
    """The runs of a workspace that Compare may be asked about."""

    def __init__(self, runs: Runs, text_runs: TextRuns) -> None:
        self._runs = runs
        self._text_runs = text_runs

    def all(self) -> list[RunView | TextRunView]:
        """Those that have finished, by methods that launch directions; the newest first."""
        on_text = (run for run in self._text_runs.all() if not run.instead)
        found: list[RunView | TextRunView] = [*self._runs.all(), *on_text]
        finished = [run for run in found if run.state == "succeeded" and _launches(run.method)]
        return sorted(finished, key=lambda run: -(run.finished_at or 0))

    def get(self, name: str) -> RunView | TextRunView:
        """One of them, finished or not; a UserError where it is none."""
        try:
            view: RunView | TextRunView = self._runs.get(name)
            adapter = self._runs.open(name).read_config().adapter
        except ConfigError:  # a config with the fields of another recipe
            view = self._on_text(name)
            adapter = self._text_runs.open(name).read_config().adapter
        if reason := why_no_directions(adapter):
            raise ConfigError(f"{name}: {reason}")
        return view

    def _on_text(self, name: str) -> TextRunView:
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

    def require_layers(self, names: Sequence[str]) -> None:
        """ConfigError where a finished run has not launched, or they share no layer."""
        plain = [name for name in names if not self.layers([name])]
        if plain:
            raise ConfigError(
                f"{', '.join(plain)}: it has not launched; train past --adapter.prelaunch-steps."
            )
        if not self.layers(names):
            raise ConfigError("these runs adapt no layer in common.")


def _launches(method: str) -> bool:
    return method in get_args(Method) and bool(AdapterConfig(method=cast(Method, method)).chosen)
