"""What a DreamBooth run is told: one frozen dataclass a concern, a line of words a field.

The same object is filled by the command line, stored as `config.json` in the run folder, and handed
in slices to the code that works. No torch: a web page may import it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from trainer.adapters.config import AdapterConfig
from trainer.errors import ConfigError

SDXL_BASE = "stabilityai/stable-diffusion-xl-base-1.0"
EMBEDDED_BASE = "embedded"
Scheduler = Literal["base", "euler", "euler-a", "dpm++", "ddim", "unipc"]
ASSETS = Path(__file__).resolve().parent.parent / "assets"
BUNDLED_SUBJECT = ASSETS / "subjects" / "duck"


@dataclass(frozen=True)
class ModelConfig:
    """How the base checkpoint is loaded and run. Its weights are never written."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to run; auto takes the GPU if there is one."""
    precision: Literal["auto", "bf16", "fp16", "fp32"] = "auto"
    """Number format of the frozen base; the adapter always keeps an fp32 master copy.
    auto: bf16 on a GPU, fp32 on a CPU."""
    prediction_type: Literal["checkpoint", "epsilon", "v_prediction"] = "checkpoint"
    """What the base predicts. Folders and hub models say it themselves; a single .safetensors
    file of a v-prediction model may not, so it can be told here."""
    vae: str | None = None
    """Folder or hub id of another VAE. Unset: the base's own, in fp32 on any precision, except
    that SDXL from the hub in half precision takes the fp16-fix VAE (the original gives NaN)."""
    attention: Literal["sdpa", "xformers"] = "sdpa"
    """Attention kernel: torch's own, or xformers' where it runs on this device."""
    gradient_checkpointing: bool = False
    """Recompute activations in the backward pass: much less memory, about a third more time,
    the same result."""


@dataclass(frozen=True)
class SubjectConfig:
    """What the photos show and how they are prepared."""

    unique_token: str | None = None
    """The rare word that will mean this subject. Unset: the one in the folder's subject.json,
    else `zwx`. ("sks" is a rifle: pick a word the base does not know.)"""
    class_token: str | None = None
    """What the subject is, in one plain word: dog, teapot, backpack. Unset: subject.json's."""
    instance_prompt: str = "a {unique_token} {class_token}"
    """Caption of a photo that has none of its own. A photo's own caption is a .txt file of the
    same name, or its line in subject.json; it should name what the adapter is not to learn,
    such as the background."""
    resolution: int | None = None
    """Side of the square whose area the pictures fill. Unset: the base's own (SDXL: 1024)."""
    aspect_buckets: bool = True
    """Keep each photo's shape (buckets of equal area); off crops every photo to a square."""
    alpha_color: str = "#ffffff"
    """Colour put behind transparent pixels."""
    flip: bool = False
    """Also train on mirrored photos. Off: most subjects are not symmetric."""


@dataclass(frozen=True)
class PriorConfig:
    """Prior preservation (DreamBooth, Section 3.2): keep the class while learning the subject."""

    mode: Literal["off", "images", "adapter-off"] = "off"
    """images: also train on pictures of the class made by the base itself. adapter-off: no
    pictures, the base's own prediction (adapter switched off) is the target for the class prompt.
    Worth it for people and animals."""
    class_prompt: str = "a {class_token}"
    """Prompt of the class pictures."""
    weight: float = 1.0
    """`prior_loss_weight`: how much the class loss counts beside the subject's."""
    num_class_images: int = 100
    """Class pictures to make (mode images)."""


