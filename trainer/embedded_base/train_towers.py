"""Stage `towers`: both text towers learn what captions mean before the UNet reads them.

SDXL's towers come trained and stay frozen; so do ours. Trained together with the UNet they kept
backgrounds and lost objects, for a background is most of a picture and of its loss. Here each tower
must tell from a caption which objects, tint, size, side and background it names (one sigmoid an
attribute): the first tower in the state that the UNet reads, the second in its pooled output.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from diffusers import StableDiffusionXLPipeline
from torch import Tensor, nn

from trainer.embedded_base.architecture import build_pipeline
from trainer.embedded_base.atlas import load_atlas
from trainer.embedded_base.captions import HAT_PHRASE, NUMBERS, PATTERN_PHRASES, plural
from trainer.embedded_base.concepts import COLOURS, CONCEPTS
from trainer.embedded_base.config import BaseConfig
from trainer.embedded_base.fitting import Fitting
from trainer.embedded_base.scenes import Composer
from trainer.embedded_base.tokenizer import token_ids

SIDES = ("left", "right", "top", "bottom")


def attributes(text: str, concepts: tuple[str, ...]) -> Tensor:
    """One where the caption names the attribute: objects, counts, sizes, sides, tints, grounds."""
    padded = f" {text} "
    named = [f" {c} " in padded or f" {plural(c)} " in padded for c in concepts]
    spoken = [f" {word} " in padded for word in (*NUMBERS.values(), "small", "large", *SIDES)]
    grounds = [f" {c} background" in padded for c in COLOURS]
    objects = padded.replace(HAT_PHRASE, "").split(" on ")[0] + " "
    tints = [f" {c} " in objects for c in COLOURS]
    phrases = [phrase in padded for phrase in (HAT_PHRASE, *PATTERN_PHRASES.values())]
    return torch.tensor([*named, *spoken, *grounds, *tints, *phrases], dtype=torch.float32)


class Reader(nn.Module):
    """The two towers with a head each that reads a caption's attributes from its end token."""

    def __init__(self, pipe: StableDiffusionXLPipeline, n_attributes: int) -> None:
        super().__init__()
        self.text_encoder = pipe.text_encoder
        self.text_encoder_2 = pipe.text_encoder_2
        self.end_id = pipe.tokenizer.eos_token_id
        first, second = (t.config.hidden_size for t in (pipe.text_encoder, pipe.text_encoder_2))
        self.heads = nn.ModuleList(
            nn.Linear(width, n_attributes) for width in (first, second, second)
        )

    def forward(self, ids: Tensor) -> list[Tensor]:
        """(b, l) to logits (b, attributes) of both towers' states and of the pooled output."""
        first = self.text_encoder(ids, output_hidden_states=True).hidden_states[-2]
        second = self.text_encoder_2(ids, output_hidden_states=True)
        end = (ids == self.end_id).int().argmax(dim=1)
        rows = torch.arange(len(ids), device=ids.device)
        features = (first[rows, end], second.hidden_states[-2][rows, end], second.text_embeds)
        return [head(f) for head, f in zip(self.heads, features, strict=True)]


def train_towers(config: BaseConfig, until: int | None = None) -> StableDiffusionXLPipeline:
    """Train (or go on); gives the pipeline with trained, frozen towers and a fresh UNet."""
    fit, concepts = config.towers, tuple(CONCEPTS)
    pipe = build_pipeline(config.architecture, fit.seed)
    composer = Composer(load_atlas(config.paths.cache))
    model = Reader(pipe, len(attributes("", concepts))).train()
    fitting = Fitting(model, fit, config.paths.cache / "towers")

    def loss_at(step: int) -> Tensor:
        first = step * fit.batch_size
        said = [composer.plan(fit.seed + 3, first + i).caption for i in range(fit.batch_size)]
        truth = torch.stack([attributes(text, concepts) for text in said]).to(fit.device)
        logits = model(token_ids(pipe.tokenizer, said)[:, : fit.length].to(fit.device))
        return torch.stack([F.binary_cross_entropy_with_logits(x, truth) for x in logits]).mean()

    fitting.fit(loss_at, until)
    fitting.load_mean()
    for tower in (pipe.text_encoder, pipe.text_encoder_2):
        tower.cpu().eval().requires_grad_(False)
    return pipe
