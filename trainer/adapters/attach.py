"""Put an adapter on a model, take it off again; between the two, switch, scale and merge it.

Each target linear is wrapped in place and kept whole inside its wrapper, so the base is what it was
in every bit after `detach`. Several adapters may sit on one model; their changes add up.

Knows modules by path; nothing of SDXL, of training or of files.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, Literal

import torch
from torch import Tensor, nn

from trainer.adapters.config import AdapterConfig, is_called
from trainer.adapters.layer import AdaptedLinear, LowRankBranch
from trainer.adapters.pruning import RankPruning
from trainer.adapters.weights import base_fingerprint
from trainer.errors import ConfigError, ResumeError

Phase = Literal["pre-launch", "dash"]


class Adapter:
    """One adapter on one model: its branches by module path, and the phase they are in."""

    def __init__(
        self, model: nn.Module, config: AdapterConfig, name: str, layers: dict[str, LowRankBranch]
    ) -> None:
        self.model = model
        self.config = config
        self.name = name
        self.layers = layers
        self.phase: Phase = "pre-launch"
        self.launch_step: int | None = None
        self._pruning: RankPruning | None = None

    def factor_parameters(self) -> list[nn.Parameter]:
        """A, B and what is between them of every layer, in the order of the model."""
        return [p for branch in self.layers.values() for p in branch.factors().values()]

    def direction_parameters(self) -> list[nn.Parameter]:
        """delta_sigma of every layer; weight decay on them must be 0. Empty without dash term."""
        found = (branch.delta_sigma for branch in self.layers.values())
        return [parameter for parameter in found if parameter is not None]

    def trainable_parameters(self) -> list[nn.Parameter]:
        """Everything that is trained, each once."""
        return [*self.factor_parameters(), *self.direction_parameters()]

    def param_groups(self, weight_decay: float) -> list[dict[str, Any]]:
        """A, B with weight decay and delta_sigma without, in that order."""
        groups: list[dict[str, Any]] = [
            {"params": self.factor_parameters(), "weight_decay": weight_decay}
        ]
        if directions := self.direction_parameters():
            groups.append({"params": directions, "weight_decay": 0.0})
        return groups

    def linears(self) -> dict[str, nn.Linear]:
        """The frozen linears under this adapter."""
        return {path: self._wrapper(path).base for path in self.layers}

    def base_fingerprint(self) -> str:
        """sha256 of the frozen linears: the directions belong to these very bytes."""
        return base_fingerprint(self.linears())

    def _wrapper(self, path: str) -> AdaptedLinear:
        wrapper = self.model.get_submodule(path)
        assert isinstance(wrapper, AdaptedLinear)
        return wrapper

    def detach(self) -> None:
        """Leave the model; where no other adapter sits, the original linear object returns."""
        for path in self.layers:
            wrapper = self._wrapper(path)
            del wrapper.branches[self.name]
            if not wrapper.branches:
                wrapper.base.train(wrapper.training)
                replace_module(self.model, path, wrapper.base)

    @contextmanager
    def disabled(self) -> Iterator[None]:
        """The base alone answers (as far as this adapter goes) inside the block."""
        before = [branch.enabled for branch in self.layers.values()]
        self._set_enabled([False] * len(before))
        try:
            yield
        finally:
            self._set_enabled(before)

    def _set_enabled(self, values: list[bool]) -> None:
        for branch, value in zip(self.layers.values(), values, strict=True):
            branch.enabled = value

    def set_strength(self, strength: float) -> None:
        """Scale the whole change of this adapter: 0 is the base, 1 is as trained."""
        for branch in self.layers.values():
            branch.strength = strength

    @property
    def strength(self) -> float:
        """The factor set by `set_strength`; 1 unless set."""
        return next(iter(self.layers.values())).strength

    @contextmanager
    def scaled(self, strength: float) -> Iterator[None]:
        """`set_strength` inside the block only."""
        before = self.strength
        self.set_strength(strength)
        try:
            yield
        finally:
            self.set_strength(before)

    @torch.no_grad()
    def merge_into_base(self) -> None:
        """Add delta_w to the fp32 weights, for good, and detach: a plain model is left.

        Raises ConfigError on half-precision weights, before any is touched: their rounding would
        lose up to 40 % of the change along small directions.
        """
        linears = self.linears()
        rounded = {p: w.dtype for p, w in _weights(linears).items() if w.dtype != torch.float32}
        if rounded:
            path, dtype = next(iter(rounded.items()))
            raise ConfigError(
                f"{path} is stored as {dtype}; merging needs fp32 weights. Load the base in fp32, "
                "or leave the adapter unmerged."
            )
        for path, weight in _weights(linears).items():
            weight.copy_(weight.double() + self.layers[path].delta_w())
        self.detach()

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor by `<module path>.<name>`: the live ones, not copies."""
        return {
            f"{path}.{name}": tensor
            for path, branch in self.layers.items()
            for name, tensor in branch.state_dict(keep_vars=True).items()
        }

    def header(self) -> dict[str, str]:
        """What the native file says beside the tensors."""
        return {
            "config": json.dumps(asdict(self.config)),
            "phase": self.phase,
            "launch_step": json.dumps(self.launch_step),
            "scaling": json.dumps(self.config.scaling),
        }

    def load(self, tensors: Mapping[str, Tensor], header: Mapping[str, str]) -> None:
        """Put back what a native file holds; ResumeError, before any change, where it differs."""
        phase, launch_step = header["phase"], json.loads(header["launch_step"])
        self.load_state({"tensors": tensors, "phase": phase, "launch_step": launch_step})

    def state(self) -> dict[str, Any]:
        """All that decides the output, copied to the CPU: tensors, phase, launch step."""
        tensors = {k: t.detach().to("cpu", copy=True) for k, t in self.tensors().items()}
        return {"tensors": tensors, "phase": self.phase, "launch_step": self.launch_step}

    @torch.no_grad()
    def load_state(self, state: Mapping[str, Any]) -> None:
        """Put a `state()` back, bit by bit, into the same tensors.

        Raises ResumeError, before anything is changed, where names or shapes differ.
        """
        mine, saved = self.tensors(), state["tensors"]
        faults = _mismatches(mine, saved)
        if faults:
            raise ResumeError(f"this state is of another adapter: {'; '.join(faults[:5])}")
        for key, tensor in mine.items():
            tensor.copy_(saved[key])
        self.phase, self.launch_step = state["phase"], state["launch_step"]

    def plan(self, total_steps: int) -> None:
        """Tell it the length of the run: AdaLoRA's ranks go by a share of it."""
        if self.config.prunes:
            self._pruning = RankPruning(self.layers, self.config, total_steps)

    def penalty(self) -> Tensor | None:
        """AdaLoRA's; no other method adds to the loss."""
        return self._pruning.penalty() if self._pruning else None

    def after_update(self, step: int) -> None:
        """AdaLoRA weighs and cuts its ranks by the gradients; the launch is the schedule's."""
        if self._pruning:
            self._pruning.after_update(step)

    def first_non_finite(self) -> str | None:
        """The first layer whose gradient is not finite."""
        for path, branch in self.layers.items():
            gradients = (parameter.grad for parameter in branch.parameters())
            if any(g is not None and not g.isfinite().all() for g in gradients):
                return path
        return None


