"""Whether the workers of a queue have the device that a training needs. No torch."""

from __future__ import annotations

from app.gpus import has_gpu
from app.jobs.engine import Queue
from trainer.config import DreamBoothConfig, device_faults
from trainer.errors import ConfigError
from trainer.text_config import TextConfig, TextModelConfig


def check_device(config: DreamBoothConfig | TextConfig, queue: Queue) -> None:
    """ConfigError where it could only fail: what it asks for needs a GPU, and there is none."""
    model, optim = config.model, config.optim
    if _may_have_gpu(queue):
        return
    faults = device_faults("cpu", model.precision, optim.optimizer, optim.learning_rate)
    if isinstance(model, TextModelConfig) and model.quantization != "none":
        faults.append(f"--model.quantization {model.quantization} needs a GPU; use none.")
    if model.device == "cuda":
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
