"""Requests from outside: rebuilt from JSON, and kept within bounds before they are queued.

No torch.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from app.jobs.records import JobKind
from app.requests import (
    CompareRequest,
    DirectionsRequest,
    GenerateRequest,
    Request,
    ScoreRequest,
    TrainRequest,
    check_name,
)
from app.text_requests import TextCellRequest, TextScoreRequest, TextTrainRequest
from trainer.errors import ConfigError

KINDS: dict[JobKind, type[Request]] = {
    JobKind.TRAIN: TrainRequest,
    JobKind.GENERATE: GenerateRequest,
    JobKind.SCORE: ScoreRequest,
    JobKind.COMPARE: CompareRequest,
    JobKind.TEXT_TRAIN: TextTrainRequest,
    JobKind.TEXT_SCORE: TextScoreRequest,
    JobKind.TEXT_CELL: TextCellRequest,
    JobKind.DIRECTIONS: DirectionsRequest,
}
MAX_PICTURES = 1000
MAX_STUDIED = 60
"""Runs beside the full fine-tuning of one study of directions."""
LAYER = re.compile(r"[A-Za-z0-9_.]{1,200}")
MAX_PROMPT = 2000
LARGEST_SEED = 2**63 - 1


def request_from_json(kind: JobKind, values: Mapping[str, Any]) -> Request:
    """The request of a kind; ConfigError names every field at fault."""
    try:
        return _adapter(kind).validate_python(values)
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, row['loc']))}: {row['msg']}." for row in error.errors()]
        raise ConfigError("\n".join(faults)) from error


@cache
def _adapter(kind: JobKind) -> TypeAdapter[Request]:
    return TypeAdapter(KINDS[kind])


def check_adapters(request: GenerateRequest) -> None:
    """ConfigError where none draws, or one is named twice."""
    counts = Counter(use.run for use in request.adapters)
    if not counts:
        raise ConfigError("adapters: name at least one run.")
    twice = [run for run, count in counts.items() if count > 1]
    if twice:
        raise ConfigError(f"adapters: {', '.join(twice)} is there twice; one scale a run.")


def check_generate(request: GenerateRequest) -> None:
    """ConfigError with everything that is out of bounds."""
    for use in request.adapters:
        check_name("The run", use.run)
    scales = [use.scale for use in request.adapters]
    checkpoints = 1
    if request.grid is not None:
        scales += request.grid.scales
        checkpoints = max(1, len(request.grid.checkpoints))
    cells = max(1, len(request.grid.scales)) * checkpoints if request.grid else 1
    pictures = len(request.prompts) * len(request.seeds) * cells
    _raise_faults(
        ("adapters", 1 <= len(request.adapters) <= 8, "1 to 8 runs"),
        ("prompts", 1 <= len(request.prompts) <= 100, "1 to 100 prompts"),
        ("prompts", all(map(_is_text, request.prompts)), f"1 to {MAX_PROMPT} characters each"),
        ("negative_prompt", len(request.negative_prompt) <= MAX_PROMPT,
         f"at most {MAX_PROMPT} characters"),
        ("seeds", _are_seeds(request.seeds), "at least one, each once, none negative"),
        ("pictures", pictures <= MAX_PICTURES, f"at most {MAX_PICTURES} in one job"),
        ("steps", 1 <= request.steps <= 200, "1 to 200"),
        ("guidance_scale", 0 <= request.guidance_scale <= 50, "0 to 50"),
        ("scale", all(math.isfinite(s) and abs(s) <= 10 for s in scales), "-10 to 10"),
        ("width", _is_side(request.width), "a multiple of 8 from 32 to 2048"),
        ("height", _is_side(request.height), "a multiple of 8 from 32 to 2048"),
    )  # fmt: skip
    check_adapters(request)


def check_score(request: ScoreRequest) -> None:
    check_name("The run", request.run)
    _raise_faults(
        ("seeds", _are_seeds(request.seeds) and len(request.seeds) <= 16, "1 to 16, each once"),
        ("max_prompts", request.max_prompts is None or request.max_prompts >= 1, "at least 1"),
    )


def check_compare(request: CompareRequest) -> None:
    for run in request.runs:
        check_name("The run", run)
    distinct = len(set(request.runs)) == len(request.runs)
    draws = request.null_draws
    _raise_faults(
        ("runs", distinct and 2 <= len(request.runs) <= 16, "2 to 16 runs, each once"),
        ("null_draws", draws == 0 or 2 <= draws <= 100, "0, or 2 to 100"),
        ("layers", len(request.layers) <= 1000, "at most 1000"),
    )


def check_directions(request: DirectionsRequest) -> None:
    names = (request.full, *request.runs)
    for name in names:
        check_name("The run", name)
    few = len(set(names)) == len(names) and len(request.runs) <= MAX_STUDIED
    layer = request.layer is None or LAYER.fullmatch(request.layer) is not None
    _raise_faults(
        ("runs", few, f"at most {MAX_STUDIED}, each once, and not the full fine-tuning itself"),
        ("null_draws", 2 <= request.null_draws <= 200, "2 to 200"),
        ("layer", layer, "letters, digits, dots and underscores, at most 200"),
    )


def _raise_faults(*checks: tuple[str, bool, str]) -> None:
    faults = [f"{field}: needed is {needed}." for field, good, needed in checks if not good]
    if faults:
        raise ConfigError("\n".join(faults))


def _is_text(text: str) -> bool:
    return 0 < len(text.strip()) <= MAX_PROMPT and "\0" not in text


def _are_seeds(seeds: tuple[int, ...]) -> bool:
    in_range = all(0 <= seed <= LARGEST_SEED for seed in seeds)
    return bool(seeds) and in_range and len(set(seeds)) == len(seeds)


def _is_side(side: int | None) -> bool:
    return side is None or (32 <= side <= 2048 and side % 8 == 0)
