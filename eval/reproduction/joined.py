"""One table out of several sittings: methods that were compared earlier at the same budget stay."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from trainer.errors import ArtifactError

_OF_A_SITTING = ("methods", "seeds", "out", "workspace", "config")
"""What may differ between two sittings of one comparison."""


def joined(earlier: Mapping[str, Any] | None, newer: dict[str, Any]) -> dict[str, Any]:
    """The newer comparison, with the rows of the earlier one for methods that it lacks.

    Of every other kind of result the newer alone. ArtifactError where the two asked for different
    things: their rows make no table, and what was stored is not to be lost unasked.
    """
    if earlier is None or not (_is_comparison(earlier) and _is_comparison(newer)):
        return newer
    if others := list(_others(_budget(earlier), _budget(newer))):
        raise ArtifactError(
            f"what is stored was compared with other settings ({', '.join(others)}). Store this "
            "under another name, or delete the file in docs/results to begin anew."
        )
    mine = {row["method"] for row in newer["methods"] if row.get("cells")}
    made = {name: earlier[name] for name in ("machine", "date")}
    before = [{"made": made, **row} for row in earlier["methods"]
              if row["method"] not in mine and row.get("cells")]  # fmt: skip
    kept = {row["method"] for row in before}
    return {**newer, "methods": [*before, *(row for row in newer["methods"]
                                            if row["method"] not in kept)]}  # fmt: skip


def _is_comparison(record: Mapping[str, Any]) -> bool:
    return "asked" in record and "recipe" in record


def _budget(record: Mapping[str, Any]) -> dict[str, Any]:
    """What makes two comparisons one table."""
    recipe = record["recipe"]
    if "optim" in recipe:  # steps are what a comparison counts; records of old name epochs too
        recipe = {**recipe, "optim": {**recipe["optim"], "epochs": None}}
    return {f"{part}.{name}": _wherever(value) if name == "data" else value
            for part, values in (("asked", record["asked"]), ("recipe", recipe))
            for name, value in values.items() if name not in _OF_A_SITTING}  # fmt: skip


def _wherever(data: str | None) -> str | None:
    """The name of a folder or file, as a whole path is stored and a relative one is typed."""
    return data and Path(data).name


def _others(earlier: Mapping[str, Any], newer: Mapping[str, Any]) -> Iterator[str]:
    for name in {**earlier, **newer}:
        if earlier.get(name) != newer.get(name):
            yield f"{name} {earlier.get(name)}, now {newer.get(name)}"
