"""Score a run on multiple-choice items: `python -m eval.score_commonsense RUN [FILE | FOLDER]`.

    likelihood    the choice that the model finds most likely, in the run's style
    generation    beam search, the answer extracted from the response, as in the paper's protocol
                  (LLM-Adapters: 4 beams, 32 new tokens): a label, or in the style texts its text

Each set has its accuracy, with the base alone beside it; the average over sets is the paper's.
"""

from __future__ import annotations

import gc
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tyro

from eval.answers import NO_ANSWER, extract, extract_text, most_likely, most_likely_per_byte
from eval.glue_metrics import accuracy
from eval.score_config import ScoreWatch
from eval.scores import Score, score_of
from eval.text_outputs import Advance, log_likelihoods, responses
from eval.text_scores import Answers, heading, percent, progress
from trainer.command_line import run_command
from trainer.config import out_of_range
from trainer.data.instruct import (
    Item,
    Style,
    candidates_of,
    find_sets,
    prompt_of,
    read_items,
    require_apart,
    require_scorable,
)
from trainer.errors import ConfigError
from trainer.text.finished import load_base, open_text_run
from trainer.text.load import TextModel
from trainer.text_config import LLMConfig
from trainer.text_run import TextRun

Way = Literal["likelihood", "generation"]
Row = dict[str, Any]


@dataclass(frozen=True)
class ScoreCommonsenseConfig:
    """Score a run of train_llm.py."""

    run: tyro.conf.Positional[Path]
    """Run folder, as printed by train_llm.py."""
    data: tyro.conf.Positional[Path | None] = None
    """A file of items, or a folder of sets with their test.json. Unset: the test items of the run's
    data."""
    by: Way = "likelihood"
    """likelihood compares the choices; generation reads the answer out of what the model writes."""
    items: int | None = None
    """Only the first so many of each set; their scores lie beside those of all."""
    base: bool = True
    """Score the base without its adapter as well, as a yardstick."""
    batch_size: int = 8
    """Items at once."""
    num_beams: int = 4
    """Beams of generation."""
    max_new_tokens: int = 32
    """How long a response may be."""

    def validate(self) -> None:
        """Check the numbers; one ConfigError with all faults."""
        at_least = [
            ("--items", self.items, 1),
            ("--batch-size", self.batch_size, 1),
            ("--num-beams", self.num_beams, 1),
            ("--max-new-tokens", self.max_new_tokens, 1),
        ]
        if faults := out_of_range(at_least, []):
            raise ConfigError("\n".join(faults))


def score_commonsense(
    config: ScoreCommonsenseConfig, watch: ScoreWatch | None = None
) -> dict[str, Any]:
    """Write predictions and scores beside each other; returns what scores.json holds.

    Every set is read and checked before the model is loaded.
    """
    config.validate()
    watch, began = watch or ScoreWatch(), time.monotonic()
    run = TextRun(config.run)
    trained = run.llm_config()
    style = trained.style
    sets = sets_to_score(config, trained)

    rows = _answer(config, open_text_run(config.run)[1], sets, style, watch)
    gc.collect()  # one model in memory at a time
    base = _answer(config, load_base(trained), sets, style, watch) if config.base else None
    watch.before_publish()
    scores = {
        **heading(run, trained, str(config.data or trained.items), began),
        "by": config.by,
        "style": style,
        "decoding": _decoding(config),
        "sets": {
            name: _set_scores(rows[name], base[name] if base else None, style) for name in sets
        },
        "average": _average(rows),
        "average_base": _average(base) if base else None,
    }
    answers_of(config).write(scores, (row for answered in rows.values() for row in answered))
    return scores


def answers_of(config: ScoreCommonsenseConfig) -> Answers:
    """Where a scoring writes: what was generated, and a part of a set, lie beside the others."""
    by = config.by if config.by == "generation" else None
    return Answers(TextRun(config.run), config.data, by, config.items)


def sets_to_score(config: ScoreCommonsenseConfig, trained: LLMConfig) -> dict[str, list[Item]]:
    """The items by set; DataError where one has nothing to choose from, or the run learnt them."""
    data = config.data or trained.items
    if data.resolve() == trained.items.resolve():
        require_apart(data)
    sets = {
        name: read_items(file, "test")[: config.items]
        for name, file in find_sets(data, "test").items()
    }
    for items in sets.values():
        require_scorable(items, trained.style)
    return sets


