"""CLIP's byte-pair tokenizer, trimmed to the words this base knows.

Full CLIP BPE has 49,408 tokens; embeddings for two towers and a scorer would be 31 MB. We keep the
512 byte tokens (so any text, also a made-up unique token, still tokenizes) and only the merges that
our words pass through. Byte-pair encoding always applies the lowest-ranked merge it can; that merge
is kept whenever one of our words needs it, so our words are cut exactly as full CLIP BPE cuts them
(Sennrich et al. 2016; the vocabulary is OpenAI's, from open_clip's bundled file).
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from pathlib import Path

import open_clip
from open_clip.tokenizer import bytes_to_unicode
from torch import Tensor
from transformers import CLIPTokenizer

BOS, EOS = "<|startoftext|>", "<|endoftext|>"
CONTEXT_LENGTH = 77
N_CLIP_MERGES = 49152 - 256 - 2

Merge = tuple[str, str]


def clip_merges() -> list[Merge]:
    """All merges of CLIP BPE in rank order."""
    path = Path(open_clip.__file__).parent / "bpe_simple_vocab_16e6.txt.gz"
    lines = gzip.decompress(path.read_bytes()).decode("utf-8").split("\n")
    return [(pair[0], pair[1]) for pair in map(str.split, lines[1 : N_CLIP_MERGES + 1])]


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


def trimmed_vocabulary(words: Iterable[str]) -> tuple[dict[str, int], list[Merge]]:
    """Vocabulary and merges that cut `words` as CLIP does; specials last, as in CLIP.

    open_clip pools its text tower at the highest id, so the end token must be the last one.
    """
    ranks = {merge: rank for rank, merge in enumerate(clip_merges())}
    kept = sorted(set().union(*(merges_of(word, ranks) for word in words)), key=ranks.__getitem__)
    letters = list(bytes_to_unicode().values())
    tokens = [*letters, *(f"{c}</w>" for c in letters), *("".join(m) for m in kept), BOS, EOS]
    return {token: i for i, token in enumerate(dict.fromkeys(tokens))}, kept


def build_tokenizer(words: Iterable[str]) -> CLIPTokenizer:
    """A stock transformers tokenizer over the trimmed vocabulary."""
    vocab, merges = trimmed_vocabulary(words)
    return CLIPTokenizer(
        vocab=vocab,
        merges=merges,
        bos_token=BOS,
        eos_token=EOS,
        unk_token=EOS,
        pad_token=EOS,
        model_max_length=CONTEXT_LENGTH,
    )


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
    vocab, merges = trimmed_vocabulary(words)
    (folder / "vocab.json").write_text(json.dumps(vocab, ensure_ascii=False), encoding="utf-8")
    lines = ["#version: 0.2", *(" ".join(merge) for merge in merges)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
