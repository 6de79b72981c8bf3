"""What a training on texts shows while it goes on: losses, memory, and what the launch found."""

from __future__ import annotations

from typing import Any

from app.jobs.records import Job
from app.studio import Studio
from app.tabs.language_scores import score_table
from app.tabs.live import loss_curve, numbers
from app.tabs.markup import Markup, el, facts
from app.tabs.words import say
from trainer.errors import UserError


def text_body(studio: Studio, job: Job) -> Markup | None:
    """The run's metrics and scores; nothing before the run folder has any."""
    if job.run is None:
        return None
    try:
        rows = studio.metrics(job.run)
        scored = score_table(studio, job.run) if job.state.final else None
    except UserError:
        return None
    steps, looks, launches = (
        [row for row in rows if row["kind"] == kind] for kind in ("step", "validation", "launch")
    )
    launch = launches[0] if launches else None
    loss = loss_curve(steps, launch, say("language.loss_hint"))
    parts = [scored, loss, _launch(launch), _held_out(looks), numbers(steps)]
    return el("div", *parts, class_="live")


def _launch(launch: dict[str, Any] | None) -> Markup | None:
    """In words: how many directions it chose, and in which layers they changed most."""
    if launch is None:
        return None
    directions = launch["directions"]
    chosen = max((len(row["index"]) for row in directions.values()), default=0)
    strongest = sorted(directions, key=lambda path: -max(directions[path]["rate"], default=0))[:3]
    words = say("language.launch", step=launch["step"], layers=launch["layers"], directions=chosen,
                strongest=", ".join(strongest))  # fmt: skip
    return el("section", el("h4", say("live.launch_title")), el("p", words), class_="launch")


def _held_out(looks: list[dict[str, Any]]) -> Markup | None:
    """The loss on rows that are not trained on, at first and now."""
    if not looks:
        return None
    first, last = looks[0], looks[-1]
    return facts([
        (say("language.held_out_first", step=first["step"], n=first["examples"]),
         f"{first['loss']:.3f}"),
        (say("language.held_out_last", step=last["step"], n=last["examples"]),
         f"{last['loss']:.3f}"),
    ])  # fmt: skip
