"""The true SDXL UNet, 2.57 B parameters with random weights, through the recipe on a CPU.

Slow (many minutes, 15 GB of disk): run with `--slow`. UNet and VAE have SDXL's full size; the text
towers have its widths but two layers each, since their outputs are cached before the first step.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
import torch
from diffusers import (
    AutoencoderKL,
    EulerDiscreteScheduler,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from safetensors import safe_open
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from trainer.config import ASSETS, BUNDLED_SUBJECT
from trainer.run import Run
from trainer.sdxl.tokenizer import clip_merges, clip_tokenizer

ROOT = Path(__file__).parents[3]
CONFIG = ASSETS / "sdxl_config"
STEPS, LAUNCH = 4, 2


def save_random_sdxl(folder: Path) -> None:
    """A diffusers folder of SDXL's shapes, fp32, random."""
    torch.manual_seed(0)
    towers = [json.loads((CONFIG / name / "config.json").read_text()) for name in
              ("text_encoder", "text_encoder_2")]  # fmt: skip
    first, second = (CLIPTextConfig(**{**tower, "num_hidden_layers": 2}) for tower in towers)
    merges = clip_merges()
    StableDiffusionXLPipeline(
        vae=AutoencoderKL.from_config(AutoencoderKL.load_config(CONFIG / "vae")),
        unet=UNet2DConditionModel.from_config(UNet2DConditionModel.load_config(CONFIG / "unet")),
        text_encoder=CLIPTextModel(first),
        text_encoder_2=CLIPTextModelWithProjection(second),
        tokenizer=clip_tokenizer(merges),
        tokenizer_2=clip_tokenizer(merges, pad_token="!"),
        scheduler=EulerDiscreteScheduler.from_config(
            EulerDiscreteScheduler.load_config(CONFIG / "scheduler")
        ),
        add_watermarker=False,
    ).save_pretrained(folder)


@dataclass(frozen=True)
class Outcome:
    run: Run
    seconds: float
    peak_gib: float
    """Of the process and its workers together."""


def train(base: Path, workspace: Path, name: str) -> Outcome:
    run = Run(workspace / name)
    arguments = [
        "--base", str(base), "--photos", str(BUNDLED_SUBJECT), "--run", str(run.path),
        "--workspace", str(workspace), "--subject.resolution", "256", "--model.device", "cpu",
        "--model.gradient-checkpointing", "--preview.every", "0", "--optim.steps", str(STEPS),
        "--optim.batch-size", "1", "--adapter.rank", "4", "--adapter.alpha", "4",
        "--adapter.prelaunch-steps", str(LAUNCH),
    ]  # fmt: skip
    began, peak = time.monotonic(), 0
    with (workspace / f"{name}.log").open("w") as log:
        process = psutil.Popen(
            [sys.executable, "trainer/train_dreambooth.py", *arguments],
            cwd=ROOT, stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
        while process.poll() is None:
            peak = max(peak, _memory(process))
            time.sleep(0.2)
    assert process.returncode == 0, (workspace / f"{name}.log").read_text()[-3000:]
    return Outcome(run, time.monotonic() - began, peak / 2**30)


def _memory(process: psutil.Process) -> int:
    total = 0
    try:
        for member in (process, *process.children(recursive=True)):
            total += member.memory_info().rss
    except psutil.NoSuchProcess:
        pass  # ended between listing and asking
    return total


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_true_unet_trains_launches_and_exports(tmp_path: Path) -> None:
    base, workspace = tmp_path / "base", tmp_path / "workspace"
    workspace.mkdir()
    code = "import sys, pathlib; sys.path.insert(0, sys.argv[1]); import test_true_sdxl as t; "
    code += "t.save_random_sdxl(pathlib.Path(sys.argv[2]))"
    subprocess.run([sys.executable, "-c", code, str(Path(__file__).parent), str(base)], check=True)

    cold, warm = (train(base, workspace, name) for name in ("cold", "warm"))
    waits = []
    for outcome in (cold, warm):
        rows = list(outcome.run.metric_rows())
        [launch] = [row for row in rows if row["kind"] == "launch"]
        assert launch["layers"] == 560 and launch["plain"] == []
        assert launch["probe_difference"] == 0.0
        assert [row["step"] for row in rows if row["kind"] == "step"] == [1, 2, 3, 4]
        waits.append(launch["seconds_waited"])
        status = json.loads(outcome.run.status_file.read_text())
        assert status["layers"] == 560  # reloaded by stock diffusers and compared before this
        with safe_open(outcome.run.adapter, "pt") as file:
            assert len(file.keys()) == 2 * 560
        print(
            f"{outcome.run.path.name}: {outcome.seconds:.0f} s, waited {waits[-1]:.1f} s, "
            f"peak {outcome.peak_gib:.2f} GiB, {status}, "
            f"{[row['seconds'] for row in rows if row['kind'] == 'step']} s a step"
        )
        assert outcome.peak_gib < 14
    assert waits[1] < min(30.0, waits[0] / 3)
