"""What ships: the folders load with stock libraries, the subjects are whole, the weights small."""

from __future__ import annotations

import json

import numpy as np
import open_clip
import pytest
import torch
from diffusers import StableDiffusionXLPipeline
from PIL import Image

from trainer.embedded_base.concepts import COLOURS
from trainer.embedded_base.config import BaseConfig, DenoiserFit, Paths
from trainer.embedded_base.export import check_sizes, weight_sizes
from trainer.embedded_base.subjects import N_HELD_OUT, N_PHOTOS, SUBJECTS, UNIQUE_TOKEN
from trainer.embedded_base.train_denoiser import untrained_pipeline

PATHS = Paths()


@pytest.fixture(scope="module")
def pipe() -> StableDiffusionXLPipeline:
    pipe = StableDiffusionXLPipeline.from_pretrained(PATHS.pipeline)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def border_colour(picture: np.ndarray) -> np.ndarray:
    edge = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
    return np.median(edge, axis=0)


def test_the_pipeline_draws_and_its_backgrounds_follow_the_prompt(pipe):
    drawn = pipe(
        ["a dog on a red background", "a dog on a blue background"],
        num_inference_steps=8,
        guidance_scale=4.0,
        generator=[torch.Generator().manual_seed(s) for s in (0, 1)],
        output_type="np",
    ).images
    assert drawn.shape == (2, 64, 64, 3)
    red, blue = (border_colour(picture) for picture in drawn)
    assert red.argmax() == 0
    assert blue.argmax() == 2


def test_the_schedule_is_v_prediction_with_zero_terminal_snr(pipe):
    assert pipe.scheduler.config.prediction_type == "v_prediction"
    assert pipe.scheduler.config.timestep_spacing == "trailing"
    assert pipe.scheduler.config.rescale_betas_zero_snr


def test_the_towers_are_wired_as_in_sdxl(pipe):
    states, _, pooled, _ = pipe.encode_prompt("a dog", do_classifier_free_guidance=True)
    widths = [tower.config.hidden_size for tower in (pipe.text_encoder, pipe.text_encoder_2)]
    assert states.shape == (1, 77, sum(widths))
    assert pooled.shape == (1, widths[1])
    assert pipe.unet.config.addition_embed_type == "text_time"


def test_the_scorer_names_the_backgrounds_of_unseen_subjects():
    model, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{PATHS.scorer}")
    tokenizer = open_clip.get_tokenizer(f"local-dir:{PATHS.scorer}")
    files, truth = [], []
    for slug in SUBJECTS:
        shots = json.loads((PATHS.subjects / slug / "subject.json").read_text())["photos"]
        for shot in shots:
            words = shot["caption"].split()
            if words[-1] == "background" and words[-2] in COLOURS:
                files.append(PATHS.subjects / slug / "photos" / shot["file"])
                truth.append(words[-2])
    with torch.no_grad():
        pictures = torch.stack([preprocess(Image.open(file)) for file in files])
        images = model.eval().encode_image(pictures, normalize=True)
        texts = tokenizer([f"on a {colour} background" for colour in COLOURS])
        found = (images @ model.encode_text(texts, normalize=True).T).argmax(dim=1).tolist()
    right = [list(COLOURS)[i] == colour for i, colour in zip(found, truth, strict=True)]
    assert len(right) >= 30
    assert sum(right) >= 0.9 * len(right)


def test_weights_fit_the_budget():
    sizes = weight_sizes(PATHS.pipeline, PATHS.scorer)
    assert len(sizes) == 6  # the UNet comes in two
    check_sizes(sizes)


def test_training_can_go_on_from_what_ships(pipe):
    config = BaseConfig(denoiser=DenoiserFit(go_on=True))
    start = untrained_pipeline(config)
    shipped = pipe.unet.state_dict()
    assert all(torch.equal(w, shipped[key]) for key, w in start.unet.state_dict().items())
    assert all(w.requires_grad for w in start.unet.parameters())
    assert not any(w.requires_grad for w in start.text_encoder.parameters())


def test_oversized_weights_are_refused_by_name(tmp_path):
    with pytest.raises(ValueError, match="big.safetensors has 16,000,000 bytes"):
        check_sizes({tmp_path / "big.safetensors": 16_000_000})


@pytest.mark.parametrize("slug", SUBJECTS)
def test_a_subject_is_complete_and_its_held_out_scenes_are_new(slug):
    folder = PATHS.subjects / slug
    about = json.loads((folder / "subject.json").read_text())
    assert [len(about["photos"]), len(about["held_out"])] == [N_PHOTOS, N_HELD_OUT]
    captions = [shot["caption"] for kind in ("photos", "held_out") for shot in about[kind]]
    assert len(set(captions)) == N_PHOTOS + N_HELD_OUT
    assert all(f"a {UNIQUE_TOKEN} {about['class_token']} " in text for text in captions)
    pictures = {
        Image.open(folder / kind / shot["file"]).convert("RGB").tobytes()
        for kind in ("photos", "held_out")
        for shot in about[kind]
    }
    assert len(pictures) == N_PHOTOS + N_HELD_OUT
    assert "Microsoft" in (folder / "LICENSE").read_text()