def _weights(linears: Mapping[str, nn.Linear]) -> dict[str, Tensor]:
    return {path: linear.weight for path, linear in linears.items()}


def _mismatches(mine: Mapping[str, Tensor], saved: Mapping[str, Tensor]) -> list[str]:
    return [
        *(f"{key} is missing" for key in mine.keys() - saved.keys()),
        *(f"{key} is unknown" for key in saved.keys() - mine.keys()),
        *(
            f"{key} has shape {tuple(saved[key].shape)}, needed {tuple(mine[key].shape)}"
            for key in mine.keys() & saved.keys()
            if mine[key].shape != saved[key].shape
        ),
    ]


def find_targets(model: nn.Module, target_modules: tuple[str, ...]) -> dict[str, nn.Linear]:
    """Every linear (or look-alike) whose path is, or ends with a dot and, one of the names.

    Raises ConfigError naming the names that match nothing, what is there, and what is no linear.
    """
    linears = _linears(model)
    matched = {name: [path for path in linears if is_called(path, name)] for name in target_modules}
    missing = [name for name, paths in matched.items() if not paths]
    if missing:
        endings = sorted({_ending(path) for path in linears})
        raise ConfigError(
            f"--adapter.target-modules {' '.join(missing)}: no linear of this model is called so; "
            f"possible: {', '.join(endings)}.{_unfit(model)}"
        )
    wanted = {path for paths in matched.values() for path in paths}
    return {path: linear for path, linear in linears.items() if path in wanted}


