"""Whether the workers of a queue have the device that a training needs. No torch."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from app.gpus import has_gpu
from app.jobs.engine import Queue
from trainer.config import DreamBoothConfig
from trainer.errors import ConfigError
from trainer.text_config import TextConfig

AnyConfig = TypeVar("AnyConfig", DreamBoothConfig, TextConfig)


def check_device(config: AnyConfig, queue: Queue) -> None:
    """ConfigError where it could only fail: for want of a GPU, or on the one that there is."""
    if _may_have_gpu(queue):
        _check_on_gpu(config)
    else:
        _check_on_cpu(config)


def _check_on_gpu(config: AnyConfig) -> None:
    """ConfigError where the precision that `auto` is there is one that does not fit."""
    if config.model.device == "cpu" or config.model.precision != "auto":
        return
    try:
        replace(config, model=replace(config.model, precision="bf16")).validate()
    except ConfigError as error:
        raise ConfigError(f"On a GPU --model.precision auto is bf16.\n{error}") from error


def _check_on_cpu(config: AnyConfig) -> None:
    faults: list[str] = []
    try:
        replace(config, model=replace(config.model, device="cpu")).validate()
    except ConfigError as error:
        faults.append(str(error))
    if config.model.device == "cuda":
        faults.append("--model.device cuda does not run here; use auto or cpu.")
    if faults:
        raise ConfigError("\n".join(["No worker has a GPU.", *faults]))


def _may_have_gpu(queue: Queue) -> bool:
    """By the workers that are there; before they are, by this machine, unless it is a fleet's."""
    if has_gpu():
        return True
    alive = [worker for worker in queue.workers() if worker.alive]
    if alive:
        return any(worker.device != "cpu" for worker in alive)
    return queue.url.get_backend_name() != "sqlite"
