"""``python -m trainer.embedded_base STAGE [options]``: rebuild the embedded base, stage by stage.

Each stage goes on from its last checkpoint. In order: atlas, autoencoder, denoiser (and beside it
decoder, scorer, subjects), export, preview.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import tyro

from trainer.embedded_base.config import BaseConfig

Stage = Literal[
    "atlas", "autoencoder", "decoder", "denoiser", "scorer", "subjects", "export", "preview"
]


def run(
    stage: tyro.conf.Positional[Stage], config: BaseConfig, sheet: Path = Path("grid.png")
) -> None:
    """Run one stage.

    Args:
        stage: What to build.
        config: Sizes, paths and training runs.
        sheet: Where the stage `preview` writes its picture.
    """
    cache = config.paths.cache
    if stage == "atlas":
        from trainer.embedded_base.atlas import build_atlas

        build_atlas(cache)
    elif stage == "autoencoder":
        from trainer.embedded_base.train_autoencoder import train_autoencoder

        train_autoencoder(config)
    elif stage == "decoder":
        from trainer.embedded_base.train_decoder import train_decoder

        train_decoder(config)
    elif stage == "denoiser":
        from diffusers import AutoencoderKL

        from trainer.embedded_base.train_denoiser import train_denoiser

        train_denoiser(config, AutoencoderKL.from_pretrained(cache / "autoencoder" / "vae"))
    elif stage == "scorer":
        from trainer.embedded_base.train_scorer import train_scorer

        train_scorer(config)
    elif stage == "subjects":
        from trainer.embedded_base.subjects import build_subjects

        build_subjects(cache, config.paths.subjects)
    elif stage == "export":
        from trainer.embedded_base.export import export

        export(config)
    else:
        from trainer.embedded_base.preview import preview

        preview(config.paths.pipeline, sheet)


def main() -> None:
    """Parse the command line and run."""
    tyro.cli(run, description=__doc__, config=(tyro.conf.OmitArgPrefixes,))


if __name__ == "__main__":
    main()
