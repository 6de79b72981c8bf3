"""Pictures from a trained run: `python -m trainer.generate RUN --prompt "…" --seeds 0 1 2 3`.

Pictures are PNGs whose text says how to make them again.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro
from PIL import Image, PngImagePlugin
from tqdm import tqdm

from trainer.command_line import run_command
from trainer.data.subject import fill
from trainer.errors import ConfigError
from trainer.files import picture_name, whole_file
from trainer.generator import AdapterUse, Device, Generator
from trainer.run import Run, open_run
from trainer.sdxl.encode import Prompt, encode_negative, encode_prompts, too_long
from trainer.sdxl.load import SDXL
from trainer.sdxl.sample import SamplingConfig, check_sampling, sample

PIXELS_AT_ONCE = 4 * 1024 * 1024
"""Pictures drawn together are limited to this area: four of SDXL's, a thousand of 64 px."""
MOST_AT_ONCE = 32

OnSteps = Callable[[int], object]
"""Told how many sampling steps were done since the last call, counted a picture each."""
OnSaved = Callable[[int], object]
"""Told how many pictures were put on disk, or found there, since the last call."""


@dataclass(frozen=True)
class Drawn:
    """A picture on disk, or one that is to be there."""

    path: Path
    prompt: str
    seed: int


def draw(
    run: Run,
    prompts: Sequence[str],
    seeds: Sequence[int],
    sampling: SamplingConfig,
    *,
    scale: float = 1.0,
    checkpoint: int | None = None,
    folder: str = "images",
    generator: Generator | None = None,
    on_steps: OnSteps = lambda steps: None,
    on_saved: OnSaved = lambda pictures: None,
) -> list[Drawn]:
    """Draw every prompt with every seed into `<run>/images/<folder>/`.

    Placeholders {unique_token} and {class_token} are filled in. A given generator holds what is
    to be used: the run's adapter, or that of the checkpoint.
    """
    subject = run.read_subject()
    texts = [fill(prompt, subject.unique_token, subject.class_token) for prompt in prompts]
    place = run.images / folder
    pictures = [
        Drawn(place / picture_name(text, seed), text, seed) for text in texts for seed in seeds
    ]
    use = AdapterUse(run, scale, checkpoint)
    if generator is None:
        generator = Generator.on_base_of(run)
        generator.hold([use])
    draw_pictures(generator, [use], pictures, sampling, on_steps, on_saved)
    return pictures


def draw_pictures(
    generator: Generator,
    uses: Sequence[AdapterUse],
    pictures: Sequence[Drawn],
    sampling: SamplingConfig,
    on_steps: OnSteps = lambda steps: None,
    on_saved: OnSaved = lambda pictures: None,
    pixels_at_once: int = PIXELS_AT_ONCE,
) -> None:
    """Draw the pictures with these adapters, which the generator holds.

    Pictures that are already there with the same settings and adapters are kept, so a stopped call
    goes on where it was. Whatever `on_steps` raises ends the drawing.
    """
    check_sampling(generator.sdxl, sampling)
    settings = {
        "base": generator.base_name,
        "adapters": generator.describe(uses),
        "dtype": str(generator.sdxl.dtype),
        **dataclasses.asdict(sampling),
    }
    missing = [picture for picture in pictures if not _is_current(picture, settings)]
    on_steps((len(pictures) - len(missing)) * sampling.num_inference_steps)
    on_saved(len(pictures) - len(missing))
    if missing:
        at_once = _batch_size(generator.sdxl, sampling, pixels_at_once)
        with generator.using(uses):
            _draw_missing(generator.sdxl, missing, sampling, settings, at_once, on_steps, on_saved)


def _draw_missing(
    sdxl: SDXL,
    missing: Sequence[Drawn],
    sampling: SamplingConfig,
    settings: dict[str, Any],
    at_once: int,
    on_steps: OnSteps,
    on_saved: OnSaved,
) -> None:
    prompts = encode_prompts(sdxl, [picture.prompt for picture in missing])
    negative = encode_negative(sdxl, sampling.negative_prompt)
    total = len(missing) * sampling.num_inference_steps
    with tqdm(total=total, desc="Drawing", unit="step", leave=False, disable=None) as bar:

        def advance(steps: int) -> None:
            bar.update(steps)
            on_steps(steps)

        for start in range(0, len(missing), at_once):
            batch = missing[start : start + at_once]
            images = _sample_batch(sdxl, batch, prompts, negative, sampling, advance)
            for picture, image in zip(batch, images, strict=True):
                _save(image, picture, settings)
            on_saved(len(batch))


def _sample_batch(
    sdxl: SDXL,
    batch: Sequence[Drawn],
    prompts: dict[str, Prompt],
    negative: Prompt,
    sampling: SamplingConfig,
    advance: OnSteps,
) -> list[Image.Image]:
    return sample(
        sdxl,
        [prompts[picture.prompt] for picture in batch],
        negative,
        [picture.seed for picture in batch],
        sampling,
        on_step=lambda: advance(len(batch)),
    )


def _batch_size(sdxl: SDXL, sampling: SamplingConfig, pixels_at_once: int) -> int:
    width, height = (side or sdxl.resolution for side in (sampling.width, sampling.height))
    return max(1, min(MOST_AT_ONCE, pixels_at_once // (width * height)))


def _is_current(picture: Drawn, settings: dict[str, Any]) -> bool:
    """Whether the picture is there and was made with exactly these settings."""
    try:
        with Image.open(picture.path) as image:
            made = json.loads(image.info.get("dashbooth", "null"))
    except (OSError, ValueError):
        return False
    return bool(made == {"prompt": picture.prompt, "seed": picture.seed, **settings})


def _save(image: Image.Image, picture: Drawn, settings: dict[str, Any]) -> None:
    info = PngImagePlugin.PngInfo()
    made = {"prompt": picture.prompt, "seed": picture.seed, **settings}
    info.add_text("dashbooth", json.dumps(made))
    with whole_file(picture.path) as temporary:
        image.save(temporary, pnginfo=info)


@dataclass(frozen=True)
class GenerateCommand:
    """Draw pictures with a trained adapter."""

    run: tyro.conf.Positional[Path]
    """Run folder, as printed by train_dreambooth.py."""
    prompt: tuple[str, ...]
    """What to draw, one or more; {unique_token} and {class_token} are filled in."""
    seeds: tuple[int, ...] = (0, 1, 2, 3)
    """One picture a seed."""
    scale: float = 1.0
    """Strength of the adapter: 0 is the base alone, 1 as trained."""
    sampling: tyro.conf.OmitArgPrefixes[SamplingConfig] = SamplingConfig()
    device: Device = "auto"
    """Where to draw; auto takes the GPU if there is one."""


def main(arguments: Sequence[str] | None = None) -> int:
    return run_command(lambda: _generate(tyro.cli(GenerateCommand, args=arguments)))


def _generate(command: GenerateCommand) -> None:
    if not command.prompt:
        raise ConfigError(
            "--prompt is empty: say what to draw, such as "
            '--prompt "a {unique_token} {class_token} on the beach".'
        )
    run = open_run(command.run)
    generator = Generator.for_run(run, command.device)
    for prompt in command.prompt:
        if lost := too_long(generator.sdxl, prompt):
            print(
                f"The last {lost} tokens of this prompt are not seen: {prompt!r}", file=sys.stderr
            )
    pictures = draw(run, command.prompt, command.seeds, command.sampling, scale=command.scale,
                    folder="generated", generator=generator)  # fmt: skip
    for picture in pictures:
        print(picture.path)


if __name__ == "__main__":
    sys.exit(main())
