"""Photos of a subject → LoRA-TSD on SDXL → a run folder: the recipe.

The recipe reads in the order in which things happen: take the photos in, load the base, attach,
encode, fit, publish. DreamBooth after Ruiz et al. 2023; the adapter after Si et al. 2024.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import torch
from torch import Tensor
from torch.amp.grad_scaler import GradScaler

from trainer.adapters.attach import Adapter, attach
from trainer.adapters.checkpoint import load_native
from trainer.adapters.decomposition import shared_decompositions
from trainer.adapters.schedule import LaunchSchedule
from trainer.checkpoints import newest_checkpoint
from trainer.config import DreamBoothConfig
from trainer.data.keep import keep_subject
from trainer.data.subject import fill, read_subject
from trainer.device import precision_name
from trainer.errors import ArtifactError, ConfigError, PhotoError
from trainer.files import write_json
from trainer.journal import Journal, Watch
from trainer.loop import FitConfig, Hooks, Trained, fit
from trainer.optimizer import build_optimizer
from trainer.run import Run, Subject, new_run_folder, require_new
from trainer.sdxl.class_images import class_images
from trainer.sdxl.dataset import Example, buckets_for, encode_class_images, encode_subject
from trainer.sdxl.denoise import Denoising, condition
from trainer.sdxl.encode import encode_prompts, to_unet_scale
from trainer.sdxl.load import SDXL, load_sdxl
from trainer.sdxl.previews import Previews
from trainer.sdxl.probe import Probe
from trainer.sdxl.publish import publish
from trainer.sdxl.sample import SamplingConfig
from trainer.sdxl.task import DreamBoothTask, Prior
from trainer.seeds import mix


def train(config: DreamBoothConfig, watch: Watch | None = None) -> Run:
    """Train from the start. Nothing is written before photos, base and config are known to fit.

    Raises UserError for bad input, Interrupted after a stop (the run can be resumed), and
    NonFiniteError or ExportError where the result would be wrong.
    """
    config.validate()
    if config.photos is None:
        raise ConfigError(
            "--photos is missing: give the folder with the photos of your subject, or "
            "`--preset demo` for the bundled one."
        )
    if not config.photos.exists():  # said now, not after gigabytes have been loaded
        raise PhotoError(f"--photos {config.photos} does not exist. Give a folder with photos.")
    require_new(config.run)
    sdxl = load_sdxl(config.base, config.model)
    resolution = config.subject.resolution or sdxl.resolution
    found = read_subject(config.photos, config.subject, resolution)
    adapter = attach(sdxl.unet, config.adapter)
    config.adapter.validate(config.total_steps(len(found.photos)))
    run = Run(
        config.run or new_run_folder(f"{found.name}-{config.adapter.method}", config.workspace)
    )
    subject = keep_subject(run, found, resolution)
    run.write_config(_with_precision(config, sdxl))
    return _train(run, config, sdxl, adapter, subject, watch or Watch())


def resume(path: Path, watch: Watch | None = None) -> Run:
    """Go on with an unfinished run from its newest whole checkpoint, or from the start."""
    run = Run(path)
    config, subject = run.read_config(), run.read_subject()
    if run.status_file.exists():
        raise ArtifactError(f"{path} is finished. To train more, start a new run.")
    sdxl = load_sdxl(config.base, config.model)
    adapter = attach(sdxl.unet, config.adapter)
    return _train(run, config, sdxl, adapter, subject, watch or Watch())


def _with_precision(config: DreamBoothConfig, sdxl: SDXL) -> DreamBoothConfig:
    """`auto` as what it was here: the directions belong to the weights in just that precision."""
    model = dataclasses.replace(config.model, precision=precision_name(sdxl.dtype))
    return dataclasses.replace(config, model=model)


def _train(
    run: Run, config: DreamBoothConfig, sdxl: SDXL, adapter: Adapter, subject: Subject, watch: Watch
) -> Run:
    total_steps = config.total_steps(len(subject.photos))
    fingerprint = adapter.base_fingerprint()
    checkpoint = newest_checkpoint(run.checkpoints)
    if checkpoint is not None:
        adapter.detach()
        adapter = load_native(sdxl.unet, checkpoint.adapter, base_fingerprint=fingerprint)
    start = checkpoint.step if checkpoint else 0

    with adapter.disabled():
        examples = _encode(sdxl, run, subject, config)
        prior = _prior(sdxl, subject, config, fingerprint)
        previews = Previews(sdxl, run, subject, config.preview)
    sdxl.free_text_encoders()
    probe = _probe(sdxl, examples[0], config.optim.seed)

    scaler = GradScaler(sdxl.device.type, enabled=sdxl.dtype == torch.float16)
    trained = Trained(adapter, build_optimizer(adapter, config.optim), scaler, fingerprint)
    if checkpoint is not None:
        checkpoint.restore(trained)
    journal = Journal(run, trained, previews, config.checkpoint, watch, start, total_steps)
    with shared_decompositions(config.workspace) as decompositions:
        schedule = LaunchSchedule(
            adapter, total_steps, decompositions, probe=lambda: probe.predict(sdxl)
        )
        schedule.prepare()
        watch.on_start(run, start, total_steps)
        journal.before_first_step()
        done = fit(
            _task(sdxl, adapter, examples, prior, config),
            trained,
            schedule,
            _fit_config(config, total_steps),
            Hooks(journal.on_step, journal.save, journal.save_due, watch.stop, watch.finish_now),
            start,
        )
    journal.save(done)
    watch.before_publish()
    published = publish(sdxl, adapter, fingerprint, run, subject, probe, done)
    status = {"state": "succeeded", "step": done, "total_steps": total_steps}
    write_json(run.status_file, {**status, **vars(published)})
    return run


def _task(
    sdxl: SDXL,
    adapter: Adapter,
    examples: list[Example],
    prior: Prior | None,
    config: DreamBoothConfig,
) -> DreamBoothTask:
    optim = config.optim
    return DreamBoothTask(
        Denoising(sdxl, optim.min_snr_gamma),
        adapter,
        examples,
        batch_size=optim.batch_size,
        micro_batch_size=optim.micro_batch_size or optim.batch_size,
        seed=optim.seed,
        prior=prior,
    )


def _fit_config(config: DreamBoothConfig, total_steps: int) -> FitConfig:
    optim = config.optim
    return FitConfig(total_steps, optim.max_grad_norm, optim.seed)


def _encode(sdxl: SDXL, run: Run, subject: Subject, config: DreamBoothConfig) -> list[Example]:
    resolution = config.subject.resolution or sdxl.resolution
    buckets = buckets_for(sdxl, resolution, config.subject.aspect_buckets)
    return encode_subject(sdxl, run, subject, buckets, flip=config.subject.flip)


def _prior(
    sdxl: SDXL, subject: Subject, config: DreamBoothConfig, fingerprint: str
) -> Prior | None:
    prior = config.prior
    if prior.mode == "off":
        return None
    prompt = fill(prior.class_prompt, subject.unique_token, subject.class_token)
    if prior.mode == "adapter-off":
        return Prior(prior.weight, class_prompt=encode_prompts(sdxl, [prompt])[prompt])
    images = class_images(
        sdxl,
        prompt,
        prior.num_class_images,
        SamplingConfig(),
        config.workspace / "cache" / "class_images",
        fingerprint,
    )
    return Prior(prior.weight, class_examples=tuple(encode_class_images(sdxl, images, prompt)))


def _probe(sdxl: SDXL, example: Example, seed: int) -> Probe:
    """The first photo, half noised: where the adapter's effect is largest."""
    denoising = Denoising(sdxl)
    generator = torch.Generator().manual_seed(mix(seed, -1))
    noise = torch.randn(example.posterior.mean.shape, generator=generator).to(sdxl.device)[None]
    latents = to_unet_scale(sdxl, example.posterior.mean[None])
    timestep = torch.tensor([denoising.num_timesteps // 2], device=sdxl.device)
    noisy: Tensor = denoising.add_noise(latents, noise, timestep)
    return Probe(noisy, timestep, condition(sdxl, [example.prompt], [example.framing]))
