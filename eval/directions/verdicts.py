"""Each number of a method beside its null: what it is held against, and whether it is above.

A number is above the null where the mean over seeds is above the interval that holds 95 % of such
means of random changes, below likewise, and else as random. Reads what directions.json holds; no
torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

Record = Mapping[str, Any]
Verdict = Literal["above", "as random", "below"]


def by_linears(method: Record) -> dict[str, Record]:
    """What was found in all linears, and, where there are others, in queries, keys and values
    alone; for `numbers`."""
    attention = method.get("attention")  # records of old have none
    return {"all": method, **({"attention": attention} if attention else {})}


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
    """Of one number with its null."""
    if row["mean"] > row["null"]["high"]:
        return "above"
    return "below" if row["mean"] < row["null"]["low"] else "as random"


def amount(row: Record, form: str) -> str:
    """A mean, and its deviation over seeds where there is one."""
    deviation = f" ± {row['sd']:{form}}" if row["sd"] is not None else ""
    return f"{row['mean']:{form}}{deviation}"
