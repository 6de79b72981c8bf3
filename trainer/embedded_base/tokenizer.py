"""CLIP's byte-pair tokenizer, trimmed to the words this base knows.

Full CLIP BPE has 49,408 tokens; embeddings for two towers and a scorer would be 31 MB. We keep the
512 byte tokens (so any text, also a made-up unique token, still tokenizes) and only the merges that
our words pass through. Byte-pair encoding always applies the lowest-ranked merge it can; that merge
is kept whenever one of our words needs it, so our words are cut exactly as full CLIP BPE cuts them
(Sennrich et al. 2016; the vocabulary is OpenAI's, from open_clip's bundled file).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from torch import Tensor
from transformers import CLIPTokenizer

from trainer.sdxl.tokenizer import (
    CONTEXT_LENGTH,
    Merge,
    clip_merges,
    clip_tokenizer,
    clip_vocabulary,
)


def merges_of(word: str, ranks: dict[Merge, int]) -> set[Merge]:
    """The merges that byte-pair encoding applies to one word of letters."""
    pieces = [*word[:-1], word[-1] + "</w>"]
    used: set[Merge] = set()
    while len(pieces) > 1:
        pairs = [p for p in zip(pieces, pieces[1:], strict=False) if p in ranks]
        if not pairs:
            break
        best = min(pairs, key=ranks.__getitem__)
        used.add(best)
        pieces = _merge(pieces, best)
    return used


def _merge(pieces: list[str], pair: Merge) -> list[str]:
    merged, i = [], 0
    while i < len(pieces):
        if tuple(pieces[i : i + 2]) == pair:
            merged.append(pieces[i] + pieces[i + 1])
            i += 2
        else:
            merged.append(pieces[i])
            i += 1
    return merged


def trimmed_merges(words: Iterable[str]) -> list[Merge]:
    """The merges, in rank order, that cut `words` as CLIP does."""
    ranks = {merge: rank for rank, merge in enumerate(clip_merges())}
    return sorted(set().union(*(merges_of(word, ranks) for word in words)), key=ranks.__getitem__)


def build_tokenizer(words: Iterable[str]) -> CLIPTokenizer:
    """A stock transformers tokenizer over the trimmed vocabulary."""
    return clip_tokenizer(trimmed_merges(words))


def token_ids(tokenizer: CLIPTokenizer, prompts: list[str], length: int = CONTEXT_LENGTH) -> Tensor:
    """(n, length), padded as the stock pipeline pads."""
    ids: Tensor = tokenizer(
        prompts, padding="max_length", max_length=length, truncation=True, return_tensors="pt"
    ).input_ids
    return ids


def save_tokenizer(tokenizer: CLIPTokenizer, folder: Path, words: Iterable[str]) -> None:
    """Write the folder that both `CLIPTokenizer.from_pretrained` and `AutoTokenizer` read."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save_pretrained(folder)
    merges = trimmed_merges(words)
    vocabulary = json.dumps(clip_vocabulary(merges), ensure_ascii=False)
    (folder / "vocab.json").write_text(vocabulary, encoding="utf-8")
    lines = ["#version: 0.2", *(" ".join(merge) for merge in merges)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
