"""Sections on where directions lie and what they do: Figs. 1 to 3, Tables 5 and 6."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eval.directions.verdicts import amount, by_linears, numbers, verdict
from eval.reproduction import commands as bash
from eval.reproduction.markdown import NOT_RUN, of_paper, printed_value, signed, table
from eval.reproduction.names import BASES
from eval.reproduction.section import Section, commands, joined
from eval.reproduction.stored import Result, Results
from eval.reproduction.studied import WHERE, how_made, none_here, place, studies, usual

BY_THE_STUDIES = (
    f"LLaMA-7B: {NOT_RUN}; by the commands under Figs. 1 and 2, and for ranks 16 and 32 the same "
    "with the presets `llama-7b-r16` and `llama-7b-r32`."
)

LINEARS = {"all": "all linears", "attention": "q, k, v"}


def change_rates(results: Results) -> Section:
    found = studies(results)
    parts = ["The paper: LLaMA-7B on commonsense, Qwen2.5-7B on mathematics; TSDs are few and lie "
             "near, not at, the end of the spectrum."]  # fmt: skip
    for name, record in found:
        parts += [how_made(name, record), _in_the_tail(record)]
    records = [record for _, record in found]
    parts += [
        none_here(found),
        commands([bash.LLAMA_7B], bash.STUDIES, records),
        commands([bash.QWEN_7B], bash.STUDIES_OF_QWEN, records),
        bash.FULL_IN_FP32,
        "For Qwen2.5-7B the paper names no recipe; these flags are LLaMA-7B's.",
    ]
    return Section("Figs. 1 and 2: where do the changes of full fine-tuning lie?", joined(parts))


def _in_the_tail(record: Result) -> str:
    rates = record["change_rates"]
    own, null = rates["in_last_tenth"], rates["in_last_tenth_null"]
    layers = len(rates["layers"])
    points = round(100 * (own - null))
    return (
        f"Of the 16 directions with the highest rates {own:.0%} lie in the last tenth of the "
        f"spectrum, mean over {layers} layers; of random changes with its "
        f"singular values {null:.0%}.\n\n"
        f"Where we differ: the paper draws no random changes. These TSDs lie in the last tenth "
        f"{_more(points)} than random changes put there, whose spread is not stored. "
        f"{_smaller(record)}"
    )


def _smaller(record: Result) -> str:
    """What else is unlike the paper's study, as far as the record tells."""
    counts = [layer["directions"] for layer in record["change_rates"]["layers"].values()]
    low, high = min(counts), max(counts)
    told = [f"weights of {low if low == high else f'{low} to {high}'} core directions, LLaMA-7B's "
            "attention having 4096"]  # fmt: skip
    base = BASES.get(record["base"])
    if base is not None:
        times = BASES[bash.LLAMA_7B].parameters / base.parameters
        told.append(f"a model with a {times:.0f}th of its parameters")
    if "trained" in record:
        told.append(f"a W\\* of {record['trained']['steps']:,} steps, theirs of 170,000 items")
    return f"What differs in the setting: {'; '.join(told)}. Which of these decides was not tried."


def _more(points: int) -> str:
    if not points:
        return "no more and no less often"
    return f"{abs(points)} percentage points {'more' if points > 0 else 'less'} often"


def capture(results: Results) -> Section:
    printed = results.paper("capture")
    theirs = {row[0]: row[1] for row in printed["rows"]}
    parts = [of_paper(printed), "The paper asks plain LoRA, at three ranks, and takes means over "
             "queries, keys and values."]  # fmt: skip
    for name, record in studies(results):
        parts += [_beside_null(name, record, list(theirs)), _differing(record, "lora", theirs),
                  _repeated(record)]  # fmt: skip
    parts += [none_here(studies(results)), BY_THE_STUDIES]
    return Section("Fig. 3: do LTSDs find TSDs?", joined(parts))


def alignment(results: Results) -> Section:
    printed, found = results.paper("alignment"), studies(results)
    theirs = {
        row[0]: " and ".join(f"{value}" for value in (row[1], row[2])) for row in printed["rows"]
    }
    parts = [of_paper(printed)]
    for name, record in found:
        parts += [_beside_null(name, record, list(theirs)), _differing(record, "lora-tsd", theirs)]
    if found:
        parts.append(
            "DTSD in LTSD is held against launches and ends that are drawn independently; of a "
            "training the end grows out of the launch, so more than that says little."
        )
    records = [record for _, record in found]
    parts += [
        none_here(found),
        BY_THE_STUDIES,
        commands([bash.DEBERTA_LARGE], bash.STUDIES_OF_DEBERTA, records),
        "The paper does not say on which task; CoLA is that of its Fig. 7, and the rate of full "
        "fine-tuning is ours.",
    ]
    return Section(
        "Table 5: do launched directions align with the end of training, and with TSDs?",
        joined(parts),
    )


