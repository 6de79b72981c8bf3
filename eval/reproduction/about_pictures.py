"""Sections on subjects in pictures: Table 3 with Fig. 5, the user study, Fig. 9."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from eval.reproduction import commands as bash
from eval.reproduction.markdown import MINUS, NOT_RUN, of_paper, printed_value, signed, table
from eval.reproduction.names import base_name, method_name
from eval.reproduction.section import Section, commands, joined
from eval.reproduction.stored import Result, Results

MEASURES = {"CLIP-T": "text and image", "CLIP-I": "image and photos"}
"""What the paper's measures are called here, by how their titles begin."""


def dreambooth(results: Results) -> Section:
    printed, record = results.paper("dreambooth"), results.get("subjects")
    parts = [of_paper(printed)]
    if record is None:
        parts.append(f"The embedded base: {NOT_RUN}: `{_check('lora lora-tsd')}`")
    else:
        parts += [_subjects(record), _differences(record), _differing(record, printed),
                  f"`{_check(*_asked(record))}`"]  # fmt: skip
    parts += [
        commands([bash.SDXL], bash.DREAMBOOTH),
        "That is one of DreamBooth's subjects; the pictures that are scored, as those of Fig. 5, "
        "lie in the run's folder, with a contact sheet.",
    ]
    return Section("Table 3 and Fig. 5: subject-driven generation", joined(parts))


def _check(methods: str, *more: str) -> str:
    return " ".join(["python -m eval.check_subjects --methods", methods, *more])


def _asked(record: Result) -> list[str]:
    """The flags that made it."""
    flags = [
        " ".join(record["methods"]),
        f"--seeds {' '.join(map(str, record['seeds']))}",
        f"--picture-seeds {' '.join(map(str, record['picture_seeds']))}",
        f"--subjects {' '.join(record['subjects'])}",
    ]
    return flags + ([f"--max-prompts {record['max_prompts']}"] if record["max_prompts"] else [])


def _subjects(record: Result) -> str:
    prompts = f"the first {record['max_prompts']}" if record["max_prompts"] else "all"
    return (
        f"Here: the embedded base (`eval.check_subjects`), {len(record['subjects'])} subjects × "
        f"training seeds {', '.join(map(str, record['seeds']))}, {prompts} of its prompts × "
        f"picture seeds {', '.join(map(str, record['picture_seeds']))}; × 100, intervals over "
        "subjects; CLIP is the embedded base's own scorer, which is not comparable with the "
        f"paper's; {record['machine']}, {record['date'][:10]}:"
    )


def _differences(record: Result) -> str:
    rows = [
        [_minus(what), title, f"{signed(100 * mean['value'])}{_interval(mean)}", str(mean["n"])]
        for what, means in record["differences"].items()
        for title, mean in means.items()
    ]
    return table(["difference", "measure", "mean", "runs"], rows)


def _minus(what: str) -> str:
    return f" {MINUS} ".join(method_name(name) for name in what.split(f" {MINUS} "))


def _interval(mean: Mapping[str, Any]) -> str:
    """Of one subject there is none."""
    if mean["low"] is None:
        return ""
    return f" [{signed(100 * mean['low'])}, {signed(100 * mean['high'])}]"


def _differing(record: Result, printed: Result) -> str:
    """LoRA-TSD minus LoRA beside the paper's; empty where they were not compared."""
    means = record["differences"].get(f"lora-tsd {MINUS} lora")
    if means is None:
        return "LoRA and LoRA-TSD were not compared here."
    lines = []
    for title, mean in means.items():
        row = next((name for start, name in MEASURES.items() if title.startswith(start)), None)
        ends = [row and printed_value(printed, row, name) for name in ("lora", "lora-tsd")]
        if None not in ends:
            theirs = float(ends[1] or 0) - float(ends[0] or 0)
            lines.append(f"{title}: {signed(100 * mean['value'])}{_interval(mean)}, in the paper "
                         f"{signed(theirs)}; {_sign(mean, theirs)}")  # fmt: skip
    return (
        f"Where we differ: LoRA-TSD {MINUS} LoRA, {'. '.join(lines)}. What differs in the setting: "
        "the base, its scorer and the photos, all made here; the paper's 500 steps of 4 on SDXL. "
        "Which of these decides was not tried."
    )


def _sign(mean: Mapping[str, Any], theirs: float) -> str:
    if mean["low"] is None or mean["low"] <= 0 <= mean["high"]:
        return "the interval holds 0, so the sign is open"
    return "the sign is the same" if mean["value"] * theirs > 0 else "the sign is the other"


def people(results: Results) -> Section:
    return Section(
        "The user study",
        joined([
            of_paper(results.paper("people")),
            f"Here: {NOT_RUN}; it needs people. The studio has the test (Compare, Blind test): "
            "pairs in random order, methods hidden, a tally with its interval, and an export.",
        ]),
    )  # fmt: skip


def overlap(results: Results) -> Section:
    parts = ["The paper: subjects share few directions, and related ones more; no null is given."]
    record = results.get("overlap")
    parts.append(f"Here: {NOT_RUN}." if record is None else _overlap(record))
    parts.append(commands([bash.SDXL], bash.OVERLAP, [record] if record else []))
    return Section("Fig. 9: are TSDs task-specific?", joined(parts))


def _overlap(record: Result) -> str:
    matrix, null = record["matrix"], record["null"]
    shared = [matrix[row][column] for row in range(len(matrix)) for column in range(row)]
    mean = fmean(shared)
    said = (
        f"Here, {base_name(record['base'])}, {len(matrix)} runs "
        f"({', '.join(each['run'] for each in record['subjects'])}): two share {mean:.0%} of the "
        f"first {record['num_directions']} launched directions, mean over {len(shared)} pairs "
        f"({min(shared):.0%} to {max(shared):.0%}); {record['written'][:10]}."
    )
    if null is None:
        return f"{said} No null was drawn."
    yardsticks = {"random changes of the adapters' rank": null["random"]}
    if null.get("same_start"):
        yardsticks["random changes with the A that these runs began with"] = null["same_start"]
    rows = [
        [what, _span(yardstick), *(str(count) for count in _outside(shared, yardstick))]
        for what, yardstick in yardsticks.items()
    ]
    head = ["on the same weights", "two of them share", "pairs of subjects above", "below"]
    return (
        f"{said}\n\n{table(head, rows)}\n\nWhere we differ: whether they share more than random "
        "changes do is not said. The spans are those of a few draws, whose pairs hang together; "
        "they lie too close for single pairs to count as outside. And the random changes have "
        "singular values that are all alike, as learned ones are not, which decides how high small "
        f"σ rank. Random changes with the singular values of the learned ones: {NOT_RUN}. Learning "
        "moves A, so runs that share its start share it less and less."
    )


def _span(null: Mapping[str, Any]) -> str:
    return (
        f"{null['mean']:.0%} ({null['low']:.0%} to {null['high']:.0%} for 95 % of pairs of "
        f"{null['draws']} draws)"
    )


def _outside(shared: Sequence[float], null: Mapping[str, Any]) -> tuple[int, int]:
    """How many lie above the span of two random changes, and how many below."""
    above = sum(share > null["high"] for share in shared)
    return above, sum(share < null["low"] for share in shared)
