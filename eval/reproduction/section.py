"""What all sections are made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from eval.reproduction.markdown import NOT_RUN
from eval.reproduction.names import base_name
from eval.reproduction.stored import Result


@dataclass(frozen=True)
class Section:
    """One table or figure."""

    title: str
    text: str


def commands(bases: Sequence[str], lines: str, records: Iterable[Result] = ()) -> str:
    """How it is run on the paper's models; those that no record is of are said not to be run."""
    ran = {base_of(record) for record in records}
    missing = [base_name(base) for base in bases if base not in ran]
    state = f"{', '.join(missing)}: {NOT_RUN}; by" if missing else "By"
    return f"{state}\n\n```bash\n{lines.strip()}\n```"


def base_of(record: Result) -> str:
    """The model of a comparison, or of a study of directions."""
    base: str = record["recipe"]["base"] if "recipe" in record else record["base"]
    return base


def joined(parts: Sequence[str], last: str = "") -> str:
    return "\n\n".join(filter(None, [*parts, last]))
