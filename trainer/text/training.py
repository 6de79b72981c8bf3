"""What the recipes on text have in common: put the method on, fit, publish, in that order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor
from torch.amp.grad_scaler import GradScaler

from trainer.adapters.attach import Adapter
from trainer.adapters.checkpoint import restore_native
from trainer.adapters.decomposition import DecompositionService, shared_decompositions
from trainer.adapters.schedule import LaunchSchedule, NoLaunch
from trainer.adapters.trainable import Trainable
from trainer.checkpoints import newest_checkpoint
from trainer.device import precision_name, resolve_device
from trainer.errors import ArtifactError
from trainer.files import write_json
from trainer.journal import Journal, Watch
from trainer.loop import FitConfig, Hooks, Schedule, Trained, fit
from trainer.methods.build import build_method
from trainer.optimizer import build_optimizer
from trainer.peers import Peers, join
from trainer.run import new_run_folder, require_new
from trainer.text.batches import Batches, Example, collate
from trainer.text.begun import placed, require_same_examples, tell
from trainer.text.load import TextModel
from trainer.text.publish import publish
from trainer.text.quantised import weights_below
from trainer.text.shared_launch import SharedLaunch
from trainer.text.task import Objective, TextTask
from trainer.text.validation import Validation
from trainer.text_config import TextConfig
from trainer.text_run import TextRun

AnyConfig = TypeVar("AnyConfig", bound=TextConfig)


@dataclass(frozen=True)
class Material:
    """What a recipe brings: a base, a loss, and examples for both."""

    text: TextModel
    objective: Objective
    examples: Sequence[Example]
    held_out: Sequence[Example]


@dataclass(frozen=True)
class _Prepared:
    """All of that, with the method on the base; nothing is written yet."""

    material: Material
    config: TextConfig
    method: Trainable
    total_steps: int
    peers: Peers


def train_text(
    config: AnyConfig, stem: str, gather: Callable[[AnyConfig], Material], watch: Watch
) -> TextRun:
    """Train from the start; `stem` begins the name of the run's folder."""
    config.validate()
    config = placed(config)
    peers = join(resolve_device(config.model.device))
    if peers.first:
        require_new(config.run)
    prepared = _prepare(gather(config), config, peers)
    return _fit(_new_run(prepared, stem), prepared, watch)


def resume_text(
    run: TextRun, config: AnyConfig, gather: Callable[[AnyConfig], Material], watch: Watch
) -> TextRun:
    """Go on from the newest whole checkpoint, or from the start; ResumeError where its examples are
    no longer those it began with."""
    if run.status_file.exists():
        raise ArtifactError(f"{run.path} is finished. To train more, start a new run.")
    peers = join(resolve_device(config.model.device))
    material = gather(config)
    require_same_examples(run, tell(material.examples, material.held_out))
    return _fit(run, _prepare(material, config, peers), watch)


def _prepare(material: Material, config: TextConfig, peers: Peers) -> _Prepared:
    """Put the method on; ConfigError where it does not fit the base."""
    total_steps = config.total_steps(len(material.examples))
    text = material.text
    method = build_method(
        text.model,
        config.adapter,
        config.instead,
        head=frozenset(text.head),
    )
    text.model.eval()  # wrappers are made in training mode, and step 0 is looked at without dropout
    return _Prepared(material, config, method, total_steps, peers)


def _new_run(prepared: _Prepared, stem: str) -> TextRun:
    """The folder, with config and examples told in it; the first process makes it."""
    config, material, peers = prepared.config, prepared.material, prepared.peers
    if not peers.first:
        return TextRun(Path(peers.word_of_first("")))
    run = TextRun(config.run or new_run_folder(stem, config.workspace))
    # `auto` as what it was here: directions belong to the weights in just that precision.
    model = replace(config.model, precision=precision_name(material.text.dtype))
    run.write_config(replace(config, model=model))
    write_json(run.examples, tell(material.examples, material.held_out))
    peers.word_of_first(str(run.path))
    return run


def linear_with_warmup(step: int, *, warmup: int, total: int) -> float:
    """Factor on the rate after `step` updates: up to 1 over `warmup` steps, then down to 0."""
    if step < warmup:
        return step / max(1, warmup)
    return max(0.0, (total - step) / max(1, total - warmup))


