"""What an adapter is told: method, size, directions and the moment of launch. No torch.

The methods are those of "Task-Specific Directions" (Si et al. 2024), Section 4, and the two that it
puts its dash term on in Section 6.4: AdaLoRA (Zhang et al. 2023) and FLoRA (Si et al. 2024).
`--help` renders the words under each field, so they are written to teach the method.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from trainer.errors import ConfigError

Method = Literal[
    "lora", "lora-dash", "lora-init", "lora-tsd", "lora-restart",
    "adalora", "adalora-dash", "flora", "flora-dash",
]  # fmt: skip
Direction = Literal["tsd", "top", "bottom", "random", "top+bottom", "all"]
Core = Literal["none", "diagonal", "full"]

DEFAULT_PRELAUNCH_STEPS = 100  # Section 4.1: t = 100 captures the directions for every rank tried


def is_called(path: str, name: str) -> bool:
    """Whether a module's path is, or ends with a dot and, this name of a target."""
    return f".{path}".endswith(f".{name}")


@dataclass(frozen=True)
class AdapterConfig:
    """The adapter: a low-rank change of every target linear, W + c B A, and what launch adds."""

    method: Method = "lora-tsd"
    """lora: plain low-rank training. The others first train like it (pre-launch phase), then ask
    which core directions u_i v_i^T of each frozen weight W = U S V^T have changed most for their
    size: the task-specific directions. lora-dash then trains their coordinates directly
    (delta_sigma). lora-init restarts B, A on these directions. lora-tsd does both. lora-restart
    is the control: a restart on random factors, with delta_sigma unless num-directions is 0.
    adalora (B diag(E) A, ranks moved to the layers that need them) and flora (B G A) are rivals;
    adalora-dash and flora-dash launch delta_sigma on top of them."""
    rank: int = 16
    """r: columns of B and rows of A in every target linear. More learns more and weighs more.
    adalora starts with half as many again, and ends with r in the mean over the linears."""
    alpha: float = 16.0
    """The low-rank change is scaled by c = alpha / rank; alpha = rank leaves it unscaled."""
    dropout: float = 0.0
    """Share of inputs hidden from the adapter, never from the base, while training."""
    target_modules: tuple[str, ...] = ("to_q", "to_k", "to_v", "to_out.0")
    """The linears to adapt, by the ending of their name in the model. The default is every
    attention projection of SDXL's UNet."""
    direction: Direction = "tsd"
    """Which core directions launch takes. tsd: those with the highest change rate
    |u_i^T delta_w v_i| / sigma_i. For comparison, top: the largest singular values (PiSSA),
    bottom: the smallest (MiLoRA), random: any (RoSA), top+bottom: in turns from either end, all:
    every one of them, whatever num-directions says. But for tsd they may launch at step 0."""
    num_directions: int = 8
    """s: core directions a linear whose coordinates delta_sigma trains after launch."""
    prelaunch_steps: int | None = None
    """t: optimizer steps before launch. Unset: 100, or a fifth of a run of fewer than 500."""
    prelaunch: Literal["fold", "discard"] = "fold"
    """What a restart does with the change learned before launch. fold: keeps it, frozen, so the
    model does not jump. discard: drops it, as the paper's equations 7 to 10 read literally."""
    lr_post: float = 1.0
    """Factor on the learning rate of A and B after a restart. On small singular values the new
    factors are small and answer 2 to 30 times weaker than those of plain LoRA."""
    seed: int = 0
    """Fixes the random start of A and the random directions, layer by layer."""

    @property
    def scaling(self) -> float:
        """c = alpha / rank."""
        return self.alpha / self.rank

    @property
    def core(self) -> Core:
        """What stands between B and A: nothing, AdaLoRA's diag(E), FLoRA's G."""
        if self.prunes:
            return "diagonal"
        return "full" if self.method.startswith("flora") else "none"

    @property
    def prunes(self) -> bool:
        """Whether ranks are taken from layers that need them less (AdaLoRA)."""
        return self.method.startswith("adalora")

    @property
    def initial_rank(self) -> int:
        """Rank of the factors as they start; AdaLoRA's budget begins at 1.5 r (its Section 4)."""
        return math.ceil(1.5 * self.rank) if self.prunes else self.rank

    @property
    def launches(self) -> bool:
        """Whether anything happens after the pre-launch phase."""
        return self.method not in ("lora", "adalora", "flora")

    @property
    def restarts(self) -> bool:
        """Whether launch gives A and B new values."""
        return self.method in ("lora-init", "lora-tsd", "lora-restart")

    @property
    def init_rank(self) -> int:
        """How many directions launch writes into A and B (eq. 8)."""
        return self.rank if self.method in ("lora-init", "lora-tsd") else 0

    @property
    def dash_rank(self) -> int:
        """How many directions delta_sigma trains (eq. 5)."""
        has_dash = self.method.endswith("-dash") or self.method in ("lora-tsd", "lora-restart")
        return self.num_directions if has_dash else 0

    def dash_rank_of(self, available: int) -> int:
        """The same for a linear of so many core directions: `all` takes every one."""
        return available if self.dash_rank and self.direction == "all" else self.dash_rank

    @property
    def folds(self) -> bool:
        """Whether launch keeps the pre-launch change as a frozen branch."""
        return self.restarts and self.prelaunch == "fold"

    @property
    def chosen(self) -> int:
        """How many directions launch chooses: eq. 8 and eq. 5 take the head of one list."""
        return max(self.init_rank, self.dash_rank)

    def chosen_of(self, available: int) -> int:
        """The same for a linear of so many core directions."""
        return max(self.init_rank, self.dash_rank_of(available))

    def resolved_prelaunch_steps(self, total_steps: int) -> int | None:
        """t for a run of `total_steps` optimizer steps; None where nothing launches."""
        return self._prelaunch(total_steps) if self.launches else None

    def _prelaunch(self, total_steps: int) -> int:
        if self.prelaunch_steps is not None:
            return self.prelaunch_steps
        return min(DEFAULT_PRELAUNCH_STEPS, total_steps // 5)

    def pruning_steps(self, total_steps: int) -> tuple[int, int]:
        """The steps after which AdaLoRA's budget begins and ceases to sink.

        It begins where the pre-launch phase ends, or would end, so that directions are chosen from
        the uncut change and adalora differs from adalora-dash in nothing but the dash term; it
        takes half of what is left of the run.
        """
        first = self._prelaunch(total_steps)
        return first, first + (total_steps - first) // 2

    def validate(self, total_steps: int, idle_steps: int = 0) -> None:
        """Raise one ConfigError with every fault in it.

        `idle_steps`: how many of the first steps have rate 0, such as the first of a warm-up.
        """
        launch_faults = self._launch_faults(total_steps, idle_steps)
        faults = [*self.range_faults(), *self._method_faults(), *launch_faults]
        if faults:
            raise ConfigError("\n".join(faults))

    def range_faults(self) -> list[str]:
        """What is out of range whatever the method and the number of steps."""
        checks = [
            ("--adapter.rank", self.rank, self.rank >= 1, "at least 1"),
            ("--adapter.alpha", self.alpha, 0 < self.alpha < math.inf, "above 0"),
            ("--adapter.dropout", self.dropout, 0 <= self.dropout < 1, "at least 0 and below 1"),
            ("--adapter.lr-post", self.lr_post, 0 < self.lr_post < math.inf, "above 0"),
        ]
        faults = [
            f"{flag} is {given}; it must be {need}." for flag, given, ok, need in checks if not ok
        ]
        if not all(self.target_modules) or not self.target_modules:
            faults.append("--adapter.target-modules is empty; name at least one linear, like to_q.")
        return faults

    def _method_faults(self) -> list[str]:
        faults = []
        fewest = 0 if self.method == "lora-restart" else 1
        if self.num_directions < fewest:
            faults.append(
                f"--adapter.num-directions is {self.num_directions}; {self.method} needs at least "
                f"{fewest} (0, for no delta_sigma, is for lora-restart only)."
            )
        if self.direction == "all" and self.init_rank:
            faults.append(
                f"--adapter.direction all leaves {self.method} nothing to choose its factors by; "
                "use a method that only dashes, like lora-dash."
            )
        if self.method == "lora-restart" and self.prelaunch == "discard":
            faults.append(
                "--adapter.prelaunch discard with --adapter.method lora-restart would only throw "
                "the first steps away; use fold."
            )
        return faults

    def _launch_faults(self, total_steps: int, idle_steps: int) -> list[str]:
        if not (self.launches or self.prunes):
            return []
        steps = self._prelaunch(total_steps)
        if self.direction == "tsd" and self.launches and steps <= idle_steps:
            return [_too_early(steps, total_steps, idle_steps)]
        if not 0 <= steps < total_steps:
            return [
                f"--adapter.prelaunch-steps is {steps}; it must be at least 0 and below the "
                f"run's {total_steps} optimizer steps, or {self.method} never launches."
            ]
        return []


def _too_early(steps: int, total_steps: int, idle_steps: int) -> str:
    """The fault of a launch that finds nothing learned: every layer would stay plain LoRA."""
    fewest = idle_steps + 1
    idle = f"; the rate of the first {idle_steps} is 0, by the warm-up" if idle_steps else ""
    return (
        f"--adapter.prelaunch-steps is {steps} in a run of {total_steps} steps; direction tsd "
        f"needs at least {fewest}, since it looks at what the first steps have changed{idle}. Give "
        f"it {fewest} or more, or train for {5 * fewest} steps or more and leave it unset."
    )
