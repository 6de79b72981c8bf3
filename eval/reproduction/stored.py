"""The results that the document is made of: a JSON file each in docs/results, as commands wrote it.

A stored result is free of paths: where data lay on some machine tells a reader nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eval.reproduction.joined import joined
from eval.reproduction.kinds import require_fitting, slots
from trainer.errors import ArtifactError
from trainer.files import write_json

DOCS = Path(__file__).resolve().parents[2] / "docs"
RESULTS = DOCS / "results"
Result = Mapping[str, Any]


class Results:
    """What is stored, by the name of the file."""

    def __init__(self, folder: Path = RESULTS) -> None:
        self.folder = folder

    def get(self, name: str) -> Result | None:
        """The result with that name; None where nothing was run."""
        file = self.folder / f"{name}.json"
        if not file.exists():
            return None
        try:
            values: Result = json.loads(file.read_text("utf-8"))
        except ValueError as error:
            raise ArtifactError(f"{file} is not JSON: {error}") from error
        return values

    def paper(self, name: str) -> Result:
        """A table of the paper."""
        paper = self.get("paper")
        if paper is None or name not in paper:
            raise ArtifactError(f"{self.folder / 'paper.json'} has no table {name}.")
        table: Result = paper[name]
        return table

    def of(self, kind: str) -> dict[str, Result]:
        """What is stored under `kind-…`, by the rest of the name."""
        names = [name for name in slots() if name.startswith(f"{kind}-")]
        found = {name.removeprefix(f"{kind}-"): self.get(name) for name in names}
        return {name: result for name, result in found.items() if result is not None}

    def keep(self, source: Path, name: str) -> Path:
        """Store what a command wrote, where a section reads that; returns where.

        Methods that were stored before, compared at the same budget, stay in their table.
        """
        try:
            values = json.loads(source.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise ArtifactError(f"{source} cannot be read as a result: {error}") from error
        require_fitting(source, values, name)
        file = self.folder / f"{name}.json"
        values.pop("layers", None)  # what is told of each layer stays with the runs,
        values.get("change_rates", {}).pop("drawn", None)  # and so do the points of figures
        write_json(file, joined(self.get(name), without_paths(values)))
        return file


def without_paths(value: Any) -> Any:
    """The same, with the last part of every absolute path in its place."""
    if isinstance(value, dict):
        return {key: without_paths(below) for key, below in value.items()}
    if isinstance(value, list):
        return [without_paths(below) for below in value]
    if isinstance(value, str) and Path(value).is_absolute():
        return Path(value).name
    return value
