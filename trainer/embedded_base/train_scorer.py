"""Stage `scorer`: a small CLIP of our own, from scratch, by the symmetric contrastive loss.

Radford et al. 2021, figure 3, with two changes: pictures of a batch whose captions are equal are
all right answers; and as a batch holds few of the concepts, a second loss asks for a picture's
objects among all of them. A third asks which of all the sprites a picture shows, so that pictures
of one thing lie together, whatever is behind it: the scorer also tells subjects apart. It is
trained with its own seed, on its own scenes, apart from the towers
that condition generation, so that it can judge what they draw. Pictures are blurred, noised, bent
and recoloured at random: generated pictures are softer than rendered ones, and a design that it has
never seen has other proportions and colours.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from open_clip.model import CLIP
from torch import Tensor, nn

from trainer.embedded_base.captions import PATTERN_PHRASES, article, background_words, caption
from trainer.embedded_base.concepts import COLOURS, CONCEPTS, vocabulary_words
from trainer.embedded_base.config import BaseConfig
from trainer.embedded_base.fitting import Fitting, autocast, generator_at, rows_at
from trainer.embedded_base.rendering import Rendered, SceneSet
from trainer.embedded_base.scenes import Plan
from trainer.embedded_base.scorer import CONTEXT_LENGTH, build_scorer, save_scorer
from trainer.embedded_base.tokenizer import build_tokenizer, token_ids
from trainer.embedded_base.train_autoencoder import HELD_OUT_SEED, swap_colours, to_tensor

MAX_LOGIT_SCALE = 4.6
"""ln 100, CLIP's own limit."""


def words_of(plan: Plan, rng: np.random.Generator) -> str:
    """The scene's caption, or only its objects, or now and then only its background."""
    chance = rng.random()
    if chance < 0.6:
        return caption(plan.things, None)
    return background_words(plan.background) if chance < 0.65 else plan.caption


def colour_free(text: str) -> bool:
    """Whether a caption says nothing that depends on colour."""
    words = set(text.split())
    return words.isdisjoint(COLOURS) and not any(p in text for p in PATTERN_PHRASES.values())


def bend(pictures: Tensor, rng: torch.Generator) -> Tensor:
    """Stretch, shear, turn and move a little; borders go on outwards."""
    n = len(pictures)
    turn, shear = 0.25 * torch.randn((2, n), generator=rng)
    across, down = (0.15 * torch.randn((2, n), generator=rng)).exp()
    rows = [across * turn.cos(), shear - turn.sin(), turn.sin(), down * turn.cos()]
    matrix = torch.stack(rows, dim=1).view(n, 2, 2)
    move = 0.1 * torch.randn((n, 2, 1), generator=rng)
    grid = F.affine_grid(torch.cat([matrix, move], dim=2), list(pictures.shape), False)
    return F.grid_sample(pictures, grid, padding_mode="border", align_corners=False)


