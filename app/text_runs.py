"""Runs on text as the page shows them: GLUE and instructions, finished or not. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from safetensors import SafetensorError, safe_open

from app.metrics import last_step
from app.runs import read_json
from app.workspace import Workspace
from trainer.checkpoint_folders import checkpoint_folders, step_of
from trainer.errors import ArtifactError, UserError
from trainer.text_config import TextModelConfig
from trainer.text_run import Library, TextRun


@dataclass(frozen=True)
class TextRunView:
    """A run on text at a glance."""

    name: str
    task: str
    """A task of GLUE, or `instructions`."""
    base: str
    base_fingerprint: str | None
    """Of the weights that are adapted; None until training is done. Adapters with the same one can
    be compared; a full fine-tuning has another, since it trains more layers."""
    precision: str
    """In which the base was held: fp32, bf16 or fp16; 8bit or 4bit where it was packed."""
    method: str
    instead: bool
    """Whether the method is one of comparison, such as full fine-tuning, and no adapter of ours."""
    seed: int
    steps: int
    """Optimizer steps done."""
    state: str
    """succeeded, or unfinished."""
    finished_at: float | None
    """Unix seconds."""
    checkpoints: list[int]
    """Steps of the kept checkpoints."""
    scores: dict[str, Any] | None
    """What scores.json holds, once scored."""
    library: Library | None
    """Which one loads what was trained, and so what there is to export beside the bundle; None
    before the end, and where neither has the method."""


class TextRuns:
    """The runs on text of a workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def all(self) -> list[TextRunView]:
        """Every run that has begun, the newest first; one that is damaged hides no other."""
        configs = self._workspace.runs.glob("*/config.json")
        newest_first = sorted(configs, key=lambda file: -file.stat().st_mtime)
        return [view for file in newest_first if (view := _view_or_none(TextRun(file.parent)))]

    def get(self, name: str) -> TextRunView:
        return _view(self.open(name))

    def open(self, name: str) -> TextRun:
        """The run folder; ArtifactError where there is none, or not one of a training on text."""
        run = TextRun(self._workspace.run(name))
        if not run.path.is_dir():
            raise ArtifactError(f"There is no run {name!r}. Choose one of the list.")
        try:
            run.read_config()
        except UserError as error:
            raise ArtifactError(f"The run {name} is no training on text.") from error
        return run


def _view_or_none(run: TextRun) -> TextRunView | None:
    try:
        return _view(run)
    except (UserError, OSError, ValueError):
        return None


def _view(run: TextRun) -> TextRunView:
    config = run.read_config()
    status = read_json(run.status_file)
    return TextRunView(
        name=run.path.name,
        task=config.task_name,
        base=config.base,
        base_fingerprint=_base_fingerprint(run),
        precision=_precision(config.model),
        method=config.method,
        instead=config.instead is not None,
        seed=config.optim.seed,
        steps=status["step"] if status else last_step(run),
        state=status["state"] if status else "unfinished",
        finished_at=run.status_file.stat().st_mtime if status else None,
        checkpoints=[step_of(folder) for folder in checkpoint_folders(run.checkpoints)],
        scores=read_json(run.scores),
        library=run.library(),
    )


def _precision(model: TextModelConfig) -> str:
    """A run's config says which one `auto` was."""
    return model.precision if model.quantization == "none" else model.quantization


def _base_fingerprint(run: TextRun) -> str | None:
    """From the header of what was trained."""
    try:
        with safe_open(run.native, "numpy") as file:
            return (file.metadata() or {}).get("base_fingerprint")
    except (SafetensorError, OSError):
        return None
