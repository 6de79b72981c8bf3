"""From what a language model says to the answer it gave. No torch.

extract        generation: the first possible label in the response, as the paper's family of
               repositories reads it (LLM-Adapters, commonsense_evaluate.py)
extract_text   the same where a model writes the answer's text and not its label
most_likely    likelihood: the choice whose text the model finds most likely
"""

from __future__ import annotations

import re
from collections.abc import Sequence

NO_ANSWER = ""


def extract(response: str, choices: Sequence[str]) -> str:
    """The first of the choices that occurs in the response; "" where none does, which is wrong.

    Case counts, and a label inside a longer word counts as well, as in the original.
    """
    found = re.search("|".join(map(re.escape, choices)), response)
    return found[0] if found else NO_ANSWER


def extract_text(response: str, texts: Sequence[str], choices: Sequence[str]) -> str:
    """The choice whose text comes first in the response; "" where none does.

    Of texts that begin at one place the longest counts; case does not, nor do parts of words.
    """
    pairs = sorted(zip(texts, choices, strict=True), key=lambda pair: -len(pair[0].strip()))
    pattern = "|".join(rf"(?<!\w)({re.escape(text.strip())})(?!\w)" for text, _ in pairs)
    found = re.search(pattern, response, re.IGNORECASE)
    return pairs[found.lastindex - 1][1] if found and found.lastindex else NO_ANSWER


def most_likely(log_likelihoods: Sequence[float], choices: Sequence[str]) -> str:
    """The choice with the largest total log-likelihood; the first of equals."""
    best = max(range(len(choices)), key=lambda index: log_likelihoods[index])
    return choices[best]


def most_likely_per_byte(
    log_likelihoods: Sequence[float], texts: Sequence[str], choices: Sequence[str]
) -> str:
    """The same of log-likelihoods a byte, so that long texts are not wronged.

    `acc_bytes` of lm-evaluation-harness, and its `acc_norm` where a character is a byte.
    """
    lengths = [len(text.strip().encode()) for text in texts]
    per_byte = [value / size for value, size in zip(log_likelihoods, lengths, strict=True)]
    return most_likely(per_byte, choices)
