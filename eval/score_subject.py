"""Score a trained adapter: `python -m eval.score_subject RUN`.

DreamBooth's protocol (Ruiz et al. 2023, Section 4.2): 25 prompts x 4 fixed seeds, drawn by the
adapter and, as a yardstick, by the base alone; every picture against its prompt and all photos.
Beside them real against real, diversity and leakage, so that copying a photo cannot win.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import tyro
from tqdm import tqdm

from eval.card import card_text
from eval.contact_sheet import sheet_of_scores
from eval.features import Extractor
from eval.kept import KeptFeatures
from eval.measure import Drawings, Pictures, Row, measure
from eval.prompts import default_list, read_templates, without_token
from eval.report import table
from eval.score_config import ScoreConfig, ScoreWatch
from eval.scorers import Unavailable, default_scorers, load_scorers
from eval.scores import LEVEL, RESAMPLES
from trainer.command_line import run_command
from trainer.config import EMBEDDED_BASE, DreamBoothConfig
from trainer.data.subject import fill
from trainer.device import resolve_device
from trainer.errors import ArtifactError
from trainer.files import write_json, write_text
from trainer.generate import Drawn, draw
from trainer.generator import AdapterUse, Generator
from trainer.run import Run, Subject, open_run
from trainer.sdxl.sample import SamplingConfig

FORMAT = 1
_LIBRARIES = ("dashbooth", "torch", "diffusers", "transformers", "open_clip_torch")


def score_subject(
    config: ScoreConfig, watch: ScoreWatch | None = None, generator: Generator | None = None
) -> dict[str, Any]:
    """Draw what is missing, score it, write scores.json, card.md and contact_sheet.png.

    Returns what scores.json holds. Every name is checked, and every scorer loaded, before the first
    picture is drawn; a scorer that is not at hand is reported in its place. A given generator is
    one on the run's base.
    """
    watch = watch or ScoreWatch()
    config.validate()
    run = open_run(config.run)
    trained, subject = run.read_config(), run.read_subject()
    photos, held_out = _photos(run, subject)
    list_name, templates = _templates(config, trained, subject)
    scorers, absent = _load_scorers(config, trained)
    sampling = _sampling(config, trained)

    generator = generator or Generator.on_base_of(run, config.device)
    asked, plain, drawn = _draw(config, run, subject, templates, sampling, generator, watch)
    pictures = Pictures(asked, plain, photos, held_out)
    scores = {
        "format": FORMAT,
        "run": run.path.resolve().name,
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "base": trained.base,
        "method": trained.adapter.method,
        "subject": {"name": subject.name, "class_token": subject.class_token,
                    "unique_token": subject.unique_token},
        "photos": {"n": len(photos), "held_out": len(held_out)},
        "prompts": {"list": list_name, "n": len(templates), "templates": templates},
        "seeds": list(config.seeds),
        "scale": config.scale,
        "checkpoint": config.checkpoint,
        "sampling": dataclasses.asdict(sampling),
        "interval": f"{LEVEL:.0%} percentile bootstrap over prompts, {RESAMPLES} draws",
        "scorers": [*map(_scorer_entry, scorers), *map(_scorer_entry, absent)],
        "scores": [dataclasses.asdict(row) for row in _measure(pictures, scorers, watch)],
        "pictures": {name: _picture_entries(run, made) for name, made in drawn.items()},
        "versions": {library: version(library) for library in _LIBRARIES},
    }  # fmt: skip
    watch.before_publish()
    write_json(run.scores_of(config.checkpoint), scores)
    if config.checkpoint is None:
        sheet_of_scores(run)
        write_text(run.card, card_text(run, scores))
    return scores


def _photos(run: Run, subject: Subject) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    photos = tuple(run.photos / photo.file for photo in subject.photos)
    held_out = tuple(run.held_out / name for name in subject.held_out)
    missing = [str(path) for path in (*photos, *held_out) if not path.is_file()]
    if missing or not photos:
        raise ArtifactError(
            f"{run.path}: the photos to compare with are missing: {', '.join(missing) or 'all'}. "
            "Put them back, or train again."
        )
    return photos, held_out


def _templates(
    config: ScoreConfig, trained: DreamBoothConfig, subject: Subject
) -> tuple[str, list[str]]:
    name = config.prompts
    if name == "auto":
        name = default_list(trained.base, subject.class_token)
    return name, read_templates(name)[: config.max_prompts]


def _load_scorers(
    config: ScoreConfig, trained: DreamBoothConfig
) -> tuple[list[Extractor], list[Unavailable]]:
    clip, features = default_scorers(trained.base)
    return load_scorers(
        clip if config.clip == "auto" else config.clip,
        features if config.features is None else config.features,
        str(resolve_device(config.device)),
    )


def _sampling(config: ScoreConfig, trained: DreamBoothConfig) -> SamplingConfig:
    steps, guidance = config.num_inference_steps, config.guidance_scale
    if steps is None:
        steps = 30 if trained.base == EMBEDDED_BASE else 50
    if guidance is None:
        guidance = trained.preview.guidance_scale
    return SamplingConfig(num_inference_steps=steps, guidance_scale=guidance)


def _draw(
    config: ScoreConfig,
    run: Run,
    subject: Subject,
    templates: list[str],
    sampling: SamplingConfig,
    generator: Generator,
    watch: ScoreWatch,
) -> tuple[Drawings, Drawings, dict[str, list[Drawn]]]:
    """Pictures with and without the unique token, by adapter and base."""
    unique, kind = subject.unique_token, subject.class_token
    asked = [fill(template, unique, kind) for template in templates]
    plain = [without_token(template, kind) for template in templates]
    leak = plain[: config.leakage_prompts]
    count = 2 * (len(asked) + len(leak)) * len(config.seeds)
    advance = watch.counter("draw", count * sampling.num_inference_steps)
    of = "" if config.checkpoint is None else f"-step-{config.checkpoint}"

    def drawn(prompts: list[str], scale: float, folder: str) -> list[Drawn]:
        return draw(
            run, prompts, config.seeds, sampling, scale=scale, checkpoint=config.checkpoint,
            folder=folder, generator=generator, on_steps=advance, on_saved=watch.on_saved,
        )  # fmt: skip

    generator.hold([AdapterUse(run, config.scale, config.checkpoint)])
    try:
        made = {
            "adapter": drawn(asked, config.scale, f"scored{of}"),
            "base": drawn(asked, 0.0, "scored-base"),
            "leakage": drawn(leak, config.scale, f"scored-leakage{of}"),
            "leakage_base": drawn(leak, 0.0, "scored-leakage-base"),
        }
    finally:
        generator.close()
    paths = {name: tuple(picture.path for picture in pictures) for name, pictures in made.items()}
    return (
        Drawings(tuple(plain), paths["adapter"], paths["base"]),
        Drawings(tuple(leak), paths["leakage"], paths["leakage_base"]),
        made,
    )


def _measure(pictures: Pictures, scorers: Sequence[Extractor], watch: ScoreWatch) -> list[Row]:
    total = pictures.count * len(scorers)
    count = watch.counter("score", total)
    with tqdm(total=total, desc="Scoring", unit="picture", leave=False, disable=None) as bar:

        def advance(done: int) -> None:
            bar.update(done)
            count(done)

        kept = KeptFeatures(watch.features, watch.on_saved)
        return [row for scorer in scorers for row in measure(pictures, scorer, advance, kept)]


def _scorer_entry(scorer: Extractor | Unavailable) -> dict[str, Any]:
    if isinstance(scorer, Unavailable):
        return {"name": scorer.name, "available": False, "reason": scorer.reason}
    return {"name": scorer.name, "available": True, "weights_sha256": scorer.fingerprint()}


def _picture_entries(run: Run, drawn: list[Drawn]) -> list[dict[str, Any]]:
    return [
        {"path": str(made.path.relative_to(run.path)), "prompt": made.prompt, "seed": made.seed}
        for made in drawn
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    return run_command(lambda: _report(tyro.cli(ScoreConfig, args=arguments)))


def _report(config: ScoreConfig) -> None:
    scores = score_subject(config)
    print(table(scores))
    run = Run(config.run)
    print(f"\n  {run.scores}\n  {run.card}\n  {run.path / 'contact_sheet.png'}")


if __name__ == "__main__":
    sys.exit(main())
