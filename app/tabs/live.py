"""What a training shows while it goes on: loss, previews, memory, and what the launch found."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app.jobs.records import Job, JobState
from app.studio import Studio
from app.tabs.figures import curve
from app.tabs.layer_names import place
from app.tabs.markup import Markup, el, facts, join, picture
from app.tabs.words import say
from trainer.errors import UserError

FEWEST_POINTS = 3


def training_body(studio: Studio, job: Job) -> Markup | None:
    """The run's metrics and pictures; nothing before the run folder has any."""
    if job.run is None:
        return None
    try:
        rows = studio.metrics(job.run)
        pictures = studio.previews(job.run)
        launch = next((row for row in rows if row["kind"] == "launch"), None)
        awaited = _awaits_launch(studio, job, job.run) if launch is None else False
    except UserError:
        return None
    steps = [row for row in rows if row["kind"] == "step"]
    newest, earlier = _previews(pictures)
    loss = loss_curve(steps, launch, say("live.loss_hint"))
    parts = [newest, loss, _launch(launch, awaited), numbers(steps), earlier]
    return el("div", *parts, class_="live")


def _awaits_launch(studio: Studio, job: Job, run: str) -> bool:
    return job.state is JobState.RUNNING and studio.run(run).method != "lora"


def _previews(pictures: Sequence[Path]) -> tuple[Markup | None, Markup | None]:
    """Those of the newest step, large; and all earlier ones, small, the newest first."""
    by_step: dict[int, list[Path]] = {}
    for path in sorted(pictures):
        by_step.setdefault(_step_and_seed(path)[0], []).append(path)
    newest, *earlier = [by_step[step] for step in sorted(by_step, reverse=True)] or [[]]
    return (
        _gallery(say("live.previews"), newest, "pictures"),
        _gallery(
            say("live.earlier"), [path for paths in earlier for path in paths], "pictures small"
        ),
    )


def _gallery(title: str, pictures: Sequence[Path], kind: str) -> Markup | None:
    if not pictures:
        return None
    return el("section", el("h4", title), el("ul", *map(_preview, pictures), class_=kind))


def _preview(path: Path) -> Markup:
    step, seed = _step_and_seed(path)
    label = say("live.preview", step=step, seed=seed)
    return el("li", picture(path, label), el("span", label))


def _step_and_seed(path: Path) -> tuple[int, int]:
    """From the name that trainer.dreambooth gives a preview: `step-000250-seed-1`."""
    step, seed = (int(number) for number in re.findall(r"\d+", path.stem)[:2])
    return step, seed


def loss_curve(
    steps: list[dict[str, Any]], launch: dict[str, Any] | None, hint: str
) -> Markup | None:
    """The loss over these rows of metrics.jsonl, the launch marked."""
    if len(steps) < FEWEST_POINTS:
        return None
    points = [(float(row["step"]), float(row["loss"])) for row in steps]
    mark = (float(launch["step"]), say("live.launch_mark")) if launch else None
    return curve(points, say("live.loss"), hint, mark)


def _launch(launch: dict[str, Any] | None, awaited: bool) -> Markup | None:
    """In words: what the adapter found in the subject; before that, what it is at."""
    if launch is None:
        return el("p", say("live.before_launch"), class_="aside") if awaited else None
    directions = launch["directions"]
    chosen = max((len(row["index"]) for row in directions.values()), default=0)
    text = say("live.launch", step=launch["step"], layers=launch["layers"], directions=chosen)
    plain = say("live.launch_plain", count=len(launch["plain"])) if launch["plain"] else None
    strongest = sorted(directions, key=lambda path: -max(directions[path]["rate"], default=0))[:5]
    places = Counter(place(path) for path in strongest).most_common()
    names = ", ".join(name for name, _ in places)
    found = say("live.launch_where", places=names) if places else None
    words = join((part for part in (text, found, plain) if part), " ")
    return el("section", el("h4", say("live.launch_title")), el("p", words), class_="launch")


def numbers(steps: list[dict[str, Any]]) -> Markup | None:
    """Memory, speed, rate and gradient at the newest of these rows of metrics.jsonl."""
    if not steps:
        return None
    last, recent = steps[-1], steps[-20:]
    seconds = sum(row["seconds"] for row in recent) / len(recent)
    return facts([
        (say("live.memory"), f"{last['memory_gib']:.2f} GiB"),
        (say("live.speed"), say("live.seconds_a_step", seconds=f"{seconds:.2f}")),
        (say("live.rate"), f"{last['learning_rate']:.1e}"),
        (say("live.gradient"), f"{last['grad_norm']:.3g}"),
    ])  # fmt: skip
