"""The table of methods as CSV, of rows as a comparison tells them."""

from __future__ import annotations

import csv
import io
from typing import Any

from app.comparison_csv import as_csv


def _cell(accuracy: float) -> dict[str, Any]:
    return {"scores": {"accuracy": accuracy}, "seconds": 2.0, "memory_gib": 1.5,
            "parameters": 10, "head_parameters": 3}  # fmt: skip


def test_seeds_that_diverged_are_counted_and_in_no_mean() -> None:
    some = {"method": "lora", "learning_rate": 1e-3, "cells": [_cell(0.5), _cell(0.75)],
            "diverged": {"2": "the loss is nan"}}  # fmt: skip
    all_of_them = {"method": "full", "learning_rate": 1e-2, "cells": [],
                   "diverged": {"0": "the loss is nan", "1": "the loss is inf"}}  # fmt: skip
    open_yet = {"method": "dora", "open": [0]}
    first, second = csv.DictReader(io.StringIO(as_csv([all_of_them, some, open_yet])))
    assert (first["method"], first["n"], first["diverged"]) == ("full", "0", "2")
    assert first["accuracy mean"] == first["parameters"] == first["memory_gib"] == ""
    assert (second["n"], second["diverged"], second["accuracy mean"]) == ("2", "1", "0.625")