def _fit(run: TextRun, prepared: _Prepared, watch: Watch) -> TextRun:
    config, total_steps, peers = prepared.config, prepared.total_steps, prepared.peers
    trained = _trained(prepared)
    start = _go_on(run, trained)
    with shared_decompositions(config.workspace) as decompositions:
        schedule = _schedule(prepared, decompositions)
        hooks = _hooks(run, prepared, trained, watch, start)
        fitting = _fit_config(config, total_steps)
        done = fit(_task(prepared), trained, schedule, fitting, hooks, start, peers)
    if peers.first:
        hooks.save(done)
        watch.before_publish()
        published = publish(run, prepared.material.text, trained, done)
        status = {"state": "succeeded", "step": done, "total_steps": total_steps}
        write_json(run.status_file, {**status, **vars(published)})
    return run


def _hooks(run: TextRun, prepared: _Prepared, trained: Trained, watch: Watch, start: int) -> Hooks:
    """The journal's; a process that is not the first writes nothing, and stops with the others."""
    if not prepared.peers.first:
        return Hooks(lambda report: None, lambda step: None, lambda step: False, watch.stop)
    validation, total_steps = _validation(prepared), prepared.total_steps
    keeping = prepared.config.checkpoint
    journal = Journal(run, trained, validation, keeping, watch, start, total_steps)
    watch.on_start(run, start, total_steps)
    journal.before_first_step()
    return Hooks(journal.on_step, journal.save, journal.save_due, watch.stop, watch.finish_now)


def _trained(prepared: _Prepared) -> Trained:
    text, method, optim = prepared.material.text, prepared.method, prepared.config.optim
    fingerprint = method.base_fingerprint()
    optimizer = build_optimizer(method, optim, text.head, optim.head_learning_rate)
    scaler = GradScaler(text.device.type, enabled=text.dtype == torch.float16)
    return Trained(method, optimizer, scaler, fingerprint, text.head)


def _go_on(run: TextRun, trained: Trained) -> int:
    """Put the newest whole checkpoint back; the steps it had done, 0 without one."""
    checkpoint = newest_checkpoint(run.checkpoints)
    if checkpoint is None:
        return 0
    fingerprint = trained.base_fingerprint
    restore_native(trained.adapter, checkpoint.adapter, base_fingerprint=fingerprint)
    checkpoint.restore(trained)
    return checkpoint.step


def _validation(prepared: _Prepared) -> Validation:
    material, config = prepared.material, prepared.config
    batch_size = config.optim.micro_batch_size or config.optim.batch_size
    return Validation(material.objective, material.held_out, batch_size, config.validation)


def _task(prepared: _Prepared) -> TextTask:
    material, optim = prepared.material, prepared.config.optim
    batches = Batches(material.examples, optim.batch_size, optim.seed)
    micro_batch_size = optim.micro_batch_size or optim.batch_size
    return TextTask(material.text, material.objective, batches, micro_batch_size, prepared.peers)


def _fit_config(config: TextConfig, total_steps: int) -> FitConfig:
    optim, warmup = config.optim, config.warmup_steps(total_steps)
    factor = partial(linear_with_warmup, warmup=warmup, total=total_steps)
    return FitConfig(total_steps, optim.max_grad_norm, optim.seed, factor)


def _schedule(prepared: _Prepared, decompositions: DecompositionService) -> Schedule:
    method, text = prepared.method, prepared.material.text
    if not isinstance(method, Adapter):
        return NoLaunch()
    first = prepared.material.examples[0]
    schedule = LaunchSchedule(
        method,
        prepared.total_steps,
        decompositions,
        sources=weights_below(method),
        probe=lambda: _predict(text, first),
    )
    launch = SharedLaunch(schedule, prepared.peers)
    launch.prepare()
    return launch


@torch.no_grad()
def _predict(text: TextModel, example: Example) -> Tensor:
    """The model's answer to one example as it stands, fp32 on the CPU; the launch compares it."""
    told: Mapping[str, Tensor] = collate(text.tokenizer, [example], text.device)
    logits: Tensor = text.model(**told).logits
    return logits.float().cpu()
