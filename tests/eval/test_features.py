"""Extractors: unit rows, the batch does not matter, and what is not at hand says so."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image

from eval import offline
from eval.clip_models import EMBEDDED_CLIP_FOLDER, check_clip_name
from eval.features import (
    CLIPFeatures,
    DINOFeatures,
    EfficientNetFeatures,
    Extractor,
)
from eval.offline import ScorerUnavailable
from trainer.config import ASSETS
from trainer.errors import ConfigError

PHOTOS = sorted((ASSETS / "subjects" / "teapot" / "photos").glob("*.png"))[:3]


@pytest.fixture(scope="module")
def clip() -> CLIPFeatures:
    return CLIPFeatures()


@pytest.fixture(scope="module")
def efficientnet() -> EfficientNetFeatures:
    return EfficientNetFeatures()


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(offline, "hub_is_reachable", lambda: False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))


@pytest.mark.parametrize("name", ["clip", "efficientnet"])
def test_pictures_become_unit_rows_whatever_the_batch(
    name: str, request: pytest.FixtureRequest
) -> None:
    extractor: Extractor = request.getfixturevalue(name)
    at_once = extractor.images(PHOTOS)
    one_by_one = extractor.images(PHOTOS, batch_size=1)
    assert at_once.dtype == np.float32 and len(at_once) == len(PHOTOS)
    assert np.linalg.norm(at_once, axis=1) == pytest.approx(1, abs=1e-5)
    assert at_once == pytest.approx(one_by_one, abs=1e-4)
    opened = extractor.images([Image.open(path) for path in PHOTOS])
    assert opened == pytest.approx(at_once, abs=1e-4)


def test_progress_counts_every_picture(clip: CLIPFeatures) -> None:
    seen: list[int] = []
    clip.images(PHOTOS, batch_size=2, on_batch=seen.append)
    assert sum(seen) == len(PHOTOS)


def test_clip_is_open_clips_own_answer(clip: CLIPFeatures) -> None:
    source = f"local-dir:{EMBEDDED_CLIP_FOLDER}"
    model, _, transform = open_clip.create_model_and_transforms(source)
    model.eval()
    with torch.no_grad():
        image = model.encode_image(transform(Image.open(PHOTOS[0]).convert("RGB"))[None])
        text = model.encode_text(open_clip.get_tokenizer(source)(["a teapot on a red background"]))
    expected_image = torch.nn.functional.normalize(image, dim=-1).numpy()
    expected_text = torch.nn.functional.normalize(text, dim=-1).numpy()
    assert clip.images(PHOTOS[:1]) == pytest.approx(expected_image, abs=1e-5)
    assert clip.texts(["a teapot on a red background"]) == pytest.approx(expected_text, abs=1e-5)


def test_texts_share_the_space_of_images(clip: CLIPFeatures) -> None:
    texts = clip.texts(["a dog", "a cat", "a red teapot"], batch_size=2)
    assert texts.shape == (3, clip.images(PHOTOS[:1]).shape[1])
    assert np.linalg.norm(texts, axis=1) == pytest.approx(1, abs=1e-5)


def test_the_fingerprint_tells_weights_apart(clip: CLIPFeatures) -> None:
    assert clip.fingerprint() == CLIPFeatures().fingerprint()
    other = CLIPFeatures()
    other.model.logit_scale.data += 1
    assert clip.fingerprint() != other.fingerprint()


def test_dino_takes_the_class_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a tiny ViT with the hub's name: the first token of the last layer, normalised."""
    from transformers import ViTConfig, ViTModel

    torch.manual_seed(0)
    tiny = ViTModel(
        ViTConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8),
        add_pooling_layer=False,
    )
    monkeypatch.setattr(ViTModel, "from_pretrained", lambda name, **options: tiny)
    dino = DINOFeatures()
    pixels = torch.randn(2, 3, 224, 224)
    expected = tiny.eval()(pixels).last_hidden_state[:, 0]
    assert torch.equal(dino.encode(pixels), expected)
    assert dino.images(PHOTOS[:2]).shape == (2, 8)


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("extractor", [DINOFeatures, lambda: CLIPFeatures("ViT-B-32/openai")])
def test_a_model_that_cannot_be_downloaded_is_unavailable_at_once(extractor: type) -> None:
    with pytest.raises(ScorerUnavailable, match="not downloaded yet.*check the network"):
        extractor()


def test_a_package_that_is_not_installed_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite_pytorch", None)
    with pytest.raises(ScorerUnavailable, match=r"pip install 'dashbooth\[demo\]'"):
        EfficientNetFeatures()


def test_a_folder_without_weights_is_no_random_scorer(tmp_path: Path) -> None:
    config = (EMBEDDED_CLIP_FOLDER / "open_clip_config.json").read_text("utf-8")
    (tmp_path / "open_clip_config.json").write_text(config, "utf-8")
    with pytest.raises(ScorerUnavailable, match="no whole open_clip model"):
        CLIPFeatures(f"local-dir:{tmp_path}")


@pytest.mark.parametrize(
    ("name", "possible"),
    [
        ("ViT-B-23/openai", "ViT-B-32"),
        ("ViT-B-32", "ViT-B-32/laion2b_s34b_b79k"),
        ("ViT-B-32/opnai", "ViT-B-32/openai"),
        ("local-dir:/nowhere", "open_clip_config.json"),
    ],
)
def test_a_name_that_cannot_be_lists_what_is_possible(name: str, possible: str) -> None:
    with pytest.raises(ConfigError, match=possible):
        check_clip_name(name)


def test_openais_weights_get_the_activation_they_were_trained_with(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: dict[str, object] = {}

    def create(name: str, **options: object) -> None:
        asked.update(options, name=name)
        raise RuntimeError

    monkeypatch.setattr(open_clip, "create_model_and_transforms", create)
    with pytest.raises(ScorerUnavailable):
        CLIPFeatures("ViT-B-32/openai")
    assert asked["name"] == "ViT-B-32" and asked["force_quick_gelu"] is True
    with pytest.raises(ScorerUnavailable):
        CLIPFeatures("ViT-B-32/laion2b_s34b_b79k")
    assert asked["force_quick_gelu"] is False


@pytest.mark.shared_data
def test_efficientnet_finds_a_subject_again_on_real_photos(
    efficientnet: EfficientNetFeatures, shared_data: Path
) -> None:
    """Measured beforehand over 20 subjects: same subject 0.65, different subjects 0.26."""
    folders = sorted((shared_data / "dreambooth" / "subjects").iterdir())[::4]
    photos = [path for folder in folders for path in sorted(folder.glob("*.jpg"))[:3]]
    features = efficientnet.images(photos)
    subject = np.array([path.parent.name for path in photos])
    same = (subject[:, None] == subject) & ~np.eye(len(photos), dtype=bool)
    cosines = features @ features.T
    assert cosines[same].mean() > 0.55
    assert cosines[subject[:, None] != subject].mean() < 0.35
    nearest = np.argmax(cosines - 2 * np.eye(len(photos)), axis=1)
    assert (subject[nearest] == subject).mean() > 0.75
