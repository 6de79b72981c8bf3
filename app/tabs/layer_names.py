"""Layers of the UNet in words, and a list to choose them from: all, a kind, or one."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from app.tabs.choices import Choices
from app.tabs.words import say

ALL = "all"
"""What eval.compare_subjects calls every layer."""
_KIND = re.compile(r"(attn1|attn2)\.(to_q|to_k|to_v|to_out)(\.0)?$")


def place(path: str) -> str:
    """`down_blocks.1.attentions.0…attn2.to_k` → `down block 1 (text attention)`."""
    return say("layer.cross" if "attn2" in path else "layer.self", block=_block(path))


def layer_choices(layers: Sequence[str]) -> Choices:
    """All of them, each kind, then one by one; the values are names that a comparison takes."""
    if not layers:
        return []
    kinds = Counter(found.group() for path in layers if (found := _KIND.search(path)))
    return [
        (say("layer.all", n=len(layers)), ALL),
        *((say("layer.every", kind=_kind(name), name=name, n=n), name)
          for name, n in sorted(kinds.items(), key=lambda row: row[0])),
        *((_single(path), path) for path in layers),
    ]  # fmt: skip


def layers_asked(chosen: Sequence[str]) -> tuple[str, ...]:
    """What a comparison is to draw: `all` makes the rest needless."""
    return (ALL,) if ALL in chosen else tuple(chosen)


def _single(path: str) -> str:
    """`up block 1, 0.0: text attention, key`: the block, its place there, and the kind."""
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
