"""Scores for people: a table for the terminal, the same as Markdown for card.md. No torch.

Numbers are cosines x 100, as papers print them; diversity and leakage too. [low, high] is the 95 %
bootstrap interval of `eval.scores`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

TITLES = {
    "clip_t": "CLIP-T",
    "clip_i": "CLIP-I",
    "dino": "DINO",
    "similarity": "similarity",
    "diversity": "diversity",
    "leakage": "leakage",
}
LIKENESS = (
    "clip_i_held_out", "clip_i", "dino_held_out", "dino", "similarity_held_out", "similarity",
)  # fmt: skip
"""Names of `measure_name` that tell likeness to the subject, the most telling first."""
HEADER = ("measure", "n", "adapter", "base", "adapter − base", "real photos")
LEGEND = (
    "CLIP-T: picture and prompt. CLIP-I, DINO, similarity: picture and photos. Diversity: among",
    "the pictures of one prompt. Leakage: similarity though the prompt lacks the unique token;",
    "a difference of 0 is best. All × 100, [95 % interval].",
)


def measure_name(row: dict[str, Any]) -> str:
    """The measure of a row of scores.json, `<measure>_held_out` where held-out photos are meant."""
    return str(row["measure"]) + ("_held_out" if row["against"] == "held-out photos" else "")


def table(scores: dict[str, Any]) -> str:
    """The scores of one run as aligned text, a block a scorer."""
    blocks = [_heading(scores)]
    for scorer in scores["scorers"]:
        if scorer["available"]:
            rows = [HEADER, *_cells(scores, scorer["name"])]
            blocks.append("\n".join([f"  {scorer['name']}", *aligned(rows)]))
        else:
            blocks.append(f"  {scorer['name']}\n    unavailable: {scorer['reason']}")
    blocks.append("\n".join(f"  {line}" for line in LEGEND))
    return "\n\n".join(blocks)


def markdown(scores: dict[str, Any]) -> str:
    """The same as Markdown."""
    parts = []
    for scorer in scores["scorers"]:
        parts.append(f"**{scorer['name']}**")
        if scorer["available"]:
            rows = [HEADER, tuple(["---"] * len(HEADER)), *_cells(scores, scorer["name"])]
            parts.append("\n".join(f"| {' | '.join(row)} |" for row in rows))
        else:
            parts.append(f"Not measured: {scorer['reason']}")
    parts.append(" ".join(LEGEND))
    return "\n\n".join(parts)


def _heading(scores: dict[str, Any]) -> str:
    drawn, sampling = scores["prompts"], scores["sampling"]
    return (
        f"{scores['run']}: {drawn['n']} prompts ({drawn['list']}) × {len(scores['seeds'])} seeds, "
        f"{scores['photos']['n']} photos, {scores['photos']['held_out']} held out; base "
        f"{scores['base']}, {sampling['num_inference_steps']} steps, "
        f"guidance {sampling['guidance_scale']:g}"
    )


def _cells(scores: dict[str, Any], scorer: str) -> list[tuple[str, ...]]:
    return [
        (
            _label(row),
            str(row["adapter"]["n"]),
            _number(row["adapter"]),
            _number(row["base"]),
            _number(row["difference"], signed=True),
            _number(row["real"]),
        )
        for row in scores["scores"]
        if row["scorer"] == scorer
    ]


def _label(row: dict[str, Any]) -> str:
    plain = row["measure"] in ("clip_t", "diversity", "leakage") or row["against"] == "photos"
    return TITLES[row["measure"]] if plain else f"{TITLES[row['measure']]}, {row['against']}"


def _number(score: dict[str, Any] | None, signed: bool = False) -> str:
    if score is None:
        return "–"
    sign = "+" if signed else ""
    text = f"{100 * score['value']:{sign}.1f}"
    if score["low"] is None:
        return text
    return f"{text} [{100 * score['low']:{sign}.1f}, {100 * score['high']:{sign}.1f}]"


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    padded = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in rows]
    return ["    " + "  ".join(cells).rstrip() for cells in padded]
