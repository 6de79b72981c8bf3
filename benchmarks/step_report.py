"""What the step benchmark found, as a table for people and as JSON for the record."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.agreement import TOLERANCE, Agreement
from benchmarks.clock import AGAIN, Turn
from benchmarks.summary import Row, table


@dataclass(frozen=True)
class StepResult:
    """What was measured."""

    settings: dict[str, Any]
    """Every option; the base as resolved."""
    material: dict[str, Any]
    """Device, precision, side and size of the batch, as resolved."""
    provenance: dict[str, Any]
    agreement: Agreement
    kernel_trials: dict[str, float]
    """Seconds a step of each setting tried for R1; the fastest is the one timed."""
    flops: int
    """Of one step of R1, the useful work."""
    matmul_rate: float
    """FLOP/s"""
    rows: list[Row]
    turns: list[list[Turn]]
    """By row, then by round."""


def report(result: StepResult) -> str:
    """The table, with the words around it."""
    lines = [*_conditions(result), "", table(result.rows), "", *_comparisons(result)]
    return "\n".join(lines)


def _conditions(result: StepResult) -> list[str]:
    settings, material, machine = result.settings, result.material, result.provenance["machine"]
    agreement, trials = result.agreement, result.kernel_trials
    return [
        f"Training step on {settings['base']}, {material['side']} px, batch "
        f"{material['batch_size']}, rank {settings['rank']}, {material['precision']}, "
        f"{material['device']}",
        f"{machine['gpu'] or machine['cpu']}, {machine['threads']} threads, load "
        f"{machine['load_average'][0]} before; matmul {result.matmul_rate / 1e12:.3g} TFLOP/s, "
        f"a step {result.flops / 1e12:.3g} TFLOP; R1 runs {min(trials, key=trials.__getitem__)}",
        f"Same losses as PEFT in fp32: {agreement.difference:.1e} apart at most (allowed "
        f"{TOLERANCE:.0e}; the adapter moved them by {agreement.effect:.1e})",
    ]


def _comparisons(result: StepResult) -> list[str]:
    kind = "CPU time" if result.material["device"] == "cpu" else "time"
    plain, *others = result.rows
    return [
        f"time ×: {kind} over that of {plain.name} in the same round, median and quartiles.",
        *(_comparison(row) for row in others),
    ]


def _comparison(row: Row) -> str:
    percent = f"{100 * (row.ratio.median - 1):+.1f} %"
    if row.name.endswith(AGAIN):
        low, high = (100 * (ratio - 1) for ratio in (row.ratio.low, row.ratio.high))
        return (
            f"A/A: {percent} between two turns of the same, quartiles {low:+.1f} to {high:+.1f} %: "
            "differences within these are noise."
        )
    if row.name.startswith("ours"):
        return f"{row.name} after launch: {percent}."
    return f"Ours is {row.ratio.median:.2f} times as fast as {row.name}."


def as_json(result: StepResult) -> dict[str, Any]:
    """Everything, every raw time included."""
    return {
        "benchmark": "step",
        **result.provenance,
        "settings": result.settings,
        "resolved": result.material,
        "agreement": {**asdict(result.agreement), "tolerance": TOLERANCE},
        "kernel_trials": result.kernel_trials,
        "step_flops": result.flops,
        "matmul_flops_per_second": result.matmul_rate,
        "rows": [
            {**asdict(row), "turns": [asdict(turn) for turn in turns]}
            for row, turns in zip(result.rows, result.turns, strict=True)
        ],
    }
