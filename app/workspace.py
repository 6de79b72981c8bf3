"""Where everything that a user makes lies: names in, paths out. Knows no contents. No torch.

    subjects/<slug>/       photos and what is said of them (app.subjects)
    texts/<slug>/          labelled texts (app.text_sets)
    runs/<name>/           run folders (trainer.run)
    jobs/<job id>/         what a job was told, said and made
    comparisons/<job id>/  overlaps, heatmaps, grids; cells of methods on texts, by group
    bases/                 SDXL checkpoints of the user's own: .safetensors files or folders
    blind/<test id>/       votes of blind tests
    queue/                 the SQLite databases, API tokens
    cache/                 what can be made again; deleted at will

A name from outside becomes a path here and nowhere else, and only after `check_name`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from app.requests import check_name


@dataclass(frozen=True)
class Workspace:
    """One workspace folder."""

    root: Path

    @property
    def subjects(self) -> Path:
        return self.root / "subjects"

    @property
    def texts(self) -> Path:
        return self.root / "texts"

    @property
    def runs(self) -> Path:
        return self.root / "runs"

    @property
    def jobs(self) -> Path:
        return self.root / "jobs"

    @property
    def comparisons(self) -> Path:
        return self.root / "comparisons"

    @property
    def bases(self) -> Path:
        return self.root / "bases"

    @property
    def blind(self) -> Path:
        return self.root / "blind"

    @property
    def queue(self) -> Path:
        return self.root / "queue"

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    def subject(self, slug: str) -> Path:
        return self.subjects / check_name("The subject", slug)

    def text_set(self, slug: str) -> Path:
        return self.texts / check_name("The set of texts", slug)

    def run(self, name: str) -> Path:
        return self.runs / check_name("The run", name)

    def job(self, job_id: str) -> Path:
        return self.jobs / check_name("The job", job_id)

    def comparison(self, job_id: str) -> Path:
        return self.comparisons / check_name("The comparison", job_id)

    def make(self) -> Workspace:
        """Make the folders that are not there yet."""
        for folder in (self.subjects, self.texts, self.runs, self.jobs, self.comparisons,
                       self.bases, self.blind, self.queue, self.cache):  # fmt: skip
            folder.mkdir(parents=True, exist_ok=True)
        return self
