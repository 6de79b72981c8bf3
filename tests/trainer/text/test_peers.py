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


# A step, then the launch; `b` has learned nothing in the first process, and something in the other.
LAUNCH = """
import json, sys
from pathlib import Path
import torch
from safetensors.torch import save_file
from torch import nn
from trainer.adapters.attach import attach
from trainer.adapters.config import AdapterConfig
from trainer.adapters.decomposition import DecompositionService
from trainer.adapters.schedule import LaunchSchedule
from trainer.peers import join
from trainer.text.shared_launch import SharedLaunch

peers = join(torch.device("cpu"))
torch.manual_seed(0)
model = nn.ModuleDict({"a": nn.Linear(6, 5), "b": nn.Linear(5, 4)})
adapter = attach(
    model, AdapterConfig(rank=2, num_directions=2, prelaunch_steps=1, target_modules=("a", "b"))
)
optimizer = torch.optim.AdamW(adapter.trainable_parameters())
folder = Path(sys.argv[1]) / str(peers.rank)
folder.mkdir()
with DecompositionService(folder / "cache", workers=1) as service:
    launch = SharedLaunch(LaunchSchedule(adapter, 5, service), peers)
    launch.prepare()
    sum(p.sum() * (1 + peers.rank) for p in adapter.trainable_parameters()).backward()
    optimizer.step()
    torch.manual_seed(peers.rank)
    adapter.layers["a"].lora_B.data.normal_()
    adapter.layers["b"].lora_B.data.fill_(peers.rank)
    report = launch.after_step(1, optimizer)
told = {
    "decomposed": len(list((folder / "cache").glob("*"))), "reported": report is not None,
    "plain": report and report.plain, "phase": adapter.phase, "step": adapter.launch_step,
    "moments": [n for n, p in model.named_parameters() if p in optimizer.state],
}
(folder / "told.json").write_text(json.dumps(told))
save_file({key: tensor.detach() for key, tensor in adapter.tensors().items()}, folder / "adapter")
"""


def test_the_first_alone_decomposes_and_the_others_launch_as_it_does(tmp_path: Path) -> None:
    script = tmp_path / "launch.py"
    script.write_text(LAUNCH)
    run_two(str(script), str(tmp_path))
    one, two = (json.loads((tmp_path / rank / "told.json").read_text()) for rank in "01")
    assert (one["decomposed"], one["reported"], one["plain"]) == (2, True, ["b"])
    assert (two["decomposed"], two["reported"]) == (0, False)
    assert one["phase"] == two["phase"] == "dash" and one["step"] == two["step"] == 1
    assert one["moments"] == two["moments"] != []
    mine, theirs = (load_file(tmp_path / rank / "adapter") for rank in "01")
    assert mine["a.direction_sigma"].all() and not mine["b.direction_sigma"].any()
    assert all(torch.equal(tensor, theirs[key]) for key, tensor in mine.items())
