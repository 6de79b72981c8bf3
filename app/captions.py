"""What a caption should be, and a rare word to call a subject by. No torch.

A caption teaches the unique token only where it holds it, once, beside the class; what lies beyond
77 tokens the text towers never see.
"""

from __future__ import annotations

import gzip
import importlib.util
import re
from collections.abc import Collection
from functools import cache
from pathlib import Path

from tokenizers import Tokenizer, models, pre_tokenizers

from trainer.config import ASSETS

CONTEXT_LENGTH = 77
CANDIDATES = ("zwx", "qvk", "xjw", "vqz", "kzq", "wqx", "jxv", "zqj")
"""Words that no base knows; the first is what the embedded base was kept from."""


def lint(caption: str, unique_token: str, class_token: str) -> list[str]:
    """What is wrong with a caption whose placeholders are filled in."""
    faults = []
    uses = _uses(caption, unique_token)
    if uses != 1:
        faults.append(
            f"names {unique_token!r} {'nowhere' if not uses else f'{uses} times'}; write it once, "
            f"such as: a {unique_token} {class_token} on a table."
        )
    if not _uses(caption, class_token):
        faults.append(f"does not say what it shows: write {class_token!r} after {unique_token!r}.")
    tokens = count_tokens(caption)
    if tokens > CONTEXT_LENGTH:
        faults.append(
            f"has {tokens} tokens; what lies beyond {CONTEXT_LENGTH} is not read. Make it shorter."
        )
    return faults


def token_warnings(unique_token: str, class_token: str) -> list[str]:
    """What is wrong with the word that is to mean the subject."""
    word = unique_token.lower()
    if word == "sks":
        return [f"sks is a rifle to SDXL: pick a word that it does not know, such as {_FIRST}."]
    if word == class_token.lower():
        return [f"{unique_token!r} is the class itself: pick a word of its own, such as {_FIRST}."]
    if f"{word}</w>" in _known_words():
        return [
            f"{unique_token!r} is a word that SDXL knows, and its meaning would mix with the "
            f"subject's: pick a rare one, such as {_FIRST}."
        ]
    return []


def suggest_token(taken: Collection[str]) -> str:
    """A rare word that no other subject uses; the first again where all are taken."""
    return next((word for word in CANDIDATES if word not in taken), _FIRST)


def count_tokens(text: str) -> int:
    """Tokens with start and end, as SDXL's own tokenizers count them."""
    return len(_tokenizer().encode(text).ids) + 2


_FIRST = CANDIDATES[0]
_CLIP_MERGES = 49152 - 256 - 2  # the file holds more than CLIP uses


def _uses(caption: str, word: str) -> int:
    return len(re.findall(rf"(?<!\w){re.escape(word)}(?!\w)", caption, re.IGNORECASE))


@cache
def _tokenizer() -> Tokenizer:
    """CLIP's, without start and end; how it cuts words and letters is also the embedded base's."""
    beside = Tokenizer.from_file(str(ASSETS / "embedded_base" / "tokenizer" / "tokenizer.json"))
    merges = _clip_merges()
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    parts = [*letters, *(f"{letter}</w>" for letter in letters), *map("".join, merges)]
    vocab = {part: number for number, part in enumerate(dict.fromkeys(parts))}
    tokenizer = Tokenizer(models.BPE(vocab, merges, end_of_word_suffix="</w>"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = beside.normalizer, beside.pre_tokenizer
    return tokenizer


@cache
def _known_words() -> frozenset[str]:
    """The words that CLIP reads as one token."""
    return frozenset(map("".join, _clip_merges()))


def _clip_merges() -> list[tuple[str, str]]:
    """From open_clip's vocabulary file: the package is found, not imported, since that would load
    torch."""
    spec = importlib.util.find_spec("open_clip")
    assert spec is not None and spec.origin is not None
    packed = Path(spec.origin).with_name("bpe_simple_vocab_16e6.txt.gz").read_bytes()
    lines = gzip.decompress(packed).decode("utf-8").split("\n")[1 : _CLIP_MERGES + 1]
    return [(pair[0], pair[1]) for pair in map(str.split, lines)]
