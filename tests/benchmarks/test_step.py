"""The step benchmark on the embedded base: every row, both outputs, and no timing before truth.

No test looks at a duration; how fast something is depends on the machine.
"""

from __future__ import annotations

import json
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from typing import Any

import pytest
import torch

from benchmarks.__main__ import main
from benchmarks.agreement import TOLERANCE, DisagreementError, judged
from benchmarks.fitting import Fitting
from benchmarks.material import load_base, prepare
from benchmarks.ours import Ours, recipe
from benchmarks.published_script import PublishedScript
from benchmarks.steelman import Steelman
from trainer.config import ASSETS, OptimConfig

ROWS = [
    "ours lora", "R1 steelman", "ours lora-dash", "ours lora-tsd", "ours lora, again", "R0 script",
]  # fmt: skip
ARGUMENTS = (
    "step --device cpu --batch-size 2 --resolution 32 --rounds 2 --steps 1 "
    "--method lora-dash lora-tsd --output"
).split()


@dataclass(frozen=True)
class Finished:
    """A run of the command, as small as it gets."""

    printed: str
    written: dict[str, Any]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    output = tmp_path_factory.mktemp("step") / "step.json"
    with redirect_stdout(StringIO()) as printed:
        assert main([*ARGUMENTS, str(output)]) == 0
    return Finished(printed.getvalue(), json.loads(output.read_text("utf-8")))


@pytest.fixture
def written(finished: Finished) -> dict[str, Any]:
    return finished.written


def test_writes_every_row_with_its_raw_times(written: dict[str, Any]) -> None:
    assert [row["name"] for row in written["rows"]] == ROWS
    for row in written["rows"]:
        assert len(row["turns"]) == 2
        for turn in row["turns"]:
            assert len(turn["seconds"]) == len(turn["cpu_seconds"]) == 1
            assert turn["seconds"][0] > 0
            assert turn["peak_bytes"] > 0
    assert written["rows"][0]["ratio"] == {"median": 1, "low": 1, "high": 1}


def test_writes_where_the_figures_come_from(written: dict[str, Any]) -> None:
    assert written["versions"]["torch"] == torch.__version__
    assert written["machine"]["threads"] == 1
    assert written["settings"]["base"] == "embedded"
    assert written["resolved"] == {
        "device": "cpu", "precision": "float32", "batch_size": 2, "side": 32,
    }  # fmt: skip
    assert written["step_flops"] > 1e6 and written["matmul_flops_per_second"] > 1e6


def test_ours_and_peft_have_the_same_losses(written: dict[str, Any]) -> None:
    agreement = written["agreement"]
    assert len(agreement["ours"]) == len(agreement["reference"]) == 10
    for ours, reference in zip(agreement["ours"], agreement["reference"], strict=True):
        assert ours == pytest.approx(reference, rel=TOLERANCE)
    assert agreement["effect"] > 100 * TOLERANCE  # an adapter without effect agrees with anything


def test_a_different_loss_aborts() -> None:
    with pytest.raises(DisagreementError, match="at step 2 of 2"):
        judged([1.0, 1.0], [1.0, 1.0001], base=1.0)
    with pytest.raises(DisagreementError, match="at step 1 of 2"):
        judged([1.0, 1.0], [float("nan"), 1.0], base=1.0)


def test_prints_the_table(finished: Finished) -> None:
    for name in ROWS:
        assert f"\n{name} " in finished.printed
    assert "A/A: " in finished.printed
    assert "Same losses as PEFT" in finished.printed


def test_refuses_what_the_base_cannot_take(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["step", "--device", "cpu", "--resolution", "40"]) == 2
    assert "--resolution 40" in capsys.readouterr().err
    assert main(["step", "--rounds", "0"]) == 2
    assert "--rounds is 0" in capsys.readouterr().err


def test_contestants_share_one_base_and_leave_it_whole() -> None:
    material = prepare("embedded", "cpu", "fp32", batch_size=1, side=32)
    unet = material.sdxl.unet
    before = {name: value.clone() for name, value in unet.state_dict().items()}
    optim, config = OptimConfig(batch_size=1), recipe("lora-tsd", 2, 2, seed=0)
    ours = Ours("ours", material, config, optim)
    bare = Fitting.of(unet, ours.adapter.layers)
    start = {path: branch.lora_A.detach() for path, branch in ours.adapter.layers.items()}
    ours.train_and_launch()
    for contestant in (
        PublishedScript(material, config, optim, start),
        Steelman(material, config, optim, start),
        ours,
    ):
        parameters = [module.state_dict() for module in contestant.fitting.modules.values()]
        copies = [{k: v.clone() for k, v in state.items()} for state in parameters]
        contestant.enter()
        contestant.step()
        contestant.step()
        changed = [
            any(not torch.equal(state[key], copy[key]) for key in copy)
            for state, copy in zip(parameters, copies, strict=True)
        ]
        assert all(changed), type(contestant).__name__
    bare.install(unet)
    after = unet.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert ours.adapter.phase == "dash"


def test_random_sdxl_is_built_from_its_configs(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the embedded base's configs in their place: SDXL's own would take 10 GB."""
    monkeypatch.setattr("benchmarks.material.SINGLE_FILE_CONFIG", ASSETS / "embedded_base")
    material = prepare("sdxl-random", "cpu", "fp32", batch_size=2, side=32)
    assert material.pixels.shape == (2, 3, 32, 32)
    prompt = material.examples[0].prompt
    config = material.sdxl.unet.config
    assert prompt.prompt_embeds.shape == (77, config.cross_attention_dim)
    ours = Ours("ours", material, recipe("lora", 2, 2, seed=0), OptimConfig(batch_size=2))
    ours.enter()
    assert ours.step() > 0
    assert not any(p.requires_grad for p in material.sdxl.vae.parameters())
    again = load_base("sdxl-random", "cpu", "fp32", seed=0).unet.state_dict()
    ours.leave()
    assert all(torch.equal(v, again[k]) for k, v in material.sdxl.unet.state_dict().items())
