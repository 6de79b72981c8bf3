"""Which SDXL bases may be trained on: a list of ours, so that no client names a path. No torch."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from huggingface_hub import CachedRepoInfo, CacheNotFound, scan_cache_dir
from safetensors import SafetensorError, safe_open

from app.gates import gated
from app.views import BaseChoice, BaseState
from app.workspace import Workspace
from trainer.config import ASSETS, EMBEDDED_BASE, SDXL_BASE
from trainer.errors import BaseModelError

KNOWN = {
    SDXL_BASE: "SDXL base 1.0",
    "SG161222/RealVisXL_V5.0": "RealVisXL 5.0, photographs",
    "cagliostrolab/animagine-xl-4.0": "Animagine XL 4.0, drawings",
}
"""Hub ids that are offered before they are downloaded."""
DOWNLOAD_GIGABYTES = 7.0
"""An SDXL base in half precision."""
_OWN = "bases/"


def list_bases(workspace: Workspace) -> list[BaseChoice]:
    """The embedded base, what lies in bases/, what is downloaded, what can be."""
    downloaded = {choice.id: choice for choice in _downloaded()}
    closed = gated(tuple(KNOWN))
    known = [
        downloaded.pop(name) if name in downloaded else _on_hub(name, label, name in closed)
        for name, label in KNOWN.items()
    ]
    return [_embedded(), *_own(workspace), *downloaded.values(), *known]


def resolve(workspace: Workspace, base: str) -> str:
    """What `DreamBoothConfig.base` is for a base of the list; BaseModelError for any other."""
    if base == EMBEDDED_BASE or base in KNOWN:
        return base
    choices = [choice.id for choice in list_bases(workspace)]
    if base not in choices:
        raise BaseModelError(
            f"The base {base[:100]!r} is not in the list; possible: {', '.join(choices)}. To use a "
            "checkpoint of your own, put the .safetensors file into the workspace's bases/."
        )
    return str(workspace.root / base) if base.startswith(_OWN) else base


def hub_repos() -> frozenset[CachedRepoInfo]:
    """What was downloaded from the hub; nothing where there is no cache yet."""
    try:
        return scan_cache_dir().repos
    except CacheNotFound:
        return frozenset()


def _embedded() -> BaseChoice:
    size = gigabytes(ASSETS / "embedded_base")
    return BaseChoice(
        EMBEDDED_BASE, "Embedded: small, for trying out", "embedded", size, "64 pixels, any machine"
    )


def _on_hub(name: str, label: str, closed: bool) -> BaseChoice:
    state: BaseState = "gated" if closed else "download"
    note = f"accept its licence on https://huggingface.co/{name}, then `hf auth login`"
    return BaseChoice(
        name, label, state, DOWNLOAD_GIGABYTES, note if closed else "fetched when first used"
    )


def _own(workspace: Workspace) -> Iterator[BaseChoice]:
    for path in sorted(workspace.bases.glob("*")):
        if _is_safetensors(path) or _is_sdxl_folder(path):
            size = gigabytes(path)
            yield BaseChoice(f"{_OWN}{path.name}", path.stem, "downloaded", size, "your own")


def _downloaded() -> Iterator[BaseChoice]:
    for repo in sorted(hub_repos(), key=lambda repo: repo.repo_id):
        if repo.repo_type == "model" and _has_sdxl(repo):
            label = KNOWN.get(repo.repo_id, repo.repo_id)
            yield BaseChoice(repo.repo_id, label, "downloaded", repo.size_on_disk / 1e9, "")


def _has_sdxl(repo: CachedRepoInfo) -> bool:
    return any(
        _is_sdxl_folder(revision.snapshot_path)
        and any((revision.snapshot_path / "unet").glob("*.safetensors"))
        for revision in repo.revisions
    )


def _is_sdxl_folder(path: Path) -> bool:
    try:
        index = json.loads((path / "model_index.json").read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(index, dict) and index.get("_class_name") == "StableDiffusionXLPipeline"


def _is_safetensors(path: Path) -> bool:
    """By content: a pickle with the right ending is none."""
    if not path.is_file():
        return False
    try:
        with safe_open(path, "numpy"):
            return True
    except (SafetensorError, OSError):
        return False


def gigabytes(path: Path) -> float:
    """What a file, or a folder with all that is in it, takes of the disk."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file()) / 1e9
