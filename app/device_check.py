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
    """ConfigError where it could only fail: what it asks for needs a GPU, and there is none."""
    if _may_have_gpu(queue):
        return
    faults: list[str] = []
    try:
        _on_cpu(config).validate()
    except ConfigError as error:
        faults.append(str(error))
    if config.model.device == "cuda":
        faults.append("--model.device cuda does not run here; use auto or cpu.")
    if faults:
        raise ConfigError("\n".join(["No worker has a GPU.", *faults]))


def _on_cpu(config: AnyConfig) -> AnyConfig:
    return replace(config, model=replace(config.model, device="cpu"))


def _may_have_gpu(queue: Queue) -> bool:
    """By the workers that are there; before they are, by this machine, unless it is a fleet's."""
    if has_gpu():
        return True
    alive = [worker for worker in queue.workers() if worker.alive]
    if alive:
        return any(worker.device != "cpu" for worker in alive)
    return queue.url.get_backend_name() != "sqlite"
