"""The record in a screen of words, for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from eval.directions.verdicts import amount, by_linears, numbers, verdict
from eval.report import aligned

Record = Mapping[str, Any]
LINEARS = {"all": "", "attention": ", queries, keys and values alone"}


def summary(record: Record) -> str:
    """Each method's numbers with null, chance and verdict, and the ablations."""
    rates = record["change_rates"]
    lines = [
        f"TSDs of {record['full']} ({record['task']} on {record['base']}), "
        f"{len(rates['layers'])} layers",
        f"  {rates['in_last_tenth']:.0%} of the top TSDs lie in the last tenth of the spectrum; of "
        f"random changes {rates['in_last_tenth_null']:.0%}",
    ]
    for name, method in record["methods"].items():
        for linears, part in by_linears(method).items():
            lines += ["", *_block(f"{name}{LINEARS[linears]}", {**method, **part})]
    if record["methods"]:
        lines += [
            "",
            f"  random: where 95 % of the means of random changes lie, {record['null_draws']} a "
            "layer and seed, with the singular values",
            "  of what was learned; smallest σ: a guess that needs no training; ± deviation over "
            "seeds",
        ]
    for name, ablation in record["ablations"].items():
        lines += ["", *_ablation(name, ablation)]
    for runs in record.get("unscored", {}).values():
        lines += ["", f"  Not compared by their settings, for want of scores: {', '.join(runs)}"]
    return "\n".join(lines)


def _block(name: str, method: Record) -> list[str]:
    found = numbers(method)
    nulls = [row["null"] for row in found.values()]
    guesses = {"chance": "chance", "smallest σ": "smallest"}
    count = len(method["runs"])
    told = f"{name}, {count} {'run' if count == 1 else 'seeds'}"
    return [
        f"  {told}",
        *aligned([
            ("", *(key.replace(" in ", "∩") for key in found)),
            ("found", *(amount(row, ".2f") for row in found.values())),
            ("random", *(f"{null['low']:.2f} to {null['high']:.2f}" for null in nulls)),
            *((label, *(f"{row[key]:.2f}" if key in row else "" for row in found.values()))
              for label, key in guesses.items()),
            ("it is", *(verdict(row) for row in found.values())),
        ]),
    ]  # fmt: skip


def _ablation(name: str, ablation: Record) -> Iterator[str]:
    yield f"  {name} by its settings, {ablation['measure']}"
    for axis, study in ablation["axes"].items():
        values = [(row["value"], row) for row in study["values"]]
        values += [("plain LoRA", study["lora"])] if study["lora"] else []
        yield f"    {axis:<10}" + ", ".join(f"{name}: {amount(row, '.3f')}" for name, row in values)
