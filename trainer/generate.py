"""Pictures from a trained run: `python -m trainer.generate RUN --prompt "…" --seeds 0 1 2 3`.

The adapter runs as trained, unmerged on the frozen base (a half-precision merge would lose the
small directions it lives on). Pictures are PNGs whose text says how to make them again.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import tyro
from PIL import Image, PngImagePlugin
from tqdm import tqdm

from trainer.adapters.attach import Adapter, find_targets
from trainer.adapters.checkpoint import load_native
from trainer.adapters.weights import base_fingerprint
from trainer.command_line import run_command
from trainer.data.subject import fill
from trainer.errors import ConfigError
from trainer.files import sha256_of, whole_file
from trainer.run import Run, open_run
from trainer.sdxl.encode import Prompt, encode_negative, encode_prompts, too_long
from trainer.sdxl.load import SDXL, load_sdxl
from trainer.sdxl.sample import SamplingConfig, check_sampling, sample

PIXELS_AT_ONCE = 4 * 1024 * 1024
"""Pictures drawn together are limited to this area: four of SDXL's, a thousand of 64 px."""
MOST_AT_ONCE = 32

Device = Literal["auto", "cpu", "cuda"]


@dataclass(frozen=True)
class Drawn:
    """A picture on disk."""

    path: Path
    prompt: str
    seed: int


class Generator:
    """A run's base with its adapter attached, loaded once for many pictures."""

    def __init__(self, sdxl: SDXL, adapter: Adapter, adapter_sha256: str) -> None:
        self.sdxl = sdxl
        self.adapter = adapter
        self.adapter_sha256 = adapter_sha256

    @classmethod
    def for_run(cls, run: Run, device: Device = "auto") -> Generator:
        """Load the base the run was trained on, and its adapter. Other bases are refused."""
        config = run.read_config()
        model = dataclasses.replace(config.model, device=device, gradient_checkpointing=False)
        sdxl = load_sdxl(config.base, model)
        linears = find_targets(sdxl.unet, config.adapter.target_modules)
        fingerprint = base_fingerprint(linears)
        adapter = load_native(sdxl.unet, run.native, base_fingerprint=fingerprint)
        return cls(sdxl, adapter, sha256_of(run.native))

    @property
    def base_name(self) -> str:
        return self.sdxl.name

    def close(self) -> None:
        """Take the adapter off the base again."""
        self.adapter.detach()

    @contextmanager
    def at_scale(self, scale: float) -> Iterator[None]:
        """The adapter at that strength; at 0 it is switched off, so the base alone answers."""
        with ExitStack() as stack:
            stack.enter_context(self.adapter.scaled(scale) if scale else self.adapter.disabled())
            yield


def draw(
    run: Run,
    prompts: Sequence[str],
    seeds: Sequence[int],
    sampling: SamplingConfig,
    *,
    scale: float = 1.0,
    folder: str = "images",
    generator: Generator | None = None,
) -> list[Drawn]:
    """Draw every prompt with every seed into `<run>/images/<folder>/`.

    Pictures that are already there with the same settings and adapter are kept, so a stopped call
    goes on where it was. Placeholders {unique_token} and {class_token} are filled in.
    """
    subject = run.read_subject()
    texts = [fill(prompt, subject.unique_token, subject.class_token) for prompt in prompts]
    own = generator is None
    generator = generator or Generator.for_run(run)
    check_sampling(generator.sdxl, sampling)
    wanted = [(text, seed, _target(run, folder, text, seed)) for text in texts for seed in seeds]
    settings = _settings(generator, sampling, scale)
    missing = [row for row in wanted if not _is_current(row[2], row[0], row[1], settings)]
    if missing:
        with generator.at_scale(scale):
            _draw_missing(generator, missing, sampling, settings)
    if own:
        generator.close()
    return [Drawn(path, text, seed) for text, seed, path in wanted]


def _draw_missing(
    generator: Generator,
    missing: Sequence[tuple[str, int, Path]],
    sampling: SamplingConfig,
    settings: dict[str, Any],
) -> None:
    sdxl = generator.sdxl
    prompts = encode_prompts(sdxl, [text for text, _, _ in missing])
    negative = encode_negative(sdxl, sampling.negative_prompt)
    at_once = _batch_size(sdxl, sampling)
    total = len(missing) * sampling.num_inference_steps
    with tqdm(total=total, desc="Drawing", unit="step", leave=False) as bar:
        for start in range(0, len(missing), at_once):
            rows = missing[start : start + at_once]
            images = _sample_rows(sdxl, rows, prompts, negative, sampling, bar)
            for (text, seed, path), image in zip(rows, images, strict=True):
                _save(image, path, {"prompt": text, "seed": seed, **settings})


def _sample_rows(
    sdxl: SDXL,
    rows: Sequence[tuple[str, int, Path]],
    prompts: dict[str, Prompt],
    negative: Prompt,
    sampling: SamplingConfig,
    bar: Any,
) -> list[Image.Image]:
    return sample(
        sdxl,
        [prompts[text] for text, _, _ in rows],
        negative,
        [seed for _, seed, _ in rows],
        sampling,
        on_step=lambda: bar.update(len(rows)),
    )


def _batch_size(sdxl: SDXL, sampling: SamplingConfig) -> int:
    width, height = (side or sdxl.resolution for side in (sampling.width, sampling.height))
    return max(1, min(MOST_AT_ONCE, PIXELS_AT_ONCE // (width * height)))


def _target(run: Run, folder: str, text: str, seed: int) -> Path:
    """A name a person can read, made unique by the prompt's hash."""
    words = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:60]
    digest = hashlib.sha256(text.encode()).hexdigest()[:6]
    return run.images / folder / f"{words}-{digest}-{seed}.png"


def _settings(generator: Generator, sampling: SamplingConfig, scale: float) -> dict[str, Any]:
    """What decides a picture beside prompt and seed."""
    return {
        "base": generator.base_name,
        "adapter_sha256": generator.adapter_sha256 if scale else None,
        "scale": scale,
        "dtype": str(generator.sdxl.dtype),
        **dataclasses.asdict(sampling),
    }


def _is_current(path: Path, text: str, seed: int, settings: dict[str, Any]) -> bool:
    """Whether the picture is there and was made with exactly these settings."""
    try:
        with Image.open(path) as image:
            made = json.loads(image.info.get("dashbooth", "null"))
    except (OSError, ValueError):
        return False
    return bool(made == {"prompt": text, "seed": seed, **settings})


def _save(image: Image.Image, path: Path, settings: dict[str, Any]) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("dashbooth", json.dumps(settings))
    with whole_file(path) as temporary:
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
