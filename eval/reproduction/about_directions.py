"""Sections on directions: Figs. 1 to 3, 6, 7 and 9, Tables 5 and 6."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from eval.directions.verdicts import amount, numbers, verdict
from eval.reproduction.markdown import NOT_RUN, method_name, of_paper, table
from eval.reproduction.section import GLUE, Section, commands, joined
from eval.reproduction.stored import Result, Results

STUDIES = commands(
    "LLaMA-7B",
    "python trainer/train_llm.py --preset llama-7b-r8 --data commonsense_170k.json "
    "--instead full --optim.learning-rate 2e-5 --run runs/full",
    "python trainer/train_llm.py --preset llama-7b-r8 --data commonsense_170k.json "
    "--checkpoint.every 100 --checkpoint.keep 1000 --run runs/tsd",
    "python -m eval.analyse_directions runs/full runs/tsd",
)
"""How the studies are made for the paper's model."""


def change_rates(results: Results) -> Section:
    lines = ["The paper: LLaMA-7B on commonsense, Qwen2.5-7B on mathematics; TSDs are few and lie "
             "near, not at, the end of the spectrum."]  # fmt: skip
    for name, record in _directions(results):
        rates = record["change_rates"]
        lines.append(
            f"Here, {name}: of the 16 directions with the highest rates "
            f"{rates['in_last_tenth']:.0%} lie in the last tenth of the spectrum, mean over "
            f"{len(rates['layers'])} layers; of random changes of equal norm "
            f"{rates['in_last_tenth_null']:.0%}."
        )
    if not _directions(results):
        lines.append(f"Here: {NOT_RUN}.")
    return Section("Figs. 1 and 2: where do the changes of full fine-tuning lie?",
                   joined(lines, STUDIES))  # fmt: skip


def capture(results: Results) -> Section:
    lines = [of_paper(results.paper("capture"))]
    lines += [_beside_null(name, record, ("precision", "recall"))
              for name, record in _directions(results)]  # fmt: skip
    return Section("Fig. 3: do LTSDs find TSDs?", joined([*lines, _made_as_above(results)]))


def alignment(results: Results) -> Section:
    lines = [of_paper(results.paper("alignment"))]
    wanted = ("DTSD in LTSD", "TSD in LTSD", "TSD in DTSD")
    lines += [_beside_null(name, record, wanted) for name, record in _directions(results)]
    return Section(
        "Table 5: do launched directions align with the end of training, and with TSDs?",
        joined([*lines, _made_as_above(results)]),
    )


def amplification(results: Results) -> Section:
    lines = [of_paper(results.paper("amplification"))]
    lines += [_amplified(name, record) for name, record in _directions(results)]
    return Section(
        "Table 6: how much are the launched directions amplified?",
        joined([*lines, _made_as_above(results)]),
    )


def _amplified(name: str, record: Result) -> str:
    rows = []
    for label, method in record["methods"].items():
        found = method.get("amplification")
        if found:
            null = found["all"]["null"]
            parts = [amount(found[part], ".2f") for part in ("all", "AB", "dash")]
            between = f"{null['low']:.2f} to {null['high']:.2f}"
            rows.append([label, str(len(method["runs"])), *parts, between])
    head = ["run", "seeds", "all", "AB", "dash", "95 % of random changes, all"]
    return f"Here, {name}, mean over all layers:\n\n{table(head, rows)}"


def _beside_null(name: str, record: Result, wanted: Sequence[str]) -> str:
    rows = []
    for label, method in record["methods"].items():
        for key, row in numbers(method).items():
            if key in wanted:
                null = row["null"]
                rows.append([
                    label, str(len(method["runs"])), key, amount(row, ".2f"),
                    f"{null['low']:.2f} to {null['high']:.2f}",
                    f"{row['smallest']:.2f}" if "smallest" in row else "–", verdict(row),
                ])  # fmt: skip
    head = ["run", "seeds", "what", "found", "95 % of random changes", "the 8 smallest σ", "it is"]
    return f"Here, {name}, {record['null_draws']} random changes a layer:\n\n{table(head, rows)}"


def ablations(results: Results) -> Section:
    parts = [
        "The paper, LLaMA3-8B, LLaMA-7B and DeBERTaV3-large on CoLA: TSDs best and top directions "
        "worst (on CoLA not always), an early launch better than a late one, few directions better "
        "than many.",
    ]
    for name, record in _directions(results):
        for method, ablation in record["ablations"].items():
            for axis, study in ablation["axes"].items():
                rows = [[str(row["value"]), amount(row, ".3f")] for row in study["values"]]
                rows += [["plain LoRA", amount(study["lora"], ".3f")]] if study["lora"] else []
                parts.append(f"Here, {name}, {method_name(method)}, {ablation['measure']}:\n\n"
                             + table([axis, "mean ± deviation"], rows))  # fmt: skip
    if len(parts) == 1:
        parts.append(f"Here: {NOT_RUN}: runs that differ in `--adapter.direction`, "
                     "`--adapter.prelaunch-steps` or `--adapter.num-directions`, all given to "
                     "`python -m eval.analyse_directions`.")  # fmt: skip
    return Section("Figs. 6 and 7: which directions, t and s", joined(parts))


def overlap(results: Results) -> Section:
    parts = ["The paper: subjects share few directions, and related ones more; no null is given."]
    record = results.get("overlap")
    if record is not None:
        parts.append(_overlap_words(record))
    return Section("Fig. 9: are TSDs task-specific?", joined(parts))


def _overlap_words(record: Result) -> str:
    matrix = record["matrix"]
    shared = [matrix[row][column] for row in range(len(matrix)) for column in range(row)]
    null = record["null"]["random"]
    return (
        f"Here, {len(matrix)} bundled subjects on the embedded base, LoRA-TSD: two share "
        f"{fmean(shared):.0%} of the first {record['num_directions']} launched directions, mean "
        f"over {len(shared)} pairs and {len(null['layers'])} layers ({min(shared):.0%} to "
        f"{max(shared):.0%}); random changes of the same rank on the same weights share "
        f"{null['mean']:.0%} ({null['low']:.0%} to {null['high']:.0%}, {null['draws']} draws). "
        "`python -m eval.compare_subjects RUN RUN …`"
    )


def _directions(results: Results) -> list[tuple[str, Result]]:
    found = []
    for task, title in GLUE.items():
        record = results.get(f"directions-{task}")
        if record is not None:
            found.append((f"{record['base']} on {title}", record))
    return found


def _made_as_above(results: Results) -> str:
    here = "" if _directions(results) else f" Here: {NOT_RUN}."
    return f"LLaMA-7B: {NOT_RUN}; by the commands under Figs. 1 and 2.{here}"
