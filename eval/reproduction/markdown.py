"""Tables in Markdown, the paper's as printed."""

from __future__ import annotations

from collections.abc import Sequence

from eval.reproduction.names import method_name
from eval.reproduction.stored import Result

NOT_RUN = "*not run*"
MINUS = "−"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def of_paper(printed: Result) -> str:
    """A table of the paper, under its title."""
    rows = [[method_name(str(row[0])), *(f"{cell}" for cell in row[1:])] for row in printed["rows"]]
    head = [method_name(column) for column in printed["columns"]]
    return f"{printed['title']}:\n\n{table(head, rows)}"


def printed_value(printed: Result, row: str, column: str) -> float | None:
    """A number of the paper's table; None where it has no such row or column."""
    columns = printed["columns"]
    for cells in printed["rows"]:
        if cells[0] == row and column in columns:
            return float(cells[columns.index(column)])
    return None


def signed(value: float, digits: int = 1) -> str:
    """With its sign, 0 among the positive."""
    return f"{MINUS if round(value, digits) < 0 else '+'}{abs(value):.{digits}f}"
