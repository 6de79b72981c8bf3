"""What tasks, sets, models and methods are called: in commands, in print, in the paper's tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

GLUE = {"sst2": "SST-2", "cola": "CoLA", "mrpc": "MRPC", "rte": "RTE", "stsb": "STS-B"}
"""Tasks that have a section, by the names of our commands."""


ONE_ANSWER = {"sst2": 444 / 872, "mrpc": 279 / 408, "rte": 146 / 277}
"""Accuracy of the most frequent label of GLUE's dev sets, given to every row."""

STUDIED = {**GLUE, "instructions": "instructions"}
"""What directions are studied on; a language model's task has one name whatever it learns."""


class Questions(NamedTuple):
    """A set of commonsense."""

    title: str
    column: str
    """In the paper's tables."""
    folder: str


COMMONSENSE = {
    "boolq": Questions("BoolQ", "BoolQ", "boolq"),
    "arc-e": Questions("ARC-Easy", "ARC-e", "ARC-Easy"),
    "arc-c": Questions("ARC-Challenge", "ARC-c", "ARC-Challenge"),
    "obqa": Questions("OpenBookQA", "OBQA", "openbookqa"),
}


@dataclass(frozen=True)
class Base:
    """A model as it comes."""

    title: str
    parameters: float
    """In millions."""


BASES = {
    "minilm": Base("MiniLM (6 layers of 384)", 22.7),
    "smollm2": Base("SmolLM2-135M-Instruct", 134.5),
    "microsoft/deberta-v3-base": Base("DeBERTaV3-base", 184),
    "microsoft/deberta-v3-large": Base("DeBERTaV3-large", 435),
    "huggyllama/llama-7b": Base("LLaMA-7B", 6738),
    "meta-llama/Llama-2-7b-hf": Base("LLaMA2-7B", 6738),
    "meta-llama/Meta-Llama-3-8B": Base("LLaMA3-8B", 8030),
    "Qwen/Qwen2.5-7B": Base("Qwen2.5-7B", 7616),
}
"""By what --base takes; the paper's under the ids that the presets have."""
TITLES = {
    "embedded": "the embedded base",
    "stabilityai/stable-diffusion-xl-base-1.0": "SDXL",
    **{base: told.title for base, told in BASES.items()},
}

METHODS = {
    "full": "full fine-tuning",
    "lora": "LoRA",
    "peft-lora": "LoRA (PEFT)",
    "dora": "DoRA",
    "pissa": "PiSSA",
    "milora": "MiLoRA-style",
    "random-init": "random start",
    "adalora": "AdaLoRA",
    "adalora-dash": "AdaLoRA-Dash",
    "flora": "FLoRA",
    "flora-dash": "FLoRA-Dash",
    "lora-dash": "LoRA-Dash",
    "lora-init": "LoRA-Init",
    "lora-tsd": "LoRA-TSD",
    "lora-restart": "LoRA-TSD with a random restart",
    "restart-alone": "LoRA, restarted at the launch",
}
"""What methods are called in print; others as they are."""


def base_name(base: str) -> str:
    """A base in print; its id where we have no name for it."""
    return TITLES.get(base, base)


def method_name(name: str) -> str:
    method, colon, direction = name.partition(":")
    return METHODS.get(method, method) + (f", {direction} directions" if colon else "")
