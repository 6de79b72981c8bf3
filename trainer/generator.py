"""A base with the adapters of one or more runs on it, loaded once for many pictures.

The adapters run as trained, unmerged on the frozen base: a half-precision merge would lose the
small directions they live on. Several adapters add up, and belong to one base.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from trainer.adapters.attach import Adapter, find_targets
from trainer.adapters.checkpoint import load_native
from trainer.adapters.weights import base_fingerprint
from trainer.checkpoints import kept_checkpoint
from trainer.errors import ArtifactError
from trainer.files import sha256_of
from trainer.run import Run
from trainer.sdxl.load import SDXL, load_sdxl

Device = Literal["auto", "cpu", "cuda"]


@dataclass(frozen=True)
class AdapterUse:
    """One run's adapter in a picture."""

    run: Run
    scale: float = 1.0
    """0 is the base alone, 1 as trained."""
    checkpoint: int | None = None
    """Step of a kept checkpoint; unset, the finished adapter."""

    @cached_property
    def file(self) -> Path:
        """Found once: a checkpoint is checked byte by byte."""
        if self.checkpoint is None:
            return self.run.native
        return kept_checkpoint(self.run.checkpoints, self.checkpoint).adapter


class Generator:
    """A loaded base, and the adapters that it holds at hand."""

    def __init__(self, sdxl: SDXL) -> None:
        self.sdxl = sdxl
        self._adapters: dict[Path, tuple[str, Adapter]] = {}  # by file, with its sha256
        self._fingerprints: dict[tuple[str, ...], str] = {}

    @classmethod
    def on_base_of(cls, run: Run, device: Device = "auto") -> Generator:
        """Load the base the run was trained on, in the same precision, without adapters."""
        config = run.read_config()
        model = dataclasses.replace(config.model, device=device, gradient_checkpointing=False)
        return cls(load_sdxl(config.base, model))

    @classmethod
    def for_run(cls, run: Run, device: Device = "auto") -> Generator:
        """The run's base, holding its adapter. Other bases are refused."""
        generator = cls.on_base_of(run, device)
        generator.hold([AdapterUse(run)])
        return generator

    @property
    def base_name(self) -> str:
        return self.sdxl.name

    def hold(self, uses: Sequence[AdapterUse]) -> None:
        """Have just these adapters at hand. What is held already, from the same bytes, stays.

        Raises ArtifactError where one belongs to another base; none is then held.
        """
        wanted = {use.file: use for use in uses}
        digests = {file: sha256_of(file) for file in wanted}
        if list(digests.items()) == [(f, digest) for f, (digest, _) in self._adapters.items()]:
            return
        self.close()  # all of them: the order in which changes add up decides the last bits
        try:
            for file, use in wanted.items():
                self._adapters[file] = digests[file], self._load(use, file, digests[file])
        except ArtifactError as error:
            self.close()
            raise ArtifactError(_with_company(error, uses)) from error

    def _load(self, use: AdapterUse, file: Path, digest: str) -> Adapter:
        targets = use.run.read_config().adapter.target_modules
        if targets not in self._fingerprints:
            self._fingerprints[targets] = base_fingerprint(find_targets(self.sdxl.unet, targets))
        fingerprint = self._fingerprints[targets]
        return load_native(self.sdxl.unet, file, base_fingerprint=fingerprint, name=digest)

    def close(self) -> None:
        """Take all adapters off the base again."""
        for _, adapter in self._adapters.values():
            adapter.detach()
        self._adapters.clear()

    @contextmanager
    def using(self, uses: Sequence[AdapterUse]) -> Iterator[None]:
        """Only these of the held adapters act inside the block; without any, the base alone."""
        scales = {use.file: use.scale for use in uses}
        with ExitStack() as stack:
            for file, (_, adapter) in self._adapters.items():
                scale = scales.get(file, 0.0)
                stack.enter_context(adapter.scaled(scale) if scale else adapter.disabled())
            yield

    def describe(self, uses: Sequence[AdapterUse]) -> list[dict[str, Any]]:
        """The adapters that act, for a picture's text: by name for people, by bytes for us."""
        return [
            {
                "run": use.run.path.resolve().name,
                "checkpoint": use.checkpoint,
                "sha256": self._adapters[use.file][0],
                "scale": use.scale,
            }
            for use in uses
            if use.scale
        ]


def _with_company(error: ArtifactError, uses: Sequence[AdapterUse]) -> str:
    """The message, and which runs were to draw together on which bases."""
    runs = {use.run.path.resolve().name: use.run.read_config() for use in uses}
    if len(runs) == 1:
        return str(error)
    bases = ", ".join(f"{name} on {config.base} ({config.model.precision})"
                      for name, config in runs.items())  # fmt: skip
    return f"These adapters cannot draw together, they need one base: {bases}. {error}"
