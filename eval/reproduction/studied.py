"""The stored studies of directions: which there are, how they were made, which runs stand for a
method, and where each number lies beside random changes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from eval.directions.verdicts import amount, verdict
from eval.reproduction.markdown import NOT_RUN, table
from eval.reproduction.names import STUDIED, base_name, method_name
from eval.reproduction.stored import Result, Results

WHERE = {
    "above": "above random changes",
    "as random": "inside random changes",
    "below": "below random changes",
}


def studies(results: Results) -> list[tuple[str, Result]]:
    """What is stored, each under its base and task."""
    return [
        (f"{base_name(record['base'])} on {STUDIED[task]}", record)
        for task, record in results.of("directions").items()
    ]


def how_made(name: str, record: Result) -> str:
    """From which runs, and where they were studied; a dash for what a record does not hold."""
    seeds = [record["full_seed"]] if "full_seed" in record else []
    full: Result = {"seeds": seeds, "launch_step": None, "trained": record.get("trained")}
    rows = [
        [label, ", ".join(map(str, row["seeds"])) or "–", _or_dash(row["launch_step"]),
         *_trained(row.get("trained"))]
        for label, row in {"W\\*, full fine-tuning": full, **record["methods"]}.items()
    ]  # fmt: skip
    head = ["run", "seeds", "launch at", "steps", "batch", "examples", "rate"]
    machine = f", studied on {record['machine']}" if "machine" in record else ""
    return f"Here, {name}{machine}, {record['written'][:10]}:\n\n{table(head, rows)}"


def _trained(told: Mapping[str, Any] | None) -> list[str]:
    if told is None:
        return ["–"] * 4
    examples = "all" if told["examples"] is None else f"{told['examples']:,}"
    return [str(told["steps"]), str(told["batch_size"]), examples, f"{told['learning_rate']:g}"]


def _or_dash(value: int | None) -> str:
    return "–" if value is None else str(value)


def usual(record: Result, methods: Iterable[str]) -> dict[str, Result]:
    """By method, where it was run: the runs with TSDs and the settings that most seeds have."""
    found = {}
    for wanted in methods:
        own = [row for row in record["methods"].values() if row["method"] == wanted]
        if own:
            found[wanted] = max(
                own, key=lambda row: (row["direction"] in (None, "tsd"), len(row["runs"]))
            )
    return found


def place(method: str, what: str, row: Mapping[str, Any], theirs: object) -> str:
    """One number beside the paper's and the null, in words."""
    smallest = f", the 8 smallest σ give {row['smallest']:.2f}" if "smallest" in row else ""
    return (
        f"{what} of {method_name(method)} is {amount(row, '.2f')} (the paper: {theirs}), "
        f"{WHERE[verdict(row)]}{smallest}"
    )


def none_here(found: list[tuple[str, Result]]) -> str:
    return "" if found else f"Here: {NOT_RUN}."
