"""What a generate job is to draw, before anything is loaded."""

from __future__ import annotations

import pytest

from app.jobs.programs.plan import pictures, plan, sampling_steps
from app.requests import AdapterUse, GenerateRequest, GridAxes
from trainer.errors import ConfigError
from trainer.run import Subject

DUCK = Subject("duck", "zwx", "duck", photos=())


def test_the_base_alone_comes_first_then_all_adapters_together() -> None:
    uses = (AdapterUse("one"), AdapterUse("two", 0.5))
    base, both = plan(GenerateRequest(uses, ("a",)))
    assert base.base and not base.adapters
    assert both.adapters == uses and (both.scale, both.checkpoint) == (1.0, None)


def test_a_grid_varies_the_first_adapter_only() -> None:
    uses = (AdapterUse("one", 0.9), AdapterUse("two", 0.5))
    grid = GridAxes((0.5, 1.0), (100, 200))
    sheets = plan(GenerateRequest(uses, ("a",), beside_base=False, grid=grid))
    varied = [(sheet.adapters[0].scale, sheet.adapters[0].checkpoint) for sheet in sheets]
    assert varied == [(0.5, 100), (1.0, 100), (0.5, 200), (1.0, 200)]
    assert {sheet.adapters[1] for sheet in sheets} == {uses[1]}
    assert len({sheet.name for sheet in sheets}) == 4


def test_prompts_that_say_the_same_are_drawn_once() -> None:
    prompts = ("a {unique_token} {class_token}", "a zwx duck", "a {class_token}")
    request = GenerateRequest((AdapterUse("one"),), prompts, seeds=(0, 1), steps=10)
    drawn = pictures(request, plan(request)[1], DUCK)
    assert [(p.prompt, p.seed) for p in drawn] == [
        ("a zwx duck", 0), ("a zwx duck", 1), ("a duck", 0), ("a duck", 1)
    ]  # fmt: skip
    assert len({picture.file for picture in drawn}) == 4
    assert sampling_steps(request, DUCK) == 10 * 4 * 2  # by the base and by the adapter


@pytest.mark.parametrize(
    ("uses", "words"),
    [((), "at least one run"), ((AdapterUse("a"), AdapterUse("a", 0.5)), "twice")],
)
def test_adapters_that_cannot_be_drawn_with_are_refused(
    uses: tuple[AdapterUse, ...], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        plan(GenerateRequest(uses, ("a",)))
