"""The paper beside what we measured: `python -m eval.reproduction` writes docs/reproduction.md.

    python -m eval.reproduction
    python -m eval.reproduction --store workspace/comparisons/sst2/comparison.json --name glue-sst2

With --store a result is first kept in docs/results, for good. No torch.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro

from eval.reproduction.sections import sections
from eval.reproduction.stored import DOCS, Results
from trainer.command_line import run_command
from trainer.errors import ConfigError
from trainer.files import write_text

INTRODUCTION = """\
# The paper, and what we measured

Written by `python -m eval.reproduction` from [docs/results](results); do not edit. For each table
and figure of *Task-Specific Directions* (Si et al., arXiv 2409.01035): the paper's numbers, what
was run here, on what, with how many seeds, and what came out, whichever method it favours. What has
not been run says so, and how it would be. Read back are the records of `eval.compare_methods`,
`eval.analyse_directions`, `eval.check_subjects` and `eval.compare_subjects`; the scores of a single
run, which many of the commands for the paper's models make, stay in its folder.
"""
COLUMNS = """\
How rates are chosen: each method has two to choose from (`eval/comparison_config.py`), or those of
`--rates`. Each is tried with seed 0 and all the steps on nine tenths of the rows that a cell trains
on, and the loss on up to 500 of the training rows that it has not seen decides; the dev or test set
has no say. The column `rate` has the one that was taken.

`seconds` are those of the clock, cell by cell as they came; what else the machine did meanwhile is
in them, so they compare no methods.
"""


@dataclass(frozen=True)
class ReproductionConfig:
    """Write docs/reproduction.md from the stored results."""

    store: Path | None = None
    """First keep this file (a comparison.json, subjects.json, directions.json or overlap.json)."""
    name: str = ""
    """What it is called in docs/results: glue-<task>, commonsense-<set>, directions-<task>,
    subjects, overlap, initialisation-sst2, other-methods-sst2. Another name is answered by all."""


def document(results: Results) -> str:
    """The whole text."""
    parts = [f"## {section.title}\n\n{section.text}\n" for section in sections(results)]
    return "\n".join([INTRODUCTION, COLUMNS, *parts])


def main(arguments: Sequence[str] | None = None) -> int:
    return run_command(lambda: _run(tyro.cli(ReproductionConfig, args=arguments)))


def _run(config: ReproductionConfig) -> None:
    if (config.store is None) != (not config.name):
        raise ConfigError("--store FILE and --name NAME belong together.")
    results = Results()
    if config.store is not None:
        print(results.keep(config.store, config.name))
    write_text(DOCS / "reproduction.md", document(results))
    print(DOCS / "reproduction.md")


if __name__ == "__main__":
    sys.exit(main())