def _linears(model: nn.Module) -> dict[str, Any]:
    """Everything that quacks like a linear, by path; a wrapped one counts as what it wraps."""
    modules = dict(model.named_modules())
    return {
        path: module.base if isinstance(module, AdaptedLinear) else module
        for path, module in modules.items()
        if all(hasattr(module, name) for name in ("in_features", "out_features", "weight"))
        and not isinstance(modules.get(path.rpartition(".")[0]), AdaptedLinear)
    }


def _unfit(model: nn.Module) -> str:
    """A sentence on modules that multiply by a matrix and yet are no linears, as GPT-2's Conv1D."""
    kinds = {
        _ending(path): type(module).__name__
        for path, module in model.named_modules()
        if getattr(getattr(module, "weight", None), "ndim", 0) == 2
        and not hasattr(module, "in_features")
        and not isinstance(module, nn.Embedding)
    }
    if not kinds:
        return ""
    names, classes = ", ".join(sorted(kinds)), ", ".join(sorted(set(kinds.values())))
    return f" {names} ({classes}) hold matrices too, but are no linears: no adapter fits them."


def _ending(path: str) -> str:
    """`attn.to_out.0` -> `to_out.0`: the last name, with the number that follows it."""
    parts = path.split(".")
    keep = 2 if parts[-1].isdigit() else 1
    return ".".join(parts[-keep:])


def attach(
    model: nn.Module,
    config: AdapterConfig,
    *,
    name: str = "default",
    device: torch.device | str | None = None,
) -> Adapter:
    """Wrap every target of `model` with a fresh branch; the output is unchanged to the bit.

    Freeze the model first: attach leaves `requires_grad` of the base alone. The branches live on
    `device`, or beside their weights. Raises ConfigError, before anything is changed.
    """
    targets = find_targets(model, config.target_modules)
    _check(model, config, name, targets)
    layers = {}
    for path, base in targets.items():
        place = torch.device(device) if device is not None else base.weight.device
        branch = LowRankBranch(base.in_features, base.out_features, config, place)
        branch.start(f"{config.seed}:{path}")
        layers[path] = branch
    for path, branch in layers.items():
        wrapper = _wrapped(model, path)
        branch.train(wrapper.training)
        wrapper.branches[name] = branch
    return Adapter(model, config, name, layers)


def _check(
    model: nn.Module, config: AdapterConfig, name: str, targets: dict[str, nn.Linear]
) -> None:
    if not name or "." in name or hasattr(nn.ModuleDict, name):
        raise ConfigError(f"adapter name {name!r}: give another word, without dots.")
    for path, base in targets.items():
        module = model.get_submodule(path)
        if isinstance(module, AdaptedLinear) and name in module.branches:
            raise ConfigError(f"{path} already has an adapter {name!r}; detach it first.")
        available = min(base.in_features, base.out_features)
        if config.chosen_of(available) > available:
            flag = "rank" if config.init_rank > available else "num-directions"
            raise ConfigError(
                f"--adapter.{flag} {config.chosen} is more than the {available} core directions "
                f"of {path}."
            )


def _wrapped(model: nn.Module, path: str) -> AdaptedLinear:
    module: Any = model.get_submodule(path)
    if isinstance(module, AdaptedLinear):
        return module
    wrapper = AdaptedLinear(module)
    replace_module(model, path, wrapper)
    return wrapper


def replace_module(model: nn.Module, path: str, module: nn.Module) -> None:
    """Put another module in the place of that path."""
    parent, _, leaf = path.rpartition(".")
    setattr(model.get_submodule(parent), leaf, module)
