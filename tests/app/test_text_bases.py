"""The list of models for texts says what each takes, and whether it is here."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import get_args

import pytest

from app.studio import Studio
from app.text_bases import DOWNLOAD_GIGABYTES, PACKAGED
from app.text_requests import TextTrainRequest
from app.text_views import TextBase
from trainer.errors import BaseModelError
from trainer.text_presets import GluePreset, LLMPreset, glue_preset, llm_preset

DEBERTA, LLAMA = "microsoft/deberta-v3-base", "huggyllama/llama-7b"


@pytest.fixture(autouse=True)
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty hub cache of our own."""
    folder = tmp_path / "hub"
    monkeypatch.setattr("huggingface_hub.utils._cache_manager.HF_HUB_CACHE", str(folder))
    return folder


def cached(hub: Path, repo: str, architecture: str | None, *weights: str) -> None:
    """A repository in the cache, its files of a million bytes."""
    snapshot = hub / f"models--{repo.replace('/', '--')}" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    config = {} if architecture is None else {"architectures": [architecture]}
    (snapshot / "config.json").write_text(json.dumps(config))
    for name in weights:
        (snapshot / name).write_bytes(bytes(10**6))


def listed(studio: Studio) -> dict[str, TextBase]:
    return {base.id: base for base in studio.texts.bases()}


def test_what_is_to_be_fetched_says_how_much_that_is(studio: Studio) -> None:
    bases = listed(studio)
    assert (bases[DEBERTA].state, bases[DEBERTA].gigabytes) == ("download", 0.37)
    assert (bases[LLAMA].state, bases[LLAMA].gigabytes) == ("download", 13.5)


def test_every_model_of_ours_has_a_size_to_download() -> None:
    of_presets = {*(glue_preset(name).base for name in get_args(GluePreset)),
                  *(llm_preset(name).base for name in get_args(LLMPreset))}  # fmt: skip
    assert set(DOWNLOAD_GIGABYTES) == of_presets | set(PACKAGED)


def test_what_is_downloaded_says_so_with_its_size_on_disk(studio: Studio, hub: Path) -> None:
    cached(hub, DEBERTA, None, "pytorch_model.bin")
    base = listed(studio)[DEBERTA]
    assert (base.state, base.recipe, base.label) == ("downloaded", "glue", "deberta-v3-base")
    assert base.gigabytes == pytest.approx(1e-3, rel=0.01)
    assert [one.id for one in studio.texts.bases()].count(DEBERTA) == 1


def test_a_download_that_was_cut_off_is_still_to_be_fetched(studio: Studio, hub: Path) -> None:
    cached(hub, DEBERTA, None, "training_args.bin")
    cached(hub, LLAMA, "LlamaForCausalLM", "model-00001-of-00002.safetensors",
           "pytorch_model-00001-of-00002.bin")  # fmt: skip
    assert {listed(studio)[name].state for name in (DEBERTA, LLAMA)} == {"download"}
    cached(hub, f"{LLAMA}-2", "LlamaForCausalLM", "model-00001-of-00002.safetensors",
           "model-00002-of-00002.safetensors")  # fmt: skip
    assert listed(studio)[f"{LLAMA}-2"].state == "downloaded"


def test_other_downloaded_models_for_texts_are_offered_and_those_for_pictures_are_not(
    studio: Studio, hub: Path
) -> None:
    for repo, architecture in (("some/bert", "BertForMaskedLM"), ("some/gpt", "GPT2LMHeadModel"),
                               ("some/clip", "CLIPModel"), ("some/odd", None)):  # fmt: skip
        cached(hub, repo, architecture, "model.safetensors")
    recipes = {name: base.recipe for name, base in listed(studio).items() if name[:5] == "some/"}
    assert recipes == {"some/bert": "glue", "some/gpt": "llm"}
    config = studio.texts.config_of(TextTrainRequest("glue-demo", base="some/bert"))
    assert config.base == "some/bert"
    for other in ("some/gpt", "some/clip"):
        with pytest.raises(BaseModelError, match="not in the list for this"):
            studio.texts.config_of(TextTrainRequest("glue-demo", base=other))


def test_a_model_of_one_s_own_says_its_size(studio: Studio, bert: Path) -> None:
    shutil.copytree(bert, studio.workspace.bases / "bert")
    size = sum(file.stat().st_size for file in bert.rglob("*"))
    assert listed(studio)["bases/bert"].gigabytes == pytest.approx(size / 1e9)
