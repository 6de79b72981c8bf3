"""From what a language model says to the answer it gave. No torch.

extract        generation: the first possible label in the response, as the paper's family of
               repositories reads it (LLM-Adapters, commonsense_evaluate.py)
extract_text   the same where a model writes the answer's text and not its label
most_likely    likelihood: the choice whose text the model finds most likely
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from trainer.errors import NonFiniteError

NO_ANSWER = ""


def extract(response: str, choices: Sequence[str]) -> str:
    """The first of the choices that occurs in the response; "" where none does, which is wrong.

    Case counts, and a label inside a longer word counts as well, as in the original.
    """
    found = re.search("|".join(map(re.escape, choices)), response)
    return found[0] if found else NO_ANSWER


def extract_text(response: str, texts: Sequence[str], choices: Sequence[str]) -> str:
    """The choice whose text comes first in the response; "" where none does.

    Of texts that begin at one place the longest counts; parts of words do not. Case tells only
    those apart that differ in nothing else, such as the genotypes Rr and RR.
    """
    given = [(text.strip(), choice) for text, choice in zip(texts, choices, strict=True)]
    ways = [(text, choice, as_written) for text, choice in given for as_written in (True, False)]
    ways.sort(key=lambda way: (-len(way[0]), not way[2]))
    pattern = "|".join(_whole(text, as_written) for text, _, as_written in ways)
    found = re.search(pattern, response)
    return ways[found.lastindex - 1][1] if found and found.lastindex else NO_ANSWER


def _whole(text: str, as_written: bool) -> str:
    """The pattern of a text that is no part of a word, in its own case or in any."""
    case = "" if as_written else "i"
    return rf"(?<!\w)((?{case}:{re.escape(text)}))(?!\w)"


def most_likely(log_likelihoods: Sequence[float], choices: Sequence[str]) -> str:
    """The choice with the largest total log-likelihood; the first of equals.

    NonFiniteError where one is NaN: nothing is larger than it, so that the first would always win.
    """
    if any(map(math.isnan, log_likelihoods)):
        raise NonFiniteError(
            f"The log-likelihoods of {', '.join(choices)} are {list(log_likelihoods)}: this model "
            "has diverged and answers nothing. Train again with a lower learning rate."
        )
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
