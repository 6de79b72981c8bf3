"""card.md: the page that travels with an adapter. What it is, how well it works, how to use it."""

from __future__ import annotations

from typing import Any

from eval.report import markdown
from trainer.adapters.config import AdapterConfig
from trainer.config import EMBEDDED_BASE, DreamBoothConfig
from trainer.run import Run


def card_text(run: Run, scores: dict[str, Any] | None = None) -> str:
    """The card of a finished run; without scores it says how to get them."""
    config, subject = run.read_config(), run.read_subject()
    prompt = f"a {subject.unique_token} {subject.class_token}"
    title = f"# {subject.name}: {config.adapter.method} adapter for {config.base}\n"
    return "\n".join(
        [
            title,
            f"Trained on {len(subject.photos)} photos with Dashbooth. Ask for the subject as "
            f"**{prompt}**.\n",
            _sheet(run),
            "## How it was trained\n",
            _settings(run, config),
            "## Scores\n",
            _scores(run, scores),
            "## How to use it\n",
            _diffusers(config, prompt),
            _other_programs(config, prompt),
        ]
    )


def _sheet(run: Run) -> str:
    sheet = run.path / "contact_sheet.png"
    caption = "photos, then the base and the adapter with the same prompts and seeds"
    return f"![{caption}]({sheet.name})\n" if sheet.exists() else ""


def _dashed(adapter: AdapterConfig) -> str:
    return "all" if adapter.dash_rank and adapter.direction == "all" else str(adapter.dash_rank)


def _settings(run: Run, config: DreamBoothConfig) -> str:
    adapter, optim, photos = config.adapter, config.optim, len(run.read_subject().photos)
    steps = config.total_steps(photos)
    rows = [
        ("base", config.base),
        ("method", f"{adapter.method}, directions {adapter.direction}, {adapter.prelaunch}"),
        ("rank, alpha", f"{adapter.rank}, {adapter.alpha:g}"),
        ("directions a layer", _dashed(adapter)),
        ("launch", _launch(adapter.resolved_prelaunch_steps(steps))),
        ("optimizer", f"{optim.optimizer}, rate {optim.learning_rate:g}, batch {optim.batch_size}"),
        ("steps", str(steps)),
        ("seed", str(optim.seed)),
        ("prior preservation", config.prior.mode),
    ]
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows), ""])


def _launch(step: int | None) -> str:
    return "none" if step is None else f"after {step} steps"


def _scores(run: Run, scores: dict[str, Any] | None) -> str:
    if scores is None:
        return f"Not measured yet: `python -m eval.score_subject {run.path}`.\n"
    drawn, seeds = scores["prompts"], ", ".join(map(str, scores["seeds"]))
    return (
        f"{drawn['n']} prompts (list `{drawn['list']}`), seeds {seeds}, adapter strength "
        f"{scores['scale']:g}. Base and adapter drew the same prompts with the same seeds.\n\n"
        f"{markdown(scores)}\n"
    )


def _diffusers(config: DreamBoothConfig, prompt: str) -> str:
    # A pipeline needs a path; "embedded" is only a name of ours.
    base = "assets/embedded_base" if config.base == EMBEDDED_BASE else config.base
    load = "from_single_file" if base.endswith(".safetensors") else "from_pretrained"
    return f"""With diffusers:

```python
from diffusers import StableDiffusionXLPipeline

pipeline = StableDiffusionXLPipeline.{load}("{base}")
pipeline.load_lora_weights(".", weight_name="adapter.safetensors")
pipeline("{prompt} on the beach").images[0].save("picture.png")
```
"""


def _other_programs(config: DreamBoothConfig, prompt: str) -> str:
    if config.base == EMBEDDED_BASE:
        return (
            "`adapter-kohya.safetensors` has the key layout of ComfyUI, A1111/Forge and "
            "sd-scripts; for those, train on an SDXL checkpoint that they can load.\n"
        )
    return (
        "With ComfyUI: put `adapter-kohya.safetensors` into `models/loras`, load it with *Load "
        "LoRA* at strength 1.0 behind the same SDXL checkpoint. A1111 and Forge: `models/Lora`, "
        f"then `{prompt} <lora:adapter-kohya:1>`.\n"
    )
