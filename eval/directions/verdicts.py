"""Each number of a method beside its null: what it is held against, and whether it is above.

A number is above the null where every seed's is above 95 % of the random changes, below likewise;
mixed where the seeds disagree on that, and else as random. Reads what directions.json holds; no
torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

Record = Mapping[str, Any]
Verdict = Literal["above", "as random", "below", "mixed"]


def numbers(method: Record) -> dict[str, dict[str, Any]]:
    """What is held against the null, by name: precision and recall at the end of training,
    alignment, and amplification by the whole change; without what no change was there for."""
    found = {}
    for name in ("precision", "recall"):
        row = method["capture"][name]
        ends = {key: row[key] and row[key][-1] for key in ("mean", "sd")}
        seeds = [seed[-1] for seed in row["seeds"]]
        if None not in seeds:
            held_against = {key: row[key] for key in ("null", "chance", "smallest")}
            found[name] = {**ends, "seeds": seeds, **held_against}
    found.update(method.get("alignment", {}))
    if "amplification" in method:
        found["amplification"] = method["amplification"]["all"]
    return found


def verdict(row: Record) -> Verdict:
    """Of one number with its null, or with each seed's own where the null is not one for all."""
    nulls = row.get("null_by_seed", [row["null"]] * len(row["seeds"]))
    places = {
        (value > null["high"]) - (value < null["low"])
        for value, null in zip(row["seeds"], nulls, strict=True)
    }
    if len(places) > 1:
        return "mixed"
    words: dict[int, Verdict] = {1: "above", 0: "as random", -1: "below"}
    return words[places.pop()]


def amount(row: Record, form: str) -> str:
    """A mean, and its deviation over seeds where there is one."""
    deviation = f" ± {row['sd']:{form}}" if row["sd"] is not None else ""
    return f"{row['mean']:{form}}{deviation}"
