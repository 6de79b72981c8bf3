"""What a generate job is to draw: sheets of pictures, each sheet with its own adapters. No torch.

A pure function of the request and of the first run's subject, so that who draws and who waits for
the pictures agree without a word.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from app.checks import check_adapters
from app.requests import AdapterUse, GenerateRequest
from trainer.data.subject import fill
from trainer.files import picture_name
from trainer.run import Subject


@dataclass(frozen=True)
class Sheet:
    """Pictures that the same adapters draw."""

    name: str
    """Folder below images/."""
    adapters: tuple[AdapterUse, ...]
    """None of them: the base alone."""

    @property
    def base(self) -> bool:
        return not self.adapters

    @property
    def scale(self) -> float:
        """Of the first adapter."""
        return self.adapters[0].scale if self.adapters else 0.0

    @property
    def checkpoint(self) -> int | None:
        return self.adapters[0].checkpoint if self.adapters else None


@dataclass(frozen=True)
class Picture:
    """One picture of a sheet."""

    file: str
    """Relative to the job's folder."""
    prompt: str
    """Filled in."""
    seed: int


def plan(request: GenerateRequest) -> list[Sheet]:
    """The sheets, the base's first where it is asked for."""
    check_adapters(request)
    sheets = [Sheet("base", ())] if request.beside_base else []
    if request.grid is None:
        return [*sheets, Sheet("adapter", request.adapters)]
    return [*sheets, *_grid(request)]


def _grid(request: GenerateRequest) -> Iterator[Sheet]:
    """Scale x checkpoint of the first adapter; the others stay as they are."""
    assert request.grid is not None
    first, *others = request.adapters
    for checkpoint in request.grid.checkpoints or (first.checkpoint,):
        for scale in request.grid.scales:
            varied = replace(first, scale=scale, checkpoint=checkpoint)
            name = f"scale-{scale:g}" + (f"-step-{checkpoint}" if checkpoint is not None else "")
            yield Sheet(name, (varied, *others))


def pictures(request: GenerateRequest, sheet: Sheet, subject: Subject) -> list[Picture]:
    """The sheet's pictures, prompt by prompt."""
    texts = [fill(p, subject.unique_token, subject.class_token) for p in request.prompts]
    return [
        Picture(f"images/{sheet.name}/{picture_name(text, seed)}", text, seed)
        for text in dict.fromkeys(texts)
        for seed in request.seeds
    ]


def sampling_steps(request: GenerateRequest, subject: Subject) -> int:
    """Sampling steps of all pictures together."""
    return request.steps * sum(len(pictures(request, sheet, subject)) for sheet in plan(request))
