"""Sections on how well methods do: Tables 1 to 4, 7 and 11, 12, the recipes, the user study."""

from __future__ import annotations

from eval.reproduction.markdown import NOT_RUN, method_name, of_comparison, of_paper, table, verdict
from eval.reproduction.section import GLUE, Section, commands, joined
from eval.reproduction.stored import Result, Results

COMMONSENSE = {
    "boolq": ("BoolQ", "boolq"),
    "arc-e": ("ARC-Easy", "ARC-Easy"),
    "arc-c": ("ARC-Challenge", "ARC-Challenge"),
    "obqa": ("OpenBookQA", "openbookqa"),
}
"""Sets that were run here, by name: as printed, and as their folders are called."""
METHODS = "lora dora pissa lora-dash lora-init lora-tsd lora-restart"
SMALL_TEXT = (
    "The paper's models were not at hand. What runs on two CPU cores is far smaller and trained "
    "for minutes: how methods differ there says little about the paper's models."
)


def commonsense(results: Results) -> Section:
    parts = [of_paper(results.paper("commonsense")), SMALL_TEXT]
    for name, (title, folder) in COMMONSENSE.items():
        parts.append(_compared(
            results, f"commonsense-{name}", f"SmolLM2-135M on {title}",
            f"python -m eval.compare_methods --task commonsense --base smollm2 --data "
            f"commonsense/{folder} --examples 1000 --test-items 500 --steps 63 --batch-size 16 "
            f"--methods {METHODS} --seeds 0 1 2",
        ))  # fmt: skip
    return Section("Tables 1 and 11: commonsense", joined(parts, commands(
        "LLaMA3-8B",
        "python trainer/train_llm.py --preset llama3-8b-r32 --data commonsense_170k.json "
        "--adapter.method lora-tsd --run runs/llama3-tsd",
        "python -m eval.score_commonsense runs/llama3-tsd commonsense/ --by generation",
    )))  # fmt: skip


def glue(results: Results) -> Section:
    parts = [of_paper(results.paper("glue")), SMALL_TEXT]
    for name, title in GLUE.items():
        parts.append(_compared(
            results, f"glue-{name}", f"MiniLM (6 layers of 384) on {title}",
            f"python -m eval.compare_methods --task {name} --base minilm --data glue/ "
            f"--methods {METHODS} --seeds 0 1 2 --steps 300 --batch-size 32",
        ))  # fmt: skip
    return Section("Tables 2 and 12: GLUE", joined(parts, commands(
        "DeBERTaV3",
        "python trainer/train_glue.py --preset deberta-v3-base-r8 --task rte --data glue/ "
        "--adapter.method lora-tsd --run runs/rte-tsd",
        "python -m eval.score_glue runs/rte-tsd",
    )))  # fmt: skip


def initialisation(results: Results) -> Section:
    command = (
        "python -m eval.compare_methods --task sst2 --base minilm --data glue/ --methods lora "
        "pissa milora lora-init:random lora-init --seeds 0 1 2 --steps 300 --batch-size 32"
    )
    parts = [
        "The paper's numbers stand with Table 1: LoRA-Init 83.4, MiLoRA 81.9, LoRA 80.8, RoSA "
        "79.3, PiSSA 75.4. RoSA starts from random directions, here `lora-init:random`.",
        _compared(results, "initialisation-sst2", "MiniLM on SST-2", command),
    ]
    return Section("Table 4: what to start from", joined(parts))


def other_methods(results: Results) -> Section:
    command = (
        "python -m eval.compare_methods --task sst2 --base minilm --data glue/ --methods adalora "
        "adalora-dash flora flora-dash --seeds 0 1 2 --steps 300 --batch-size 32"
    )
    parts = [
        of_paper(results.paper("other-methods")),
        _compared(results, "other-methods-sst2", "MiniLM on SST-2", command),
    ]
    return Section("Table 7: directions for other methods", joined(parts))


def _compared(results: Results, name: str, title: str, command: str) -> str:
    """A stored comparison, or how it would be made."""
    record = results.get(name)
    if record is None:
        return f"**{title}**: {NOT_RUN}: `{command}`"
    asked = record["asked"]
    said = (
        f"**{title}**, rank {asked['rank']}, {asked['steps']} steps of {asked['batch_size']}, "
        f"scores × 100, ± deviation over seeds, {_items(record)}; {record['machine']}, "
        f"{record['date'][:10]}"
    )
    return "\n\n".join(filter(None, [said + ":", of_comparison(record), verdict(record)]))


def _items(record: Result) -> str:
    counts = {cell["items"] for row in record["methods"] for cell in row.get("cells", ())}
    return f"n = {', '.join(f'{count:,}' for count in sorted(counts))} items a seed"


def dreambooth(results: Results) -> Section:
    parts = [of_paper(results.paper("dreambooth"))]
    record = results.get("subjects")
    if record is not None:
        parts += [
            f"Here: the embedded base, {len(record['subjects'])} bundled subjects × seeds "
            f"{', '.join(map(str, record['seeds']))}, 25 prompts × {len(record['picture_seeds'])} "
            "picture seed, × 100, intervals over subjects; its own scorer for CLIP, which is not "
            "comparable with the paper's:",
            _differences(record),
            "`python -m eval.check_subjects --picture-seeds 0 --methods "
            f"{' '.join(record['methods'])}`",
        ]
    return Section("Table 3: subject-driven generation", joined(parts, commands(
        "SDXL",
        "python trainer/train_dreambooth.py --preset paper --photos dreambooth/dog "
        "--subject.class-token dog --adapter.method lora-tsd --run runs/dog-tsd",
        "python -m eval.score_subject runs/dog-tsd --seeds 0 1 2 3",
    )))  # fmt: skip


def _differences(record: Result) -> str:
    rows = [
        [_minus(what), title, f"{100 * mean['value']:+.1f} "
         f"[{100 * mean['low']:+.1f}, {100 * mean['high']:+.1f}]", str(mean["n"])]
        for what, means in record["differences"].items()
        for title, mean in means.items()
    ]  # fmt: skip
    return table(["difference", "measure", "mean", "runs"], rows)


def _minus(what: str) -> str:
    return " − ".join(method_name(name) for name in what.split(" − "))


def people(results: Results) -> Section:
    return Section(
        "The user study",
        joined([
            of_paper(results.paper("people")),
            f"Here: {NOT_RUN}; it needs people. The studio has the test (Compare, Blind test): "
            "pairs in random order, methods hidden, a tally with its interval, and an export.",
        ]),
    )  # fmt: skip


def recipes() -> Section:
    return Section(
        "Tables 8, 9 and 10: recipes and data",
        "The recipes are presets: `python trainer/train_llm.py --preset llama3-8b-r32 "
        "--print-recipe`, `python trainer/train_glue.py --preset deberta-v3-large-r8 --task qqp "
        "--print-recipe`. Where the authors' scripts differ from Table 10 (the rates of QQP and "
        "STS-B, MNLI's epochs), the presets follow the table.",
    )
