"""Two subjects trained for two steps on the embedded base: real run folders, made in seconds."""

from __future__ import annotations

from pathlib import Path

import pytest

from trainer.adapters.config import AdapterConfig
from trainer.config import (
    ASSETS,
    DreamBoothConfig,
    ModelConfig,
    OptimConfig,
    PreviewConfig,
)
from trainer.dreambooth import train
from trainer.run import Run


def trained(workspace: Path, subject: str, **adapter: object) -> Run:
    chosen = {"rank": 2, "alpha": 2.0, "num_directions": 4, "prelaunch_steps": 1, **adapter}
    return train(
        DreamBoothConfig(
            photos=ASSETS / "subjects" / subject,
            base="embedded",
            workspace=workspace,
            adapter=AdapterConfig(target_modules=("attn2.to_k",), **chosen),  # type: ignore[arg-type]
            optim=OptimConfig(steps=2, batch_size=1, learning_rate=1e-2),
            preview=PreviewConfig(every=0),
            model=ModelConfig(device="cpu"),
        )
    )


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("workspace")


@pytest.fixture(scope="session")
def teapot(workspace: Path) -> Run:
    return trained(workspace, "teapot")


@pytest.fixture(scope="session")
def dog(workspace: Path) -> Run:
    return trained(workspace, "dog")
