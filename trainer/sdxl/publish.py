"""The end of a run: native file, both exports, and the proof that they are the trained adapter."""

from __future__ import annotations

from dataclasses import dataclass

from trainer.adapters.attach import Adapter
from trainer.adapters.checkpoint import save_native
from trainer.adapters.export import export_factors
from trainer.run import Run, Subject
from trainer.sdxl.layouts import modelspec, verify_export, write_diffusers, write_kohya
from trainer.sdxl.load import SDXL
from trainer.sdxl.probe import Probe


@dataclass(frozen=True)
class Published:
    """What was written, and how exactly it loads."""

    rank: int
    """Rank of the exported factors, the same in every layer."""
    layers: int
    diffusers_error: float
    """Of one prediction after reloading, relative to what the adapter changes."""
    kohya_error: float


def publish(
    sdxl: SDXL,
    adapter: Adapter,
    fingerprint: str,
    run: Run,
    subject: Subject,
    probe: Probe,
    step: int,
) -> Published:
    """Write native.safetensors and both exports, reload each with stock diffusers on the same
    UNet, and compare. The adapter is off the base afterwards.

    Raises ExportError where an export does not reproduce the adapter; it is then deleted, the
    native file kept.
    """
    save_native(adapter, run.native, step=step, base_fingerprint=fingerprint)
    factors = export_factors(adapter)
    rank = next(iter(factors.values()))[1].shape[0]
    trigger = f"{subject.unique_token} {subject.class_token}"
    about = {"dashbooth.method": adapter.config.method, "dashbooth.base_fingerprint": fingerprint}
    write_diffusers(factors, run.adapter, about)
    write_kohya(
        factors, run.adapter_kohya, sdxl,
        {**about, **modelspec(sdxl, run.path.name, trigger, rank)},
    )  # fmt: skip
    with_adapter = probe.predict(sdxl)
    adapter.detach()
    base = probe.predict(sdxl)
    errors = []
    for path in (run.adapter, run.adapter_kohya):
        try:
            errors.append(verify_export(sdxl, path, probe, with_adapter, base))
        except Exception:
            path.unlink()
            raise
    return Published(rank, len(factors), *errors)
