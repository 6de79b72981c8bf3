"""How good is the embedded base? `python -m eval.check_base` measures it and prints the bars.

300 fixed prompts of combinations never trained, each drawn once; beside every figure the same
figure for real renders of the same scenes, which is what a perfect base would reach. The renders
need the sprites: `python -m trainer.embedded_base atlas` fetches them from the npm registry.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from PIL import Image

from eval.base_drawing import draw_prompts
from eval.base_measures import (
    Measured,
    Pictures,
    measure_autoencoder,
    measure_prompts,
    measure_scorer,
)
from eval.base_prompts import SEED, read_asks
from eval.features import CLIPFeatures
from trainer.command_line import run_command
from trainer.embedded_base.config import DenoiserFit, Paths
from trainer.embedded_base.rendering import SceneSet
from trainer.embedded_base.train_autoencoder import HELD_OUT_SEED
from trainer.files import whole_file, write_json
from trainer.run import WORKSPACE


@dataclass(frozen=True)
class CheckConfig:
    """Measure the embedded base and its scorer against the bars it is meant to reach."""

    base: Path = Paths().pipeline
    """Folder of the diffusers pipeline."""
    cache: Path = Paths().cache
    """Where the sprites are."""
    out: Path = WORKSPACE / "check_base"
    """Folder for check.json and grid.png."""
    num_inference_steps: int = 25
    """Sampling steps."""
    guidance_scale: float = 5.0
    """Classifier-free guidance."""
    scenes: int = 512
    """Held-out scenes for the autoencoder and the scorer."""


def check_base(config: CheckConfig) -> list[Measured]:
    """Draw, measure, write check.json and grid.png; returns the table's lines."""
    asks = read_asks()
    composer = SceneSet(config.cache, SEED, DenoiserFit().designs).composer()
    held_out = SceneSet(config.cache, HELD_OUT_SEED).render(config.scenes)
    clip = CLIPFeatures()
    real = np.stack([composer.scene(SEED, ask.scene, unseen=True).picture for ask in asks])
    drawn = draw_prompts(
        config.base,
        [ask.prompt for ask in asks],
        num_inference_steps=config.num_inference_steps,
        guidance_scale=config.guidance_scale,
    )
    rows = [
        *measure_prompts(asks, drawn, real, clip),
        measure_autoencoder(config.base, held_out),
        *measure_scorer(clip, held_out),
    ]
    config.out.mkdir(parents=True, exist_ok=True)
    write_json(config.out / "check.json", _record(config, clip, rows))
    with whole_file(config.out / "grid.png") as temporary:
        _grid(drawn[:64]).save(temporary, format="PNG")
    return rows


def _record(config: CheckConfig, clip: CLIPFeatures, rows: list[Measured]) -> dict[str, Any]:
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "scorer_sha256": clip.fingerprint(),
        "num_inference_steps": config.num_inference_steps,
        "guidance_scale": config.guidance_scale,
        "measured": [{**asdict(row), "reached": row.reached} for row in rows],
    }


def _grid(pictures: Pictures) -> Image.Image:
    """64 pictures, eight rows of eight, at twice the size."""
    side = pictures.shape[1]
    sheet = pictures.reshape(8, 8, side, side, 3).swapaxes(1, 2).reshape(8 * side, 8 * side, 3)
    image = Image.fromarray(sheet)
    return image.resize((image.width * 2, image.height * 2), Image.Resampling.NEAREST)


def table(rows: Sequence[Measured]) -> str:
    """The lines as text, as they are."""
    lines = [f"{'':32} {'value':>9} {'real':>8} {'bar':>8}  {'n':>5}"]
    for row in rows:
        digits = 2 if row.unit != "%" else 1
        real = "" if row.yardstick is None else f"{row.yardstick:.{digits}f}"
        verdict = "reached" if row.reached else "not reached"
        lines.append(
            f"{row.what:32} {row.value:7.{digits}f} {row.unit:2}{real:>8} {row.bar:8.{digits}f}"
            f"  {row.n:5}  {verdict}"
        )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    return run_command(lambda: _report(tyro.cli(CheckConfig, args=arguments)))


def _report(config: CheckConfig) -> None:
    print(table(check_base(config)))
    print(f"\n  {config.out / 'check.json'}\n  {config.out / 'grid.png'}")


if __name__ == "__main__":
    sys.exit(main())