def _answer(
    config: ScoreCommonsenseConfig,
    model: TextModel,
    sets: dict[str, list[Item]],
    style: Style,
    watch: ScoreWatch,
) -> dict[str, list[Row]]:
    """What the model answers to every item of every set, as rows of predictions.jsonl."""
    answered = {}
    with progress(sum(map(len, sets.values())), "item", watch) as advance:
        for name, items in sets.items():
            if config.by == "likelihood":
                rows = _by_likelihood(model, items, style, config.batch_size, advance)
            else:
                rows = _by_generation(config, model, items, style, advance)
            answered[name] = [{"set": name, **row} for row in rows]
    return answered


def _by_likelihood(
    model: TextModel, items: Sequence[Item], style: Style, batch_size: int, advance: Advance
) -> list[Row]:
    texts = [candidates_of(item, style) for item in items]
    prompts = [prompt_of(item, style) for item in items]
    found = log_likelihoods(
        model, list(zip(prompts, texts, strict=True)), batch_size=batch_size, advance=advance
    )
    return [
        {"instruction": item.instruction, "answer": item.answer,
         "prediction": most_likely(values, item.choices),
         "prediction_per_byte": most_likely_per_byte(values, told, item.choices),
         "log_likelihoods": [round(value, 4) for value in values]}
        for item, told, values in zip(items, texts, found, strict=True)
    ]  # fmt: skip


def _by_generation(
    config: ScoreCommonsenseConfig,
    model: TextModel,
    items: Sequence[Item],
    style: Style,
    advance: Advance,
) -> list[Row]:
    written = responses(
        model, [prompt_of(item, style) for item in items], batch_size=config.batch_size,
        num_beams=config.num_beams, max_new_tokens=config.max_new_tokens, advance=advance,
    )  # fmt: skip
    return [
        {"instruction": item.instruction, "answer": item.answer,
         "prediction": _extracted(response, item, style), "response": response}
        for item, response in zip(items, written, strict=True)
    ]  # fmt: skip


def _extracted(response: str, item: Item, style: Style) -> str:
    if style == "labels":
        return extract(response, item.choices)
    return extract_text(response, candidates_of(item, style), item.choices)


def _decoding(config: ScoreCommonsenseConfig) -> Row | None:
    if config.by == "likelihood":
        return None
    return {"num_beams": config.num_beams, "max_new_tokens": config.max_new_tokens}


def _set_scores(rows: Sequence[Row], base: Sequence[Row] | None, style: Style) -> Row:
    """Accuracy of a set, and of one answer to all of it; per byte beside it where choices differ
    in length."""
    scores = {"n": len(rows), "accuracy": _accuracy(rows), "base": base and _accuracy(base),
              "one_answer": _one_answer(rows)}  # fmt: skip
    if "response" in rows[0]:
        scores["without_answer"] = sum(row["prediction"] == NO_ANSWER for row in rows)
    elif style == "texts":
        scores["accuracy_per_byte"] = _accuracy(rows, "prediction_per_byte")
        scores["base_per_byte"] = base and _accuracy(base, "prediction_per_byte")
    return scores


def _accuracy(rows: Sequence[Row], prediction: str = "prediction") -> Row:
    truth, predicted = (np.array([row[key] for row in rows]) for key in ("answer", prediction))
    return asdict(score_of(accuracy, truth, predicted))


def _one_answer(rows: Sequence[Row]) -> float:
    """Accuracy of the most frequent answer, given to every item: what needs no reading."""
    [(_, count)] = Counter(row["answer"] for row in rows).most_common(1)
    return count / len(rows)


def _average(answered: dict[str, list[Row]]) -> float:
    """Mean of the sets' accuracies, each counting the same, as in the paper's Table 1."""
    return float(np.mean([_accuracy(rows)["value"] for rows in answered.values()]))


def main(arguments: Sequence[str] | None = None) -> int:
    return run_command(lambda: _report(tyro.cli(ScoreCommonsenseConfig, args=arguments)))


def _report(config: ScoreCommonsenseConfig) -> None:
    scores = score_commonsense(config)
    print(f"{scores['method']} on {scores['base']}, by {scores['by']} of {scores['style']}")
    for name, found in scores["sets"].items():
        base = f", base {percent(Score(**found['base']))}" if found["base"] else ""
        unread = found.get("without_answer")
        silent = f", {unread} without an answer" if unread else ""
        alike = f", one answer to all {100 * found['one_answer']:.1f}"
        score = percent(Score(**found["accuracy"]))
        print(f"  {name:<18}{score}{base}{alike}  (n = {found['n']}{silent})")
    if len(scores["sets"]) > 1:
        base = f", base {100 * scores['average_base']:.1f}" if config.base else ""
        print(f"  {'average':<18}{100 * scores['average']:.1f}{base}")
    answers = answers_of(config)
    print(f"\n  {answers.scores}\n  {answers.predictions}")


if __name__ == "__main__":
    sys.exit(main())
