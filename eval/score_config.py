"""What the scoring of a run is told, and how a caller looks at it while it goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import tyro

from trainer.config import out_of_range
from trainer.errors import ConfigError
from trainer.generator import Device


@dataclass(frozen=True)
class ScoreConfig:
    """Score a trained adapter against its prompts, its photos and its base."""

    run: tyro.conf.Positional[Path]
    """Run folder, as printed by train_dreambooth.py."""
    prompts: str = "auto"
    """What to draw: object or live (DreamBooth's 25 each), embedded (25 in the words of the
    embedded base), or a text file with one template a line, {unique_token} and {class_token} in
    it. auto goes by the base and the class."""
    max_prompts: int | None = None
    """Only the first so many prompts, for a quick look."""
    seeds: tuple[int, ...] = (0, 1, 2, 3)
    """One picture a prompt and seed, by the adapter and by the base."""
    leakage_prompts: int = 4
    """How many of the prompts are also drawn without the unique token, to see whether the class now
    looks like the subject; 0 for none."""
    scale: float = 1.0
    """Strength of the adapter."""
    checkpoint: int | None = None
    """Step of a kept checkpoint to score in place of the finished adapter."""
    num_inference_steps: int | None = None
    """Sampling steps. Unset: 50, as in the paper; 30 on the embedded base."""
    guidance_scale: float | None = None
    """Classifier-free guidance. Unset: that of the run's previews."""
    clip: str = "auto"
    """The CLIP for CLIP-T and CLIP-I: <architecture>/<weights> of open_clip, such as
    ViT-B-32/laion2b_s34b_b79k, local-dir:FOLDER, hf-hub:ID, embedded, or none. auto: embedded on
    the embedded base, else ViT-B-32/openai. Scores of different CLIPs cannot be compared."""
    features: tuple[str, ...] | None = None
    """Models that compare pictures with photos only: dino, efficientnet. Unset: efficientnet on the
    embedded base, else dino."""
    device: Device = "auto"
    """Where to draw and score; auto takes the GPU if there is one."""

    def validate(self) -> None:
        """Check the numbers; one ConfigError with all faults."""
        at_least = [
            ("--max-prompts", self.max_prompts, 1),
            ("--leakage-prompts", self.leakage_prompts, 0),
            ("--num-inference-steps", self.num_inference_steps, 1),
        ]
        faults = out_of_range(at_least, [])
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            faults.append("--seeds: give at least one, each once, such as --seeds 0 1 2 3.")
        if faults:
            raise ConfigError("\n".join(faults))


@dataclass(frozen=True)
class ScoreWatch:
    """How a caller looks at the scoring while it goes on."""

    on_progress: Callable[[str, int, int], object] = lambda phase, done, total: None
    """Phase (draw, score), units done, units in all. What it raises ends the scoring."""
    on_saved: Callable[[int], object] = lambda pictures: None
    """Told how many pictures were put on disk, or found there, since the last call; with
    `features`, also how many were looked at by a scorer."""
    before_publish: Callable[[], object] = lambda: None
    """Called before anything is written beside pictures; raises where it must not be."""
    features: Path | None = None
    """Folder for what the scorers saw, for a call that was killed to go on from."""

    def counter(self, phase: str, total: int) -> Callable[[int], None]:
        """Adds up what is done of a phase, and tells it."""
        done = 0

        def count(more: int) -> None:
            nonlocal done
            done += more
            self.on_progress(phase, done, total)

        return count
