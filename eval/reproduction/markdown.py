"""Tables in Markdown: the paper's as printed, ours as mean ± deviation over seeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eval.comparison_table import cells_of, spread
from eval.reproduction.stored import Result

METHODS = {
    "full": "full fine-tuning",
    "lora": "LoRA",
    "peft-lora": "LoRA (PEFT)",
    "dora": "DoRA",
    "pissa": "PiSSA",
    "milora": "MiLoRA-style",
    "adalora": "AdaLoRA",
    "adalora-dash": "AdaLoRA-Dash",
    "flora": "FLoRA",
    "flora-dash": "FLoRA-Dash",
    "lora-dash": "LoRA-Dash",
    "lora-init": "LoRA-Init",
    "lora-tsd": "LoRA-TSD",
    "lora-restart": "LoRA, restarted at the launch",
}
"""What methods are called in print; others as they are."""
NOT_RUN = "*not run*"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def method_name(name: str) -> str:
    method, colon, direction = name.partition(":")
    return METHODS.get(method, method) + (f", {direction} directions" if colon else "")


def of_paper(printed: Result) -> str:
    """A table of the paper, under its title."""
    rows = [[method_name(str(row[0])), *(f"{cell}" for cell in row[1:])] for row in printed["rows"]]
    head = [method_name(column) for column in printed["columns"]]
    return f"{printed['title']}:\n\n{table(head, rows)}"


def of_comparison(record: Result) -> str:
    """A record of `eval.compare_methods`: a row a method, what failed or is open below."""
    (method, _, *rest), *rows = cells_of(record)
    named = [[method_name(name), *cells] for name, *cells in rows]
    return "\n\n".join([table([method, "seeds", *rest], named), *_unfinished(record)])


def _unfinished(record: Result) -> list[str]:
    lines = [
        f"{method_name(row['method'])}: {row['failed']}" for row in record["methods"]
        if row.get("failed")
    ]  # fmt: skip
    open_cells = [
        f"{method_name(row['method'])} (seeds {', '.join(map(str, row['open']))})"
        for row in record["methods"] if row.get("open")
    ]  # fmt: skip
    return lines + ([f"Not run yet: {'; '.join(open_cells)}."] if open_cells else [])


def verdict(record: Result, first: str = "lora", second: str = "lora-tsd") -> str:
    """The second method minus the first, seed by seed, in words; empty where one is not there."""
    by_method = {row["method"]: row.get("cells", []) for row in record["methods"]}
    pairs = _pairs(by_method.get(first, []), by_method.get(second, []))
    if not pairs:
        return ""
    measure = next(iter(pairs[0][0]))
    gained = [100 * (theirs[measure] - ours[measure]) for ours, theirs in pairs]
    won = sum(value > 0 for value in gained)
    return (
        f"{method_name(second)} − {method_name(first)}: {measure} {spread(gained)}, seed by seed; "
        f"above 0 for {won} of {len(gained)} seeds."
    )


def _pairs(first: Sequence[Any], second: Sequence[Any]) -> list[tuple[Any, Any]]:
    theirs = {cell["seed"]: cell["scores"] for cell in second}
    return [(c["scores"], theirs[c["seed"]]) for c in first if c["seed"] in theirs]