@dataclass(frozen=True)
class OptimConfig:
    """How the adapter is optimised."""

    steps: int | None = None
    """Optimizer steps. Unset: 100 a photo, at least 500, at most 1500."""
    batch_size: int = 4
    """Pictures in every optimizer step, always exactly that many."""
    micro_batch_size: int | None = None
    """Pictures pushed through the base at once; the rest is accumulated. Unset: the batch."""
    optimizer: Literal["adamw", "adamw-8bit", "prodigy"] = "adamw"
    """adamw-8bit needs bitsandbytes and a GPU, prodigy needs prodigyopt (and learning rate 1, for
    all that is trained alike)."""
    learning_rate: float = 1e-4
    """Constant, no warm-up."""
    betas: tuple[float, float] = (0.9, 0.999)
    """Adam's moment decays."""
    weight_decay: float = 1e-4
    """On the low-rank factors; always 0 on delta_sigma."""
    max_grad_norm: float = 1.0
    """The gradient is scaled down to this norm where it is longer."""
    min_snr_gamma: float | None = None
    """Min-SNR loss weighting (Hang et al. 2023), 5.0 is usual. Unset: off."""
    seed: int = 0
    """Fixes the order of photos, noise and timesteps; --adapter.seed the adapter's start."""


@dataclass(frozen=True)
class PreviewConfig:
    """Pictures made while training, by the generator's own path, and after it."""

    every: int = 250
    """Optimizer steps between previews; 0 for none."""
    prompt: str = "a {unique_token} {class_token}"
    """What previews draw."""
    seeds: tuple[int, ...] = (0, 1)
    """One picture a seed."""
    num_inference_steps: int = 30
    """Sampling steps."""
    guidance_scale: float = 6.0
    """Classifier-free guidance."""


@dataclass(frozen=True)
class CheckpointConfig:
    """How often everything needed to go on is saved."""

    minutes: float = 5.0
    """Minutes between checkpoints; also saved at the end and when stopped."""
    every: int = 0
    """Also save every so many optimizer steps; 0 for by time only."""
    keep: int = 2
    """How many of the newest stay. Each can be drawn with and scored, to see where learning turned
    into copying."""


