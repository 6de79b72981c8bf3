"""Training resumes bitwise, Muon makes orthogonal steps, latents come out normalised."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from trainer.embedded_base.architecture import build_autoencoder, build_pipeline, build_scheduler
from trainer.embedded_base.concepts import vocabulary_words
from trainer.embedded_base.config import (
    ArchitectureConfig,
    BaseConfig,
    DenoiserFit,
    Paths,
    ScorerFit,
    TowersFit,
)
from trainer.embedded_base.fitting import is_hidden_matrix
from trainer.embedded_base.muon import orthogonalise
from trainer.embedded_base.rendering import SceneSet
from trainer.embedded_base.scorer import CONTEXT_LENGTH, build_scorer
from trainer.embedded_base.tokenizer import build_tokenizer, token_ids
from trainer.embedded_base.train_autoencoder import (
    SDXL_SCALING_FACTOR,
    normalise_latents,
    swap_colours,
)
from trainer.embedded_base.train_denoiser import min_snr_weight, train_denoiser
from trainer.embedded_base.train_scorer import (
    Scoring,
    augment,
    bend,
    colour_free,
    contrastive_loss,
    encode_text,
    naming_loss,
    own_sprite,
    train_scorer,
)
from trainer.embedded_base.train_towers import attributes, train_towers

TINY = ArchitectureConfig(
    autoencoder_channels=(8, 8, 8),
    unet_channels=(16, 32, 32),
    unet_transformer_layers=(1, 1, 1),
    text_widths=(32, 32),
    text_layers=(2, 2),
)


def tiny_config(cache) -> BaseConfig:
    fit = DenoiserFit(
        steps=4, batch_size=2, scenes=6, checkpoint_every=2, log_every=2, designs=("one", "two")
    )
    return BaseConfig(paths=Paths(cache=cache), architecture=TINY, denoiser=fit)


def trained_weights(config: BaseConfig) -> dict[str, torch.Tensor]:
    return load_file(config.paths.cache / "denoiser" / "checkpoint.safetensors")


def test_two_and_two_steps_equal_four_steps_bitwise(cache, tmp_path):
    config = tiny_config(cache)
    train_denoiser(config, build_pipeline(TINY, 0))
    straight = trained_weights(config)
    (cache / "denoiser").rename(tmp_path / "straight")
    train_denoiser(config, build_pipeline(TINY, 0), until=2)
    train_denoiser(config, build_pipeline(TINY, 0))
    resumed = trained_weights(config)
    assert straight.keys() == resumed.keys()
    assert all(torch.equal(straight[key], resumed[key]) for key in straight)


def test_the_scorer_resumes_bitwise_with_its_running_statistics(cache, tmp_path):
    fit = ScorerFit(steps=2, batch_size=4, scenes=6, checkpoint_every=1, log_every=1)
    config = BaseConfig(Paths(cache=cache, scorer=tmp_path), scorer=fit)
    train_scorer(config)
    straight = load_file(cache / "scorer" / "checkpoint.safetensors")
    (cache / "scorer").rename(tmp_path / "straight")
    train_scorer(config, until=1)
    train_scorer(config)
    resumed = load_file(cache / "scorer" / "checkpoint.safetensors")
    assert any("running_mean" in key for key in straight)
    assert straight.keys() == resumed.keys()
    assert all(torch.equal(straight[key], resumed[key]) for key in straight)


def test_a_finished_run_only_hands_out_its_result(cache):
    config = tiny_config(cache)
    train_denoiser(config, build_pipeline(TINY, 0))
    before = trained_weights(config)
    train_denoiser(config, build_pipeline(TINY, 1))
    assert all(torch.equal(before[key], value) for key, value in trained_weights(config).items())


@pytest.mark.parametrize("shape", [(2, 6, 20), (1, 20, 6)])
def test_orthogonalised_momentum_has_singular_values_near_one(shape):
    stack = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    values = torch.linalg.svdvals(orthogonalise(stack))
    assert values.min() > 0.6 and values.max() < 1.3


def test_normalised_latents_are_standard_and_decode_as_before():
    torch.manual_seed(0)
    vae = build_autoencoder(TINY).eval()
    pictures = torch.rand(8, 3, 64, 64) * 2 - 1
    with torch.no_grad():
        before = vae.decode(vae.encode(pictures).latent_dist.mode()).sample
        normalise_latents(vae, pictures)
        after = vae.encode(pictures).latent_dist
        assert torch.allclose(vae.decode(after.mode()).sample, before, atol=1e-4)
    scaled = after.mode() * SDXL_SCALING_FACTOR
    assert scaled.mean(dim=(0, 2, 3)).abs().max() < 1e-3
    assert torch.allclose(scaled.std(dim=(0, 2, 3)), torch.ones(4), atol=1e-3)
    assert vae.config.scaling_factor == SDXL_SCALING_FACTOR


def test_the_last_timestep_holds_no_signal_and_still_counts():
    alphas = build_scheduler().alphas_cumprod
    assert alphas[-1] < 1e-6
    weights = min_snr_weight(alphas, 5.0)
    assert weights[-1] == pytest.approx(1.0)
    # snr + 1 = 1 / (1 - alpha): min(snr + 1, 5) / (snr + 1)
    assert weights[0] == pytest.approx(5 * (1 - float(alphas[0])), rel=1e-3)


def test_equal_captions_are_all_right_answers():
    features = torch.eye(3)[[0, 0, 1]]
    loss = contrastive_loss(features, features, torch.tensor(50.0), ["a", "a", "b"])
    # two right answers of equal weight cannot do better than ln 2
    assert float(loss) == pytest.approx(2 / 3 * 0.6931, abs=1e-3)


def test_naming_asks_for_every_object_that_is_there():
    features = torch.eye(4)
    named = torch.tensor([[1.0, 0, 0, 0], [0, 1.0, 0, 0]])
    right = naming_loss(features[:2], features, torch.tensor(50.0), named)
    wrong = naming_loss(features[2:], features, torch.tensor(50.0), named)
    assert float(right) == pytest.approx(0, abs=1e-6)
    assert float(wrong) == pytest.approx(50, abs=1e-3)
    both = naming_loss(features[:1], features, torch.tensor(0.0), torch.tensor([[1.0, 1, 0, 0]]))
    assert float(both) == pytest.approx(1.3863, abs=1e-3)  # ln 4: no scale, no knowledge


def test_texts_cut_after_their_end_say_the_same():
    model = build_scorer(0).eval()
    texts = ["a dog", "two red apples on a striped background"]
    ids = token_ids(build_tokenizer(vocabulary_words()), texts, CONTEXT_LENGTH)
    with torch.no_grad():
        torch.testing.assert_close(encode_text(model, ids), model.encode_text(ids, normalize=True))


def test_identity_asks_which_sprite_it_is_of_those_who_have_a_say():
    training = Scoring(build_scorer(0), 3)
    with torch.no_grad():
        training.prototypes.copy_(torch.eye(3, training.prototypes.shape[1]))
    features, scale = torch.eye(3, training.prototypes.shape[1]), torch.tensor(50.0)
    right = training.identity_loss(features, scale, torch.tensor([0, 1, -1]))
    wrong = training.identity_loss(features, scale, torch.tensor([1, -1, -1]))
    assert right.item() == pytest.approx(0, abs=1e-6)
    assert wrong.item() == pytest.approx(50, abs=1e-3)


def test_only_a_thing_alone_in_its_own_colours_is_a_known_sprite(cache):
    drawn = SceneSet(cache, 0).render(200)
    kinds = set()
    for row, plan in enumerate(drawn.plans):
        alone = len(plan.places) == 1 and plan.things[0].tint is None
        assert (own_sprite(drawn, row) >= 0) == alone
        kinds.add(alone)
    assert kinds == {True, False}


def test_pictures_whose_words_name_colours_keep_theirs():
    pictures = torch.rand(64, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    free = torch.arange(64) < 32
    _, swapped = augment(pictures, free, torch.Generator().manual_seed(0))
    assert swapped[:32].any() and not swapped[32:].any()


def test_depthwise_filters_are_no_matrices():
    assert is_hidden_matrix("trunk.blocks.0.conv", torch.zeros(40, 40, 3, 3))
    assert not is_hidden_matrix("trunk.blocks.0.conv_dw", torch.zeros(40, 1, 7, 7))
    assert not is_hidden_matrix("norm", torch.zeros(40))


def test_attributes_are_what_the_caption_names():
    concepts = ("dog", "apple", "race car")
    named = attributes("two red apples on a red background", concepts)
    plain = attributes("two apples on a red background", concepts)
    assert named[:3].tolist() == [0, 1, 0]
    assert named.sum() == 4  # the object, its count, its tint, the background
    assert plain.sum() == 3
    assert attributes("a small race car on the left in the snow", concepts).sum() == 4
    assert attributes("a dog wearing a red hat on the grass", concepts).sum() == 3  # no tint
    assert attributes("", concepts).sum() == 0


def test_swapped_colours_keep_every_channel_once_a_picture():
    pictures = torch.arange(3.0)[None, :, None, None].expand(64, 3, 2, 2)
    swapped = swap_colours(pictures, 0.5, torch.Generator().manual_seed(0))
    orders = swapped[:, :, 0, 0]
    assert torch.equal(orders.sort(dim=1).values, pictures[:, :, 0, 0])
    changed = (orders != pictures[:, :, 0, 0]).any(dim=1).float().mean()
    assert 0.2 < changed < 0.6  # one order in six is the old one
    assert torch.equal(swap_colours(pictures, 0.0, torch.Generator()), pictures)


def test_only_captions_without_colours_may_be_recoloured():
    assert colour_free("a dog and two cats")
    assert not colour_free("a red dog")
    assert not colour_free("a dog on the grass")


def test_bending_moves_edges_and_keeps_plain_pictures():
    rng = torch.Generator().manual_seed(0)
    plain = torch.full((4, 3, 64, 64), 0.3)
    assert torch.allclose(bend(plain, rng), plain)
    halves = torch.cat([-torch.ones(4, 3, 64, 32), torch.ones(4, 3, 64, 32)], dim=3)
    assert not torch.allclose(bend(halves, rng), halves)


def test_the_towers_learn_and_come_out_frozen(cache):
    fit = TowersFit(steps=3, batch_size=4, checkpoint_every=2, log_every=2)
    pipe = train_towers(replace(tiny_config(cache), towers=fit))
    assert not any(p.requires_grad for p in pipe.text_encoder_2.parameters())
    again = train_towers(replace(tiny_config(cache), towers=fit))
    one, other = pipe.text_encoder.state_dict(), again.text_encoder.state_dict()
    assert all(torch.equal(one[key], other[key]) for key in one)
