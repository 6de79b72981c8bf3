"""Runs whose launched directions are compared: on photos or on text, as one kind of thing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eval.launched import launches_none
from trainer.adapters.attach import find_targets
from trainer.adapters.config import AdapterConfig
from trainer.errors import ArtifactError, ConfigError
from trainer.run import Run, RunFolder, open_run
from trainer.sdxl.load import load_sdxl
from trainer.text.finished import load_base
from trainer.text_run import TextRun


@dataclass(frozen=True)
class ComparedRun:
    """A finished run of either kind."""

    folder: RunFolder
    what: str
    """What it learned: the subject's name, or the task's."""
    base: str
    linears: Callable[[AdapterConfig], dict[str, Any]]
    """Loads the base, as the run had it: the linears that such an adapter adapts, by path."""

    @property
    def name(self) -> str:
        return self.folder.path.resolve().name


def open_compared(path: Path) -> ComparedRun:
    """The run at `path`; ArtifactError where it is none, has not finished, or is no adapter."""
    try:
        return _on_photos(open_run(path))
    except ConfigError:  # a config with the fields of another recipe
        return _on_text(TextRun(path))


def _on_photos(run: Run) -> ComparedRun:
    config = run.read_config()

    def linears(adapter: AdapterConfig) -> dict[str, Any]:
        return find_targets(load_sdxl(config.base, config.model).unet, adapter.target_modules)

    return ComparedRun(run, run.read_subject().name, config.base, linears)


def _on_text(run: TextRun) -> ComparedRun:
    config = run.read_config()
    if config.instead is not None:
        raise ArtifactError(f"{run.path.resolve().name}: {launches_none(config.method)}")
    run.require_finished()

    def linears(adapter: AdapterConfig) -> dict[str, Any]:
        return find_targets(load_base(config).model, adapter.target_modules)

    return ComparedRun(run, config.task_name, config.base, linears)


def names_of(runs: Sequence[ComparedRun]) -> list[str]:
    """What the runs learned; where two learned the same, the runs' names."""
    counts = Counter(run.what for run in runs)
    return [run.what if counts[run.what] == 1 else run.name for run in runs]
