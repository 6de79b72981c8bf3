"""The card of an adapter for a full-size base: commands that can be pasted."""

from __future__ import annotations

from pathlib import Path

import pytest

from eval.card import card_text
from trainer.config import DreamBoothConfig
from trainer.run import KeptPhoto, Run, Subject


def card(folder: Path, **changes: object) -> str:
    run = Run(folder)
    run.write_config(DreamBoothConfig(**changes))  # type: ignore[arg-type]
    photos = tuple(KeptPhoto(f"{i}.png", f"{i}.jpg", "a zwx dog", (9, 9)) for i in range(4))
    run.write_subject(Subject("rex", "zwx", "dog", photos))
    return card_text(run)


def test_the_card_tells_settings_as_they_were_resolved(tmp_path: Path) -> None:
    text = card(tmp_path)
    assert "# rex: lora-tsd adapter for stabilityai/stable-diffusion-xl-base-1.0" in text
    assert "| steps | 500 |" in text and "| launch | after 100 steps |" in text
    assert f"Not measured yet: `python -m eval.score_subject {tmp_path}`" in text
    assert "contact_sheet" not in text


@pytest.mark.parametrize(
    ("base", "command"),
    [
        ("owner/model", 'StableDiffusionXLPipeline.from_pretrained("owner/model")'),
        (
            "x/model.safetensors",
            'StableDiffusionXLPipeline.from_single_file("x/model.safetensors")',
        ),
    ],
)
def test_the_card_loads_the_base_by_its_kind(base: str, command: str, tmp_path: Path) -> None:
    text = card(tmp_path, base=base)
    assert command in text
    assert "`a zwx dog <lora:adapter-kohya:1>`" in text and "models/loras" in text
