"""Labelled texts to learn from and to score by: bundled, of the hub, or uploaded. No torch.

texts/<slug>/about.json                 name, task, when
texts/<slug>/train.tsv, dev.tsv         a task of GLUE, as its own files are
texts/<slug>/train.jsonl, test.jsonl    instructions
"""

from __future__ import annotations

import functools
import shutil
import time
from pathlib import Path
from typing import Any

from app import typed
from app.runs import read_json
from app.text_intake import PARTS, Part, count, part_file, take_in
from app.text_views import Recipe, TextSetView
from app.views import Upload
from app.workspace import Workspace
from trainer.data.glue import DEMO_FOLDER, HUB, TASKS, GlueTask, read_task, task_named
from trainer.data.instruct import DEMO_FILE, read_items
from trainer.errors import ArtifactError, DataError, UserError
from trainer.files import deletion_mark, write_json

GLUE_DEMO, ITEMS_DEMO = "glue-demo", "commonsense-demo"
INSTRUCTIONS = "instructions"
"""What an upload that is no task of GLUE is called."""
HUB_SETS = {f"hub-{name}": task for name, task in TASKS.items() if name != "demo"}


class TextSets:
    """The sets of a workspace, and those that everybody has."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def all(self) -> list[TextSetView]:
        """Uploaded ones, the newest first; the bundled; those of the hub."""
        own = [(about, slug) for slug in self._slugs() if (about := self._about(slug))]
        own.sort(key=lambda row: -row[0]["created_at"])
        return [*(_view(slug, about) for about, slug in own), *_bundled(), *_of_hub()]

    def get(self, set_id: str) -> TextSetView:
        """One set; ArtifactError where there is none."""
        folder = self._workspace.text_set(set_id)
        about = self._about(folder.name)
        if about is not None:
            return _view(set_id, about)
        for view in (*_bundled(), *_of_hub()):
            if view.id == set_id:
                return view
        raise ArtifactError(f"There are no texts {set_id!r}. Choose a set of the list.")

    def create(
        self, name: str, task: str, train: Upload | None, test: Upload | None
    ) -> TextSetView:
        """Take a set in: a task of GLUE, or `instructions`. All of it is good, or nothing stays."""
        shown, known = typed.name(name), _task(task)
        uploads: dict[Part, Upload | None] = {"train": train, "test": test}
        if not (train or test):
            raise DataError("Send texts to train on, texts to score by, or both.")
        folder = self._new_folder(shown)
        try:
            for part, upload in uploads.items():
                if upload is not None:
                    take_in(upload, folder, known, part)
            rows = {part: count(folder, known, part) for part in PARTS}
            about = {"name": shown, "task": known and known.name, "created_at": time.time()}
            write_json(folder / "about.json", {**about, **rows})
        except BaseException:
            shutil.rmtree(folder)
            raise
        return self.get(folder.name)

    def delete(self, set_id: str) -> None:
        if self.get(set_id).source != "uploaded":
            raise DataError(f"{set_id} is for everybody and stays; only uploaded sets are deleted.")
        _once_taken(self._workspace, set_id).touch()
        shutil.rmtree(self._workspace.text_set(set_id))

    def data_of(self, view: TextSetView) -> str | None:
        """What the trainers' `data` is for a set; None for what they know by themselves."""
        return str(self._workspace.text_set(view.id)) if view.source == "uploaded" else None

    def rows_to_score(self, view: TextSetView) -> Path:
        """What the scorers are given to score by: GLUE's file, instructions' file or folder."""
        if view.id == ITEMS_DEMO:
            return DEMO_FILE
        folder = DEMO_FOLDER if view.id == GLUE_DEMO else self._workspace.text_set(view.id)
        return folder if view.task is None else part_file(folder, task_named(view.task), "test")

    def _slugs(self) -> list[str]:
        return [path.name for path in self._workspace.texts.iterdir() if path.is_dir()]

    def _about(self, slug: str) -> dict[str, Any] | None:
        """None for a folder that is being filled, or damaged: one must not hide the others."""
        try:
            return read_json(self._workspace.text_set(slug) / "about.json")
        except (UserError, ValueError):
            return None

    def _new_folder(self, name: str) -> Path:
        stem, number = typed.slug(name, "texts"), 1
        taken = {view.id for view in (*_bundled(), *_of_hub())}
        while True:
            slug = stem if number == 1 else f"{stem}-{number}"
            number += 1
            try:
                if slug not in taken and not _once_taken(self._workspace, slug).exists():
                    self._workspace.text_set(slug).mkdir(parents=True)
                    return self._workspace.text_set(slug)
            except FileExistsError:
                continue


def _once_taken(workspace: Workspace, slug: str) -> Path:
    """The mark of a set that was deleted: runs and tables know their texts by the folder, and must
    not meet others there."""
    return deletion_mark(workspace.text_set(slug))


def _view(slug: str, about: dict[str, Any]) -> TextSetView:
    task: str | None = about["task"]
    recipe: Recipe = "glue" if task else "llm"
    return TextSetView(slug, about["name"], recipe, task, "uploaded", about["train"], about["test"])


def _task(name: str) -> GlueTask | None:
    if name == INSTRUCTIONS:
        return None
    if name not in TASKS:
        raise DataError(f"{name[:100]!r} is no task; possible: {INSTRUCTIONS}, {', '.join(TASKS)}.")
    return TASKS[name]


@functools.cache
def _bundled() -> tuple[TextSetView, ...]:
    task = task_named("demo")
    rows = [len(read_task(str(DEMO_FOLDER), task, split)) for split in ("train", "dev")]
    items = [len(read_items(DEMO_FILE, split)) for split in ("train", "test")]
    return (
        TextSetView(GLUE_DEMO, "Praise and blame", "glue", "demo", "bundled", *rows),
        TextSetView(ITEMS_DEMO, "Common sense", "llm", None, "bundled", *items),
    )


def _of_hub() -> list[TextSetView]:
    return [
        TextSetView(set_id, f"{task.folder} ({HUB})", "glue", task.name, "hub", None, None)
        for set_id, task in HUB_SETS.items()
    ]
