"""What a launch does to one layer: choose core directions, then write them into its branch.

"Task-Specific Directions", Section 4.1 (choose), 4.2 (dash), 4.3 (init), 4.4 (both). Choosing reads
and writing writes, so that a fault in any layer is met before the first one is changed.

Knows one layer at a time; nothing of steps, optimizers or the rest of the model.
"""

from __future__ import annotations

import torch
from torch import Tensor

from trainer.adapters.config import AdapterConfig
from trainer.adapters.decomposition import Decomposition
from trainer.adapters.directions import (
    ChosenDirections,
    bottom_directions,
    change_rate,
    direction_pairs,
    highest_change_rates,
    init_factors,
    random_directions,
    sigma_projection,
    top_and_bottom_directions,
    top_directions,
)
from trainer.adapters.layer import LowRankBranch, random_A
from trainer.errors import ConfigError, NonFiniteError


@torch.no_grad()
def choose_directions(
    path: str,
    branch: LowRankBranch,
    config: AdapterConfig,
    weight: Tensor,
    decomposition: Decomposition,
) -> ChosenDirections | None:
    """The directions for one layer; None where it has learned nothing that could choose them.

    `weight` is the very matrix that was decomposed. Raises ConfigError where more directions are
    asked for than are above the rounding noise, NonFiniteError where training has diverged.
    """
    usable = decomposition.usable
    if config.direction != "all" and config.chosen > usable:
        raise ConfigError(_too_few(path, config, decomposition))
    device = branch.lora_A.device
    weight = weight.to(device).float().double()  # bf16 to fp64 in one step is slow on a CPU
    vectors = decomposition.vectors[:, :usable].to(device).double()
    sigma = decomposition.sigma[:usable].to(device)
    up, down = config.scaling * branch.up(), branch.lora_A  # all of delta_w, before launch
    rate = change_rate(sigma_projection(weight, vectors, sigma, up, down), sigma)
    if not torch.isfinite(rate).all():
        raise NonFiniteError(f"{path}: its change holds NaN or Inf at launch; training diverged.")
    if config.direction == "tsd" and not rate.any():
        return None
    index = _select(path, config, rate)
    u, v = direction_pairs(weight, vectors[:, index])
    return ChosenDirections(index, sigma[index], rate[index], u, v, decomposition.excluded)


def _select(path: str, config: AdapterConfig, rate: Tensor) -> Tensor:
    """Indices by the config's direction; all usable directions have a rate."""
    usable, count = len(rate), config.chosen
    match config.direction:
        case "tsd":
            index = highest_change_rates(rate, count)
        case "top":
            index = top_directions(usable, count)
        case "bottom":
            index = bottom_directions(usable, count)
        case "random":
            index = random_directions(usable, count, config.seed, path)
        case "top+bottom":
            index = top_and_bottom_directions(usable, count)
        case "all":
            index = top_directions(usable, usable)
    return index.to(rate.device)


def _too_few(path: str, config: AdapterConfig, decomposition: Decomposition) -> str:
    flag = "rank" if config.init_rank > decomposition.usable else "num-directions"
    return (
        f"--adapter.{flag} {config.chosen} is more than the {decomposition.usable} directions of "
        f"{path} above rounding noise ({decomposition.excluded} are below it)."
    )


def no_directions() -> ChosenDirections:
    """For a restart that needs none."""
    none = torch.empty(0)
    return ChosenDirections(none.long(), none, none, none, none, excluded=0)


@torch.no_grad()
def launch_branch(
    path: str, branch: LowRankBranch, config: AdapterConfig, chosen: ChosenDirections
) -> None:
    """Write one layer's launch, in place: every tensor stays the object it was."""
    _write_directions(branch, chosen)
    if config.folds:
        _fold(branch)
    if config.init_rank:
        _restart_on_directions(branch, config, chosen)
    elif config.restarts:
        _restart_at_random(path, branch, config)


def _write_directions(branch: LowRankBranch, chosen: ChosenDirections) -> None:
    """Direction `all` finds fewer than there is room for where some are noise: the rest stays 0."""
    if branch.direction_index is not None:
        assert branch.direction_sigma is not None and branch.direction_rate is not None
        count = len(chosen.index)
        branch.direction_index[:count] = chosen.index
        branch.direction_sigma[:count] = chosen.sigma
        branch.direction_rate[:count] = chosen.rate
    if branch.delta_sigma is not None:
        assert branch.direction_u is not None and branch.direction_v is not None
        count = min(len(branch.delta_sigma), len(chosen.index))
        branch.direction_u[:, :count] = chosen.u[:, :count]
        branch.direction_v[:, :count] = chosen.v[:, :count]
        branch.delta_sigma.zero_()


def _fold(branch: LowRankBranch) -> None:
    """Keep the change learned so far, frozen, so that the function does not jump."""
    assert branch.prelaunch_A is not None and branch.prelaunch_B is not None
    branch.prelaunch_A.copy_(branch.lora_A)
    branch.prelaunch_B.copy_(branch.lora_B)


def _restart_on_directions(
    branch: LowRankBranch, config: AdapterConfig, chosen: ChosenDirections
) -> None:
    """Eq. 8; A, B start at the very numbers that the forward subtracts."""
    assert branch.init_A is not None and branch.init_B is not None
    init_A, init_B = init_factors(chosen, config.rank, config.scaling)
    branch.init_A.copy_(init_A)
    branch.init_B.copy_(init_B)
    branch.lora_A.copy_(branch.init_A)
    branch.lora_B.copy_(branch.init_B)


def _restart_at_random(path: str, branch: LowRankBranch, config: AdapterConfig) -> None:
    """The control: as LoRA starts, with other numbers."""
    in_features = branch.lora_A.shape[1]
    branch.lora_A.copy_(random_A(config.rank, in_features, f"{config.seed}:{path}:restart"))
    branch.lora_B.zero_()
