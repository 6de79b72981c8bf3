"""The run folder of a training on text. No torch.

config.json               what was asked (trainer.text_config)
status.json               succeeded or not, at which step, and how many parameters were trained
metrics.jsonl             one row a step and an event, with an attempt column
checkpoints/              the newest, each complete; manifest with sha256 last
native.safetensors        what was trained, with all its state, fp32
head.safetensors          a classifier's head, which is trained whole
adapter/                  the same in PEFT's format
scores.json               the scorer's answer, and
predictions.jsonl         what was answered, row by row
"""

from __future__ import annotations

from pathlib import Path

from trainer.config_file import from_json
from trainer.errors import ArtifactError
from trainer.run import RunFolder
from trainer.text_config import GlueConfig, LLMConfig


class TextRun(RunFolder):
    """A run of either recipe."""

    @property
    def head(self) -> Path:
        return self.path / "head.safetensors"

    @property
    def adapter(self) -> Path:
        return self.path / "adapter"

    @property
    def predictions(self) -> Path:
        return self.path / "predictions.jsonl"

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