def augment(pictures: Tensor, colour_free: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Bend, soften, add noise, recolour: each with its own chance a picture, in [-1, 1].

    Where the words name no colour, `colour_free` (b,), colours may change altogether; the second
    result (b,) says of which pictures they may have.
    """

    def some(share: float) -> Tensor:
        return (torch.rand((len(pictures), 1, 1, 1), generator=rng) < share).float()

    pictures = torch.lerp(pictures, bend(pictures, rng), some(0.7))
    swapped = colour_free & (torch.rand(len(pictures), generator=rng) < 0.6)
    pictures[swapped] = swap_colours(pictures[swapped], 1.0, rng)
    soft = F.interpolate(F.avg_pool2d(pictures, 2), scale_factor=2, mode="bilinear")
    pictures = torch.lerp(pictures, soft, some(0.3))
    noise = torch.randn(pictures.shape, generator=rng)
    pictures = pictures + 0.08 * noise * some(0.3)
    gain = 1 + 0.15 * torch.randn((len(pictures), 3, 1, 1), generator=rng)
    shift = 0.08 * torch.randn((len(pictures), 3, 1, 1), generator=rng)
    recoloured = pictures * gain + shift
    return torch.lerp(pictures, recoloured, some(0.3)).clamp(-1, 1), swapped


def contrastive_loss(images: Tensor, texts: Tensor, scale: Tensor, captions: list[str]) -> Tensor:
    """(b, d), (b, d) unit rows to the mean of both directions' cross entropy."""
    index = {text: i for i, text in enumerate(dict.fromkeys(captions))}
    label = torch.tensor([index[text] for text in captions], device=images.device)
    same = (label[:, None] == label[None, :]).float()
    target = same / same.sum(dim=1, keepdim=True)
    logits = scale * images @ texts.T
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2


def naming_loss(images: Tensor, concepts: Tensor, scale: Tensor, named: Tensor) -> Tensor:
    """(b, d) pictures against (c, d) concepts, unit rows; `named` (b, c) says which it shows."""
    target = named / named.sum(dim=1, keepdim=True)
    return F.cross_entropy(scale * images @ concepts.T, target)


def encode_text(model: CLIP, ids: Tensor) -> Tensor:
    """What `model.encode_text(ids, normalize=True)` gives, (n, l) to (n, d), in half of the time:
    what follows the end of the longest text is left out."""
    ends = ids.argmax(dim=1)
    length = int(ends.max()) + 1
    states = model.token_embedding(ids[:, :length]) + model.positional_embedding[:length]
    states = model.transformer(states, attn_mask=model.attn_mask[:length, :length])
    pooled = model.ln_final(states)[torch.arange(len(ids)), ends]
    return F.normalize(pooled @ model.text_projection, dim=-1)


class Scoring(nn.Module):
    """The scorer, and what only its training needs: a place in its space for every sprite."""

    def __init__(self, clip: CLIP, n_sprites: int) -> None:
        super().__init__()
        self.clip = clip
        self.prototypes = nn.Parameter(torch.randn(n_sprites, clip.text_projection.shape[1]))

    def identity_loss(self, images: Tensor, scale: Tensor, sprites: Tensor) -> Tensor:
        """(b, d) unit rows against all prototypes; `sprites` (b,), -1 where a picture has no say:
        it shows several, or one in other colours than its own."""
        logits = scale * images @ F.normalize(self.prototypes, dim=1).T
        return F.cross_entropy(logits, sprites, ignore_index=-1)


def own_sprite(scenes: Rendered, row: int) -> int:
    """The sprite that a scene shows alone and in its own colours, else -1."""
    sprites, thing = scenes.sprites[row], scenes.plans[row].things[0]
    return sprites[0] if len(sprites) == 1 and thing.tint is None else -1


def zero_shot_accuracy(
    model: CLIP, pictures: Tensor, concepts: list[str], truth: list[str]
) -> float:
    """Share of pictures whose nearest `a <concept>` is the true one."""
    tokenizer = build_tokenizer(vocabulary_words())
    ids = token_ids(tokenizer, [f"{article(c)} {c}" for c in concepts], CONTEXT_LENGTH)
    with torch.no_grad():
        texts = model.encode_text(ids, normalize=True)
        images = model.encode_image(pictures, normalize=True)
    best = (images @ texts.T).argmax(dim=1).tolist()
    return float(np.mean([concepts[i] == name for i, name in zip(best, truth, strict=True)]))


def train_scorer(config: BaseConfig, until: int | None = None) -> CLIP:
    """Train (or go on) and write the open_clip folder with the running mean of the weights."""
    fit = config.scorer
    scene_set = SceneSet(config.paths.cache, fit.seed)
    model = build_scorer(fit.seed)
    training = Scoring(model, len(scene_set.composer().atlas)).train()
    model.visual.to(memory_format=torch.channels_last)  # faster on CPU cores
    scenes = scene_set.render(fit.scenes)
    tokenizer = build_tokenizer(vocabulary_words())
    fitting = Fitting(training, fit, config.paths.cache / "scorer")
    place = {concept: i for i, concept in enumerate(CONCEPTS)}
    names = [f"{article(concept)} {concept}" for concept in CONCEPTS]
    name_ids = token_ids(tokenizer, names, CONTEXT_LENGTH).to(fit.device)

    def loss_at(step: int) -> Tensor:
        rows = rows_at(step, fit, fit.scenes)
        said = np.random.default_rng([fit.seed, step])
        captions = [words_of(scenes.plans[row], said) for row in rows]
        free = torch.tensor([colour_free(text) for text in captions])
        drawn, swapped = augment(to_tensor(scenes.pictures[rows]), free, generator_at(step, fit))
        ids = token_ids(tokenizer, captions, CONTEXT_LENGTH).to(fit.device)
        named = torch.zeros(len(rows), len(place))
        for i, row in enumerate(rows):
            named[i, [place[thing.concept] for thing in scenes.plans[row].things]] = 1
        sprites = torch.tensor([own_sprite(scenes, row) for row in rows])
        sprites[swapped] = -1
        with autocast(fit):
            images = model.encode_image(drawn.to(fit.device), normalize=True).float()
            said_texts, concepts = (encode_text(model, t).float() for t in (ids, name_ids))
        scale = model.logit_scale.clamp(max=MAX_LOGIT_SCALE).exp()
        contrast = contrastive_loss(images, said_texts, scale, captions)
        naming = naming_loss(images, concepts, scale, named.to(fit.device))
        identity = training.identity_loss(images, scale, sprites.to(fit.device))
        return (contrast + naming + identity) / 3

    fitting.fit(loss_at, until)
    fitting.load_mean()
    model = model.cpu().eval()
    held_out = SceneSet(config.paths.cache, HELD_OUT_SEED).render(512)
    single = [i for i, plan in enumerate(held_out.plans) if len(plan.things) == 1]
    truth = [held_out.plans[i].things[0].concept for i in single]
    pictures = to_tensor(held_out.pictures[single])
    right = zero_shot_accuracy(model, pictures, list(CONCEPTS), truth)
    print(f"scorer: {right:.1%} of {len(single)} held-out scenes named, of {len(CONCEPTS)}")
    save_scorer(model, config.paths.scorer)
    return model
