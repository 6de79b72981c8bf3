"""How a comparison of methods on texts looks: a row a method, with its files to take away."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import fmean, stdev
from typing import Any
from urllib.parse import quote

from app.studio import Studio
from app.tabs.amounts import duration
from app.tabs.choices import Choices
from app.tabs.language_form import method_choices
from app.tabs.markup import Markup, button, el, empty, join, note, table
from app.tabs.words import say
from eval.comparison_config import VARIANTS

GENERATED = "generation"
"""What the name of a scoring ends in whose answers were read out of what is written."""


def comparison_page(studio: Studio, comparison_id: str | None) -> Markup:
    """The table as far as its cells are there, and what became of the others."""
    if not comparison_id:
        return empty(say("methods.empty"), say("methods.empty_next"))
    found = studio.texts.comparison(comparison_id)
    done = [row for row in found["methods"] if row.get("cells")]
    queue = [button(say("language.queue_cells"), "queue")] if found["unqueued"] else []
    delete = button(say("language.delete_comparison"), "delete", kind="danger quiet",
                    confirm=say("language.comparison_confirm"))  # fmt: skip
    acts = _acts(*queue, delete)
    return join([_table(done), _files(comparison_id, found, done), *_notes(found), acts])


def _notes(found: dict[str, Any]) -> Iterator[Markup]:
    """Of every cell that is not in the table, why."""
    for row in found["methods"]:
        for seed, why in row.get("diverged", {}).items():
            words = say("language.cell_diverged", method=_method(row["method"]), seed=seed, why=why)
            yield note(words, "warning")
    for cell in found["failed"]:
        yield note(say("language.cell_failed", **cell), "warning")
    missing = [_cell(cell["method"], cell["seed"]) for cell in found["unqueued"]]
    told = {*missing, *(_cell(cell["method"], cell["seed"]) for cell in found["failed"])}
    still_open = (_cell(row["method"], seed) for row in found["methods"] for seed in row["open"])
    waiting = [cell for cell in still_open if cell not in told]
    if waiting:
        yield note(say("language.cells_open", cells=", ".join(waiting)))
    if missing:
        yield note(say("language.cells_unqueued", cells=", ".join(missing)), "warning")


def _cell(method: str, seed: int) -> str:
    return f"{_method(method)} {seed}"


def _table(done: list[dict[str, Any]]) -> Markup | None:
    if not done:
        return None
    measures = list(done[0]["cells"][0]["scores"])
    costs = [say(f"methods.{name}") for name in ("parameters", "time", "memory")]
    head = [say("methods.method"), say("methods.n"), *map(_measure, measures),
            say("language.rate"), *costs]  # fmt: skip
    lines = [_line(row, measures) for row in done]
    words = el("p", say("language.methods_legend"), class_="aside")
    return join([table(head, lines, caption=say("methods.title")), words])


def _files(comparison_id: str, found: dict[str, Any], done: list[dict[str, Any]]) -> Markup | None:
    """The table for other programs, and what every cell answered."""
    if not done:
        return None
    place = f"api/text-comparisons/{comparison_id}"
    links = [_link(f"{place}/table.csv", say("language.as_csv")),
             _link(place, say("language.as_json"), f"methods-{comparison_id}.json")]  # fmt: skip
    return join([_acts(*links), _answers(place, found["answers"], done)])


def _answers(place: str, answers: dict[str, list[str]], done: list[dict[str, Any]]) -> Markup:
    """A line a method, a link a seed and way to answer; folded away."""
    lines = []
    for row in done:
        links = [
            _link(f"{place}/cells/{quote(cell['run'])}/scores/{scoring}/predictions.jsonl",
                  _cell_label(cell["seed"], scoring))
            for cell in row["cells"] for scoring in answers.get(cell["run"], ())
        ]  # fmt: skip
        lines.append([_method(row["method"]), _acts(*links)])
    head = [say("methods.method"), say("language.cell_files")]
    summary = el("summary", say("language.cell_answers"))
    return el("details", summary, table(head, lines), data_part="answers")


def _cell_label(seed: int, scoring: str) -> str:
    label = say("language.cell_seed", seed=seed)
    written = say("language.cell_written", cell=label)
    return written if scoring.endswith(GENERATED) else label


def _link(url: str, label: str, name: str | None = None) -> Markup:
    """Saves what REST answers there, as `name` or as it is called there."""
    return el("a", label, href=url, download=name or True, class_="act")


def _acts(*acts: Markup) -> Markup:
    return el("div", *acts, class_="acts")


def _method(name: str) -> str:
    """`lora-dash:bottom` → `LoRA-Dash, bottom`"""
    known = {value: label for label, value in methods_to_compare()}
    method, colon, direction = name.partition(":")
    return f"{known.get(method, method)}{', ' if colon else ''}{direction}"


def _measure(name: str) -> str:
    """A metric of GLUE by its word; a set of instructions by its own name."""
    known = ("matthews", "accuracy", "f1", "pearson", "spearman")
    return say(f"metric.{name}") if name in known else name


def _line(row: dict[str, Any], measures: Sequence[str]) -> list[object]:
    cells = row["cells"]
    scores = [_spread([100 * cell["scores"][name] for cell in cells]) for name in measures]
    time = duration(fmean(cell["seconds"] for cell in cells))
    memory = f"{max(cell['memory_gib'] for cell in cells):.2f} GiB"
    rate, size = f"{row['learning_rate']:g}", f"{cells[0]['parameters']:,}"
    return [_method(row["method"]), len(cells), *scores, rate, size, time, memory]


def _spread(values: Sequence[float]) -> Markup:
    """Mean, and below it the standard deviation over seeds where there is one."""
    spread = el("small", f"± {stdev(values):.1f}") if len(values) > 1 else None
    return el("span", f"{fmean(values):.1f}", spread, class_="number")


def methods_to_compare() -> Choices:
    """Every method that has a name of its own."""
    return [*method_choices(), *((say(f"method.{name}"), name) for name in VARIANTS)]
