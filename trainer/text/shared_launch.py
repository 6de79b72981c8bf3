"""The launch of processes that train together: the first decides it, all the others take it over.

One decomposition of the base is enough, and one choice of directions. The others wait for it in
short calls: a single one that outlasts the backend's timeout (NCCL: ten minutes) would end them.
"""

from __future__ import annotations

import json
import time
from dataclasses import replace

from torch.optim import Optimizer

from trainer.adapters.schedule import LaunchReport, LaunchSchedule
from trainer.peers import Peers

PAUSE = 0.1
"""Seconds between two questions whether the first is ready."""


class SharedLaunch:
    """The LaunchSchedule of one adapter that each process has a copy of; or of a process alone."""

    def __init__(self, schedule: LaunchSchedule, peers: Peers) -> None:
        self._schedule = schedule
        self._peers = peers

    def prepare(self) -> None:
        """Have the first one's weights decomposed in the background."""
        if self._peers.first:
            self._schedule.prepare()

    def after_step(self, step: int, optimizer: Optimizer) -> LaunchReport | None:
        """Launch together if it is due; the report is the first one's."""
        if not self._schedule.due(step):
            return None
        waited = self._wait_for_first()
        report = self._schedule.after_step(step, optimizer) if self._peers.first else None
        launched = self._peers.word_of_first(json.dumps(list(report.layers) if report else []))
        if report is None:
            self._schedule.enter_dash(step, optimizer, json.loads(launched))
        self._peers.copy_from_first(self._schedule.adapter.tensors().values())
        return report and _with_wait(report, waited)

    def lr_factor(self, step: int) -> float:
        """As the schedule says."""
        return self._schedule.lr_factor(step)

    def _wait_for_first(self) -> float:
        """Seconds until its decompositions are made; the others have none to wait for."""
        start = time.perf_counter()
        while self._peers.any(self._schedule.waiting()):
            time.sleep(PAUSE)
        return time.perf_counter() - start


def _with_wait(report: LaunchReport, waited: float) -> LaunchReport:
    return replace(
        report, seconds_waited=report.seconds_waited + waited, seconds=report.seconds + waited
    )
