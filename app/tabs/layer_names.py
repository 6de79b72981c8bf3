"""Layers in words (those of text models by their names), and a list to choose them from."""

from __future__ import annotations

import re
from collections.abc import Sequence

from app.tabs.choices import Choices
from app.tabs.words import say
from trainer.adapters.config import is_called

ALL = "all"
"""What eval.compare_subjects calls every layer."""
_KIND = re.compile(r"(attn1|attn2)\.(to_q|to_k|to_v|to_out)(\.0)?$")

_BLOCKS = ("down_blocks", "mid_block", "up_blocks")
"""What the paths of a UNet's layers begin with."""


def place(path: str) -> str:
    """`down_blocks.1.attentions.0…attn2.to_k` → `down block 1 (text attention)`."""
    return say("layer.cross" if "attn2" in path else "layer.self", block=_block(path))


def layer_choices(layers: Sequence[str]) -> Choices:
    """All of them, each kind, then one by one; the values are names that a comparison takes."""
    if not layers:
        return []
    kinds = sorted({_end(path) for path in layers})
    return [
        (say("layer.all", n=len(layers)), ALL),
        *((_every(name, sum(is_called(path, name) for path in layers)), name)
          for name in kinds),
        *((_single(path), path) for path in layers),
    ]  # fmt: skip


def layers_asked(chosen: Sequence[str]) -> tuple[str, ...]:
    """What a comparison is to draw: `all` makes the rest needless."""
    return (ALL,) if ALL in chosen else tuple(chosen)


def _end(path: str) -> str:
    """What layers of one kind end in: `attn2.to_k`, or what stands behind a block's number."""
    found = _KIND.search(path)
    return found.group() if found else re.split(r"\.\d+\.", path)[-1]


def _every(name: str, count: int) -> str:
    if _KIND.search(name):
        return say("layer.every", kind=_kind(name), name=name, n=count)
    return say("layer.every_named", name=name, n=count)


def _single(path: str) -> str:
    """`up block 1, 0.0: text attention, key`: the block, its place there, and the kind."""
    if not path.startswith(_BLOCKS):
        return path
    numbers = ".".join(re.findall(r"(?:attentions|transformer_blocks)\.(\d+)", path))
    found = _KIND.search(path)
    kind = _kind(found.group()) if found else path.rpartition(".")[2]
    return say("layer.single", block=_block(path), place=numbers, kind=kind)


def _kind(name: str) -> str:
    """`attn2.to_k` → `text attention, key`."""
    attention, role = name.split(".")[:2]
    return say(f"layer.{attention}_{role}")


def _block(path: str) -> str:
    side, number, *_ = path.split(".")
    return say(f"layer.{side.split('_')[0]}", number=number)
