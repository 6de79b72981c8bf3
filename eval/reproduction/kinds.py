"""Which results the sections read, and of which command each must be.

A result under another name would never be shown, and one of another kind or task would be shown as
what it is not, so both are refused before anything is stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eval.reproduction.names import COMMONSENSE, GLUE, STUDIED
from trainer.errors import ArtifactError, ConfigError

COMMANDS = {
    "eval.compare_methods": {"asked", "recipe", "methods"},
    "eval.analyse_directions": {"change_rates", "methods", "ablations"},
    "eval.check_subjects": {"differences", "subjects", "methods"},
    "eval.compare_subjects": {"matrix", "num_directions", "subjects"},
}
"""What the files of each command hold, and those of no other."""


@dataclass(frozen=True)
class Slot:
    """A place for a result."""

    command: str
    task: str | None = None
    """What it must be about; None where the command has just one."""
    folder: str | None = None
    """And the folder of its data, where that says which set it is."""


def slots() -> dict[str, Slot]:
    """By name in docs/results."""
    compare, analyse = "eval.compare_methods", "eval.analyse_directions"
    return {
        **{f"glue-{task}": Slot(compare, task) for task in GLUE},
        **{f"commonsense-{name}": Slot(compare, "commonsense", questions.folder)
           for name, questions in COMMONSENSE.items()},
        "initialisation-sst2": Slot(compare, "sst2"),
        "other-methods-sst2": Slot(compare, "sst2"),
        **{f"directions-{task}": Slot(analyse, task) for task in STUDIED},
        "subjects": Slot("eval.check_subjects"),
        "overlap": Slot("eval.compare_subjects"),
    }  # fmt: skip


def require_fitting(source: Path, values: Any, name: str) -> None:
    """ConfigError for a name that no section reads; ArtifactError for another kind or task, and
    for a comparison that has no score to show."""
    slot = slots().get(name)
    if slot is None:
        raise ConfigError(f"--name {name}: no section reads it. Possible: {', '.join(slots())}.")
    command = _command_of(values)
    if command != slot.command:
        told = f"it is of {command}" if command else "no command of ours wrote it"
        raise ArtifactError(f"{source}: {name} is for a file of {slot.command}; {told}.")
    task, folder = _about(values)
    if slot.task not in (None, task) or slot.folder not in (None, folder):
        raise ArtifactError(
            f"{source} is of {task}{f' in {folder}' if slot.folder else ''}; {name} is for "
            f"{slot.task}{f' in {slot.folder}' if slot.folder else ''}."
        )
    if "asked" in values and not any(row.get("cells") for row in values["methods"]):
        raise ArtifactError(
            f"{source}: no method in it has a score yet, so there is nothing to store. Go on with "
            "its eval.compare_methods."
        )


def _command_of(values: Any) -> str | None:
    keys = set(values) if isinstance(values, dict) else set()
    return next((command for command, own in COMMANDS.items() if own <= keys), None)


def _about(values: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """The task, and the name of the folder of data."""
    asked = values.get("asked", values)
    data = asked.get("data")
    return asked.get("task"), Path(data).name if data else None
