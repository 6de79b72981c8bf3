"""How patient the queue is. Tests are less so."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Policy:
    """Times and limits of a worker and its supervisors."""

    lease_seconds: float = 60.0
    """After so long without a sign of its supervisor a job is anybody's."""
    poll_seconds: float = 0.25
    """Between two looks of a supervisor at wishes and news."""
    grace_seconds: float = 30.0
    """For a program to save its checkpoint after SIGTERM, then it is killed."""
    reconcile_seconds: float = 3.0
    """Between two rounds of putting right what a death left."""
    worker_seconds: float = 20.0
    """After so long without a sign a worker counts as dead."""
    retry_seconds: tuple[float, ...] = (10.0, 60.0, 300.0)
    """Waits before the attempts that follow a crash; the last for all later ones."""
    max_fruitless: int = 3
    """Attempts that left nothing new to go on from before a job is quarantined."""
    min_free_gigabytes: float = 1.0
    """Less disk than that blocks a job before it starts."""

    @property
    def give_up_seconds(self) -> float:
        """A supervisor that could not renew for so long kills its tree, before the lease ends."""
        return 0.7 * self.lease_seconds

    @property
    def renew_seconds(self) -> float:
        return 0.15 * self.lease_seconds
