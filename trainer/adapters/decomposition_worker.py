"""A worker process of the decomposition service: `python -m trainer.adapters.decomposition_worker`.

Started and fed by `DecompositionService`, over a socket whose number is its first argument. Ends
when its standard input closes, which happens in any case when the process that started it is gone.
"""

from __future__ import annotations

import os
import sys
import threading
from multiprocessing.connection import Connection
from pathlib import Path


def main(socket: str, cache_dir: str, limit_bytes: str) -> None:
    """Serve until the lifeline is cut; it is watched before the slow imports begin."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.nice(10)  # training comes first

    import torch

    from trainer.adapters.decomposition import serve
    from trainer.adapters.tensor_cache import TensorCache

    torch.set_num_threads(1)
    serve(Connection(int(socket)), TensorCache(Path(cache_dir), int(limit_bytes)))


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)  # at once, even from the middle of a decomposition


if __name__ == "__main__":
    main(*sys.argv[1:])
