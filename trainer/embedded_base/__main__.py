"""``python -m trainer.embedded_base STAGE [options]``: rebuild the embedded base, stage by stage.

Each stage goes on from its last checkpoint. In order: atlas, autoencoder, towers, denoiser (and
beside it decoder, scorer, subjects), export, preview.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from trainer.embedded_base.config import BaseConfig

Stage = Literal[
    "atlas",
    "autoencoder",
    "decoder",
    "towers",
    "denoiser",
    "scorer",
    "subjects",
    "export",
    "preview",
]


@dataclass(frozen=True)
class Command(BaseConfig):
    """Rebuild the embedded base, stage by stage. Each stage goes on from its last checkpoint.

    In order: atlas, autoencoder, towers, denoiser (and beside it decoder, scorer, subjects),
    export, preview.
    """

    stage: tyro.conf.Positional[Stage] = "atlas"
    """What to build."""
    sheet: Path = Path("grid.png")
    """Where the stage `preview` writes its picture."""


def run(command: Command) -> None:
    """Run one stage; each imports what it needs, for some need torch and some the npm packages."""
    cache = command.paths.cache
    if command.stage == "atlas":
        from trainer.embedded_base.atlas import build_atlas

        build_atlas(cache)
    elif command.stage == "autoencoder":
        from trainer.embedded_base.train_autoencoder import train_autoencoder

        train_autoencoder(command)
    elif command.stage == "decoder":
        from trainer.embedded_base.train_decoder import train_decoder

        train_decoder(command)
    elif command.stage == "towers":
        from trainer.embedded_base.train_towers import train_towers

        train_towers(command)
    elif command.stage == "denoiser":
        from trainer.embedded_base.train_denoiser import train_denoiser, untrained_pipeline

        train_denoiser(command, untrained_pipeline(command))
    elif command.stage == "scorer":
        from trainer.embedded_base.train_scorer import train_scorer

        train_scorer(command)
    elif command.stage == "subjects":
        from trainer.embedded_base.subjects import build_subjects

        build_subjects(cache, command.paths.subjects)
    elif command.stage == "export":
        from trainer.embedded_base.export import export

        export(command)
    else:
        from trainer.embedded_base.preview import preview

        preview(command.paths.pipeline, command.sheet)


if __name__ == "__main__":
    run(tyro.cli(Command))
