"""What directions.json holds: all studies, with several seeds of one method taken together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from eval.directions.ablation import ablations, unscored
from eval.directions.layer_by_layer import Spectrum, Studied
from eval.directions.pooled import plain_lora, pools
from eval.directions.studied import AdapterRun, FullRun, StudiedRun
from eval.directions.summary import capture_json, launched_json, of_attention, spectrum_json
from eval.directions.written import losses, score_of_run
from eval.machine import machine

FORMAT = 3


def record_of(
    full: FullRun,
    spectrum: Spectrum,
    studied: Sequence[Studied],
    draws: int,
) -> dict[str, Any]:
    """All but the list of figures."""
    together = pools([each.run.settings for each in studied])
    members = {
        name: sorted((studied[place] for place in places), key=lambda each: each.seed)
        for name, places in together.items()
    }
    scores = [
        (pool[0].run.settings, {each.seed: score_of_run(each.run.run) for each in pool})
        for pool in members.values()
    ]
    folders = [{each.seed: _name(each.run) for each in pool} for pool in members.values()]
    return {
        "format": FORMAT,
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "base": full.config.base,
        "task": full.config.task_name,
        "full": _name(full),
        "full_seed": full.config.optim.seed,
        "trained": _training(full),
        "null_draws": draws,
        "change_rates": spectrum_json(spectrum.layers, spectrum.drawn),
        "methods": {
            name: {**_method(pool), "plain_lora": _plain_lora(pool, members)}
            for name, pool in members.items()
        },
        "ablations": ablations(scores),
        "unscored": unscored(scores, folders),
    }


def _method(pool: Sequence[Studied]) -> dict[str, Any]:
    """Runs that differ in nothing but their seed."""
    first = pool[0].run
    runs = [each.run.run for each in pool]
    return {
        "method": first.config.method,
        "task": first.config.task_name,
        "direction": first.settings.get("adapter.direction"),
        "rank": first.native.config.rank if isinstance(first, AdapterRun) else None,
        "trained": _training(first),
        "runs": [_name(each.run) for each in pool],
        "seeds": [each.seed for each in pool],
        "launch_step": first.launch_step,
        **_found(pool),
        "attention": _found_in_attention(pool),
        "losses": losses(runs),
        "score": [score_of_run(run) for run in runs],
    }


def _found(pool: Sequence[Studied]) -> dict[str, Any]:
    """Fig. 3, Tables 5 and 6."""
    return {
        "capture": capture_json([each.captures for each in pool]),
        **launched_json([each.launched for each in pool]),
    }


def _found_in_attention(pool: Sequence[Studied]) -> dict[str, Any] | None:
    """The same in queries, keys and values alone, which the paper's Fig. 3 is a mean over; None
    where there are no others, or none of these."""
    alone = [
        replace(each, captures=of_attention(each.captures), launched=of_attention(each.launched))
        for each in pool
    ]
    all_have_some = all(each.captures for each in alone)
    fewer = any(len(a.captures) < len(b.captures) for a, b in zip(alone, pool, strict=True))
    return _found(alone) if all_have_some and fewer else None


def _plain_lora(pool: Sequence[Studied], members: Mapping[str, Sequence[Studied]]) -> str | None:
    """What LoRA with the same settings is called here."""
    place = plain_lora(pool[0].run.settings, [other[0].run.settings for other in members.values()])
    return None if place is None else list(members)[place]


def _training(run: StudiedRun) -> dict[str, Any]:
    """How long a run was trained, and on how much."""
    optim = run.config.optim
    return {
        "steps": run.step if isinstance(run, FullRun) else run.native.step,
        "batch_size": optim.batch_size,
        "learning_rate": optim.learning_rate,
        "examples": run.config.examples,  # None: all that the task has
        "max_length": run.config.max_length,
        "precision": run.config.model.precision,
    }


def _name(run: StudiedRun) -> str:
    return run.run.path.resolve().name
