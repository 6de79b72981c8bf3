"""Weight decay pulls at the factors only, and a library that is absent is named."""

from __future__ import annotations

import pytest
from torch import nn

from trainer.adapters.attach import Adapter, attach
from trainer.adapters.config import AdapterConfig
from trainer.config import OptimConfig
from trainer.errors import MissingPackageError
from trainer.optimizer import build_optimizer


def adapter(method: str = "lora-tsd") -> Adapter:
    config = AdapterConfig(
        method=method,  # type: ignore[arg-type]
        rank=2,
        num_directions=2,
        target_modules=("0",),
    )
    return attach(nn.Sequential(nn.Linear(6, 5)), config)


def test_delta_sigma_has_no_weight_decay_and_nothing_is_left_out() -> None:
    tsd = adapter()
    factors, directions = build_optimizer(tsd, OptimConfig(weight_decay=0.1)).param_groups
    assert factors["weight_decay"] == 0.1 and directions["weight_decay"] == 0.0
    assert [id(p) for p in factors["params"]] == [id(p) for p in tsd.factor_parameters()]
    assert [id(p) for p in directions["params"]] == [id(p) for p in tsd.direction_parameters()]


def test_plain_lora_has_one_group() -> None:
    assert len(build_optimizer(adapter("lora"), OptimConfig()).param_groups) == 1


@pytest.mark.parametrize(
    ("optimizer", "package"), [("adamw-8bit", "bitsandbytes"), ("prodigy", "prodigyopt")]
)
def test_an_absent_library_is_named_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch, optimizer: str, package: str
) -> None:
    def absent(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr("trainer.optimizer.importlib.import_module", absent)
    config = OptimConfig(optimizer=optimizer)  # type: ignore[arg-type]
    with pytest.raises(MissingPackageError, match=rf"{package}.*\[optimizers\]"):
        build_optimizer(adapter(), config)
