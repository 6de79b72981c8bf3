"""The hand that draws what `plan` says, with the last base and its adapters kept at hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from app.jobs.programs.plan import Sheet, pictures, plan
from app.requests import GenerateRequest
from app.workspace import Workspace
from trainer.config import ASSETS, EMBEDDED_BASE
from trainer.generate import PIXELS_AT_ONCE, Drawn, OnSaved, OnSteps, draw_pictures
from trainer.generator import AdapterUse, Generator
from trainer.run import Run, open_run
from trainer.sdxl.encode import too_long
from trainer.sdxl.sample import SamplingConfig

Warn = Callable[[str], object]


class Drawer:
    """Draws generate jobs one after the other; loads only what it does not hold."""

    def __init__(self) -> None:
        self._generator: Generator | None = None
        self._base = ""

    def draw(
        self,
        request: GenerateRequest,
        workspace: Workspace,
        folder: Path,
        on_steps: OnSteps,
        on_saved: OnSaved,
        warn: Warn,
        low_memory: bool = False,
    ) -> None:
        """Draw every picture of the plan into the job's folder; what is there already stays.

        Raises UserError where the adapters cannot draw together, and whatever `on_steps` raises.
        """
        sheets = plan(request)
        first = open_run(workspace.run(request.adapters[0].run))
        subject = first.read_subject()
        generator = self._at_base_of(first)
        uses = [_uses(sheet, workspace) for sheet in sheets]
        generator.hold([use for of_sheet in uses for use in of_sheet])
        for text in {picture.prompt: None for picture in pictures(request, sheets[0], subject)}:
            if lost := too_long(generator.sdxl, text):
                warn(f"The last {lost} tokens of this prompt are not seen: {text!r}")
        at_once = 1 if low_memory else PIXELS_AT_ONCE
        for sheet, of_sheet in zip(sheets, uses, strict=True):
            wanted = [
                Drawn(folder / picture.file, picture.prompt, picture.seed)
                for picture in pictures(request, sheet, subject)
            ]
            draw_pictures(
                generator, of_sheet, wanted, _sampling(request), on_steps, on_saved, at_once
            )

    def _at_base_of(self, run: Run) -> Generator:
        """The base at hand if it is that of the run, else that of the run in its place."""
        base = _identity(run)
        if self._generator is None or base != self._base:
            self._generator = None  # let the old one go before the new one needs its memory
            self._generator = Generator.on_base_of(run)
            self._base = base
        return self._generator


def _identity(run: Run) -> str:
    """What decides the loaded base: how it was asked for, and its files if it lies on this disk."""
    config = run.read_config()
    embedded = config.base == EMBEDDED_BASE
    path = ASSETS / "embedded_base" if embedded else Path(config.base).expanduser()
    files = [path, *sorted(path.rglob("*"))] if path.exists() else []
    stamps = [(str(file), file.stat().st_mtime_ns) for file in files]
    return f"{config.base} {config.model} {stamps}"


def _uses(sheet: Sheet, workspace: Workspace) -> list[AdapterUse]:
    return [
        AdapterUse(open_run(workspace.run(use.run)), use.scale, use.checkpoint)
        for use in sheet.adapters
    ]


def _sampling(request: GenerateRequest) -> SamplingConfig:
    return SamplingConfig(
        num_inference_steps=request.steps,
        guidance_scale=request.guidance_scale,
        negative_prompt=request.negative_prompt,
        width=request.width,
        height=request.height,
        scheduler=request.scheduler,
    )
