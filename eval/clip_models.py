"""Which CLIP: any of open_clip by name, one in a folder, or the small one of the embedded base."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import open_clip
import torch
from PIL import Image
from torch import Tensor

from eval.offline import ScorerUnavailable, not_downloaded, offline_if_unreachable, quiet
from trainer.config import ASSETS
from trainer.errors import ConfigError

EMBEDDED_CLIP = "embedded"
EMBEDDED_CLIP_FOLDER = ASSETS / "scorer"
_LOCAL = "local-dir:"
_HUB = "hf-hub:"


def check_clip_name(name: str) -> None:
    """Refuse a CLIP that cannot exist; ConfigError lists what is possible. Loads nothing."""
    if name == EMBEDDED_CLIP or name.startswith(_HUB):
        return
    if name.startswith(_LOCAL):
        folder = Path(name.removeprefix(_LOCAL))
        if not (folder / "open_clip_config.json").is_file():
            raise ConfigError(
                f"--clip {name}: no open_clip_config.json there. Give a folder in open_clip's "
                "layout: open_clip_config.json and open_clip_model.safetensors."
            )
        return
    _check_pretrained_name(name)


def _check_pretrained_name(name: str) -> None:
    architecture, _, weights = name.partition("/")
    known: dict[str, list[str]] = {}
    for known_architecture, known_weights in open_clip.list_pretrained():
        known.setdefault(known_architecture, []).append(known_weights)
    if architecture not in known:
        raise ConfigError(
            f"--clip {name}: open_clip knows no {architecture!r}. Possible: {EMBEDDED_CLIP}, "
            f"{_LOCAL}<folder>, {_HUB}<owner/name>, or <architecture>/<weights> with one of "
            f"{', '.join(known)}."
        )
    if weights not in known[architecture]:
        raise ConfigError(
            f"--clip {name}: {architecture} has no weights {weights!r}. Possible: "
            + ", ".join(f"{architecture}/{possible}" for possible in known[architecture])
        )


def load_clip(name: str) -> tuple[torch.nn.Module, Callable[[Image.Image], Tensor], Any]:
    """Model, picture transform and tokenizer; ScorerUnavailable where it is not at hand."""
    check_clip_name(name)
    source, options = name, {}
    if name == EMBEDDED_CLIP:
        source = f"{_LOCAL}{EMBEDDED_CLIP_FOLDER}"
    elif not name.startswith((_LOCAL, _HUB)):
        source, _, weights = name.partition("/")
        # OpenAI's weights were trained with another GELU than the architecture's default.
        quick_gelu = open_clip.get_pretrained_cfg(source, weights).get("quick_gelu", False)
        options = {"pretrained": weights, "force_quick_gelu": quick_gelu}
    try:
        with offline_if_unreachable(), quiet():
            # Without `require_pretrained` a missing file means random weights and a log line.
            model, _, transform = open_clip.create_model_and_transforms(
                source, require_pretrained=True, **options
            )
            return model, transform, open_clip.get_tokenizer(source)
    except (OSError, RuntimeError, ValueError) as error:
        where = source.removeprefix(_LOCAL)
        missing = f"{name}: {where} holds no whole open_clip model ({_first_line(error)})."
        raise ScorerUnavailable(
            missing if source.startswith(_LOCAL) else not_downloaded(name)
        ) from error


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
