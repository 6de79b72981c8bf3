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

from eval.comparison_cells import cell_result, require_same, require_scorable
from eval.comparison_config import ComparisonConfig, Recipe
from eval.comparison_table import best_rate, cells_of_method, row_of, table
from eval.machine import machine
from eval.rate_choice import rate_losses, trials_of
from trainer.command_line import run_command
from trainer.config_file import to_json
from trainer.errors import ConfigError, Interrupted
from trainer.files import write_json


def compare_methods(config: ComparisonConfig) -> dict[str, Any]:
    """Fill the table as far as it goes, and write comparison.json after every method.

    A method that this model cannot have is named with the reason and does not stop the others; so
    is a seed whose training diverges. ConfigError, with nothing written, where the folder has cells
    of other settings.
    """
    config.validate()
    recipe = config.recipe()
    recipe.validate()
    require_scorable(recipe)
    for name in config.methods:
        for settings in (*trials_of(config, name), *cells_of_method(config, name)):
            require_same(settings)
    trainings = sum(len(config.rates_of(name)) + len(config.seeds) for name in config.methods)
    steps = recipe.optim.steps
    print(f"{trainings} trainings of {steps} steps, each with its scores → {config.folder}")
    record = _record(config, recipe)
    for name in config.methods:
        try:
            record["methods"].append(_row(config, name))
        except ConfigError as error:
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
            found = cell_result(config.cell(name, rate, seed), config.scored)
            if found is not None:
                print(f"  seed {seed}: {_told(found)}", flush=True)
    return row_of(config, name)


def _told(found: dict[str, Any]) -> str:
    if "diverged" in found:
        return f"diverged: {found['diverged']}"
    return ", ".join(f"{name} {100 * value:.1f}" for name, value in found["scores"].items())


def _record(config: ComparisonConfig, recipe: Recipe) -> dict[str, Any]:
    # Whoever left it to --config, this is what was trained; readers of the record look here.
    budget = {
        "steps": recipe.optim.steps, "batch_size": recipe.optim.batch_size,
        "rank": recipe.adapter.rank, "examples": recipe.examples,
    }  # fmt: skip
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "versions": {name: version(name) for name in ("torch", "transformers", "peft")},
        "asked": {**to_json(config), **budget},
        "recipe": to_json(recipe),
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
    if all("failed" in row for row in record["methods"]):
        raise ConfigError("No method could be trained here; the reasons stand above.")


if __name__ == "__main__":
    sys.exit(main())
