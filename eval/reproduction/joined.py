"""One table out of several sittings: methods that were compared earlier at the same budget stay."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_OF_A_SITTING = ("methods", "seeds", "out", "workspace", "config")
"""What may differ between two sittings of one comparison."""


def joined(earlier: Mapping[str, Any] | None, newer: dict[str, Any]) -> dict[str, Any]:
    """The newer comparison, with the rows of the earlier one for methods that it lacks.

    Only where both asked for the same; else, and for every other kind of result, the newer alone.
    """
    if earlier is None or _budget(earlier) is None or _budget(earlier) != _budget(newer):
        return newer
    mine = {row["method"] for row in newer["methods"] if row.get("cells")}
    made = {name: earlier[name] for name in ("machine", "date")}
    before = [{"made": made, **row} for row in earlier["methods"]
              if row["method"] not in mine and row.get("cells")]  # fmt: skip
    kept = {row["method"] for row in before}
    return {**newer, "methods": [*before, *(row for row in newer["methods"]
                                            if row["method"] not in kept)]}  # fmt: skip


def _budget(record: Mapping[str, Any]) -> Any:
    """What makes two comparisons one table; None where it is no comparison."""
    if "asked" not in record or "recipe" not in record:
        return None
    asked = {key: value for key, value in record["asked"].items() if key not in _OF_A_SITTING}
    recipe = {key: value for key, value in record["recipe"].items() if key not in _OF_A_SITTING}
    if "optim" in recipe:  # steps are what a comparison counts; records of old name epochs too
        recipe["optim"] = {**recipe["optim"], "epochs": None}
    return asked, recipe
