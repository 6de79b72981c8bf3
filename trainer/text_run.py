"""The run folder of a training on text. No torch.

config.json               what was asked (trainer.text_config)
examples.json             how many examples it began with, and their digests
status.json               succeeded or not, at which step, and how many parameters were trained
metrics.jsonl             one row a step and an event, with an attempt column
checkpoints/              the newest, each complete; manifest with sha256 last
native.safetensors        what was trained, with all its state, fp32
head.safetensors          a classifier's head, which is trained whole
adapter/                  the same in PEFT's format, where PEFT has the method; or
model/                    of full fine-tuning and BitFit: all of the model, as transformers keeps it
scores.json               the scorer's answer, and
predictions.jsonl         what was answered, row by row
submission/               a test set's answers, as GLUE's server takes them
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from trainer.config_file import from_json
from trainer.errors import ArtifactError
from trainer.run import RunFolder
from trainer.text_config import GlueConfig, LLMConfig

Library = Literal["peft", "transformers"]


class TextRun(RunFolder):
    """A run of either recipe."""

    @property
    def examples(self) -> Path:
        return self.path / "examples.json"

    @property
    def head(self) -> Path:
        return self.path / "head.safetensors"

    @property
    def adapter(self) -> Path:
        return self.path / "adapter"

    @property
    def model(self) -> Path:
        return self.path / "model"

    def library(self) -> Library | None:
        """Which one loads what was trained; None where neither has the method."""
        if self.adapter.is_dir():
            return "peft"
        return "transformers" if self.model.is_dir() else None

    def how_to_load(self) -> str:
        """The Python that opens what was trained."""
        match self.library():
            case "peft":
                return f'PeftModel.from_pretrained(base, "{self.adapter}")'
            case "transformers":
                kind = "SequenceClassification" if self.head.exists() else "CausalLM"
                return f'AutoModelFor{kind}.from_pretrained("{self.model}")'
            case None:
                return (
                    f'trainer.text.finished.open_text_run(Path("{self.path}")): neither PEFT nor '
                    f"transformers has {self.read_config().method}"
                )

    @property
    def predictions(self) -> Path:
        return self.path / "predictions.jsonl"

    @property
    def submissions(self) -> Path:
        return self.path / "submission"

    def read_config(self) -> GlueConfig | LLMConfig:
        """Only GLUE's has a task."""
        values = self._read(self.config_file)
        return from_json(values, GlueConfig() if "task" in values else LLMConfig())

    def require_finished(self) -> None:
        """ArtifactError where training has not come to its end."""
        if not self.status_file.exists():
            raise ArtifactError(
                f"{self.path} has not finished: go on with it by --resume {self.path}."
            )

    def glue_config(self) -> GlueConfig:
        """The config of a run of GLUE; ArtifactError where it is another's."""
        config = self.read_config()
        if not isinstance(config, GlueConfig):
            raise ArtifactError(f"{self.path} was trained on instructions; for it: train_llm.py.")
        return config

    def llm_config(self) -> LLMConfig:
        """The config of a run on instructions; ArtifactError where it is another's."""
        config = self.read_config()
        if not isinstance(config, LLMConfig):
            raise ArtifactError(f"{self.path} was trained on a GLUE task; for it: train_glue.py.")
        return config
