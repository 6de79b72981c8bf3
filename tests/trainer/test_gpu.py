"""What only a GPU can show: half precision, xformers and the recipe on CUDA."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from trainer.adapters.config import AdapterConfig
from trainer.config import (
    BUNDLED_SUBJECT,
    DreamBoothConfig,
    ModelConfig,
    OptimConfig,
    PreviewConfig,
)
from trainer.dreambooth import train
from trainer.generate import draw
from trainer.memory import begin_anew, memory_gib
from trainer.run import Run
from trainer.sdxl.sample import SamplingConfig

pytestmark = pytest.mark.gpu


def run(workspace: Path, model: ModelConfig) -> Run:
    return train(
        DreamBoothConfig(
            photos=BUNDLED_SUBJECT,
            base="embedded",
            workspace=workspace,
            adapter=AdapterConfig(rank=4, alpha=4, prelaunch_steps=10),
            optim=OptimConfig(steps=40, learning_rate=1e-3),
            preview=PreviewConfig(every=0),
            model=model,
        )
    )


@pytest.mark.parametrize(
    "model",
    [
        ModelConfig(device="cuda", precision="fp32"),
        ModelConfig(device="cuda", precision="bf16"),
        ModelConfig(device="cuda", precision="fp16", gradient_checkpointing=True),
        ModelConfig(device="cuda", precision="bf16", attention="xformers"),
    ],
    ids=["fp32", "bf16", "fp16 with checkpointing", "bf16 with xformers"],
)
def test_the_recipe_trains_exports_and_draws_on_cuda(tmp_path: Path, model: ModelConfig) -> None:
    finished = run(tmp_path, model)
    losses = [row["loss"] for row in finished.metric_rows() if row["kind"] == "step"]
    assert sum(losses[-10:]) < sum(losses[:10])
    [picture] = draw(finished, ["a {unique_token} {class_token}"], [0], SamplingConfig(4, 3.0))
    assert picture.path.exists()


def test_the_peak_is_that_of_what_was_done_since_it_began_anew() -> None:
    held = torch.zeros(2**26, device="cuda")  # 256 MiB
    peak = memory_gib()
    del held
    begin_anew()
    assert memory_gib() <= peak - 0.25


def test_a_half_precision_launch_is_bitwise_continuous_on_cuda(tmp_path: Path) -> None:
    rows = list(run(tmp_path, ModelConfig(device="cuda", precision="bf16")).metric_rows())
    [launch] = [row for row in rows if row["kind"] == "launch"]
    assert launch["probe_difference"] == 0.0
