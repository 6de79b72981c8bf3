"""Two processes train as one would: the same losses, the same adapter."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from trainer import llm
from trainer.config_file import to_json
from trainer.peers import Peers
from trainer.text_config import LLMConfig
from trainer.text_run import TextRun

ROOT = Path(__file__).resolve().parents[3]


def test_shares_are_all_of_a_batch_and_like_each_other() -> None:
    shares = [Peers(rank, 3).share(list(range(8))) for rank in range(3)]
    assert sorted(row for share in shares for row in share) == list(range(8))
    assert {len(share) for share in shares} == {2, 3}


def run_two(*command: str) -> None:
    """A script and its arguments, in two processes that know of each other.

    By what `accelerate launch` starts for GPUs; for CPUs of one machine it starts no second one.
    """
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    done = subprocess.run(
        [*launch, *command],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr


def test_two_processes_train_what_one_trains(llm_config: LLMConfig, tmp_path: Path) -> None:
    adapter = replace(llm_config.adapter, dropout=0.0)  # whose masks hang on who sees what
    config = replace(llm_config, adapter=adapter, examples=17)  # a last batch of one: one has none
    alone = llm.train(config)
    file, run = tmp_path / "config.json", TextRun(tmp_path / "together")
    file.write_text(json.dumps(to_json(replace(config, run=run.path))))
    run_two("trainer/train_llm.py", "--config", str(file))
    rows = [[row for row in made.metric_rows() if row["kind"] == "step"] for made in (alone, run)]
    losses = [[row["loss"] for row in steps] for steps in rows]
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)
    one, two = load_file(alone.native), load_file(run.native)
    for key, tensor in one.items():
        assert torch.allclose(tensor.float(), two[key].float(), atol=1e-4), key
