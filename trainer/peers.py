"""Processes that train together, a GPU each: shares of a batch, sums of gradients.

Each holds the whole base. `accelerate launch` starts them and accelerate connects them, by NCCL
between GPUs and by gloo between CPUs; a process alone is the case of one.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.distributed as dist
from accelerate import PartialState
from torch import Tensor, nn

Row = TypeVar("Row")


@dataclass(frozen=True)
class Peers:
    """This process among them; every method but `share` is called by all at once."""

    rank: int = 0
    count: int = 1
    device: torch.device = torch.device("cpu")

    @property
    def first(self) -> bool:
        """Whether this is the one that writes files and talks."""
        return self.rank == 0

    def share(self, rows: Sequence[Row]) -> Sequence[Row]:
        """This process's part; lengths are spread evenly where the rows are sorted."""
        return rows[self.rank :: self.count]

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Every gradient becomes the sum over all processes; none counts as zero."""
        if self.count == 1:
            return
        for parameter in parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            dist.all_reduce(parameter.grad)

    def sum(self, value: float) -> float:
        """Of all processes' values."""
        if self.count == 1:
            return value
        total = torch.tensor(value, dtype=torch.float64, device=self.device)
        dist.all_reduce(total)
        return float(total)

    def any(self, answer: bool) -> bool:
        """Whether one of them says yes."""
        return self.sum(answer) > 0

    def copy_from_first(self, tensors: Iterable[Tensor]) -> None:
        """Give all the first one's values, so that they never drift apart."""
        if self.count > 1:
            for tensor in tensors:
                dist.broadcast(tensor.detach(), 0)

    def word_of_first(self, word: str) -> str:
        """What the first one says."""
        words = [word]
        if self.count > 1:
            dist.broadcast_object_list(words, 0, device=self.device)
        return words[0]


ALONE = Peers()


def join(device: torch.device) -> Peers:
    """The processes that this one was started with."""
    state = PartialState(cpu=device.type == "cpu")
    return Peers(state.process_index, state.num_processes, state.device)


def is_first() -> bool:
    """Whether this process is the one that talks, before and after it has joined the others."""
    return int(os.environ.get("RANK", "0")) == 0
