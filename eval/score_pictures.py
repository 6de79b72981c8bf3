"""Each picture by itself: CLIP-T against its own text, similarity to the photos. No statistics."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from eval.features import CLIPFeatures, Extractor
from eval.kept import KeptFeatures
from eval.prompts import without_token
from eval.scores import clip_t, similarity


def score_pictures(
    pictures: Sequence[Path],
    texts: Sequence[str],
    photos: Sequence[Path],
    scorers: Sequence[Extractor],
    on_batch: Callable[[int], object] = lambda done: None,
    kept: KeptFeatures | None = None,
) -> list[dict[str, float]]:
    """Measures by name, one dict a picture; `texts` are what the pictures were to show."""
    features = kept or KeptFeatures()
    rows: list[dict[str, float]] = [{} for _ in pictures]
    for scorer in scorers:
        seen = features.images(scorer, pictures, on_batch)
        measures = {scorer.measure: similarity(seen, scorer.images(photos))}
        if isinstance(scorer, CLIPFeatures):
            measures["clip_t"] = clip_t(seen, scorer.texts(texts))
        for name, values in measures.items():
            for row, value in zip(rows, values, strict=True):
                row[name] = float(value)
    return rows


def plain_text(prompt: str, unique_token: str, class_token: str) -> str:
    """What a filled-in prompt asks for, in words that a scorer knows."""
    word = rf"(?<!\w){re.escape(unique_token)}(?!\w)"
    return without_token(re.sub(word, "", prompt), class_token)
