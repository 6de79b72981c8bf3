"""How drawn pictures look: prompt by prompt, the adapter beside the base alone, with its scores."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from app.jobs.records import Job
from app.studio import Studio
from app.tabs.amounts import moment
from app.tabs.jobs import badge
from app.tabs.markup import Markup, button, el, empty, file_url, join, picture
from app.tabs.words import say
from app.views import PictureView
from eval.report import TITLES

HISTORY = 30


def drawn_pictures(studio: Studio, job_id: str) -> Markup:
    """What a generate job has drawn; nothing while it has drawn nothing."""
    views = studio.pictures(job_id) if job_id else []
    if not views:
        return Markup("")
    by_prompt: dict[str, list[PictureView]] = {}
    for view in views:
        by_prompt.setdefault(view.prompt, []).append(view)
    pictures = join(_prompt(prompt, group) for prompt, group in by_prompt.items())
    folder = studio.workspace.job(job_id)
    grid = folder / "grid.png"
    return _grid(grid, folder / "grid.csv", pictures) if grid.is_file() else pictures


def _grid(grid: Path, scores: Path, pictures: Markup) -> Markup:
    """The grid as one picture, its scores as a file; the single pictures folded away."""
    links = [download(path, say("draw.download", name=path.name)) for path in (grid, scores)]
    single = el("details", el("summary", say("draw.single")), pictures)
    shown = picture(grid, say("draw.grid_alt"), class_="sheet")
    return el("section", shown, el("div", *links, class_="acts"), single)


def download(path: Path, label: str) -> Markup:
    """A link that saves a file of the workspace."""
    return el("a", label, href=file_url(path), download=path.name, class_="act")


def _prompt(prompt: str, views: Sequence[PictureView]) -> Markup:
    """Pictures of one prompt, seed by seed: side by side, what the base alone draws first."""
    by_seed = sorted(views, key=lambda view: (view.seed, not view.base, view.scale))
    seeds = (_seed(list(same)) for _, same in groupby(by_seed, lambda view: view.seed))
    return el("section", el("h4", prompt), el("ul", *seeds, class_="seeds"))


def _seed(views: Sequence[PictureView]) -> Markup:
    shown = (el("figure", picture(view.path, _alt(view)), _legend(view)) for view in views)
    return el("li", *shown)


def _alt(view: PictureView) -> str:
    by = say("draw.by_base" if view.base else "draw.by_adapter")
    return say("draw.alt", prompt=view.prompt, by=by, seed=view.seed)


def _legend(view: PictureView) -> Markup:
    by = say("draw.by_base") if view.base else say("draw.by_adapter_at", scale=f"{view.scale:g}")
    step = say("draw.at_step", step=view.checkpoint) if view.checkpoint else None
    scores = [f"{TITLES.get(name, name)} {100 * value:.0f}" for name, value in view.scores.items()]
    words = [by, say("draw.seed", seed=view.seed), step, *scores]
    return el("figcaption", " · ".join(word for word in words if word))


def history_list(studio: Studio) -> Markup:
    """Earlier pictures, the newest first, each with its settings to use again."""
    jobs = studio.history(HISTORY)
    if not jobs:
        return empty(say("draw.no_history"), say("draw.empty_next"))
    return el("ul", *(_past(studio, job) for job in jobs), class_="history")


def _past(studio: Studio, job: Job) -> Markup:
    first = next((view for view in studio.pictures(job.id) if not view.base), None)
    image = picture(first.path, first.prompt) if first else el("span", class_="picture")
    words = el("div", el("strong", job.request["prompts"][0]),
               el("span", f"{job.title} · {moment(job.created_at)}"), badge(job.state))  # fmt: skip
    return el("li", image, words, button(say("draw.again"), "again", job=job.id))
