"""SDXL's two tokenizers without the hub: CLIP's BPE from the vocabulary file open_clip carries.

Byte-pair encoding after Sennrich et al. 2016; 49,408 tokens: 256 bytes, the same 256 ending a word,
48,894 merges, start and end. The ids are those of `openai/clip-vit-large-patch14`.
"""

from __future__ import annotations

import gzip
from pathlib import Path

import open_clip
from open_clip.tokenizer import bytes_to_unicode
from transformers import CLIPTokenizer

START, END = "<|startoftext|>", "<|endoftext|>"
CONTEXT_LENGTH = 77
_NUM_MERGES = 49152 - 256 - 2

Merge = tuple[str, str]


def clip_merges() -> list[Merge]:
    """All merges of CLIP's BPE in rank order."""
    path = Path(open_clip.__file__).parent / "bpe_simple_vocab_16e6.txt.gz"
    lines = gzip.decompress(path.read_bytes()).decode("utf-8").split("\n")
    return [(pair[0], pair[1]) for pair in map(str.split, lines[1 : _NUM_MERGES + 1])]


def clip_vocabulary(merges: list[Merge]) -> dict[str, int]:
    """Ids of all tokens that `merges` make; the end token is last, where CLIP's towers look."""
    letters = list(bytes_to_unicode().values())
    tokens = [*letters, *(f"{c}</w>" for c in letters), *("".join(m) for m in merges), START, END]
    return {token: index for index, token in enumerate(dict.fromkeys(tokens))}


def clip_tokenizer(merges: list[Merge], pad_token: str = END) -> CLIPTokenizer:
    """A CLIP tokenizer over `merges`; all of them give CLIP's own ids.

    SDXL pads its first tower with the end token and its second with "!".
    """
    return CLIPTokenizer(
        vocab=clip_vocabulary(merges),
        merges=merges,
        bos_token=START,
        eos_token=END,
        unk_token=END,
        pad_token=pad_token,
        model_max_length=CONTEXT_LENGTH,
    )
