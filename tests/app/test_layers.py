"""Which layers can be compared, told from the files of the runs."""

from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import save_file

from app.studio import Studio
from trainer.errors import ArtifactError, UserError
from trainer.run import Run


def save(studio: Studio, name: str, layers: dict[str, int]) -> None:
    """A run whose layers launched in these directions; -1 for a layer left plain."""
    run = Run(studio.workspace.run(name))
    run.path.mkdir()
    tensors = {f"{path}.direction_index": np.array([first, 2]) for path, first in layers.items()}
    save_file({**tensors, "plain.lora_A": np.zeros(1)}, run.native)


def test_layers_that_launched_in_every_run_come_in_the_order_of_the_unet(studio: Studio) -> None:
    block = "down_blocks.1.transformer_blocks.{}.attn1.to_q".format
    save(studio, "a", {block(n): 0 for n in (10, 2, 1)} | {"mid_block.attn1.to_q": 5})
    save(studio, "b", {block(10): 1, block(2): 3, block(1): -1, "mid_block.attn1.to_q": 0})
    assert studio.layers(["a", "b"]) == [block(2), block(10), "mid_block.attn1.to_q"]
    assert studio.layers(["a"]) == [block(1), block(2), block(10), "mid_block.attn1.to_q"]
    assert studio.layers([]) == []


def test_plain_lora_has_none(studio: Studio) -> None:
    save(studio, "a", {})
    assert studio.layers(["a"]) == []


@pytest.mark.parametrize("name", ["nosuchrun", "../subjects", "empty"])
def test_a_run_that_is_none_is_refused(studio: Studio, name: str) -> None:
    studio.workspace.run("empty").mkdir()
    with pytest.raises(UserError):
        studio.layers([name])


def test_a_file_that_is_no_adapter_is_named(studio: Studio) -> None:
    save(studio, "a", {})
    Run(studio.workspace.run("a")).native.write_bytes(b"no adapter")
    with pytest.raises(ArtifactError, match="native.safetensors cannot be read as an adapter"):
        studio.layers(["a"])