@dataclass(frozen=True)
class DreamBoothConfig:
    """Photos of a subject in, a LoRA-TSD adapter for an SDXL base out."""

    photos: Path | None = None
    """Folder with the photos (JPEG, PNG, WebP, HEIC ...; one is enough, three to ten are good)."""
    base: str = SDXL_BASE
    """The SDXL checkpoint: a hub id, a folder in diffusers' layout, a single .safetensors file, or
    `embedded` for the small base that comes with Dashbooth."""
    run: Path | None = None
    """Folder of this run. Unset: <workspace>/runs/<subject>-<method>-<number>."""
    workspace: Path = Path("workspace")
    """Where runs, and what they can share (decompositions, class images), are kept."""
    adapter: AdapterConfig = field(default_factory=AdapterConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    subject: SubjectConfig = field(default_factory=SubjectConfig)
    prior: PriorConfig = field(default_factory=PriorConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    preview: PreviewConfig = field(default_factory=PreviewConfig)
    checkpoint: CheckpointConfig = field(default_factory=CheckpointConfig)

    def total_steps(self, photos: int) -> int:
        """Optimizer steps for that many photos."""
        return self.optim.steps or min(1500, max(500, 100 * photos))

    def validate(self) -> None:
        """Check what can be checked without photos or base; raise one ConfigError with all."""
        faults = [*_range_faults(self), *_combination_faults(self)]
        if faults:
            raise ConfigError("\n".join(faults))


def _range_faults(config: DreamBoothConfig) -> list[str]:
    optim, subject, preview = config.optim, config.subject, config.preview
    at_least = [
        ("--optim.steps", optim.steps, 1),
        ("--optim.batch-size", optim.batch_size, 1),
        ("--optim.micro-batch-size", optim.micro_batch_size, 1),
        ("--subject.resolution", subject.resolution, 16),
        ("--prior.num-class-images", config.prior.num_class_images, 1),
        ("--prior.weight", config.prior.weight, 0),
        ("--optim.weight-decay", optim.weight_decay, 0),
        ("--preview.every", preview.every, 0),
        ("--preview.num-inference-steps", preview.num_inference_steps, 1),
        ("--checkpoint.every", config.checkpoint.every, 0),
        ("--checkpoint.keep", config.checkpoint.keep, 1),
    ]
    positive = [
        ("--optim.learning-rate", optim.learning_rate),
        ("--optim.max-grad-norm", optim.max_grad_norm),
        ("--optim.min-snr-gamma", optim.min_snr_gamma),
        ("--checkpoint.minutes", config.checkpoint.minutes),
    ]
    return [*out_of_range(at_least, positive), *beta_faults(optim.betas)]


def out_of_range(
    at_least: Iterable[tuple[str, float | None, float]],
    positive: Iterable[tuple[str, float | None]],
) -> list[str]:
    """A fault for every value that is too low, by flag; None is never."""
    return [
        *(f"{flag} is {value}; it must be at least {low}."
          for flag, value, low in at_least if value is not None and not value >= low),
        *(f"{flag} is {value}; it must be above 0."
          for flag, value in positive if value is not None and not value > 0),
    ]  # fmt: skip


def beta_faults(betas: tuple[float, float]) -> list[str]:
    """A fault for each of Adam's moment decays that is none."""
    return [
        f"--optim.betas has {beta}; both must be at least 0 and below 1."
        for beta in betas if not 0 <= beta < 1
    ]  # fmt: skip


def _combination_faults(config: DreamBoothConfig) -> list[str]:
    model, optim = config.model, config.optim
    return [
        *device_faults(model.device, model.precision, optim.optimizer, optim.learning_rate),
        *uneven_rate_faults(optim.optimizer, rate_after_restart(config.adapter)),
    ]


def device_faults(device: str, precision: str, optimizer: str, learning_rate: float) -> list[str]:
    """What does not go together, of the settings that every recipe has."""
    faults = []
    if device == "cpu" and precision == "fp16":
        faults.append("--model.precision fp16 does not train on a CPU; use fp32 or bf16.")
    if device == "cpu" and optimizer == "adamw-8bit":
        faults.append("--optim.optimizer adamw-8bit needs a GPU; use adamw.")
    if optimizer == "prodigy" and learning_rate < 0.1:
        faults.append(
            "--optim.optimizer prodigy finds its own rate and takes --optim.learning-rate as a "
            f"factor, given {learning_rate}; use 1.0."
        )
    return faults


def uneven_rate_faults(optimizer: str, uneven: Mapping[str, float]) -> list[str]:
    """A fault for every flag that gives a part of what is trained another rate, where the optimizer
    has one for all; `uneven` has such flags with their values."""
    if optimizer != "prodigy":
        return []
    return [
        f"--optim.optimizer prodigy has one rate for all that is trained, and {flag} {value} is "
        "another for a part of it; leave that out."
        for flag, value in uneven.items()
    ]


def rate_after_restart(adapter: AdapterConfig) -> dict[str, float]:
    """The flag by which A and B get another rate, with its value, where they do."""
    changed = adapter.restarts and adapter.lr_post != 1
    return {"--adapter.lr-post": adapter.lr_post} if changed else {}


def preset(name: str) -> DreamBoothConfig:
    """The recipe behind `--preset NAME`; the values are explained in the README."""
    return PRESETS[name]


_DEMO = DreamBoothConfig(
    photos=BUNDLED_SUBJECT,
    base=EMBEDDED_BASE,
    adapter=AdapterConfig(rank=8, alpha=8),
    optim=OptimConfig(steps=400, learning_rate=5e-4),
    preview=PreviewConfig(every=100, guidance_scale=3.0),
)
_PAPER = DreamBoothConfig(
    adapter=AdapterConfig(rank=4, alpha=4, prelaunch_steps=100),
    optim=OptimConfig(steps=500),
    subject=SubjectConfig(aspect_buckets=False),
    model=ModelConfig(precision="fp16"),
    preview=PreviewConfig(num_inference_steps=50, guidance_scale=5.0),
)
_LOW_VRAM = DreamBoothConfig(
    adapter=AdapterConfig(rank=8, alpha=8),
    optim=OptimConfig(micro_batch_size=1),
    model=ModelConfig(gradient_checkpointing=True),
)
PRESETS: dict[str, DreamBoothConfig] = {
    "default": DreamBoothConfig(),
    "demo": _DEMO,
    "paper": _PAPER,
    "low-vram": _LOW_VRAM,
}
