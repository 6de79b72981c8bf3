"""A worker process of the decomposition service: `python -m trainer.adapters.decomposition_worker`.

Started by `decomposition_process`, and fed by it over a socket whose number is the first argument.
Ends when its standard input closes, as it does in any case when the process that started it ends.
"""

from __future__ import annotations

import os
import sys
import threading
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any


def main(socket: str, folder: str, limit_bytes: str) -> None:
    """Serve until the lifeline is cut; it is watched before the slow import of torch begins."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _serve(Connection(int(socket)), Path(folder), int(limit_bytes))


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)  # at once, even from the middle of a decomposition


def _serve(connection: Connection[Any, Any], folder: Path, limit_bytes: int) -> None:
    """Weights in, keys out."""
    import torch

    from trainer.adapters.decomposition import read_or_decompose
    from trainer.adapters.tensor_cache import TensorCache
    from trainer.adapters.weights import unpack_weight

    torch.set_num_threads(1)
    cache = TensorCache(folder, limit_bytes)
    while True:
        path, packed = connection.recv()
        try:
            answer = True, read_or_decompose(cache, unpack_weight(packed), path).key
        except Exception as error:  # whatever it is, the service meets it again and raises it
            answer = False, f"{type(error).__name__}: {error}"
        connection.send(answer)


if __name__ == "__main__":
    main(*sys.argv[1:])
