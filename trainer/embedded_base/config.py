"""What the stages are told: one frozen dataclass a concern, a line of words a field. No torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class ArchitectureConfig:
    """Sizes of the pipeline's parts. The defaults fit a CPU core; a GPU affords wider ones."""

    autoencoder_channels: tuple[int, ...] = (32, 64, 96)
    """Channels a level; three levels make an f4 autoencoder: 64 px pictures, 16x16x4 latents."""
    unet_channels: tuple[int, ...] = (48, 96, 160)
    """Channels a level. The first level has no attention, as in SDXL."""
    unet_layers_per_block: int = 1
    """Residual blocks a level on the way down (one more on the way up)."""
    unet_transformer_layers: tuple[int, ...] = (0, 1, 2)
    """Transformer layers a level; the first is unused."""
    unet_head_width: int = 32
    """Channels of one attention head."""
    text_widths: tuple[int, int] = (64, 128)
    """Widths of the two text towers; the UNet sees both side by side."""
    text_layers: tuple[int, int] = (2, 3)
    """Layers of the two text towers. SDXL reads the last but one, so the first tower's last
    layer never learns."""
    sample_size: int = 16
    """Side of the latents; times four is the picture's side."""


@dataclass(frozen=True)
class Paths:
    """Where things lie."""

    cache: Path = REPOSITORY / ".cache" / "embedded_base"
    """Downloaded packages, rendered sprites, checkpoints: git-ignored, can be rebuilt."""
    pipeline: Path = REPOSITORY / "assets" / "embedded_base"
    """The shipped diffusers folder."""
    scorer: Path = REPOSITORY / "assets" / "scorer"
    """The shipped open_clip folder."""
    subjects: Path = REPOSITORY / "assets" / "subjects"
    """The bundled subjects."""


@dataclass(frozen=True)
class FitConfig:
    """One training run."""

    steps: int = 8000
    """Optimizer steps. The rates fall over them as a cosine, so this is part of the run."""
    batch_size: int = 32
    """Pictures a step."""
    matrix_rate: float = 0.02
    """Peak rate of Muon, which moves the matrices inside the nets."""
    learning_rate: float = 1e-3
    """Peak rate of AdamW, which moves the rest: embeddings, norms, biases, borders."""
    warmup_steps: int = 50
    """Steps over which the rates rise to their peaks."""
    ema_decay: float = 0.999
    """Decay of the running mean of the weights, which is what ships."""
    seed: int = 0
    """Decides initial weights, data order and noise."""
    device: str = "cpu"
    """cpu or cuda."""
    autocast: Literal["auto", "none", "bf16"] = "auto"
    """bf16 takes a third of the time where the device has units for it, and is hopeless elsewhere;
    auto looks."""
    checkpoint_every: int = 500
    """Steps between checkpoints; a run that is stopped goes on from the last one."""
    scenes: int = 32_000
    """Scenes drawn beforehand; a run sees them again and again, each round in another order."""
    log_every: int = 50
    """Steps between lines of the log."""


@dataclass(frozen=True)
class PictureLoss:
    """What the autoencoder's pictures are judged by, beside their L1 distance."""

    square_weight: float = 4.0
    """Weight of the mean squared error."""
    edge_weight: float = 1.0
    """Weight of the L1 distance between picture gradients, at three scales."""


@dataclass(frozen=True)
class AutoencoderFit(FitConfig):
    """Training of the autoencoder."""

    steps: int = 8000
    batch_size: int = 8
    learning_rate: float = 2e-3
    ema_decay: float = 0.99
    loss: PictureLoss = field(default_factory=PictureLoss)
    swapped_share: float = 0.25
    """Share of pictures with their colour channels in another order."""
    kl_weight: float = 1e-6
    """Weight of the pull of the latents towards a unit Gaussian."""


@dataclass(frozen=True)
class DecoderFit(FitConfig):
    """Further training of the autoencoder's decoder, latents unchanged."""

    steps: int = 4000
    batch_size: int = 8
    matrix_rate: float = 0.01
    ema_decay: float = 0.99
    seed: int = 50
    loss: PictureLoss = field(default_factory=PictureLoss)


@dataclass(frozen=True)
class TowersFit(FitConfig):
    """Training of the text towers to read captions."""

    steps: int = 1200
    batch_size: int = 64
    learning_rate: float = 2e-3
    ema_decay: float = 0.99
    length: int = 24
    """Prompt length: captions fit."""


@dataclass(frozen=True)
class DenoiserFit(FitConfig):
    """Training of the UNet; the text towers stay as they are."""

    go_on: bool = False
    """Start from the shipped pipeline, autoencoder and towers unchanged, instead of from nothing:
    where the cache of an earlier run is gone."""
    designs: tuple[str, ...] = ("noto", "twemoji", "emojione")
    """Whose sprites the base learns from."""
    steps: int = 4000
    batch_size: int = 96
    matrix_rate: float = 0.012
    """0.02 made the loss rise again after 15,000 pictures."""
    ema_decay: float = 0.998
    caption_dropout: float = 0.1
    """Share of captions replaced by the empty prompt, for classifier-free guidance."""
    short_length: int = 24
    """Prompt length of most steps: captions fit, and the padding up to 77 is dear."""
    full_length_share: float = 0.1
    """Share of steps at the full 77 tokens, so that the stock pipeline's padding is known."""
    snr_gamma: float = 5.0
    """Min-SNR weighting (Hang et al. 2023), in its form for v-prediction."""


@dataclass(frozen=True)
class ScorerFit(FitConfig):
    """Contrastive training of the scorer."""

    steps: int = 8000
    batch_size: int = 128
    matrix_rate: float = 0.012
    seed: int = 1234
    scenes: int = 96_000


@dataclass(frozen=True)
class BaseConfig:
    """Everything `python -m trainer.embedded_base` can be told."""

    paths: Paths = field(default_factory=Paths)
    architecture: ArchitectureConfig = field(default_factory=ArchitectureConfig)
    autoencoder: AutoencoderFit = field(default_factory=AutoencoderFit)
    decoder: DecoderFit = field(default_factory=DecoderFit)
    towers: TowersFit = field(default_factory=TowersFit)
    denoiser: DenoiserFit = field(default_factory=DenoiserFit)
    scorer: ScorerFit = field(default_factory=ScorerFit)
