"""Methods side by side at one budget: `python -m eval.compare_methods --task sst2 --data FOLDER`.

For each method a rate is chosen, then every seed is trained and scored; one table and one JSON.
The same command goes on where it was stopped, also with more methods or seeds. What comes out is
printed as it is, whichever method it favours.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import tyro

from eval.comparison_cells import cell_scores, require_scorable
from eval.comparison_config import ComparisonConfig
from eval.comparison_table import best_rate, row_of, table
from eval.machine import machine
from eval.rate_choice import rate_losses
from trainer.command_line import run_command
from trainer.config_file import to_json
from trainer.errors import ConfigError, Interrupted, NonFiniteError
from trainer.files import write_json


def compare_methods(config: ComparisonConfig) -> dict[str, Any]:
    """Fill the table as far as it goes, and write comparison.json after every method.

    A method that this model cannot have, or whose training diverges, is named with the reason and
    does not stop the others.
    """
    config.validate()
    config.recipe().validate()
    require_scorable(config.recipe())
    record = _record(config)
    for name in config.methods:
        try:
            record["methods"].append(_row(config, name))
        except (ConfigError, NonFiniteError) as error:
            record["methods"].append({"method": name, "failed": str(error)})
        write_json(config.folder / "comparison.json", record)
    # What other calls were at may be there by now.
    record["methods"] = [
        row if "failed" in row else row_of(config, row["method"]) for row in record["methods"]
    ]
    write_json(config.folder / "comparison.json", record)
    return record


def _row(config: ComparisonConfig, name: str) -> dict[str, Any]:
    """Make what a method lacks; what other calls are at is left open."""
    losses = rate_losses(config, name)
    if losses is not None:
        rate = best_rate(losses)
        print(f"{name}: rate {rate:g} of {', '.join(map('{:g}'.format, losses))}", flush=True)
        for seed in config.seeds:
            scores = cell_scores(config.cell(name, rate, seed), config.scored)
            if scores is not None:
                told = [f"{measure} {100 * value:.1f}" for measure, value in scores.items()]
                print(f"  seed {seed}: {', '.join(told)}", flush=True)
    return row_of(config, name)


def _record(config: ComparisonConfig) -> dict[str, Any]:
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "versions": {name: version(name) for name in ("torch", "transformers", "peft")},
        "asked": to_json(config),
        "recipe": to_json(config.recipe()),
        "methods": [],
    }


def main(arguments: Sequence[str] | None = None) -> int:
    return run_command(lambda: _report(tyro.cli(ComparisonConfig, args=arguments)))


def _report(config: ComparisonConfig) -> None:
    try:
        record = compare_methods(config)
    except Interrupted as stopped:
        raise Interrupted(f"{stopped}. The same command goes on.") from stopped
    asked = record["asked"]
    print(f"\n{asked['task']} on {record['recipe']['base']}, {asked['steps']} steps of "
          f"{asked['batch_size']}, scores × 100, ± deviation over seeds:\n")  # fmt: skip
    print(table(record))
    print("\n  The head's parameters are not counted; seconds are of training alone.")
    print(f"  {config.folder / 'comparison.json'}")


if __name__ == "__main__":
    sys.exit(main())
