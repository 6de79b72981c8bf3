"""Previews while training, by the generator's own path, so that they look like its pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trainer.config import PreviewConfig
from trainer.data.subject import fill
from trainer.files import whole_file
from trainer.journal import Watch
from trainer.run import Run, Subject
from trainer.sdxl.encode import encode_negative, encode_prompts
from trainer.sdxl.load import SDXL
from trainer.sdxl.sample import SamplingConfig, sample


class Previews:
    """Draws `samples/step-<step>-seed-<seed>.png`; its prompt is encoded when it is made."""

    kind = "preview"

    def __init__(self, sdxl: SDXL, run: Run, subject: Subject, config: PreviewConfig) -> None:
        self.sdxl = sdxl
        self.folder = run.samples
        self.config = config
        prompt = fill(config.prompt, subject.unique_token, subject.class_token)
        self._prompt = encode_prompts(sdxl, [prompt])[prompt]
        self._negative = encode_negative(sdxl, "")

    def due(self, step: int, total_steps: int) -> bool:
        """At the start, every so many steps, and at the end."""
        every = self.config.every
        return bool(every) and (step % every == 0 or step == total_steps)

    def take(self, step: int, watch: Watch) -> dict[str, Any]:
        """Draw, and show the watch."""
        paths = self._draw(step)
        watch.on_preview(step, paths)
        return {"files": [path.name for path in paths]}

    def _draw(self, step: int) -> list[Path]:
        """One picture a seed, with whatever is attached to the base now."""
        sampling = SamplingConfig(self.config.num_inference_steps, self.config.guidance_scale)
        paths = []
        for seed in self.config.seeds:
            [image] = sample(self.sdxl, [self._prompt], self._negative, [seed], sampling)
            path = self.folder / f"step-{step:06d}-seed-{seed}.png"
            with whole_file(path) as temporary:
                image.save(temporary)
            paths.append(path)
        return paths