def amplification(results: Results) -> Section:
    printed = results.paper("amplification")
    parts = [of_paper(printed)]
    for name, record in studies(results):
        parts += [_amplified(name, record), _dash_or_factors(record, printed)]
    parts += [none_here(studies(results)), BY_THE_STUDIES]
    return Section("Table 6: how much are the launched directions amplified?", joined(parts))


def _amplified(name: str, record: Result) -> str:
    rows = []
    for label, method in record["methods"].items():
        found = method.get("amplification")
        if found:
            null = found["all"]["null"]
            parts = [amount(found[part], ".2f") if part in found else "–"
                     for part in ("all", "AB", "dash")]  # fmt: skip
            between = f"{null['low']:.2f} to {null['high']:.2f}"
            median = f"{found['all']['median']:.2f}"
            rows.append([label, str(len(method["runs"])), *parts, between, median])
    head = ["run", "seeds", "all", "AB", "dash", "95 % of random changes, all",
            "median of layers, all"]  # fmt: skip
    return f"Here, {name}, mean over all layers:\n\n{table(head, rows)}"


def _dash_or_factors(record: Result, printed: Result) -> str:
    """Which of AB and dash amplifies more; empty where nothing was launched."""
    method = usual(record, ["lora-tsd"]).get("lora-tsd", {})
    found = method.get("amplification")
    if not found:
        return ""
    theirs = {row[0]: printed_value(printed, row[0], "all") for row in printed["rows"]}
    same_rank = theirs.get(method["rank"])
    beside = "no such rank" if same_rank is None else f"{same_rank:g}"
    dash, factors = found["dash"]["mean"], found["AB"]["mean"] - 1
    more = "dash more, as there" if dash > factors else "AB no less, unlike there"
    whole = place("lora-tsd", "the whole amplification", found["all"], beside)
    return (
        f"Where we differ: at rank {method['rank']} {whole}. LoRA-TSD takes LoRA-Init's factors "
        f"out of W, so AB begins at 1, to which it adds {signed(factors, 2)}, and dash at 0, to "
        f"which it adds {signed(dash, 2)}: {more}. What was folded in before the launch counts "
        "under all and AB. LoRA-Dash leaves W under both parts, which begin at 1."
    )


def _differing(record: Result, method: str, theirs: dict[str, Any]) -> str:
    """Each number of the method that the paper asks; empty where it was not run."""
    found = usual(record, [method])
    if not found:
        return ""
    linears, asked = _asked_there(found[method])
    rows = numbers(asked)
    told = [place(method, what, rows[what], said) for what, said in theirs.items() if what in rows]
    return (
        f"Where we differ, mean over {linears}: {'; '.join(told)}. The paper gives no random "
        "changes." if told else ""
    )  # fmt: skip


def _asked_there(method: Result) -> tuple[str, Result]:
    """What was found in the linears that the paper's means are over, where it is told apart."""
    linears, part = list(by_linears(method).items())[-1]
    return LINEARS[linears], part


def _repeated(record: Result) -> str:
    """Whether TSDs are there to be found: full fine-tunings of other seeds, asked for them."""
    found = usual(record, ["full"])
    if not found:
        return ""
    linears, asked = _asked_there(found["full"])
    told = [f"{what} {amount(row, '.2f')}, {WHERE[verdict(row)]}"
            for what, row in numbers(asked).items() if what in ("precision", "recall")]  # fmt: skip
    return (
        f"Other seeds of full fine-tuning are asked for W\\*'s TSDs as well ({linears}): "
        f"{'; '.join(told)}. What does not repeat there, no adapter could find."
    )


def _beside_null(name: str, record: Result, wanted: Sequence[str]) -> str:
    rows = [
        [label, str(len(method["runs"])), LINEARS[linears], key, amount(row, ".2f"),
         f"{row['null']['low']:.2f} to {row['null']['high']:.2f}",
         f"{row['smallest']:.2f}" if "smallest" in row else "–", verdict(row)]
        for label, method in record["methods"].items()
        for linears, part in by_linears(method).items()
        for key, row in numbers(part).items()
        if key in wanted
    ]  # fmt: skip
    head = ["run", "seeds", "mean over", "what", "found", "95 % of random changes",
            "the 8 smallest σ", "it is"]  # fmt: skip
    return (
        f"Here, {name}, beside {record['null_draws']} random changes a layer and seed, which have "
        "the singular values of what was learned (the interval is that of their means over as many "
        f"seeds):\n\n{table(head, rows)}"
    )
