"""Frozen weights as others find them: live in the model, as stored in a safetensors file, or made
from what a quantised linear holds.

The directions of a weight belong to its stored bytes: the fp32, fp16 and bf16 copies of one model
have different tails. So a weight is read, and named, as it is stored.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import safetensors.torch
import torch
from safetensors import safe_open
from torch import Tensor, nn


class StoredWeight(NamedTuple):
    """A tensor in a safetensors file."""

    file: Path
    key: str


class MadeWeight(NamedTuple):
    """A weight that is made anew whenever it is read, so that no copy of it stays."""

    make: Callable[[], Tensor]
    shape: tuple[int, ...]


WeightSource = Tensor | StoredWeight | MadeWeight


def read_weight(source: WeightSource) -> Tensor:
    """The weight on the CPU, in its stored dtype."""
    if isinstance(source, Tensor):
        return source.detach().cpu()
    if isinstance(source, MadeWeight):
        return source.make().detach().cpu()
    with safe_open(source.file, framework="pt") as file:
        weight: Tensor = file.get_tensor(source.key)
    return weight


def weight_shape(source: WeightSource) -> tuple[int, ...]:
    """Its shape, without reading it."""
    if isinstance(source, StoredWeight):
        with safe_open(source.file, framework="pt") as file:
            return tuple(file.get_slice(source.key).get_shape())
    return tuple(source.shape)


def pack_weight(source: WeightSource) -> tuple[str, str] | bytes:
    """A weight as it travels to another process: a stored one by name, any other by its bytes."""
    if isinstance(source, StoredWeight):
        return str(source.file), source.key
    data: bytes = safetensors.torch.save({"weight": read_weight(source).contiguous()})
    return data


def unpack_weight(packed: tuple[str, str] | bytes) -> Tensor:
    """The weight at the other end."""
    if isinstance(packed, bytes):
        weight: Tensor = safetensors.torch.load(packed)["weight"]
        return weight
    file, key = packed
    return read_weight(StoredWeight(Path(file), key))


def tensor_bytes(tensor: Tensor) -> memoryview:
    """The bytes of a tensor of any dtype, without a copy where it is contiguous on the CPU."""
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().data


def base_fingerprint(linears: Mapping[str, nn.Module]) -> str:
    """sha256 over names, shapes, dtypes and bytes of what the linears hold.

    One pass over the bytes, layer by layer: no second copy of the base is held.
    """
    digest = hashlib.sha256()
    for path in sorted(linears):
        for name, tensor in sorted(linears[path].state_dict().items()):
            digest.update(f"{path}.{name} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
            digest.update(tensor_bytes(tensor))
    return digest.hexdigest()
