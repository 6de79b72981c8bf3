"""Run folders as the page shows them: read, exported, deleted. No torch."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

from safetensors import SafetensorError, safe_open

from app.metrics import Metrics, last_step
from app.views import RunView
from app.workspace import Workspace
from trainer.checkpoint_folders import checkpoint_folders, step_of
from trainer.errors import ArtifactError, UserError
from trainer.files import whole_file
from trainer.run import Run, delete_run_folder
from trainer.text_run import TextRun

Export = Literal["diffusers", "kohya", "peft", "transformers", "bundle"]
Found = TypeVar("Found")


class Runs:
    """The runs of a workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._metrics = Metrics()

    def all(self) -> list[RunView]:
        """Every run that has begun, the newest first."""
        configs = self._workspace.runs.glob("*/config.json")
        newest_first = sorted(configs, key=lambda file: -file.stat().st_mtime)
        return [view for file in newest_first if (view := _view_or_none(file.parent))]

    def get(self, name: str) -> RunView:
        return _view(self.open(name))

    def open(self, name: str) -> Run:
        """The run folder; ArtifactError where there is none."""
        run = Run(self._workspace.run(name))
        if not run.path.is_dir():
            raise ArtifactError(f"There is no run {name!r}. Choose one of the list.")
        return run

    def metrics(self, name: str, after_step: int) -> list[dict[str, Any]]:
        """Rows of metrics.jsonl beyond a step: losses, launch, previews, checkpoints."""
        rows = self._metrics.rows(self.open(name))
        return [row for row in rows if row["step"] > after_step]

    def previews(self, name: str) -> list[Path]:
        return sorted(self.open(name).samples.glob("*.png"))

    def scores(self, name: str) -> dict[str, Any] | None:
        return read_json(self.open(name).scores)

    def curve(self, name: str) -> dict[str, Any] | None:
        """curve.json: a point a checkpoint, and the best with the reason."""
        return read_json(self.open(name).curve)

    def picture(self, name: str, path: str) -> Path:
        """A picture of the run by its relative path; only files that are there are known."""
        run = self.open(name)
        known = {str(file.relative_to(run.path)): file for file in run.path.rglob("*.png")}
        if path not in known:
            raise ArtifactError(f"The run {name} has no picture {path[:100]!r}.")
        return known[path]

    def export(self, name: str, what: Export) -> Path:
        """The file to hand on: an adapter (of texts, a zip of the folder that PEFT or transformers
        loads), or a zip of all but checkpoints and photos."""
        run = self.open(name)
        if not run.native.exists():
            raise ArtifactError(f"The run {name} has no adapter yet: let it finish first.")
        possible = _exports(run)
        if what not in possible:
            ways = " or ".join(possible)
            raise ArtifactError(f"The run {name} has nothing for {what}: take it away as {ways}.")
        path = possible[what]
        if path.is_file():
            return path
        title = name if what == "bundle" else f"{name}-{what}"
        return self._zip(path, title, (run.checkpoints, run.photos, run.held_out))

    def delete(self, name: str) -> None:
        delete_run_folder(self.open(name).path)

    def _zip(self, folder: Path, name: str, kept_back: Sequence[Path]) -> Path:
        """All files below a folder but those kept back, as one folder of that name."""
        path = self._workspace.cache / "exports" / f"{name}.zip"
        with whole_file(path) as temporary, zipfile.ZipFile(temporary, "w") as bundle:
            for file in sorted(folder.rglob("*")):
                if file.is_file() and not any(file.is_relative_to(kept) for kept in kept_back):
                    bundle.write(file, Path(name) / file.relative_to(folder))
        return path


def _exports(run: Run) -> dict[Export, Path]:
    """What a finished run can be taken away as, and what of it that is."""
    text = TextRun(run.path)
    known: dict[Export, Path] = {
        "diffusers": run.adapter,
        "kohya": run.adapter_kohya,
        "peft": text.adapter,
        "transformers": text.model,
        "bundle": run.path,
    }
    return {what: path for what, path in known.items() if path.exists()}


def one_of(known: Mapping[str, Found], name: str, missing: str) -> Found:
    """What goes by that name; ArtifactError says what is `missing`, and which names there are."""
    if name not in known:
        raise ArtifactError(f"{missing}; there are: {', '.join(known) or 'none yet'}.")
    return known[name]


def read_json(path: Path) -> dict[str, Any] | None:
    """What a file of ours holds; None where it is not there."""
    if not path.is_file():
        return None
    values: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return values


def base_fingerprint(run: Run) -> str | None:
    """Of the base that the finished adapter belongs to, from the export's header."""
    try:
        with safe_open(run.adapter, "numpy") as file:
            return (file.metadata() or {}).get("dashbooth.base_fingerprint")
    except (SafetensorError, OSError):
        return None


def _view_or_none(path: Path) -> RunView | None:
    """None for a folder that is damaged or going away: one must not hide the others."""
    try:
        return _view(Run(path))
    except (UserError, OSError, ValueError):
        return None


def _view(run: Run) -> RunView:
    config = run.read_config()
    status = read_json(run.status_file)
    subject = config.photos.name if config.photos else run.path.name
    return RunView(
        name=run.path.name,
        subject=subject,
        method=config.adapter.method,
        base=config.base,
        base_fingerprint=base_fingerprint(run),
        steps=status["step"] if status else last_step(run),
        state=status["state"] if status else "unfinished",
        finished_at=run.status_file.stat().st_mtime if status else None,
        scores=read_json(run.scores),
        checkpoints=[step_of(folder) for folder in checkpoint_folders(run.checkpoints)],
    )
