"""`python -m benchmarks NAME`: each benchmark is a frozen dataclass of options with a `run`.

A benchmark to come is a file with such a class and a line in BENCHMARKS.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import tyro

from benchmarks.polling import PollingBenchmark
from benchmarks.step import StepBenchmark
from benchmarks.text_step import TextStepBenchmark
from trainer.command_line import run_command

BENCHMARKS: Mapping[str, Callable[..., Benchmark]] = {
    "step": StepBenchmark,
    "text-step": TextStepBenchmark,
    "polling": PollingBenchmark,
}
DESCRIPTION = "Measurements that print a table and write JSON with commit, versions and machine."


class Benchmark(Protocol):
    """A benchmark's options, told by the command line."""

    def run(self) -> None:
        """Measure, print the table, write the JSON where that was asked for."""
        ...


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the named benchmark; 0, or 2 after an error that was printed."""
    benchmark: Benchmark = tyro.extras.subcommand_cli_from_dict(
        dict(BENCHMARKS), prog="python -m benchmarks", description=DESCRIPTION, args=arguments
    )
    return run_command(benchmark.run)


if __name__ == "__main__":
    sys.exit(main())
